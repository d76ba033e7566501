"""What generating and verifying hardware needs."""

from collections.abc import Iterator

from hwsim.findings import Finding, of_package, of_program


def examine() -> Iterator[Finding]:
    """Yield a finding for everything that this package uses."""
    for name, purpose in (
        ("amaranth", "generating hardware"),
        ("pyosys", "Verilog, and mapping to gates and cells (Yosys and ABC)"),
        ("cocotb", "verification"),
    ):
        yield of_package(name, purpose, f"pip install {name}")
    yield of_program(
        "iverilog",
        "iverilog",
        "-V",
        "simulating the Verilog: hwsim verify",
        "apt-get install iverilog",
    )
