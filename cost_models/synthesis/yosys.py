"""Mapping to a cell library with Yosys and ABC, buffers and sizes included.

Several mappings are tried for every unit. Yosys builds multipliers in several styles, up to a third
apart in area. And ABC's result depends on the structure that it starts from: equivalent starts move
the delay of a unit by some per cent and that of few units by 20 or 30, which is noise. For the
least area, the smallest style is mapped from three starts, and the netlist of median delay is the
result: its area, delay and energy belong together. For the least delay, each style is mapped by two
scripts for an impossible delay: one restructures first, the other keeps what it finds, such as
carry-lookahead adders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cost_models.netlist import STYLES, multiplier_styles, rtlil_text
from cost_models.synthesis import opensta
from cost_models.synthesis.energy import Slews
from cost_models.synthesis.liberty import Library
from cost_models.synthesis.mapped import MappedNetlist, MappingError, read
from hwsim.units import UnitSpec
from rtl import yosys

Objective = Literal["area", "speed"]

#: Cells that are no ordinary logic, though their functions look like it: isolation between power
#: domains (sky130).
DONT_USE = ("*lpflow*",)

#: Load of an output in ABC, fF. Given at all, it makes ABC insert buffers and size cells.
_CONSTRAINTS = "set_load 1.0\n"

#: What comes before ABC maps to cells: nothing, or a mapping to gates that it takes apart again.
STARTS = {"direct": [], "gates": ["abc"], "and_xor": ["abc -g AND,XOR"]}

#: ABC's scripts for speed: mapping, then buffers and sizes for an impossible 10 ps.
SCRIPTS = {
    "restructured": "+strash;ifraig;scorr;dc2;dch,-f;map,-B,0.9,-D,10;topo;"
    "buffer,-c;upsize,-D,10;dnsize,-D,10",
    "as_built": "+&get,-n;&st;&dch;&nf;&put;buffer,-c;topo;upsize,-D,10;dnsize,-D,10",
}


@dataclass(frozen=True, eq=False)
class Mapped:
    """A unit mapped to library cells.

    Attributes
    ----------
    netlist
        Its cells and nets.
    slews
        Slews of the cells' pins.
    style, variant
        Multiplier style of Yosys, and which of ``STARTS`` or ``SCRIPTS`` it was mapped with.
    area_um2
        Sum of the cells' areas.
    delay_ns
        Shortest clock period in ns.
    candidates
        Area and delay of all netlists that the median, or the least, was taken of.
    """

    netlist: MappedNetlist
    slews: Slews
    style: str
    variant: str
    area_um2: float
    delay_ns: float
    candidates: Sequence[Mapping[str, Any]]


def map_unit(unit: UnitSpec, library: Library, objective: Objective, folder: Path) -> Mapped:
    """Map ``unit``; files are written to ``folder``.

    Raises
    ------
    MappingError
        If a cell is left that is not in the library.
    InputError
        If a cell that is used lacks its function or its power.
    rtl.yosys.YosysError, cost_models.synthesis.opensta.StaError
        If a tool fails.
    """
    flow = _Flow(unit, library, objective, folder)
    if objective == "area":
        smallest = min(flow.map_styles(["direct"]), key=flow.area)
        others = [start for start in STARTS if start != "direct"]
        names = [smallest, *flow.map_style(smallest.split("__")[0], others)]
        rank = len(names) // 2
    else:
        names = flow.map_styles(list(SCRIPTS))
        rank = 0
    timing = opensta.analyse([folder / f"{name}.v" for name in names], library, rank)
    chosen = names[timing.chosen]
    style, variant = chosen.split("__")
    return Mapped(
        flow.netlist(chosen),
        timing.slews,
        style,
        variant,
        flow.area(chosen),
        timing.delays_ns[timing.chosen],
        [
            dict(zip(("style", "variant"), name.split("__"), strict=True))
            | {"area_um2": flow.area(name), "delay_ns": delay}
            for name, delay in zip(names, timing.delays_ns, strict=True)
        ],
    )


class _Flow:
    """Yosys runs of one unit; a netlist is named by its style and its variant."""

    def __init__(
        self, unit: UnitSpec, library: Library, objective: Objective, folder: Path
    ) -> None:
        self.unit = unit
        self.library = library
        self.folder = folder
        avoid = " ".join(f"-dont_use {pattern}" for pattern in DONT_USE)
        self.every = " ".join(f'-liberty "{path}"' for path in library.files)
        flip_flops = " ".join(f'-liberty "{path}"' for path in library.flip_flops)
        self.map_flip_flops = f"dfflibmap {avoid} {flip_flops}"
        abc = f"abc {self.every} {avoid}"
        if objective == "area":
            self.map_gates = {
                start: [*before, f"{abc} -constr constraints"] for start, before in STARTS.items()
            }
        else:
            self.map_gates = {
                name: [f"{abc} -D 10 -script {script}"] for name, script in SCRIPTS.items()
            }

    def map_styles(self, variants: Sequence[str]) -> list[str]:
        """Map every style in some variants, and return the names of the netlists."""
        text = rtlil_text(self.unit)
        (self.folder / "unit.il").write_text(text)
        (self.folder / "constraints").write_text(_CONSTRAINTS)
        commands = []
        names = []
        for style in multiplier_styles(text):
            commands += [
                "design -reset",
                "read_rtlil unit.il",
                f"synth -flatten -noabc -top {self.unit.name} {STYLES[style]}",
                # Plain flip-flops: enable and reset become multiplexers, in every library.
                "dfflegalize -cell $_DFF_P_ 01",
                self.map_flip_flops,
                "setundef -zero",
                f"write_rtlil {style}.il",
            ]
            names += self._variants(style, variants, commands)
        self._run(commands, names)
        return names

    def map_style(self, style: str, variants: Sequence[str]) -> list[str]:
        """Map a style, which was mapped before, in more variants."""
        commands: list[str] = []
        names = self._variants(style, variants, commands)
        self._run(commands, names)
        return names

    def _variants(self, style: str, variants: Sequence[str], commands: list[str]) -> list[str]:
        """Add the commands from gates to the files of netlists, and return their names."""
        names = [f"{style}__{variant}" for variant in variants]
        for name, variant in zip(names, variants, strict=True):
            commands += [
                "design -reset",
                f"read_rtlil {style}.il",
                *self.map_gates[variant],
                # Unused wires must go before the split: OpenSTA cannot read concatenated assigns.
                "opt_clean -purge",
                # The same names of cells in JSON and in Verilog.
                "rename -hide c:*",
                "rename -enumerate -pattern u% c:*",
                f"rename {self.unit.name} {name}",
                f"tee -q -o {name}.area stat -json {self.every}",
                f"write_json {name}.json",
                "splitnets -ports",
                f"write_verilog -simple-lhs -noattr -noexpr -nohex -nodec {name}.v",
            ]
        return names

    def _run(self, commands: list[str], names: list[str]) -> None:
        """Run Yosys and check that every cell of some netlists is in the library."""
        try:
            yosys.run(commands, self.folder)
        except yosys.YosysError as error:
            raise yosys.YosysError(self.library.in_words(str(error))) from None
        for name in names:
            left = sorted(
                set(self._statistics(name)["num_cells_by_type"]) - set(self.library.places)
            )
            if left:
                raise MappingError(
                    f"the library has no cell for {', '.join(left)} of {self.unit.name}"
                )

    def area(self, name: str) -> float:
        """Return the sum of the cells' areas in um^2."""
        return float(self._statistics(name)["area"])

    def _statistics(self, name: str) -> dict[str, Any]:
        statistics: dict[str, Any] = yosys.read_json(self.folder / f"{name}.area")
        return statistics["design"]

    def netlist(self, name: str) -> MappedNetlist:
        """Return a netlist."""
        modules = yosys.read_json(self.folder / f"{name}.json")["modules"]
        return read(modules[name], self.library)
