"""Delay and power of a mapped netlist with OpenSTA.

The minimum period is a long clock period minus the worst slack, so it includes the setup time.
Power is read at one toggle rate for all nets. A process analyses one netlist only: OpenSTA keeps
activities when the next design is linked. Toggle rates never reach the clock pins, so a second
process with all other nets at rest gives the share of the clock.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cost_models.synthesis.liberty import Library
from hwsim.errors import MissingToolError

#: Longer than any path, ns.
_PERIOD_NS = 1000.0


class StaError(RuntimeError):
    """OpenSTA reported an error or no number."""


@dataclass(frozen=True)
class StaReport:
    """What OpenSTA says of one netlist.

    Attributes
    ----------
    delay_ns
        Minimum clock period in ns.
    energy_pj
        Internal and switching energy per cycle in pJ, clock pins included.
    clock_pj
        The part of ``energy_pj`` that is left when no data toggles.
    leakage_nw
        Leakage in nW.
    """

    delay_ns: float
    energy_pj: float
    clock_pj: float
    leakage_nw: float


def find() -> str:
    """Return the path of the ``sta`` program.

    Raises
    ------
    MissingToolError
        If it is not installed.
    """
    path = shutil.which("sta")
    if path is None:
        raise MissingToolError(
            "sta (OpenSTA) is not installed; synthesis needs it for delay and power: "
            "`apt-get install opensta`"
        )
    return path


@lru_cache(maxsize=1)
def version() -> str:
    """Return the version of the installed OpenSTA."""
    return subprocess.run(
        [find(), "-version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def analyse(verilog: Path, top: str, library: Library, activity: float) -> StaReport:
    """Return delay and power of the netlist ``verilog``.

    Parameters
    ----------
    top
        Name of its module; the clock port is ``clk``.
    activity
        Toggles per clock cycle of every net but the clock.

    Raises
    ------
    StaError
        If OpenSTA fails or complains.
    """
    delay, power = _run(verilog, top, library, activity)
    _, idle = _run(verilog, top, library, 0.0)
    # W times ns is nJ.
    return StaReport(
        delay_ns=delay,
        energy_pj=(power["internal"] + power["switching"]) * _PERIOD_NS * 1e3,
        clock_pj=(idle["internal"] + idle["switching"]) * _PERIOD_NS * 1e3,
        leakage_nw=power["leakage"] * 1e9,
    )


def _run(
    verilog: Path, top: str, library: Library, activity: float
) -> tuple[float, dict[str, float]]:
    script = verilog.with_suffix(".tcl")
    script.write_text(_script(verilog, top, library, activity))
    process = subprocess.run(
        [find(), "-no_splash", "-exit", str(script)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    log = process.stdout + process.stderr
    # OpenSTA goes on after errors, with nets unconnected.
    if process.returncode or re.search(r"\berror\b|not found|no liberty", log, re.IGNORECASE):
        raise StaError(f"OpenSTA failed on {top}:\n{log[-2000:]}")
    slack = re.search(r"^worst slack (\S+)$", log, re.MULTILINE)
    total = re.search(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", log, re.MULTILINE)
    if slack is None or total is None:
        raise StaError(f"OpenSTA reports no slack or no power for {top}:\n{log[-2000:]}")
    columns = ("internal", "switching", "leakage", "total")
    watts = {name: float(text) for name, text in zip(columns, total.groups(), strict=True)}
    return _PERIOD_NS - float(slack[1]), watts


def _script(verilog: Path, top: str, library: Library, activity: float) -> str:
    return "\n".join(
        [
            *(f"read_liberty {path}" for path in library.files),
            "set_cmd_units -time ns -power W",
            f"read_verilog {verilog}",
            # Before linking: set afterwards, a global activity is lost on some netlists.
            f"set_power_activity -global -activity {activity:.6f}",
            f"link_design {top}",
            f"create_clock -name clk -period {_PERIOD_NS} [get_ports clk]",
            "foreach port [all_inputs] {",
            '  if {[get_property $port full_name] ne "clk"} {set_input_delay 0 -clock clk $port}',
            "}",
            "set_output_delay 0 -clock clk [all_outputs]",
            'puts "worst slack [worst_slack -max]"',
            "report_power -digits 9",
            "",
        ]
    )
