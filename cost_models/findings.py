"""What synthesis needs; estimates need nothing but gates."""

from collections.abc import Iterator

from cost_models.synthesis.liberty import OSU018
from hwsim.findings import Finding, of_program


def examine() -> Iterator[Finding]:
    """Yield a finding for everything that this package uses."""
    yield of_program(
        "sta (OpenSTA)",
        "sta",
        "-version",
        "delay and power of mapped units: hwsim cost --method synthesis, hwsim characterise",
        "apt-get install opensta",
    )
    yield Finding(
        "osu018 library",
        str(OSU018) if OSU018.exists() else "",
        "synthesis without a library of your own: --technology osu018",
        "apt-get install qflow-tech-osu018",
        "" if OSU018.exists() else "missing",
    )
