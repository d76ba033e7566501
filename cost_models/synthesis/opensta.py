"""Delay of mapped netlists, and the slews and delays of their cells, with OpenSTA.

A unit is timed between registers, as it would be used: a flip-flop of the library stands before
every input and behind every output. So the minimum period, a long clock period minus the worst
slack, is from clock-to-output of the register that the operands come from to setup of the one that
results go to. These registers belong to neighbours: they count for time, not for area or energy.

OpenSTA's power is not used. Without a toggle rate for every net it propagates rates as if inputs
were independent, which multiplies them along adder trees, and the version that Debian has ignores
rates of single pins.
"""

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cost_models.synthesis.energy import Slews
from cost_models.synthesis.liberty import Library
from hwsim import processes
from hwsim.errors import MissingToolError, ToolError

#: Shorter than any path, ps. OpenSTA compares slacks to six digits: those of a long period are all
#: alike to it, and sorting what is almost alike made it crash.
_PERIOD_PS = 1.0

#: A ratio of areas that no two netlists of a unit have.
_ANY = 1e6

#: An error, after which OpenSTA goes on, or a warning about a netlist, which then is not what was
#: mapped. Warnings about libraries are about things that cells are not timed by.
_FAILURE = re.compile(r"^(?:Error\b.*|Warning: \S+\.(?:v|spef),? .*)", re.MULTILINE)

#: From inputs to the rise and fall of an output, ns: by instance, input and output of gates, by
#: instance and output of flip-flops, and by port and None of the registers before the operands.
DelayTable = Mapping[tuple[str | None, ...], tuple[float, float]]

#: Instances of the bench: the unit, and the registers before its inputs and behind its outputs.
_UNIT, _BEFORE, _BEHIND = "unit", "before", "behind"

_CELL = re.compile(r"\(CELL\b")
_INSTANCE = re.compile(r"\(INSTANCE ([^\s)]+)\)")
#: One delay stands for rise and fall that are equal.
_PATH = re.compile(r"\(IOPATH (?:\(\w+ )?([^\s()]+)\)? (\S+) \(([^()]*)\)(?: \(([^()]*)\))?\)")

_NUMBER = re.compile(r"-?[0-9.]+(e[-+]?[0-9]+)?")


class StaError(ToolError):
    """OpenSTA reported an error or no number."""


@dataclass(frozen=True)
class Register:
    """A flip-flop of the library, as it stands before and behind a unit.

    Attributes
    ----------
    cell
        Its name.
    clock, data, output
        Its pins.
    ties
        Constants of its other inputs.
    """

    cell: str
    clock: str
    data: str
    output: str
    ties: Mapping[str, int]

    def verilog(self, name: str, data: str, output: str) -> str:
        """Return an instance."""
        pins = {self.clock: "clk", self.data: data, self.output: output}
        pins |= {pin: f"1'b{value}" for pin, value in self.ties.items()}
        connections = ", ".join(f".{pin}({net})" for pin, net in pins.items() if net)
        return f"{self.cell} {name} ({connections});"


@dataclass(frozen=True)
class Bench:
    """What a unit is timed in.

    Attributes
    ----------
    ports
        Direction and width of the unit's ports, which are clocked by ``clk``.
    register
        What stands before and behind it.
    """

    ports: Mapping[str, tuple[str, int]]
    register: Register

    def bits(self, direction: str) -> list[str]:
        """Return the names of all bits of ports of one direction but the clock."""
        return [
            port if width == 1 else f"{port}[{bit}]"
            for port, (of_port, width) in self.ports.items()
            if of_port == direction and port != "clk"
            for bit in range(width)
        ]

    def verilog(self, name: str) -> str:
        """Return a module with the netlist of a name between registers."""
        inputs, outputs = self.bits("input"), self.bits("output")
        lines = [
            f"module bench(clk, data); input clk; input [{len(inputs) - 1}:0] data;",
            f"wire [{len(inputs) - 1}:0] i; wire [{len(outputs) - 1}:0] o;",
        ]
        pins = [".clk(clk)"]
        for net, direction, bits in (("i", _BEFORE, inputs), ("o", _BEHIND, outputs)):
            for k, bit in enumerate(bits):
                place = f"{net}[{k}]"
                data, output = (f"data[{k}]", place) if direction == _BEFORE else (place, "")
                lines.append(self.register.verilog(f"{direction}{k}", data, output))
                # The space ends an escaped name.
                pins.append(f".\\{bit} ({place})")
        return "\n".join([*lines, f"{name} {_UNIT} ({', '.join(pins)});", "endmodule", ""])


@dataclass(frozen=True)
class Timing:
    """What OpenSTA says of some netlists.

    Attributes
    ----------
    delays_ns
        Minimum clock period of each in ns.
    chosen
        Index of the one that was asked for.
    slews
        Slews of all its pins in ns.
    delays
        Delays of its cells.
    """

    delays_ns: Sequence[float]
    chosen: int
    slews: Slews
    delays: DelayTable


@dataclass(frozen=True)
class Wanted:
    """Which netlist is asked for: the fastest, of those that are at most ``larger`` than the
    smallest, as a share, or, of a ``clock_ns``, the smallest that meets it; the fastest of all if
    none does. Or the ``densest``, of the least area times delay."""

    larger: float = math.inf
    clock_ns: float | None = None
    densest: bool = False

    def tcl(self) -> str:
        """Return an expression for an element of ``found``, lists of slack, area and name."""
        if self.densest:
            return "densest $found"
        if self.clock_ns is None:
            return f"fastest $found {1 + min(self.larger, _ANY):g}"
        return f"smallest $found {_PERIOD_PS - self.clock_ns * 1e3}"


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
    netlists: Mapping[Path, float],
    bench: Bench,
    library: Library,
    wanted: Wanted,
    spef: Path | None = None,
) -> Timing:
    """Return the delays of netlists, and slews and delays of cells of the one that is wanted.

    Parameters
    ----------
    netlists
        Files of one module each in the same folder, which is named like the file and clocked by the
        port ``clk``, with their areas.
    bench
        What stands before and behind them.
    spef
        A file with the wires of a single netlist, in its folder.

    Raises
    ------
    StaError
        If OpenSTA fails or complains.
    """
    names = [path.stem for path in netlists]
    folder = next(iter(netlists)).parent
    for path in library.files:
        # OpenSTA takes no names with spaces, as the folder's may have.
        (folder / path.name).unlink(missing_ok=True)
        (folder / path.name).symlink_to(path)
    for name in names:
        (folder / f"{name}.bench.v").write_text(bench.verilog(name))
    (folder / "analyse.tcl").write_text(_script(netlists, library, wanted, spef))
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
    pins = re.findall(rf"^{_UNIT}/(\S+)/(\S+) \^ \S+:(\S+) v \S+:(\S+)$", log, re.MULTILINE)
    known = len(slacks) == len(names) and all(map(_is_slack, slacks))
    if not known or chosen is None or not pins:
        said = library.in_words((log + done.stderr)[-2000:])
        raise StaError(f"OpenSTA reports no slack or slews for {', '.join(names)}:\n{said}")
    return Timing(
        [(_PERIOD_PS - float(slack)) * 1e-3 for slack in slacks],
        names.index(chosen[1]),
        {(cell, pin): (float(rise) * 1e-3, float(fall) * 1e-3) for cell, pin, rise, fall in pins},
        read_sdf((folder / "delays.sdf").read_text(), bench),
    )


def _is_slack(text: str) -> bool:
    """Whether this is the slack of a path: that of a netlist without one is infinite, or 1e30."""
    return bool(_NUMBER.fullmatch(text)) and float(text) < _PERIOD_PS


def _script(
    netlists: Mapping[Path, float], library: Library, wanted: Wanted, spef: Path | None
) -> str:
    lines = [
        *(f"read_liberty {path.name}" for path in library.files),
        "set_cmd_units -time ps",
        # Linking a design forgets the Verilog of all.
        "proc slack_of {name} {",
        "  read_verilog $name.v",
        "  read_verilog $name.bench.v",
        "  link_design bench",
        # Without -max, loads are the least of what pins' ranges of capacitance allow.
        *([] if spef is None else [f"  read_spef -max -path {_UNIT} {spef.name}"]),
        f"  create_clock -name clk -period {_PERIOD_PS} [get_ports clk]",
        "  return [worst_slack -max]",
        "}",
        "proc fastest {found ratio} {",
        "  set most [expr {$ratio * [lindex [lsort -real -index 1 $found] 0 1]}]",
        "  foreach one [lsort -real -decreasing -index 0 $found] {",
        "    if {[lindex $one 1] <= $most} {return $one}",
        "  }",
        "}",
        "proc smallest {found least} {",
        "  foreach one [lsort -real -index 1 $found] {",
        "    if {[lindex $one 0] >= $least} {return $one}",
        "  }",
        "  return [lindex [lsort -real -decreasing -index 0 $found] 0]",
        "}",
        "proc densest {found} {",
        "  set least Inf",
        "  foreach one $found {",
        f"    set product [expr {{({_PERIOD_PS} - [lindex $one 0]) * [lindex $one 1]}}]",
        "    if {$product < $least} {set least $product; set chosen $one}",
        "  }",
        "  return $chosen",
        "}",
        "set found {}",
    ]
    for path, area in netlists.items():
        lines += [
            f"set slack [slack_of {path.stem}]",
            'puts "worst slack $slack"',
            f"lappend found [list $slack {area!r} {path.stem}]",
        ]
    return "\n".join(
        [
            *lines,
            f"set chosen [lindex [{wanted.tcl()}] 2]",
            "slack_of $chosen",
            'puts "slews of $chosen"',
            f"foreach pin [get_pins {_UNIT}/*/*] {{report_slews $pin}}",
            "write_sdf -no_timestamp -no_version -digits 6 delays.sdf",
            "",
        ]
    )


def read_sdf(text: str, bench: Bench) -> DelayTable:
    """Return the delays of cells in an SDF file of a bench.

    A path has several lines where it is non-unate, one for each sense, and a smallest and a largest
    delay, of its slews; the mean of all is taken.
    """
    scale = re.search(r"\(TIMESCALE ([0-9.]+)\s*([pn])s\)", text)
    if scale is None:
        raise StaError("OpenSTA writes an SDF file without a time scale")
    ns = float(scale[1]) * {"p": 1e-3, "n": 1.0}[scale[2]]
    inputs = bench.bits("input")
    found: dict[tuple[str | None, ...], list[tuple[float, float]]] = {}
    for cell in _CELL.split(text):
        if (named := _INSTANCE.search(cell)) is None:
            continue  # The bench itself, with its wires.
        for source, output, rise, fall in _PATH.findall(cell):
            key = _key(named[1].replace("\\", ""), source, output, inputs, bench.register)
            if key is not None:
                found.setdefault(key, []).append((_mean(rise) * ns, _mean(fall or rise) * ns))
    return {
        key: (sum(r for r, _ in paths) / len(paths), sum(f for _, f in paths) / len(paths))
        for key, paths in found.items()
    }


def _key(
    instance: str, source: str, output: str, inputs: Sequence[str], register: Register
) -> tuple[str | None, ...] | None:
    if instance.startswith(f"{_UNIT}/"):
        return (instance.removeprefix(f"{_UNIT}/"), source, output)
    if instance.startswith(_BEFORE) and output == register.output:
        return (inputs[int(instance.removeprefix(_BEFORE))], None)
    return None


def _mean(triple: str) -> float:
    """Return the mean of what a minimum:typical:maximum has; of a path that is never taken, 0."""
    values = [float(text) for text in triple.split(":") if text]
    return sum(values) / len(values) if values else 0.0
