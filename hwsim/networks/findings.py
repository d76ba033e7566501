"""What the decoder of ready-made measurements comes from."""

from collections.abc import Iterator

from hwsim.findings import Finding, of_package
from hwsim.networks.load import DECODERS


def examine() -> Iterator[Finding]:
    """Yield a finding for everything that this package uses."""
    for package, install in DECODERS.items():
        name = package.replace("_", "-")
        yield of_package(name, "the language model whose perplexity is measured", install)
