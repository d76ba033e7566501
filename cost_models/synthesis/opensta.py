"""Delay of mapped netlists, and the slews of their pins, with OpenSTA.

The minimum period is a long clock period minus the worst slack, so it includes the setup time.
OpenSTA's power is not used. Without a toggle rate for every net it propagates rates as if inputs
were independent, which multiplies them along adder trees, and the version that Debian has ignores
rates of single pins.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cost_models.synthesis.energy import Slews
from cost_models.synthesis.liberty import Library
from hwsim import processes
from hwsim.errors import MissingToolError, ToolError

#: Longer than any path, ps.
_PERIOD_PS = 1e6

#: An error, after which OpenSTA goes on, or a warning about a netlist, which then is not what was
#: mapped. Warnings about libraries are about things that cells are not timed by.
_FAILURE = re.compile(r"^(?:Error\b.*|Warning: \S+\.(?:v|spef),? .*)", re.MULTILINE)

_NUMBER = re.compile(r"-?[0-9.]+(e[-+]?[0-9]+)?")


class StaError(ToolError):
    """OpenSTA reported an error or no number."""


@dataclass(frozen=True)
class Timing:
    """What OpenSTA says of some netlists.

    Attributes
    ----------
    delays_ns
        Minimum clock period of each in ns.
    chosen
        Index of the one whose delay has the rank that was asked for.
    slews
        Slews of all its pins in ns.
    """

    delays_ns: Sequence[float]
    chosen: int
    slews: Slews


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
            "sta (OpenSTA) is not installed; synthesis needs it for delay: "
            "`apt-get install opensta`"
        )
    return path


@lru_cache(maxsize=1)
def version() -> str:
    """Return the version of the installed OpenSTA."""
    done = processes.run([find(), "-version"])
    if done.returncode:
        raise StaError(f"OpenSTA gives no version:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def analyse(
    netlists: Sequence[Path], library: Library, rank: int = 0, spef: Path | None = None
) -> Timing:
    """Return the delays of netlists, and the slews of the one with ``rank`` shorter delays.

    Each is a file of one module in the same folder, which is named like the file and clocked by the
    port ``clk``. ``spef`` is a file with the wires of a single netlist, in its folder.

    Raises
    ------
    StaError
        If OpenSTA fails or complains.
    """
    names = [path.stem for path in netlists]
    folder = netlists[0].parent
    for path in library.files:
        # OpenSTA takes no names with spaces, as the folder's may have.
        (folder / path.name).unlink(missing_ok=True)
        (folder / path.name).symlink_to(path)
    (folder / "analyse.tcl").write_text(_script(netlists, library, rank, spef))
    done = processes.run([find(), "-no_splash", "-exit", "analyse.tcl"], folder)
    log = done.stdout
    failures = _FAILURE.findall(log + done.stderr)
    if done.returncode or failures:
        said = "\n".join(failures) or (log + done.stderr)[-2000:]
        raise StaError(
            f"OpenSTA failed on {', '.join(names)}, status {done.returncode}:\n"
            f"{library.in_words(said)}"
        )
    slacks = re.findall(r"^worst slack (\S+)$", log, re.MULTILINE)
    chosen = re.search(r"^slews of (\S+)$", log, re.MULTILINE)
    pins = re.findall(r"^(\S+)/(\S+) \^ \S+:(\S+) v \S+:(\S+)$", log, re.MULTILINE)
    known = len(slacks) == len(names) and all(map(_is_slack, slacks))
    if not known or chosen is None or not pins:
        said = library.in_words((log + done.stderr)[-2000:])
        raise StaError(f"OpenSTA reports no slack or slews for {', '.join(names)}:\n{said}")
    return Timing(
        [(_PERIOD_PS - float(slack)) * 1e-3 for slack in slacks],
        names.index(chosen[1]),
        {(cell, pin): (float(rise) * 1e-3, float(fall) * 1e-3) for cell, pin, rise, fall in pins},
    )


def _is_slack(text: str) -> bool:
    """Whether this is the slack of a path: that of a netlist without one is infinite, or 1e30."""
    return bool(_NUMBER.fullmatch(text)) and float(text) < _PERIOD_PS


def _script(netlists: Sequence[Path], library: Library, rank: int, spef: Path | None) -> str:
    lines = [
        *(f"read_liberty {path.name}" for path in library.files),
        "set_cmd_units -time ps",
        # Linking a design forgets the Verilog of all.
        "proc slack_of {top} {",
        "  read_verilog $top.v",
        "  link_design $top",
        # Without -max, loads are the least of what pins' ranges of capacitance allow.
        *([] if spef is None else [f"  read_spef -max {spef.name}"]),
        f"  create_clock -name clk -period {_PERIOD_PS} [get_ports clk]",
        "  foreach port [all_inputs] {",
        '    if {[get_property $port full_name] ne "clk"} {set_input_delay 0 -clock clk $port}',
        "  }",
        "  set_output_delay 0 -clock clk [all_outputs]",
        "  return [worst_slack -max]",
        "}",
        "set found {}",
    ]
    for path in netlists:
        lines += [
            f"set slack [slack_of {path.stem}]",
            'puts "worst slack $slack"',
            f"lappend found [list $slack {path.stem}]",
        ]
    return "\n".join(
        [
            *lines,
            f"set chosen [lindex [lsort -real -decreasing -index 0 $found] {rank} 1]",
            "slack_of $chosen",
            'puts "slews of $chosen"',
            "foreach pin [get_pins *] {report_slews $pin}",
            "",
        ]
    )
