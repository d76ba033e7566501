"""What an array of units takes, composed of its elements and of the registers between them.

Elements are units in their surroundings (:mod:`cost_models.element`). What hands operands on, or
holds results, is a flip-flop a bit behind a multiplexer, priced with the technology's coefficients;
so are the pins of elements that such registers drive, which no estimate of a unit has. The delay is
that of an element whose inputs drive what they drive in the array: registers end all other paths.

An element of a stationary array is an array of one element: what it keeps, multiplies, and the sum
that it adds to and hands down, for the last row adds up folds in the register that the others hand
their sum on in.

The same array can be estimated whole, as ``hwsim.make("array", ...)``, as long as it is small:
:func:`compare` sets both side by side.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from cost_models import operands
from cost_models.cost import Cost
from cost_models.element import PARTS, Element, Surroundings, sides_of
from cost_models.estimate import End, between, estimate_all, features
from cost_models.estimate import price as price_unit
from cost_models.netlist import FLIP_FLOP, TYPES, Int
from cost_models.technology import Sizing, Technology
from hwsim.units import UnitSpec
from hwsim.units.array import ArrayUnit, Buffering, Dataflow, Links
from hwsim.units.metadata import Operand
from hwsim.units.operands import Operands
from hwsim.units.stationary_array import CONTROL

#: What is handed on or held has a bit that says whether there is any.
_VALID_BITS = 1
#: Gates of an element's share in the array's control.
_SYSTOLIC_CONTROL = {"AND": 5, "NAND": 2, "ORNOT": 1}
_LOCKSTEP_CONTROL = {"AND": 2, "ANDNOT": 2, "OR": 1, "ORNOT": 1, FLIP_FLOP: 1}
#: Pins that a register between elements drives: of its own multiplexer and of the next one, and the
#: multiplexer drives the register.
_PINS_PASSED = 3
#: The part of what is between elements.
REGISTERS = "array registers"


@dataclass(frozen=True, eq=False)
class UnitPrice:
    """What a unit takes with some operands, alone and as an element.

    Attributes
    ----------
    unit
        Which.
    cost
        Its estimate alone, for a clock.
    element
        Its netlist and toggles.
    macs_per_beat
        Multiply-accumulates of a beat, on average.
    taken
        Cycles of single beats, ascending.
    interrupted
        The netlist with toggles where every beat is followed by a cycle without one, as where
        others take longer; None where all take as long.
    """

    unit: UnitSpec
    cost: Cost
    element: Element
    macs_per_beat: float
    taken: Int
    interrupted: Element | None

    @classmethod
    def of(
        cls, unit: UnitSpec, technology: Technology, stream: Operands, clock_ns: float | None = None
    ) -> "UnitPrice":
        """Return what a unit takes with operands, mapped for a clock or the least area."""
        measured = features(unit, stream)
        cost = price_unit(unit, measured, technology, clock_ns=clock_ns)
        taken = unit.cycles(stream.activations, stream.weights, **stream.metadata)
        macs = unit.mean_macs_per_beat(stream.metadata)
        interrupted = None
        if _waits(unit):
            interrupted = Element.of(unit, features(unit, stream, waits=1))
        element, taken = Element.of(unit, measured), np.sort(taken, axis=None)
        return cls(unit, cost, element, macs, taken, interrupted)

    @property
    def beat_cycles(self) -> float:
        """Cycles of a beat of this unit alone, on average."""
        return self.macs_per_beat / self.cost.macs_per_cycle

    def waiting(self, interval: int) -> float:
        """Return the share of beats that take less than ``interval`` cycles, and wait."""
        return float(np.searchsorted(self.taken, interval) / len(self.taken))


def _waits(unit: UnitSpec) -> bool:
    """Return whether units of an array wait for each other, beat by beat."""
    timing = unit.timing()
    return timing.interval > timing.min_interval and not timing.stores_beats


@dataclass(frozen=True)
class Registers:
    """Flip-flops between the elements of an array, in bits: integers, or arrays of several sizes.

    Attributes
    ----------
    activations, weights
        That hand operands on, those at the edges included that delay a row or a column.
    control
        That hand on what is common to all operands of a beat.
    results
        That hold results until all are there, or delay the sums of columns.
    """

    activations: Any
    weights: Any
    control: Any
    results: Any

    @property
    def bits(self) -> Any:
        """All of them."""
        return sum(vars(self).values())


def registers(unit: UnitSpec, rows: Any, cols: Any, links: Links, dataflow: Dataflow) -> Registers:
    """Return the flip-flops between the elements of an array of units, or of arrays of sizes."""
    sides = sides_of(unit)
    widths = {
        side: sum(width for name, width in unit.beat_fields.items() if sides[name] is side)
        for side in (Operand.ACTIVATION, Operand.WEIGHT, None)
    }
    if links is Links.BROADCAST:
        return Registers(*[0 * rows * cols] * 4)
    # Lines at the edges are delayed by 0, 1, 2 and so on.
    along_rows = rows * (cols - 1) + rows * (rows - 1) // 2
    along_cols = cols * (rows - 1) + cols * (cols - 1) // 2
    control, results = widths[None] + _VALID_BITS, unit.result.bits + _VALID_BITS
    if dataflow is not Dataflow.OUTPUT_STATIONARY:
        counted = np.ceil(np.log2(np.maximum(rows, 1))).astype(np.int64)
        control, results = widths[None] + len(CONTROL) + counted, unit.result.bits
    moves_activations = dataflow is not Dataflow.INPUT_STATIONARY
    return Registers(
        activations=widths[Operand.ACTIVATION] * (along_rows if moves_activations else along_cols),
        weights=widths[Operand.WEIGHT] * (along_cols if moves_activations else along_rows),
        control=control * (rows + cols - 2),
        results=results
        * (rows * cols - 1 if dataflow is Dataflow.OUTPUT_STATIONARY else cols * (cols - 1) // 2),
    )


def element_of(unit: UnitSpec, dataflow: Dataflow, double_buffered: bool) -> UnitSpec:
    """Return what an array of units has one of in every row and column."""
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        return unit
    given = {"element": unit.family, "rows": 1, "columns": 1, **unit._given()}
    buffering = Buffering.DOUBLE if double_buffered else Buffering.SINGLE
    return ArrayUnit(**given, dataflow=dataflow, buffering=buffering)


@dataclass(frozen=True)
class ArrayCost:
    """What one element of an array takes, and what is between elements.

    Attributes
    ----------
    parts
        Of an element, by :data:`cost_models.element.PARTS`.
    register
        A bit that is handed on or held; its settled energy is that of the clock.
    control
        An element's share of the array's control.
    passing_pj
        Energy of a bit that changes as it passes a register.
    pin_pj
        Energy of a pin of an element that such a bit drives.
    wait_pj
        Energy by part, clock left out, that a beat takes more if the element waits after it.
    """

    parts: Mapping[str, End]
    register: End
    control: End
    passing_pj: float
    pin_pj: float
    wait_pj: Mapping[str, float]

    @property
    def delay_ns(self) -> float:
        """Shortest clock period of the array in ns."""
        return self.register.delay_ns

    def total(self, quantity: str) -> float:
        """Return a quantity of :class:`~cost_models.estimate.End` of an element, all parts."""
        return math.fsum(getattr(part, quantity) for part in self.parts.values())

    @property
    def busy_pj(self) -> float:
        """Energy of an element in a cycle at full throughput."""
        return self.total("settled_pj") + self.total("glitch_pj")


def compose(
    price: UnitPrice, technology: Technology, around: Surroundings, clock_ns: float | None = None,
    with_hazards: bool = True,
) -> ArrayCost:  # fmt: skip
    """Return what an array of elements takes that is mapped for a clock, or for the least area.

    Where many sizes are compared, ``with_hazards=False`` leaves out what takes long.
    """
    element = price.element
    hazards = element.hazards(technology.hazards, around) if with_hazards else None
    ends = []
    for sizing in (technology.least_area, technology.least_delay):
        delay = element.delay_ns(sizing, around)
        parts = element.ends(sizing, around, hazards, delay)
        ends.append(parts | _between_elements(sizing, delay, _control(price.unit, around)))
    chosen = {
        name: _at(start, ends[1][name], technology, clock_ns) for name, start in ends[0].items()
    }
    register, control, passing, pin = (chosen.pop(name) for name in _BETWEEN)
    if isinstance(price.unit, ArrayUnit) and around.links is Links.BROADCAST:
        # Sums of a column are added up at once, and its elements have one register together.
        saved = price.unit.result.bits * (1 - 1 / around.rows)
        chosen[PARTS[-1]] = _less(chosen[PARTS[-1]], register, saved)
    waits = dict.fromkeys(PARTS, 0.0)
    if price.interrupted is not None and with_hazards:
        cycles = price.beat_cycles
        other = _parts_at(price.interrupted, technology, around, clock_ns)
        for name, part in chosen.items():
            waits[name] = _data_pj(other[name]) * (cycles + 1) - _data_pj(part) * cycles
    return ArrayCost(chosen, register, control, passing.settled_pj, pin.settled_pj, waits)


def _data_pj(part: End) -> float:
    """Return the energy of a cycle without the clock's."""
    return part.settled_pj + part.glitch_pj - part.clock_pj


def _parts_at(
    element: Element, technology: Technology, around: Surroundings, clock_ns: float | None
) -> dict[str, End]:
    """Return the parts of an element at a clock."""
    hazards = element.hazards(technology.hazards, around)
    start, end = (
        element.ends(sizing, around, hazards, element.delay_ns(sizing, around))
        for sizing in (technology.least_area, technology.least_delay)
    )
    return {name: _at(start[name], end[name], technology, clock_ns) for name in start}


def _less(part: End, register: End, bits: float) -> End:
    """Return a part without so many registers."""
    names = ("area_um2", "settled_pj", "clock_pj", "leakage_nw", "idle_pj")
    changed = {name: getattr(part, name) - bits * getattr(register, name) for name in names}
    return replace(part, **changed)


#: What is not of an element, as :func:`_between_elements` has it.
_BETWEEN = ("register", "control", "passing", "pin")


def _control(unit: UnitSpec, around: Surroundings) -> dict[str, float]:
    """Return the cells of an element's share in what controls the array, by type."""
    found = dict.fromkeys(TYPES, 0.0)
    if unit.words_per_beat > 1:
        return found
    if around.links is Links.SYSTOLIC and around.rows * around.cols > 1:
        found |= _SYSTOLIC_CONTROL
    if _waits(unit):
        found |= {name: found[name] + count for name, count in _LOCKSTEP_CONTROL.items()}
    return found


def _between_elements(
    sizing: Sizing, delay_ns: float, control: Mapping[str, float]
) -> dict[str, End]:
    nothing = End(**{field.name: 0.0 for field in fields(End)})
    clock = sizing.clock_fj_per_cycle * 1e-3

    def cells(counts: Mapping[str, float]) -> End:
        def of(coefficients: Mapping[str, float]) -> float:
            return math.fsum(count * coefficients[name] for name, count in counts.items())

        clocked = counts.get(FLIP_FLOP, 0) * clock
        return End(
            of(sizing.area_um2), delay_ns, clocked, clocked, 0.0, of(sizing.leakage_nw), clocked
        )

    def energy(fj: float) -> End:
        return End(**{**vars(nothing), "delay_ns": delay_ns, "settled_pj": fj * 1e-3})

    per_toggle, per_load = sizing.energy_fj_per_toggle, sizing.energy_fj_per_toggle_and_load
    return {
        "register": cells({FLIP_FLOP: 1, "MUX": 1}),
        "control": cells(control),
        "passing": energy(per_toggle[FLIP_FLOP] + per_toggle["MUX"] + _PINS_PASSED * per_load),
        "pin": energy(per_load),
    }


def _at(smallest: End, fastest: End, technology: Technology, clock_ns: float | None) -> End:
    """Return what lies between the ends of a curve at a clock; the least area without."""
    return smallest if clock_ns is None else between(smallest, fastest, technology.curve, clock_ns)


def array_um2(cost: ArrayCost, count: Any, bits: Any) -> Any:
    """Return the area in um^2 of ``count`` elements and ``bits`` between them."""
    element = cost.total("area_um2") + cost.control.area_um2
    return count * element + bits * cost.register.area_um2


@dataclass(frozen=True)
class Comparison:
    """A quantity of an array estimated whole, and composed."""

    whole: float
    composed: float

    @property
    def percent(self) -> float:
        """By how much what is composed is larger, relative to the whole."""
        return 100 * (self.composed / self.whole - 1)


def compare(array: ArrayUnit, technology: Technology) -> dict[str, Comparison]:
    """Return area, delay and energy of an array estimated whole and composed, for the least area.

    Energy is that of a cycle at full throughput, with default operands, in pJ.

    Raises
    ------
    InputError
        As :func:`cost_models.estimate.estimate`.
    """
    (whole,) = estimate_all(array, [technology]).values()
    unit, flow = array.processing_element, array.dataflow
    inner = element_of(unit, flow, array.buffering is Buffering.DOUBLE)
    price = UnitPrice.of(inner, technology, operands.default_operands(inner))
    rows, cols, count = array.rows, array.columns, array.rows * array.columns
    cost = compose(price, technology, Surroundings(rows, cols, array.links))
    between = registers(unit, rows, cols, array.links, flow)
    stream = operands.default_operands(array)
    taken = array.cycles(stream.activations, stream.weights, **stream.metadata)
    waiting = array.waiting(stream.activations, stream.weights, **stream.metadata)
    cycles = float(taken.mean())
    energy = _beat_pj(array, price, cost, between, cycles, waiting, taken.shape[-1])
    return {
        "area": Comparison(whole.area_um2, float(array_um2(cost, count, between.bits))),
        "delay": Comparison(whole.delay_ns, cost.delay_ns),
        "energy": Comparison(whole.energy_pj, float(energy) / cycles),
    }


def _beat_pj(
    array: ArrayUnit, price: UnitPrice, cost: ArrayCost, between: Registers, cycles: float,
    waiting: float, beats: int,
) -> float:  # fmt: skip
    """Return the energy of a beat of an array in pJ, of ``cycles``, one of ``beats``.

    Of the elements a share of ``waiting`` is done before others.
    """
    rows, cols, count = array.rows, array.columns, array.rows * array.columns
    clock = cost.total("clock_pj") + cost.control.clock_pj
    own = price.beat_cycles
    element = (cost.busy_pj - cost.total("clock_pj")) * own + clock * cycles
    element += math.fsum(cost.wait_pj.values()) * waiting
    element += (cost.total("idle_pj") - cost.total("clock_pj")) * max(cycles - own - waiting, 0.0)
    total = count * element + between.bits * cost.register.clock_pj * cycles
    if array.links is Links.BROADCAST:
        return total
    along_rows = rows * (cols - 1) + rows * (rows - 1) / 2
    along_cols = cols * (rows - 1) + cols * (cols - 1) / 2
    passes, loads = {_ACTIVATIONS: along_rows, _WEIGHTS: along_cols}, [1.0, 1.0]
    results = (count - 1) * array.processing_element.result.bits / 2 / beats
    if array.dataflow is not Dataflow.OUTPUT_STATIONARY:
        # All rows are loaded for a word that computes; an array of one row loads one.
        kept = _WEIGHTS if array.dataflow is Dataflow.WEIGHT_STATIONARY else _ACTIVATIONS
        passes = {1 - kept: along_rows, kept: along_cols}
        loads[kept] = (rows + 1) / 2
        results = between.results / 2
    for side, passed in passes.items():
        bits, pins = price.element.counted.ports[side] * own * loads[side]
        total += passed * bits * cost.passing_pj + (count - 1) * pins * cost.pin_pj
    return total + results * cost.passing_pj


#: Indices of the ports' operands, as elements count them.
_ACTIVATIONS, _WEIGHTS = 0, 1
