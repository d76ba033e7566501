"""RMMEC: brick utilisation, area and energy per mode against fixed units.

Everything is an estimate from generic gates and toggles counted in simulation; with the library
sky130_fd_sc_hd the areas are synthesised, too, in tables of their own.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cost_models import estimate, synthesis, technology
from cost_models.cost import Cost
from hwsim import __version__
from hwsim.tables import number, percent
from hwsim.units import make
from hwsim.units.operands import Operands
from hwsim.units.rmmec import FORMATS, FP4, Isolation, Mode, RmmecUnit
from rtl import yosys
from sweeps.studies.page import Cell, Measured, Page, Piece, Table

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

STREAMS = 64
BEATS = 64
#: Neighbours that share a scale in FP4.
GROUP = 128

INTRODUCTION = """
`rmmec` multiplies and accumulates four E2M1 (`fp4`), four posit(4,1), two posit(8,0) or one
posit(16,1) a beat on one datapath; `hwsim verify rmmec` proves it bit for bit. What the modes share
and how a mode switch works is in the docstring of `hwsim/units/rmmec.py`. A *fixed* unit is the
same generator with one mode: plain multipliers, and nothing of the others.

Estimates price generic gates (no library needed) and count toggles, hazards included, in a
gate-level simulation. Synthesis is Yosys and ABC with buffers and sizes, timed by OpenSTA, with the
library of [libraries.md](libraries.md). No wires, no clock tree, no clock gating. Operands are
standard normal numbers rounded to the mode's format, for E2M1 in groups of 128 scaled to its
largest value.
"""

UTILISATION = """
## Use of the brick array

Bricks of 2 x 2 bits that work in a mode, of the 49 that a 14-bit significand takes. `lanes=4` reads
64 bits an operand in the 4-bit modes. posit4 significands are one bit: a brick multiplies 1 by 1.
"""

AREA = """
## Area against the four fixed units

The sum is what four separate units take, each with its own register (flip-flops: {flip_flops}).
`isolation=operands` puts AND gates before idle bricks and decoders, `results` masks what comes out
of them. Some gate is needed in any case, because bricks between two lanes must add nothing.
"""

ENERGY = """
## Energy per multiply-accumulate

Dynamic energy in pJ per MAC with the mode held, clock pins included; in parentheses those alone,
which have nothing to do with the operands. The fixed unit is the mode's own, alone. Toggles are
counted net by net, so that a gated part is told from a busy one.
"""

SHARE = """
## Power against fixed units

Energy per cycle in a mode, `isolation=operands`, against that of the mode's fixed unit alone and of
four fixed units side by side. Of these, three have constant operands and a constant register, which
is clocked all the same.
"""

PUBLISHED = """
## Published figures

XR-NPE (arXiv:2508.13049, abstract) gives, in 28 nm, 0.016 mm^2, 1.72 GHz and 14 pJ, and 42 % less
area and 38 % less power than its best earlier multiply-accumulate unit. The earlier unit's absolute
figures are not in the abstract, it is not said per what the 14 pJ are, and the public repository
has no RTL; so neither percentage can be checked here. The percentages above compare with something
else: the fixed units of this generator.
"""

PUBLISHED_FIGURES = Table(
    ["", "published, 28 nm", "against"],
    [
        ["area", "-42 %", "the best earlier SIMD multiply-accumulate unit, not named with figures"],
        ["power", "-38 %", "the same"],
        ["area", "0.016 mm^2", "a whole engine, pipelined"],
        ["clock", "1.72 GHz", "the same; this unit does a beat in one cycle and is not pipelined"],
    ],
)


def unit(**parameters: int | str) -> RmmecUnit:
    """Return the unit with these parameters."""
    made = make("rmmec", **parameters)
    assert isinstance(made, RmmecUnit)
    return made


def normal_codes(mode: Mode, shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return codes of normal numbers in the mode's format."""
    x = np.random.default_rng(seed).standard_normal(shape)
    if mode is Mode.FP4:
        groups = x.reshape(len(x), -1, GROUP)
        groups *= FP4.max / np.abs(groups).max(axis=2, keepdims=True)
    return FORMATS[mode].encode(x)


def mode_operands(spec: RmmecUnit, mode: Mode) -> Operands:
    """Return normal operands that keep the unit in one mode."""
    shape = (STREAMS, BEATS * spec.lane_count(mode))
    a, w = (spec.pack_words(normal_codes(mode, shape, seed), mode) for seed in (0, 1))
    modes = np.full((STREAMS, BEATS), spec.mode_list.index(mode), np.uint8)
    return Operands(a, w, {"mode": modes} if len(spec.mode_list) > 1 else {})


#: A unit, and the mode that its operands keep it in.
Task = tuple[RmmecUnit, Mode]
Price = Callable[[RmmecUnit, Mode], Cost]

FULL = {"shared, isolation=operands": unit(), "shared, isolation=results": unit(
    isolation=Isolation.RESULTS)}  # fmt: skip
FIXED = {mode: unit(modes=mode) for mode in Mode}
WIDE = unit(lanes=4)
#: Area does not depend on the mode that a unit is kept in.
WIDEST = Mode.POSIT16


def features(task: Task) -> estimate.Features:
    """Return what the estimate of a unit starts from."""
    spec, mode = task
    return estimate.features(spec, mode_operands(spec, mode))


def page(libraries: "Mapping[str, Library]") -> Page:
    """Return the page, with areas by synthesis if sky130 is among ``libraries``."""
    measured: Measured[Task, estimate.Features] = Measured(features)
    names = technology.names()
    prices = {name: partial(_estimated, measured, name) for name in names}
    pieces: list[Piece] = [
        INTRODUCTION,
        f"hwsim {__version__}, Yosys {yosys.version()}.",
        UTILISATION,
        _utilisation(),
        partial(_area_introduction, prices[names[0]]),
    ]
    for name, price in prices.items():
        pieces += [f"{name}, estimate:", _area(price)]
    if "sky130" in libraries:
        pieces += ["sky130, synthesis:", _area(_synthesised(libraries["sky130"]))]
    pieces.append(ENERGY)
    for name, price in prices.items():
        pieces += [f"{name}, estimate:", _energy(price)]
    pieces.append(SHARE)
    for name, price in prices.items():
        pieces += [f"{name}, estimate:", _power(price)]
    pieces += [PUBLISHED, PUBLISHED_FIGURES]
    tasks = [(spec, mode) for mode in Mode for spec in (*FULL.values(), FIXED[mode], WIDE)]
    return Page("RMMEC, measured", pieces, partial(measured.measure, tasks))


def _estimated(
    measured: Measured[Task, estimate.Features], name: str, spec: RmmecUnit, mode: Mode
) -> Cost:
    return estimate.price(spec, measured[spec, mode], technology.load(name))


def _synthesised(library: "Library") -> Price:
    known: Measured[Task, Cost] = Measured(
        lambda task: synthesis.measure(task[0], "sky130", library, mode_operands(*task))
    )
    return lambda spec, mode: known[spec, mode]


def _utilisation() -> Table:
    """Return bricks per mode, of one and of four words."""
    rows: list[list[Cell]] = []
    for lanes in (1, 4):
        spec = unit(lanes=lanes)
        for mode in spec.mode_list:
            used, total = len(spec.bricks(mode)), len(spec.all_bricks)
            per_lane = used // spec.lane_count(mode)
            counts = (spec.lane_count(mode), per_lane, used)
            share = f"{100 * used / total:.0f} %"
            rows.append([f"{mode}, lanes={lanes}", *map(str, counts), share])
    return Table(["mode", "products a beat", "bricks each", "bricks", "of 49"], rows)


def _area_introduction(price: Price) -> str:
    """Return what the tables of areas are, with the numbers of flip-flops."""
    counts = [
        int(price(spec, spec.mode_list[-1]).provenance["gates"]["DFF"])
        for spec in (*FIXED.values(), unit())
    ]
    return AREA.format(flip_flops=f"{sum(counts[:-1])} against {counts[-1]}")


def _area(price: Price) -> Table:
    """Return the area and delay of the shared units and of the fixed ones."""

    def fixed() -> list[Cost]:
        return [price(spec, mode) for mode, spec in FIXED.items()]

    def total() -> float:
        return sum(cost.area_um2 for cost in fixed())

    def row(label: str, spec: RmmecUnit, mode: Mode) -> list[Cell]:
        return [
            label,
            lambda: number(price(spec, mode).area_um2),
            lambda: number(price(spec, mode).delay_ns),
        ]

    rows = [[*row(f"fixed {mode}", spec, mode), ""] for mode, spec in FIXED.items()]
    rows.append([
        "four fixed units",
        lambda: number(total()),
        lambda: number(max(cost.delay_ns for cost in fixed())),
        "",
    ])  # fmt: skip
    for label, spec in {**FULL, "shared, lanes=4": WIDE}.items():
        share = partial(lambda spec: percent(price(spec, WIDEST).area_um2, total()), spec)
        rows.append([*row(label, spec, WIDEST), share])
    return Table(["unit", "area um^2", "period ns", "area against the four"], rows)


def _energy(price: Price) -> Table:
    """Return energy per MAC by mode, with and without isolation, and of the fixed units."""

    def per_mac(spec: RmmecUnit, mode: Mode) -> float:
        return price(spec, mode).energy_pj_per_mac

    def with_clock(spec: RmmecUnit, mode: Mode) -> Cell:
        def text() -> str:
            cost = price(spec, mode)
            clock = number(cost.clock_energy_pj_per_mac)
            return f"{number(per_mac(spec, mode))} ({clock})"

        return text

    def against(one: RmmecUnit, other: RmmecUnit, mode: Mode) -> Cell:
        return lambda: percent(per_mac(one, mode), per_mac(other, mode))

    def wide(mode: Mode) -> Cell:
        return lambda: number(per_mac(WIDE, mode))

    isolated, masked = FULL.values()
    return Table(
        ["mode", *FULL, "fixed", "operands against results", "shared against fixed",
         "shared, lanes=4"],
        [
            [str(mode), *(with_clock(spec, mode) for spec in (*FULL.values(), FIXED[mode])),
             against(isolated, masked, mode), against(isolated, FIXED[mode], mode), wide(mode)]
            for mode in Mode
        ],
    )  # fmt: skip


def _power(price: Price) -> Table:
    """Return energy per cycle against one and four fixed units."""
    shared, _ = FULL.values()

    def fixed(mode: Mode) -> float:
        return price(FIXED[mode], mode).energy_pj

    def idle(mode: Mode) -> float:
        return sum(price(spec, m).clock_pj for m, spec in FIXED.items() if m is not mode)

    def row(mode: Mode) -> list[Cell]:
        return [
            str(mode),
            lambda: number(price(shared, mode).energy_pj),
            lambda: percent(price(shared, mode).energy_pj, fixed(mode)),
            lambda: percent(price(shared, mode).energy_pj, fixed(mode) + idle(mode)),
        ]

    return Table(
        ["mode", "shared, pJ a cycle", "against its fixed unit", "against four"],
        [row(mode) for mode in Mode],
    )
