"""Area and delay of a bare component, mapped as the published RTL was that it is compared with.

The flow of the peers' figures: Yosys 0.70, ``synth -flatten``, ABC with its default script
(``area``: no buffers, so nets of high fan-out cost delay), or with buffering and sizing
(``speed``), then OpenSTA 2.0.17 with no wires and no input or output delay.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

from cost_models.netlist import STYLES, multiplier_styles
from cost_models.synthesis import opensta
from cost_models.synthesis.liberty import Library
from rtl import yosys

#: ABC's script for speed, aimed at an impossible 10 ps.
SPEED = "+strash;ifraig;scorr;dc2;dch,-f;map,-B,0.9,-D,10;topo;buffer,-c;upsize,-D,10;dnsize,-D,10"
#: Of the virtual clock that paths are measured against, in ns.
PERIOD = 1000

_CLOCK = re.compile(r"^  wire (width 1 )?input \d+ +\\clk$", re.MULTILINE)

Goal = Literal["area", "speed"]


class Figures(NamedTuple):
    """Area in um^2 and the longest path in ns, flip-flop setup included."""

    area: float
    delay: float


def mapped(
    design: Component | str,
    library: Library,
    *,
    flatten: bool = True,
    goal: Goal = "area",
    style: str | None = None,
) -> Figures:
    """Return the figures of the multiplier style with the least area times delay.

    ``design`` is a component or Verilog text with a module ``top``. With a ``style`` out of
    ``STYLES`` only that one is tried.
    """
    text = _verilog(design) if isinstance(design, str) else _amaranth(design)
    styles = multiplier_styles(text) if style is None else [style]
    return min(
        (_mapped(text, library, STYLES[name], flatten, goal) for name in styles),
        key=lambda figures: figures.area * figures.delay,
    )


def _amaranth(component: Component) -> str:
    return str(rtlil.convert(component, name="top", emit_src=False))


def _verilog(text: str) -> str:
    """Return Verilog as RTLIL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "top.v").write_text(text)
        yosys.run(["read_verilog top.v", "proc", "opt_clean", "write_rtlil top.il"], folder)
        return (folder / "top.il").read_text()


def _mapped(text: str, library: Library, style: str, flatten: bool, goal: Goal) -> Figures:
    every = " ".join(f"-liberty {path}" for path in library.files)
    flip_flops = " ".join(f"-liberty {path}" for path in library.flip_flops)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
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
        clock = "clk" if _CLOCK.search(text) else ""
        (folder / "top.tcl").write_text(
            "".join(f"read_liberty {path}\n" for path in library.files)
            + "set_cmd_units -time ns\nread_verilog top.v\nlink_design top\n"
            f"create_clock -name reference -period {PERIOD} {clock}\n"
            "set_input_delay 0 -clock reference [all_inputs]\n"
            "set_output_delay 0 -clock reference [all_outputs]\n"
            'puts "slack [worst_slack -max]"\n'
        )
        command = [opensta.find(), "-no_splash", "-exit", "top.tcl"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        if "rror" in done.stdout:
            raise RuntimeError(done.stdout)
        slack = float(done.stdout.split("slack ")[1].split()[0])
        area = json.loads((folder / "area.json").read_text())["design"]["area"]
        return Figures(float(area), PERIOD - slack)
