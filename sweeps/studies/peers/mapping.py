"""Area and delay of a bare component, mapped as the published RTL was that it is compared with.

The flow of the peers' figures: Yosys 0.70, ``synth -flatten``, ABC with its default script
(``area``: no buffers, so nets of high fan-out cost delay), or with buffering and sizing
(``speed``), then OpenSTA 2.0.17 with no wires and no input or output delay. The figures themselves
were measured before and are in ``peers.csv``, a row per unit, technology and goal, with repository
and commit; goal ``speed`` is the faster of two ABC scripts there, both with buffers and sizes. What
the units do and do not do is in docs/peers.md.
"""

import csv
import json
import re
from collections.abc import Mapping
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

from amaranth.back import rtlil

from cost_models.netlist import STYLES, multiplier_styles
from cost_models.synthesis import opensta
from cost_models.synthesis.liberty import Library
from hwsim import processes
from hwsim.files import temporary_folder
from rtl import yosys
from sweeps.studies.page import Measured
from sweeps.studies.peers.designs import DESIGNS

#: ABC's script for speed, aimed at an impossible 10 ps.
SPEED = "+strash;ifraig;scorr;dc2;dch,-f;map,-B,0.9,-D,10;topo;buffer,-c;upsize,-D,10;dnsize,-D,10"
#: Of the virtual clock that paths are measured against, in ns.
PERIOD = 1000

_CLOCK = re.compile(r"^  wire (width 1 )?input \d+ +\\clk$", re.MULTILINE)

Goal = Literal["area", "speed"]
GOALS: tuple[Goal, ...] = ("area", "speed")


class Figures(NamedTuple):
    """Area in um^2 and the longest path in ns, flip-flop setup included."""

    area: float
    delay: float


class Task(NamedTuple):
    """What is mapped: a name out of ``DESIGNS``, to which library, and how.

    With a ``style`` out of ``STYLES`` only that one is tried; without, the multiplier style with
    the least area times delay counts.
    """

    design: str
    technology: str = "sky130"
    goal: Goal = "area"
    flatten: bool = True
    style: str | None = None


Mapped = Measured[Task, Figures]


def mapped(libraries: Mapping[str, Library]) -> Mapped:
    """Return the figures by task, mapped to these libraries when they are asked for."""
    return Measured(partial(_figures, libraries))


def peer(unit: str, technology: str = "sky130", goal: Goal = "area") -> Figures:
    """Return what was measured of a unit of others."""
    return _peers()[unit, technology, goal]


@cache
def _peers() -> dict[tuple[str, str, str], Figures]:
    text = files(__package__).joinpath("peers.csv").read_text()
    return {
        (row["unit"], row["technology"], row["goal"]): Figures(
            float(row["area_um2"]), float(row["period_ns"])
        )
        for row in csv.DictReader(text.splitlines())
    }


def _figures(libraries: Mapping[str, Library], task: Task) -> Figures:
    design = DESIGNS[task.design]()
    if isinstance(design, str):
        text = _verilog(design)
    else:
        text = str(rtlil.convert(design, name="top", emit_src=False))
    styles = multiplier_styles(text) if task.style is None else [task.style]
    library = libraries[task.technology]
    return min(
        (_mapped(text, library, STYLES[name], task.flatten, task.goal) for name in styles),
        key=lambda figures: figures.area * figures.delay,
    )


def _verilog(text: str) -> str:
    """Return Verilog with a module ``top`` as RTLIL."""
    with temporary_folder() as folder:
        (folder / "top.v").write_text(text)
        yosys.run(["read_verilog top.v", "proc", "opt_clean", "write_rtlil top.il"], folder)
        return (folder / "top.il").read_text()


def _mapped(text: str, library: Library, style: str, flatten: bool, goal: Goal) -> Figures:
    every = " ".join(f"-liberty {path}" for path in library.files)
    flip_flops = " ".join(f"-liberty {path}" for path in library.flip_flops)
    with temporary_folder() as folder:
        (folder / "top.il").write_text(text)
        yosys.run(
            [
                "read_rtlil top.il",
                f"synth -top top {'-flatten' if flatten else ''} {style}",
                "dfflegalize -cell $_DFF_P_ 01",
                f"dfflibmap {flip_flops}",
                f"abc {every}" + (f" -D 10 -script {SPEED}" if goal == "speed" else ""),
                "opt_clean -purge",
                "setundef -zero",
                *(["splitnets -ports", "opt_clean -purge"] if flatten else []),
                f"tee -q -o area.json stat -json {every}",
                "write_verilog -noattr -noexpr -nohex -nodec top.v",
            ],
            folder,
        )
        delay = _delay(folder, library, "clk" if _CLOCK.search(text) else "")
        area = json.loads((folder / "area.json").read_text())["design"]["area"]
        return Figures(float(area), delay)


def _delay(folder: Path, library: Library, clock: str) -> float:
    """Return the longest path of ``top.v`` in ns."""
    (folder / "top.tcl").write_text(
        "".join(f"read_liberty {path}\n" for path in library.files)
        + "set_cmd_units -time ns\nread_verilog top.v\nlink_design top\n"
        f"create_clock -name reference -period {PERIOD} {clock}\n"
        "set_input_delay 0 -clock reference [all_inputs]\n"
        "set_output_delay 0 -clock reference [all_outputs]\n"
        'puts "slack [worst_slack -max]"\n'
    )
    done = processes.run([opensta.find(), "-no_splash", "-exit", "top.tcl"], folder)
    slack = re.search(r"^slack (\S+)$", done.stdout, re.MULTILINE)
    if done.returncode or slack is None or "rror" in done.stdout:
        raise opensta.StaError(f"OpenSTA failed:\n{done.stdout}{done.stderr}")
    return PERIOD - float(slack[1])
