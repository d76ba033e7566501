"""Clock gates: what they do to area and energy, by synthesis and by the estimate.

Units with registers that are loaded in every cycle stand beside others whose registers wait. BitMoD
is measured with weights of every type, against an FP16 multiply-accumulate, beside the paper's
figures.
"""

import inspect
import json
from collections.abc import Iterable, Mapping
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

import rtl.yosys
from cost_models import enables
from cost_models.cost import Cost
from cost_models.estimate import estimate
from cost_models.netlist import netlist, rtlil_text
from cost_models.operands import default_operands
from cost_models.synthesis import (
    clock_gating,
    energy,
    measure_streams,
    opensta,
    simulation,
    yosys,
)
from hwsim import cache
from hwsim.tables import number
from hwsim.units import UnitSpec, make
from hwsim.units.bitmod import TERMS, WeightType
from hwsim.units.operands import Operands
from sweeps.studies.bitmod import typed_operands
from sweeps.studies.page import Cell, Measured, Page, Piece, Table, paragraph

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

TECHNOLOGY = "sky130"
#: Of files in the cache.
KIND = "gating"

FMA, BITMOD = "fma, FP16", "BitMoD, FP16 x 4"
UNITS: dict[str, UnitSpec] = {
    "INT8": make("integer", lanes=1, weight="int8", activation="int8"),
    "INT8 x 4": make("integer", lanes=4, weight="int8", activation="int8"),
    FMA: make("fma", lanes=1, weight="fp16", activation="fp16", accumulator="fp16"),
    "posit16, quire": make("posit", lanes=1, weight="posit16_1", activation="posit16_1"),
    "MXFP4 x 4": make("mx_dot", lanes=4, weight="e2m1", activation="e2m1"),
    "4-bit codebook x 4, loaded": make(
        "codebook", lanes=4, weight="uint4", activation="int8", table="loaded"
    ),
    "LUT Tensor Core, INT2 by INT8, 2 x 2": make(
        "lut_tensor_core", lanes=4, weight="int2", activation="int8", row_count=2, column_count=2
    ),
    BITMOD: make("bitmod", lanes=4, activation="fp16"),
    "BitMoD tile, 2 x 1": make(
        "bitmod_tile", lanes=4, activation="fp16", row_count=2, column_count=1
    ),
}


class Weights(NamedTuple):
    """How weights are sent, and the bits of integers where they are fewer than the type's."""

    kind: WeightType
    bits: int | None = None


#: Streams that BitMoD is measured with besides its default operands.
WEIGHTS = {
    "INT8": Weights(WeightType.INT8),
    "INT6": Weights(WeightType.INT6),
    "INT5": Weights(WeightType.INT6, 5),
    "FP4": Weights(WeightType.FP4),
    "FP3": Weights(WeightType.FP3),
}
#: A unit's default operands.
DEFAULT = "normal"


class Tile(NamedTuple):
    """A tile of the paper: power in mW, and processing elements."""

    power: float
    elements: int


#: Chen et al., BitMoD, Table X; its own with the encoder of terms.
PAPER, PAPER_FP16 = Tile(37.5 + 1.86, 64), Tile(36.96, 48)

INTRODUCTION = """
Without clock gates every flip-flop is clocked in every cycle, and a multiplexer before it holds its
value. With them, groups of four flip-flops or more that share an enable stand behind one gate of
the library and are clocked when they are loaded (`--clock-gating`). So the clock's energy falls
where registers wait, multiplexers are left out, and gates are added. Every figure is of netlists
that compute what the golden model says, with normal operands and a beat offered in every cycle.
*Idle* is a cycle in which none is offered. Wires and clock tree, of which gates would save a part,
too, are in no figure.
"""

REGISTERS = """
Flip-flops as generic gates, which a library's differ from by a few:
"""

SYNTHESIS = """
Units mapped for the least area, by the flow of [cost-model.md](cost-model.md). The clock's energy
follows from flip-flops and gates; area, delay and what data and hazards take move by some per cent
with any change of ABC's input.
"""

ESTIMATE = """
The same by estimates, which need no library: gates count with the library's area, leakage and
energy, which a technology's file has.
"""

BY_TYPE = """
One processing element with its term generators, column accumulator and control (`bitmod lanes=4
activation=fp16`), by type of weights, against an FP16 multiply-accumulate that is mapped alike,
with gates in both or in neither. INT5 is sent as INT6. FP3 has the special values of FP4 that are
there after reset, of as many terms as its own.
"""

PUBLISHED = f"""
The *paper's* figures are published ones: power of a tile at 1 GHz in 28 nm (Table X:
{PAPER.power:.2f} mW for {PAPER.elements} elements with their encoder, {PAPER_FP16.power} mW for
{PAPER_FP16.elements} FP16 units), over its MAC a cycle. Whether gates are in them is not said.
"""


class Found(NamedTuple):
    """Area in um^2, delay in ns, energies of a MAC and of an idle cycle in pJ, and MAC a cycle."""

    area: float
    delay: float
    data: float
    clock: float
    glitches: float
    idle: float
    macs: float

    @property
    def energy(self) -> float:
        """All energy of a MAC in pJ."""
        return self.data + self.clock + self.glitches


class Task(NamedTuple):
    """A unit by its name above, and whether it has clock gates."""

    unit: str
    gated: bool


#: By operands.
Streams = Mapping[str, Found]
Figures = Measured[Task, Streams]

TASKS = [Task(name, gated) for name in UNITS for gated in (False, True)]


def page(libraries: "Mapping[str, Library]") -> Page:
    """Return the page, with syntheses if sky130 is among ``libraries``."""
    estimated: Figures = Measured(_estimated)
    sources = {"estimate": estimated}
    if TECHNOLOGY in libraries:
        sources = {"synthesis": Measured(partial(_synthesised, libraries[TECHNOLOGY])), **sources}
    pieces: list[Piece] = [paragraph(INTRODUCTION), REGISTERS, _registers()]
    for method, figures in sources.items():
        pieces += [
            f"## {TECHNOLOGY}, {method}",
            paragraph(SYNTHESIS if method == "synthesis" else ESTIMATE),
            f"{TECHNOLOGY}, {method}, energies in pJ/MAC, an idle cycle in pJ:",
            _units(figures),
            partial(_saved, figures),
        ]
    pieces += ["## BitMoD by type of weights", paragraph(BY_TYPE), paragraph(PUBLISHED)]
    for method, figures in sources.items():
        pieces += [
            f"{TECHNOLOGY}, {method}, pJ/MAC:",
            _by_type(figures),
            partial(_against, figures),
        ]

    def measured(workers: int | None) -> None:
        for figures in sources.values():
            figures.measure(TASKS, workers)

    return Page("Clock gates", pieces, measured)


# Measurements.


def streams(task: Task) -> dict[str, Operands]:
    """Return the operands that a task is measured with."""
    unit = UNITS[task.unit]
    made = {DEFAULT: default_operands(unit)}
    if task.unit == BITMOD:
        made |= {name: typed_operands(unit, *weights) for name, weights in WEIGHTS.items()}
    return made


def _estimated(task: Task) -> Streams:
    def found(operands: Operands) -> Found:
        return _found(estimate(UNITS[task.unit], TECHNOLOGY, operands, clock_gating=task.gated))

    return {name: found(operands) for name, operands in streams(task).items()}


def _synthesised(library: "Library", task: Task) -> Streams:
    """Return what a task comes to by synthesis, from the cache if it is known."""
    unit, given = UNITS[task.unit], streams(task)
    opensta.find()
    sources = (yosys, clock_gating, enables, simulation, energy)
    key = cache.key(
        rtlil_text(unit), str(task.gated), *map(_text, given.values()),
        json.dumps(library.digests), rtl.yosys.version(), opensta.version(),
        *map(inspect.getsource, sources),
    )  # fmt: skip
    known = cache.load(KIND, key, lambda arrays: [Found(*row) for row in arrays["rows"].tolist()])
    if known is None:
        costs = measure_streams(unit, TECHNOLOGY, library, [*given.values()], task.gated)
        known = [*map(_found, costs)]
        cache.store(KIND, key, {"rows": np.array(known, float)})
    return dict(zip(given, known, strict=True))


def _text(operands: Operands) -> str:
    arrays = {"a": operands.activations, "w": operands.weights, **operands.metadata}
    return " ".join(f"{name} {a.dtype.str} {a.shape} {a.tobytes().hex()}"
                    for name, a in arrays.items())  # fmt: skip


def _found(cost: Cost) -> Found:
    return Found(
        area=cost.area_um2,
        delay=cost.delay_ns,
        data=cost.data_energy_pj_per_mac,
        clock=cost.clock_energy_pj_per_mac,
        glitches=cost.glitch_energy_pj_per_mac,
        idle=cost.idle_pj,
        macs=cost.macs_per_cycle,
    )


# Units.


def _registers() -> Table:
    """Return the flip-flops of the units, those with gated clocks, and the gates."""

    def sizes(name: str) -> NDArray[np.int64]:
        return netlist(UNITS[name], clock_gating=True).groups()[1]

    def row(name: str) -> list[Cell]:
        return [
            name,
            f"`{UNITS[name].name}`",
            lambda: str(len(netlist(UNITS[name], clock_gating=True).data)),
            lambda: str(sizes(name).sum()),
            lambda: str(len(sizes(name))),
        ]

    return Table(["", "unit", "flip-flops", "of them gated", "gates"], [row(n) for n in UNITS])


def _units(figures: Figures) -> Table:
    """Return all units without gates and with them."""

    def cells(task: Task) -> list[Cell]:
        def found() -> Found:
            return figures[task][DEFAULT]

        return [
            lambda: number(found().area),
            lambda: number(found().delay),
            lambda: number(found().data),
            lambda: number(found().clock),
            lambda: number(found().glitches),
            lambda: number(found().energy),
            lambda: number(found().idle),
        ]

    return Table(
        ["unit", "clock", "area um^2", "delay ns", "data", "clock pins", "glitches", "energy",
         "idle cycle"],
        [[task.unit, "gated" if task.gated else "free", *cells(task)] for task in TASKS],
    )  # fmt: skip


#: Gates save something where the clock's energy falls by more than this share.
_NOTHING = 0.02


def change(figures: Figures, unit: str, quantity: str) -> float:
    """Return by which share gates change a quantity of a unit; less is negative."""
    free, gated = (
        getattr(figures[Task(unit, gated)][DEFAULT], quantity) for gated in (False, True)
    )
    return float(gated / free - 1)


def _saved(figures: Figures) -> str:
    """Say what gates save, and where nothing."""

    def range_of(units: Iterable[str], quantity: str) -> str:
        changes = [100 * change(figures, unit, quantity) for unit in units]
        return f"{min(changes):+.0f} to {max(changes):+.0f} %"

    saving = [unit for unit in UNITS if change(figures, unit, "clock") < -_NOTHING]
    others = [unit for unit in UNITS if unit not in saving]
    each = "; ".join(
        f"{unit} {100 * change(figures, unit, 'clock'):+.0f} %"
        f" (all energy {100 * change(figures, unit, 'energy'):+.0f} %)"
        for unit in saving
    )
    said = f"""With beats in every cycle gates save energy of the clock where registers wait:
        {each or "nowhere"}. """
    if others:
        said += f"""Where registers are loaded in every cycle nothing is saved, and the gates' own
            energy comes on top of the clock's:
            {"; ".join(f"{unit} {100 * change(figures, unit, 'clock'):+.0f} %" for unit in others)}.
            """
    least = max(UNITS, key=lambda unit: change(figures, unit, "idle"))
    said += f"""The energy of idle cycles changes by {range_of(UNITS, "idle")}, least that of
        {least}; area by {range_of(UNITS, "area")}, and the energy of a MAC by
        {range_of(UNITS, "energy")}."""
    return paragraph(said)


# BitMoD.


def over_fma(figures: Figures, weights: str, gated: bool) -> float:
    """Return the energy per MAC of BitMoD over that of the FP16 unit."""
    fma = figures[Task(FMA, gated)][DEFAULT]
    return figures[Task(BITMOD, gated)][weights].energy / fma.energy


def published(weights: str) -> float:
    """Return the paper's energy per MAC with some weights over that of its FP16 unit."""
    macs = UNITS[BITMOD].lanes / TERMS[WEIGHTS[weights].kind]
    return PAPER.power / (PAPER.elements * macs) / (PAPER_FP16.power / PAPER_FP16.elements)


def _by_type(figures: Figures) -> Table:
    """Return the energy of BitMoD by type of weights, and of the FP16 unit."""

    def energy_of(unit: str, stream: str, gated: bool) -> Cell:
        return lambda: number(figures[Task(unit, gated)][stream].energy)

    def clock_of(unit: str, stream: str, gated: bool) -> Cell:
        return lambda: number(figures[Task(unit, gated)][stream].clock)

    def row(name: str, unit: str, stream: str) -> list[Cell]:
        cells: list[Cell] = [name, lambda: number(figures[Task(unit, False)][stream].macs)]
        for gated in (False, True):
            cells += [energy_of(unit, stream, gated), clock_of(unit, stream, gated)]
        return cells

    def ratio(name: str, gated: bool) -> Cell:
        return lambda: f"{over_fma(figures, name, gated):.2f}"

    rows = [
        [*row(f"BitMoD, {name}", BITMOD, name), ratio(name, False), ratio(name, True),
         f"{published(name):.2f}"]
        for name in WEIGHTS
    ]  # fmt: skip
    return Table(
        ["unit", "MAC/cycle", "clock free", "of it clock", "clock gated", "of it clock",
         "over fma, free", "over fma, gated", "published, 28 nm: over FP16"],
        [*rows, [*row(FMA, FMA, DEFAULT), "1.00", "1.00", "1.00"]],
    )  # fmt: skip


def _against(figures: Figures) -> str:
    """Say at which clock units are compared, how the ratios are to the paper's, and why."""
    compared = [figures[Task(unit, gated)][DEFAULT] for unit in (FMA, BITMOD)
                for gated in (False, True)]  # fmt: skip
    clock = ceil(max(found.delay for found in compared))
    ratios = [over_fma(figures, name, True) / published(name) for name in WEIGHTS]
    saved = [
        100 * (1 - over_fma(figures, name, True) / over_fma(figures, name, False))
        for name in WEIGHTS
    ]
    fma = figures[Task(FMA, True)][DEFAULT]
    settled = [
        _settled(figures[Task(BITMOD, True)][name]) / _settled(fma) for name in ("INT8", "FP4")
    ]
    return paragraph(
        f"""All of them meet a clock of {clock} ns as mapped for the least area, and dynamic energy
        of a netlist does not depend on the clock; the paper's 1 GHz is out of sky130's reach. Gates
        lower the ratio to the FP16 unit by {min(saved):.0f} to {max(saved):.0f} %, and with them it
        is {min(ratios):.2f} to {max(ratios):.2f} times the paper's. Much of that is the baseline:
        no register stands inside the FP16 unit, and hazards are
        {100 * fma.glitches / fma.energy:.0f} % of its energy. Without hazards in either, BitMoD
        with gates takes {settled[0]:.2f} times as much with INT8 weights, and {settled[1]:.2f}
        times with FP4."""
    )


def _settled(found: Found) -> float:
    return found.data + found.clock
