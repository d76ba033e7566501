"""Mapping to a cell library with Yosys and ABC, buffers and sizes included."""

import json
from dataclasses import dataclass
from pathlib import Path

from cost_models.netlist import STYLES, multiplier_styles, rtlil_text
from cost_models.synthesis.liberty import Library
from hwsim.units import UnitSpec
from rtl import yosys

#: Cells that are no ordinary logic, though their functions look like it: isolation between power
#: domains (sky130).
DONT_USE = ("*lpflow*",)

#: Load of an output in ABC, fF. Given at all, it makes ABC insert buffers and size cells.
_CONSTRAINTS = "set_load 1.0\n"


class MappingError(RuntimeError):
    """A cell of a unit has no counterpart in the library."""


@dataclass(frozen=True)
class Mapped:
    """A unit mapped to library cells.

    Attributes
    ----------
    verilog
        The netlist.
    style
        Multiplier style of Yosys.
    area_um2
        Sum of the cells' areas.
    cells
        Number of cells.
    """

    verilog: Path
    style: str
    area_um2: float
    cells: int


def map_unit(unit: UnitSpec, library: Library, folder: Path) -> Mapped:
    """Map ``unit`` in every multiplier style, write netlists to ``folder``, return the smallest.

    Raises
    ------
    MappingError
        If a cell is left that is not in the library.
    rtl.yosys.YosysError
        If Yosys fails.
    """
    text = rtlil_text(unit)
    styles = multiplier_styles(text)
    (folder / "unit.il").write_text(text)
    (folder / "constraints").write_text(_CONSTRAINTS)
    every = " ".join(f"-liberty {path}" for path in library.files)
    flip_flops = " ".join(f"-liberty {path}" for path in library.flip_flops)
    avoid = " ".join(f"-dont_use {pattern}" for pattern in DONT_USE)
    commands = ["read_rtlil unit.il", "design -save rtl"]
    for style in styles:
        commands += [
            "design -load rtl",
            f"synth -flatten -noabc -top {unit.name} {STYLES[style]}",
            # Plain flip-flops: enable and reset become multiplexers, in every library.
            "dfflegalize -cell $_DFF_P_ 01",
            f"dfflibmap {avoid} {flip_flops}",
            "setundef -zero",
            f"abc {every} {avoid} -constr constraints",
            # Unused wires must go before the split: OpenSTA cannot read concatenated assigns.
            "opt_clean -purge",
            "splitnets -ports",
            f"tee -q -o {style}.json stat -json {every}",
            f"write_verilog -noattr -noexpr -nohex -nodec {style}.v",
        ]
    yosys.run(commands, folder)
    return min((_mapped(folder, style) for style in styles), key=lambda mapped: mapped.area_um2)


def _mapped(folder: Path, style: str) -> Mapped:
    statistics = json.loads((folder / f"{style}.json").read_text())["design"]
    left = [name for name in statistics["num_cells_by_type"] if name.startswith("$")]
    if left:
        raise MappingError(f"the library has no cell for {', '.join(left)}")
    return Mapped(
        folder / f"{style}.v", style, float(statistics["area"]), int(statistics["num_cells"])
    )
