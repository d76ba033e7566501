"""Stages: what pipeline registers do to the shortest period, and to throughput per area.

Units in one to four stages are mapped for the least delay with every library that is given; the
estimate of the same stands in a table of its own, as its error.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import rtl.yosys
from cost_models.estimate import estimate
from cost_models.netlist import rtlil_text
from cost_models.synthesis import opensta, yosys
from hwsim import cache
from hwsim.files import temporary_folder
from hwsim.tables import number
from hwsim.units import UnitSpec, make
from sweeps.studies.page import Cell, Measured, Page, Piece, Table, paragraph
from sweeps.studies.peers.mapping import peer

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

STAGES = (1, 2, 3, 4)
#: Technologies in which units of others were measured.
WITH_PEERS = ("asap7", "sky130", "osu018")
#: FPnew's multiply-add by its registers, as ``peers.csv`` names it, and what stands beside it.
FPNEW_UNITS = {"no": "fpnew_fma_fp16", "1": "fpnew_fma_fp16_p1"}
OURS = "fma, FP16, 2 sums"
#: Per cent by which an estimated period is wrong.
WRONG = 30
#: Of files in the cache.
KIND = "stages"

UNITS: dict[str, UnitSpec] = {
    "INT8 x 16": make("integer", lanes=16, weight="int8", activation="int8"),
    "INT8 x 16, carries saved": make(
        "integer", lanes=16, weight="int8", activation="int8", state="carry_save"
    ),
    "INT8 x 16, operators": make(
        "integer", lanes=16, weight="int8", activation="int8", adders="operators"
    ),
    "fma, FP16": make("fma", lanes=1, weight="fp16", activation="fp16", accumulator="fp16"),
    "fma, FP16, 2 sums": make(
        "fma", lanes=1, weight="fp16", activation="fp16", accumulator="fp16", interleaved_sums=2
    ),
    "FP16, rounded to FP32": make(
        "float", lanes=1, weight="fp16", activation="fp16", accumulator="fp32"
    ),
    "FP16 x 4, aligned24": make(
        "float", lanes=4, weight="fp16", activation="fp16", accumulation="aligned24"
    ),
    "E4M3 x 16, aligned13": make(
        "float", lanes=16, weight="e4m3", activation="e4m3", accumulation="aligned13"
    ),
    "E4M3 x 16, aligned13, 2 sums": make(
        "float",
        lanes=16,
        weight="e4m3",
        activation="e4m3",
        accumulation="aligned13",
        interleaved_sums=2,
    ),
    "MXFP8 x 8": make("mx_dot", lanes=8, weight="e4m3", activation="e4m3"),
    "posit16, quire": make("posit", lanes=1, weight="posit16_1", activation="posit16_1"),
    "posit16, quire rounded": make(
        "posit", lanes=1, weight="posit16_1", activation="posit16_1", accumulator="posit16_1"
    ),
    "LUT Tensor Core, INT2 by INT8": make(
        "lut_tensor_core", lanes=4, weight="int2", activation="int8", column_count=8
    ),
    "BitMoD, FP16 x 4": make("bitmod", lanes=4, activation="fp16"),
}

INTRODUCTION = """
`stages=N` puts N - 1 ranks of registers into a unit, where they make its longest path shortest
(`rtl/pipeline`); results stay the same, and a beat a cycle passes as before. Here every unit is
mapped for the least delay in one to four stages. What limits the clock in the end is the sum over
the beats, which needs its own result in the next cycle: an integer addition is short, a rounded one
has to align, add, normalise and round. With `interleaved_sums=2` two sums take turns, and two
stages share the addition. Units that work on a beat for several cycles take one rank,
before them, but for BitMoD, whose generator places three. Registers stand between words: no adder
or multiplier is cut, so two saved rows are added up in one stage.
"""

FPNEW = """
FPnew's multiply-add (`fpnew_fma` of openhwgroup/cvfpu 0ad2cd7, measured before in this flow by
Yosys 0.70, `sweeps/studies/peers/peers.csv`) has registers by a parameter of its own, here none and
one. It adds its product to an operand, without an accumulator, and its delays are those from inputs
and to outputs, too. With one register an accumulation takes two sums in turn, so ours beside it has
two, with their registers, the addition of both at the end and the handshake.
"""

METHOD = """
Synthesis: Yosys and ABC map to the library for the least delay, OpenSTA times the result without
wires, inputs and outputs without delay. *Registers* are flip-flops of the mapped netlist.
GMAC/s/mm^2 is at the shortest period. ABC's result moves by some per cent with irrelevant changes
of its input.
"""

ERRORS = """
What the estimate (`hwsim cost UNIT --objective speed`) says of the same units, as its error against
synthesis in per cent. Its coefficients were fitted to units in one stage, but for a few small ones,
and none of these is among them.
"""


class Task(NamedTuple):
    """A unit by its name above, its stages, and a technology."""

    unit: str
    stages: int
    technology: str


class Found(NamedTuple):
    """Area in um^2, the shortest period in ns, and flip-flops."""

    area: float
    period: float
    registers: int


Figures = Measured[Task, Found]


def staged(task: Task) -> UnitSpec:
    """Return the unit of a task."""
    return replace(UNITS[task.unit], stages=task.stages)


def _mapped(libraries: "Mapping[str, Library]", task: Task) -> Found:
    """Return what a task comes to, from the cache if it is known."""
    unit, library = staged(task), libraries[task.technology]
    opensta.find()
    tools = (rtl.yosys.version(), opensta.version(), Path(yosys.__file__).read_text())
    key = cache.key(rtlil_text(unit), json.dumps(library.digests), *tools)
    known = cache.load(KIND, key, lambda arrays: arrays["found"].tolist())
    if known is None:
        with temporary_folder() as folder:
            mapped = yosys.Flow(unit, library, folder).fastest()
        known = [mapped.area_um2, mapped.delay_ns, len(mapped.netlist.flip_flops)]
        cache.store(KIND, key, {"found": np.array(known, float)})
    return Found(known[0], known[1], int(known[2]))


def tasks(technologies: Sequence[str]) -> list[Task]:
    """Return everything that is mapped."""
    return [
        Task(name, stages, one)
        for one in technologies
        for name, unit in UNITS.items()
        for stages in STAGES
        if stages <= unit.most_stages
    ]


def density(task: Task, found: Found) -> float:
    """Return GMAC/s/mm^2 at the shortest period."""
    return UNITS[task.unit].macs_per_cycle / found.period / found.area * 1e6


def page(libraries: "Mapping[str, Library]") -> Page:
    """Return the page for these libraries."""
    figures: Figures = Measured(partial(_mapped, libraries))
    pieces: list[Piece] = [paragraph(INTRODUCTION), paragraph(METHOD)]
    for name in libraries:
        pieces += [f"## {name}", f"{name}, mapped for the least delay:", _table(figures, name)]
        pieces.append(partial(_gains, figures, name))
    if beside := [name for name in libraries if name in WITH_PEERS]:
        pieces += ["## Beside FPnew", paragraph(FPNEW), _beside(figures, beside)]
    pieces += ["## How far the estimate is from it", paragraph(ERRORS)]
    pieces += [_errors(figures, libraries), partial(_worst, figures, libraries)]
    todo = tasks([*libraries])
    return Page("Units in stages", pieces, lambda workers: figures.measure(todo, workers))


def _table(figures: Figures, name: str) -> Table:
    def cells(task: Task) -> list[Cell]:
        return [
            lambda: number(figures[task].area),
            lambda: number(figures[task].period),
            lambda: str(figures[task].registers),
            lambda: number(density(task, figures[task])),
            lambda: f"{_gain(figures, task):.2f}",
        ]

    return Table(
        ["unit", "stages", "area um^2", "period ns", "registers", "GMAC/s/mm^2",
         "GMAC/s/mm^2 over one stage"],
        [[task.unit, str(task.stages), *cells(task)] for task in tasks([name])],
    )  # fmt: skip


def _beside(figures: Figures, technologies: Sequence[str]) -> Table:
    """Return FPnew's multiply-add and ours, mapped for the least delay."""
    rows: list[list[Cell]] = []
    for name in technologies:
        rows += [_peer(name, registers) for registers in FPNEW_UNITS]
        rows += [_own(figures, task) for task in tasks([name]) if task.unit == OURS]
    return Table(["technology", "unit", "area um^2", "period ns", "GMAC/s/mm^2"], rows)


def _peer(technology: str, registers: str) -> list[Cell]:
    found = peer(FPNEW_UNITS[registers], technology, "speed")
    said = f"FPnew, FP16, registers inside: {registers}"
    figures = found.area, found.delay, 1e6 / found.delay / found.area
    return [technology, said, *map(number, figures)]


def _own(figures: Figures, task: Task) -> list[Cell]:
    return [
        task.technology,
        f"{OURS}, stages: {task.stages}",
        lambda: number(figures[task].area),
        lambda: number(figures[task].period),
        lambda: number(density(task, figures[task])),
    ]


def _gain(figures: Figures, task: Task) -> float:
    one = task._replace(stages=1)
    return density(task, figures[task]) / density(one, figures[one])


def _gains(figures: Figures, name: str) -> str:
    """Say what the best number of stages gives each unit."""
    best = {
        unit: max((t for t in tasks([name]) if t.unit == unit), key=lambda t: _gain(figures, t))
        for unit in UNITS
    }
    won = [
        f"{unit} {_gain(figures, task):.2f} ({task.stages} stages)"
        for unit, task in best.items()
        if task.stages > 1
    ]
    lost = [unit for unit, task in best.items() if task.stages == 1 and UNITS[unit].most_stages > 1]
    said = f"Throughput per area over one stage, at the best number of stages: {'; '.join(won)}."
    if lost:
        said += f" No number of stages pays for {'; '.join(lost)}."
    return paragraph(said)


def _error(figures: Figures, task: Task, quantity: str) -> float:
    """Return the error of an estimated ``area`` or ``period`` in per cent."""
    cost = estimate(staged(task), task.technology, objective="speed")
    estimated = {"area": cost.area_um2, "period": cost.delay_ns}
    return 100 * (estimated[quantity] / figures[task]._asdict()[quantity] - 1)


def _errors(figures: Figures, libraries: "Mapping[str, Library]") -> Table:
    """Return errors of the estimate in per cent, by number of stages."""

    def cells(name: str, stages: int) -> list[Cell]:
        chosen = [task for task in tasks([name]) if task.stages == stages]

        def said(quantity: str) -> str:
            errors = [_error(figures, task, quantity) for task in chosen]
            return f"{mean(map(abs, errors)):.1f} ({min(errors):+.1f} to {max(errors):+.1f})"

        return [partial(said, "area"), partial(said, "period")]

    return Table(
        ["technology", "stages", "units", "area, mean (range)", "period, mean (range)"],
        [
            [name, str(count), str(sum(task.stages == count for task in tasks([name]))),
             *cells(name, count)]
            for name in libraries
            for count in STAGES
        ],
    )  # fmt: skip


def _worst(figures: Figures, libraries: "Mapping[str, Library]") -> str:
    """Say which units the estimate of the period is wrong of, and how far it is without them."""
    errors = {
        name: [
            abs(_error(figures, task, "period"))
            for task in tasks([*libraries])
            if task.unit == name
        ]
        for name in UNITS
    }
    wrong = [name for name, found in errors.items() if mean(found) > WRONG]
    others = [error for name, found in errors.items() if name not in wrong for error in found]
    return paragraph(
        f"On average more than {WRONG} % wrong are the periods of {'; '.join(wrong)}; those of the "
        f"others are off by {mean(others):.1f} % on average and {max(others):.0f} % at most."
    )
