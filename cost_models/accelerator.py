"""Energy and area of an accelerator: units, what is between them, memories.

Units are estimated once for every pair of formats they work on (:mod:`cost_models.estimate`), with
operands of these formats, and count with every beat they have; in all other cycles they are idle.
:mod:`cost_models.array_cost` composes the array of them, tables and accumulators as parts of their
own. SRAM and DRAM are those of the tables of :mod:`cost_models.memory`, inside their range only.

A result is made of parts, and its total is their sum. A part has the error that is known of it: of
units what 95 % of held-out units stay within, of DRAM the range that the source gives. Nothing is
known of the error of SRAM tables and of registers between units; totals say how large the share of
such parts is. Errors are added up as if all were off in the same direction, which is the widest
they can be.

Units and SRAM may be of different nodes, as published tables and open libraries have no node in
common; a note then says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cost_models import memory, operands, technology
from cost_models.array_cost import (
    REGISTERS,
    ArrayCost,
    UnitPrice,
    array_um2,
    compose,
    element_of,
    registers,
)
from cost_models.bands import LEVELS
from cost_models.cost import Cost
from cost_models.element import PARTS, Surroundings
from cost_models.metrics import percents
from cost_models.scaling import ANCHORS
from cost_models.technology import Technology
from hwsim.accelerator.integers import ceil_div
from hwsim.accelerator.memory import Memories, Sram
from hwsim.accelerator.simulation import Accelerator, Group, Mode, Simulation, simulate
from hwsim.accelerator.specification import build
from hwsim.accelerator.traffic import Floats, ModelError
from hwsim.accelerator.workload import Workload
from hwsim.decode import load as load_yaml
from hwsim.errors import InputError, check_known
from hwsim.formats.base import Codes
from hwsim.units import UnitSpec
from hwsim.units.array import Dataflow, Links
from hwsim.units.layers import GROUP
from hwsim.units.metadata import Operand
from hwsim.units.operands import Operands

#: Percentage of units that the errors of units are stated for.
LEVEL = LEVELS[-1]
#: The SRAMs, as parts are called, by attribute of :class:`~hwsim.accelerator.memory.Memories`.
SRAMS = {"weights": "weight SRAM", "inputs": "input SRAM", "outputs": "output SRAM"}
#: Which operand stays while the other one passes by.
KEPT = {
    Dataflow.WEIGHT_STATIONARY: Operand.WEIGHT, Dataflow.INPUT_STATIONARY: Operand.ACTIVATION,
}  # fmt: skip
#: Relative room for sums of float64 in another order.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Part:
    """One part of a quantity.

    Attributes
    ----------
    name
        What it is of.
    value
        In the unit of the quantity.
    low, high
        What it is between, as far as that is known; both None if nothing is.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Total:
    """A quantity that is the sum of its parts.

    Attributes
    ----------
    parts
        All that there are.
    """

    parts: tuple[Part, ...]

    @property
    def value(self) -> float:
        """The sum."""
        return math.fsum(part.value for part in self.parts)

    @property
    def low(self) -> float:
        """The sum with known errors all in the one direction."""
        return math.fsum(part.value if part.low is None else part.low for part in self.parts)

    @property
    def high(self) -> float:
        """The sum with known errors all in the other direction."""
        return math.fsum(part.value if part.high is None else part.high for part in self.parts)

    @property
    def unknown_share(self) -> float:
        """Share of the value that is of parts of whose error nothing is known."""
        unknown = math.fsum(part.value for part in self.parts if part.low is None)
        return unknown / self.value if self.value else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "value": self.value, "low": self.low, "high": self.high,
            "unknown_share": self.unknown_share, "parts": [asdict(part) for part in self.parts],
        }  # fmt: skip


class Prices:
    """What units and memories take in one technology; what was estimated once is kept.

    Parameters
    ----------
    of
        A technology or its name.
    source
        What the energy of units is of, see :func:`cost_models.operands.create`.
    match
        Which weights of a file.
    group
        Group size of a file's weights where their format has none.

    Raises
    ------
    InputError
        For an unknown technology.
    """

    def __init__(
        self, of: str | Technology, source: str = "normal", match: str = "*", group: int = GROUP
    ) -> None:
        (self.technology,) = technology.load_all([of])
        self.source, self.match, self.group = source, match, group
        self._units: dict[tuple[UnitSpec, float, Operand | None], UnitPrice] = {}
        self._arrays: dict[tuple[UnitPrice, Surroundings, bool], ArrayCost] = {}

    def unit(self, unit: UnitSpec, clock_ns: float, held: Operand | None = None) -> UnitPrice:
        """Return what a unit takes that is mapped for a clock.

        With ``held``, all beats of a dot product have the same codes of that operand.
        """
        key = unit, clock_ns, held
        if key not in self._units:
            stream = operands.create(unit, self.source, self.match, self.group)
            stream = _holding(unit, stream, held)
            self._units[key] = UnitPrice.of(unit, self.technology, stream, clock_ns)
        return self._units[key]

    def clock_ns(self, accelerator: Accelerator) -> float:
        """Return the clock that the units of an accelerator are mapped for."""
        return accelerator.clock_ns or self.technology.clock_ns

    def element(self, accelerator: Accelerator) -> UnitPrice:
        """Return what an element of an accelerator's array takes, in its own formats."""
        inner = element_of(accelerator.unit, accelerator.dataflow, accelerator.double_buffered)
        return self.unit(inner, self.clock_ns(accelerator))

    def array(
        self,
        accelerator: Accelerator,
        unit: UnitPrice,
        rows: int | None = None,
        cols: int | None = None,
    ) -> ArrayCost:
        """Return what the array of an accelerator takes whose elements are priced.

        Of an array of other ``rows`` and ``cols`` energy is without hazards.
        """
        around = Surroundings(
            accelerator.rows if rows is None else rows,
            accelerator.cols if cols is None else cols,
            accelerator.links,
        ).alike
        hazards = rows is None and cols is None
        key = unit, around, hazards
        if key not in self._arrays:
            clock = self.clock_ns(accelerator)
            self._arrays[key] = compose(unit, self.technology, around, clock, hazards)
        return self._arrays[key]

    def period_ns(
        self, accelerator: Accelerator, rows: int | None = None, cols: int | None = None
    ) -> float:
        """Return the clock period that the arrays of an accelerator run at.

        Of its first one in another size, if one is given.
        """
        first, *others = accelerator.arrays
        arrays = [self.array(first, self.element(first), rows, cols)]
        arrays += [self.array(one, self.element(one)) for one in others]
        return max(self.clock_ns(accelerator), *(one.delay_ns for one in arrays))

    @property
    def node(self) -> int | None:
        """Node of the technology in nm, if it is known."""
        anchor = ANCHORS.get(self.technology.name)
        return None if anchor is None else anchor.node


def _holding(unit: UnitSpec, stream: Operands, held: Operand | None) -> Operands:
    """Return operands in which all beats of a dot product have the first one's of one side."""
    if held is None:
        return stream
    if held is Operand.WEIGHT:
        return replace(stream, weights=_held(stream.weights, unit.weight_lanes))
    return replace(stream, activations=_held(stream.activations, unit.activation_lanes))


def _held(codes: Codes, lanes: int) -> Codes:
    return np.tile(codes[:, :lanes], (1, codes.shape[1] // lanes))


@dataclass(frozen=True, eq=False)
class Result:
    """A workload on an accelerator, with energy and area.

    Attributes
    ----------
    simulation
        Cycles and traffic.
    technology
        Of the units.
    energy_pj
        By part, of the whole workload.
    area_um2
        By part.
    group_energy_pj
        Energy by group of products and part.
    costs
        Estimates of the unit, by its name.
    notes
        What has to be known of the figures.
    """

    simulation: Simulation
    technology: str
    energy_pj: Total
    area_um2: Total
    group_energy_pj: Mapping[str, Mapping[str, float]]
    costs: Mapping[str, Cost]
    notes: tuple[str, ...]

    @property
    def energy_j(self) -> float:
        """Energy of the workload in J."""
        return self.energy_pj.value * 1e-12

    @property
    def energy_j_per_item(self) -> float:
        """Energy of a token or an image in J."""
        return self.energy_j / self.simulation.work.items

    @property
    def power_w(self) -> float:
        """Mean power in W."""
        return self.energy_j / self.simulation.time_s

    @property
    def area_mm2(self) -> float:
        """Area in mm^2."""
        return self.area_um2.value * 1e-6

    @property
    def items_per_s_per_mm2(self) -> float:
        """Tokens or images per s and mm^2 of the whole accelerator."""
        return self.simulation.items_per_s / self.area_mm2

    @property
    def energy_delay_js(self) -> float:
        """Energy-delay product of the workload in J s."""
        return self.energy_j * self.simulation.time_s

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        run = self.simulation
        other = run.accelerator.attention
        return {
            "accelerator": run.accelerator.name,
            "unit": run.accelerator.unit.name,
            "rows": run.accelerator.rows,
            "cols": run.accelerator.cols,
            "dataflow": run.accelerator.dataflow.value,
            "links": run.accelerator.links.value,
            "double_buffered": run.accelerator.double_buffered,
            "formats": run.accelerator.operand_formats.to_dict(),
            "attention": None
            if other is None
            else {
                "unit": other.unit.name,
                "rows": other.rows,
                "cols": other.cols,
                "dataflow": Dataflow(other.dataflow).value,
                "links": Links(other.links).value,
                "double_buffered": other.double_buffered,
            },
            "memories": asdict(run.accelerator.memories),
            "technology": self.technology,
            "model": run.work.model.name,
            "phase": run.work.phase,
            "batch": run.work.batch,
            "tokens": run.work.tokens,
            "context": run.work.context,
            "clock_ns": run.period_ns,
            "convention": run.accelerator.convention.value,
            "macs": run.macs,
            "cycles": run.cycles,
            "time_s": run.time_s,
            "items": run.work.items,
            "items_per_s": run.items_per_s,
            "items_per_s_per_mm2": self.items_per_s_per_mm2,
            "utilisation": run.utilisation,
            "dram_bytes": run.dram_bytes,
            "dram_bytes_per_item": run.dram_bytes / run.work.items,
            "energy_j": self.energy_j,
            "energy_j_per_item": self.energy_j_per_item,
            "power_w": self.power_w,
            "area_mm2": self.area_mm2,
            "energy_delay_js": self.energy_delay_js,
            "energy_pj": self.energy_pj.to_dict(),
            "area_um2": self.area_um2.to_dict(),
            "groups": [
                asdict(group) | {"energy_pj": dict(self.group_energy_pj[group.name])}
                for group in run.groups()
            ],
            "notes": list(self.notes),
        }


def evaluate(accelerator: Accelerator, work: Workload, prices: Prices) -> Result:
    """Return time, energy and area of a workload on an accelerator.

    The clock is the accelerator's, or the technology's if it has none; units that miss it run at
    their own fmax, which a note says.

    Raises
    ------
    InputError
        For what the unit, the tables of memories, or the simulation refuse, and an SRAM that is
        slower than the clock.
    ModelError
        If parts do not add up.
    """
    bases = [prices.element(one) for one in accelerator.arrays]
    arrays = [prices.array(*pair) for pair in zip(accelerator.arrays, bases, strict=True)]
    figures = _srams(accelerator.memories)
    period = prices.period_ns(accelerator)
    _check_cycle_times(figures, period)
    run = simulate(accelerator, work, period)
    wholes = [
        _Whole(one, base, cost)
        for one, base, cost in zip(accelerator.arrays, bases, arrays, strict=True)
    ]
    parts: dict[str, tuple[float, _Band]] = {}
    by_group: dict[str, dict[str, float]] = {group.name: {} for group in run.groups()}
    for index, part in run.parts:
        groups = [one.gemm.group for one in part.layers.gemms]
        for name, (values, band) in _energies(part, wholes, index, figures, prices).items():
            before, known = parts.get(name, (0.0, band))
            parts[name] = before + float(values.sum()), _widest([known, band])
            for group in dict.fromkeys(groups):
                own = float(values[np.array([other == group for other in groups])].sum())
                by_group[group][name] = by_group[group].get(name, 0.0) + own
    total = Total(
        tuple(Part(name, value, *_ends(value, band)) for name, (value, band) in parts.items())
    )
    summed = math.fsum(value for found in by_group.values() for value in found.values())
    if not math.isclose(summed, total.value, rel_tol=_ROUNDING):
        raise ModelError("the energy of groups does not add up to that of parts")
    costs = [base.cost for base in bases]
    costs += [prices.unit(m.unit, prices.clock_ns(accelerator)).cost for m in run.layers.modes]
    return Result(
        run, prices.technology.name, total, Total(tuple(_areas(wholes, figures))), by_group,
        {cost.unit: cost for cost in costs}, tuple(_notes(run, wholes, prices)),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Whole:
    """One array of an accelerator with what an element of it takes, in its own formats."""

    accelerator: Accelerator
    price: UnitPrice
    cost: ArrayCost

    @property
    def count(self) -> float:
        """Elements."""
        return float(self.accelerator.rows * self.accelerator.cols)

    @property
    def bits(self) -> float:
        """Flip-flops between them."""
        one = self.accelerator
        return float(registers(one.unit, one.rows, one.cols, one.links, one.dataflow).bits)

    @property
    def idle_pj(self) -> float:
        """Energy of all elements in an idle cycle."""
        return self.count * (self.cost.total("idle_pj") + self.cost.control.idle_pj)

    @property
    def leakage_nw(self) -> float:
        """Of all that the array has."""
        own = self.cost.total("leakage_nw") + self.cost.control.leakage_nw
        return self.count * own + self.bits * self.cost.register.leakage_nw


#: Factors to a value's lower and upper end; None if unknown.
_Band = tuple[float, float] | None


def _ends(value: float, band: _Band) -> tuple[float | None, float | None]:
    return (None, None) if band is None else (value * band[0], value * band[1])


def _band(cost: Cost, metric: str) -> _Band:
    """Return the factors that an estimate and synthesis are within of each other."""
    percent = percents(cost).get(metric, {}).get(LEVEL)
    return None if percent is None else (1 / (1 + percent / 100), 1 + percent / 100)


@cache
def _srams(memories: Memories) -> dict[str, memory.Memory]:
    """Return the cost of each SRAM by attribute of the memories."""
    return {name: _sram(memories, name) for name in SRAMS}


def _sram(memories: Memories, name: str) -> memory.Memory:
    sram: Sram = getattr(memories, name)
    try:
        cost = memory.sram(sram.capacity, memories.node, memories.table, sram.width, sram.banks)
    except InputError as error:
        raise InputError(f"{SRAMS[name]}: {error}") from None
    missing = [key for key in ("read", "write", "area", "leakage") if not getattr(cost, key)]
    if missing:
        raise InputError(
            f"table={memories.table}: has no {' and no '.join(missing)} of SRAM; allowed: "
            "cacti7-hp, cacti7-lop"
        )
    return cost


def check_memories(memories: Memories) -> None:
    """Raise InputError for SRAM that the tables do not have the cost of, and for unknown DRAM."""
    _srams(memories)
    memory.dram(memories.dram.kind, memories.dram.boundary)


def read(path: Path) -> Accelerator:
    """Return the accelerator in a YAML file, whose memories the tables have the cost of.

    Raises
    ------
    InputError
        With file, line and key: as :func:`hwsim.accelerator.specification.read` and
        :func:`check_memories`.
    """
    value = load_yaml(path)
    made = build(value, path.stem)
    given, memories = value.mapping(), made.memories
    sram = given["sram"].mapping()
    sram["table"].refine(partial(check_known, "table", memories.table, memory.sram_sources()))
    sram["node"].refine(partial(memory.sram_rows, memories.table, memories.node))
    for name in SRAMS:
        sram[name].refine(partial(_sram, memories, name))
    given["dram"].refine(partial(memory.dram, memories.dram.kind, memories.dram.boundary))
    return made


def _check_cycle_times(figures: Mapping[str, memory.Memory], period_ns: float) -> None:
    for name, cost in figures.items():
        cycle = cost.cycle_time
        if cycle is not None and cycle.high > period_ns:
            raise InputError(
                f"{SRAMS[name]}: its cycle takes {cycle.high:.3g} ns, and the clock is "
                f"{period_ns:.3g} ns; allowed: smaller macros (more banks), or a slower clock"
            )


def _energies(
    run: Simulation,
    wholes: Sequence[_Whole],
    index: int,
    figures: Mapping[str, memory.Memory],
    prices: Prices,
) -> dict[str, tuple[Floats, _Band]]:
    """Return the energy in pJ by part, shape (products,), and its band, of one array's products.

    All arrays are clocked and leak meanwhile.
    """
    whole, moved = wholes[index], run.times.traffic
    accelerator, layers = whole.accelerator, run.layers
    busy = [_of_mode(mode, whole, prices) for mode in layers.modes]
    count = layers.count.astype(np.float64)
    cycles = run.times.cycles * count
    beats = _beats(run) * count
    own_cycles = beats * np.array([one.beat_cycles for one in busy])
    idle = whole.count * cycles - own_cycles
    if (idle < -_ROUNDING * whole.count * cycles).any():
        raise ModelError("units work in more cycles than there are")
    band = _widest([one.band for one in busy])
    parts: dict[str, tuple[Floats, _Band]] = {
        name: (beats * np.array([one.beat_pj[name] for one in busy]), band) for name in PARTS
    }
    others = math.fsum(one.idle_pj for k, one in enumerate(wholes) if k != index)
    idle_pj = whole.idle_pj / whole.count
    parts["idle units"] = np.maximum(idle, 0) * idle_pj + cycles * others, None
    clocked = math.fsum(one.bits * one.cost.register.clock_pj for one in wholes)
    parts[REGISTERS] = _between(run, whole, busy, beats) + cycles * clocked, None
    for name, cost in figures.items():
        sram: Sram = getattr(accelerator.memories, name)
        kind = name.removesuffix("s")
        assert cost.read is not None
        assert cost.write is not None
        for verb, figure in (("read", cost.read), ("write", cost.write)):
            bits: Floats = getattr(moved, f"{kind}_{verb}s")
            parts[f"{SRAMS[name]} {verb}"] = (bits / sram.width * figure.low * count, None)
    dram = memory.dram(accelerator.memories.dram.kind, accelerator.memories.dram.boundary).access
    assert dram is not None
    middle = (dram.low + dram.high) / 2
    parts["DRAM"] = (moved.dram * middle * count, (dram.low / middle, dram.high / middle))
    seconds = cycles * run.period_ns * 1e-9
    nanowatts = math.fsum(one.leakage_nw for one in wholes)
    parts["leakage of the array"] = (seconds * nanowatts * 1e3, None)
    milliwatts = math.fsum(cost.leakage.low for cost in figures.values() if cost.leakage)
    parts["leakage of SRAM"] = (seconds * milliwatts * 1e9, None)
    return parts


@dataclass(frozen=True, eq=False)
class _Busy:
    """What a beat of an element takes in one mode.

    Attributes
    ----------
    beat_pj
        By part.
    beat_cycles
        Cycles that it works.
    ports
        Toggles of the bits of activations and of weights, and of the pins that they drive, shape
        (2, 2).
    band
        Of its energy.
    """

    beat_pj: Mapping[str, float]
    beat_cycles: float
    ports: Floats
    band: "_Band"


def _of_mode(mode: Mode, whole: _Whole, prices: Prices) -> _Busy:
    """Return what a beat takes in a mode; where an operand stays, it is held."""
    accelerator, clock = whole.accelerator, prices.clock_ns(whole.accelerator)
    price = prices.unit(mode.unit, clock, KEPT.get(accelerator.dataflow))
    cost = prices.array(accelerator, price)
    cycles = price.beat_cycles
    beat = {name: (part.settled_pj + part.glitch_pj) * cycles for name, part in cost.parts.items()}
    if accelerator.dataflow is not Dataflow.OUTPUT_STATIONARY:
        # An element has more registers than the unit: of its product, and of what it keeps.
        beat[PARTS[0]] += (whole.cost.total("clock_pj") - cost.total("clock_pj")) * cycles
    beat[PARTS[0]] += whole.cost.control.clock_pj * cycles
    ports = price.element.counted.ports * cycles
    return _Busy(beat, cycles, ports, _band(price.cost, "energy_pj_per_mac"))


def _widest(bands: Sequence[_Band]) -> _Band:
    known = [band for band in bands if band is not None]
    if len(known) < len(bands):
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _beats(run: Simulation) -> Floats:
    """Return the beats that units have in one product each."""
    given, product = run.layers, run.layers.product
    along_k = product.parts * ceil_div(given.part_length, given.lanes)
    tiles_m = ceil_div(product.m, np.array(given.tile_rows)).astype(np.float64)
    return tiles_m * ceil_div(product.n, np.array(given.tile_cols)) * along_k


def _between(run: Simulation, whole: _Whole, busy: Sequence[_Busy], beats: Floats) -> Floats:
    """Return the energy in pJ of what hands operands on and holds results, clocks left out.

    An operand passes a register for every unit but the first of its line, and those that delay the
    line, half as many as there are lines on average. Half of the bits of a result differ from the
    one before.
    """
    accelerator, given, product = run.accelerator, run.layers, run.layers.product
    rows, cols = accelerator.rows, accelerator.cols
    (bits_a, pins_a), (bits_w, pins_w) = np.moveaxis(np.array([one.ports for one in busy]), 0, -1)
    passed_a = passed_w = result_bits = beats * 0.0
    if accelerator.links is Links.SYSTOLIC:
        # Lines of edge folds are as long as the others.
        tiles_m = ceil_div(product.m, np.array(given.tile_rows))
        tiles_n = ceil_div(product.n, np.array(given.tile_cols))
        words_a = beats / tiles_n * ceil_div(tiles_n, np.array(cols))
        words_w = beats / tiles_m * ceil_div(tiles_m, np.array(rows))
        passed_a = words_a * (cols - 1 + (rows - 1) / 2)
        passed_w = words_w * (rows - 1 + (cols - 1) / 2)
        outputs = product.n.astype(np.float64) * product.m * product.parts * given.count
        result_bits = outputs * product.sum_bits.astype(np.float64) / 2
    loads = beats * 0.0
    if accelerator.dataflow is not Dataflow.OUTPUT_STATIONARY:
        passed_a, passed_w, loads = _stationary_passes(run, passed_a, passed_w)
        # Sums wait for those of the last column.
        result_bits = beats / rows * (cols - 1) / 2 * product.sum_bits / 2
        result_bits = result_bits * (accelerator.links is Links.SYSTOLIC)
    keeps_inputs = accelerator.dataflow is Dataflow.INPUT_STATIONARY
    toggles = passed_a * bits_a + passed_w * bits_w + result_bits
    toggles = toggles + loads * _kept_toggles(accelerator)
    pins = beats * (pins_a * (not keeps_inputs) + pins_w * _streams_weights(accelerator))
    energy: Floats = toggles * whole.cost.passing_pj + pins * whole.cost.pin_pj
    return energy


def _streams_weights(accelerator: Accelerator) -> bool:
    return accelerator.dataflow is not Dataflow.WEIGHT_STATIONARY


def _kept_toggles(accelerator: Accelerator) -> float:
    """Return the bits that change in an element's registers when it is loaded: half of them."""
    unit = accelerator.unit
    fmt = unit.weight if accelerator.dataflow is Dataflow.WEIGHT_STATIONARY else unit.activation
    return unit.lanes * fmt.bits / 2 * (1 + accelerator.double_buffered)


def _stationary_passes(
    run: Simulation, passed_a: Floats, passed_w: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return how often operands pass a register where one of them is loaded and stays.

    The last are the words that elements take.
    """
    moved, given = run.times.traffic, run.layers
    rows, count = run.accelerator.rows, given.count.astype(np.float64)
    lanes = given.lanes.astype(np.float64)
    systolic = run.accelerator.links is Links.SYSTOLIC
    if run.accelerator.dataflow is Dataflow.WEIGHT_STATIONARY:
        words = moved.weight_reads / (given.product.weight_bits * lanes) * count
        return passed_a, words * ((rows - 1) / 2 * systolic), words
    words = moved.input_reads / (given.product.input_bits * lanes) * count
    return words * ((rows - 1) / 2 * systolic), passed_w, words


def _areas(wholes: Sequence[_Whole], figures: Mapping[str, memory.Memory]) -> list[Part]:
    """Return the area in um^2 by part."""
    found = []
    for k, name in enumerate(PARTS):
        areas = [
            one.count * (one.cost.parts[name].area_um2 + (k == 0) * one.cost.control.area_um2)
            for one in wholes
        ]
        ends = [
            _ends(area, _band(one.price.cost, "area_um2"))
            for area, one in zip(areas, wholes, strict=True)
        ]
        low, high = (None if None in side else math.fsum(side) for side in zip(*ends, strict=True))
        found.append(Part(name, math.fsum(areas), low, high))
    between = math.fsum(one.bits * one.cost.register.area_um2 for one in wholes)
    return [
        *found, Part(REGISTERS, between),
        *(Part(SRAMS[name], one.area.low) for name, one in figures.items() if one.area),
    ]  # fmt: skip


def array_area_um2(accelerator: Accelerator, prices: Prices, rows: int, cols: int) -> float:
    """Return the area in um^2 of an array of the accelerator's units, without memories."""
    cost = prices.array(accelerator, prices.element(accelerator), rows, cols)
    between = registers(accelerator.unit, rows, cols, accelerator.links, accelerator.dataflow)
    return float(array_um2(cost, rows * cols, between.bits))


def _notes(run: Simulation, wholes: Sequence[_Whole], prices: Prices) -> list[str]:
    memories = run.accelerator.memories
    dram = memory.dram(memories.dram.kind, memories.dram.boundary)
    notes = [
        f"SRAM: {memories.table} at {memories.node} nm; DRAM: {dram.included}",
        f"± is what {LEVEL} % of units stay within and the range of the DRAM's source; of SRAM, "
        "array registers, idle units and leakage no error is known",
        "in no part: wires and a clock tree; softmax, norms, scales outside the units and other "
        "vector units; a controller",
    ]
    if prices.node is not None and prices.node != memories.node:
        notes.insert(
            1, f"units are {prices.technology.name}, {prices.node} nm, beside SRAM of "
            f"{memories.node} nm: the tables have no {prices.node} nm",
        )  # fmt: skip
    if len(wholes) > 1:
        other = wholes[1].accelerator
        notes.append(
            f"attention is computed by {other.rows} x {other.cols} {other.unit.name}, while the "
            "other array is idle"
        )
    clock = prices.clock_ns(run.accelerator)
    notes += [
        f"the array of {one.accelerator.unit.name} misses the clock of {clock:g} ns and runs at "
        f"{one.cost.delay_ns:.4g} ns"
        for one in wholes
        if one.cost.delay_ns > clock
    ]
    return notes


def groups(result: Result) -> list[tuple[Group, float]]:
    """Return the groups of products with their energy in pJ."""
    return [
        (group, math.fsum(result.group_energy_pj[group.name].values()))
        for group in result.simulation.groups()
    ]
