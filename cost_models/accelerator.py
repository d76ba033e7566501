"""Energy and area of an accelerator: units, what is between them, memories.

Units are estimated once for every pair of formats they work on (:mod:`cost_models.estimate`), with
operands of these formats, and count with every beat they have; in all other cycles they are idle.
What hands operands on is counted in flip-flops and multiplexers and priced with a technology's
coefficients at the least area, as it is off the critical path; so are the pins of units, which
their own estimate does not have, as somebody else drives them. SRAM and DRAM are those of the
tables of :mod:`cost_models.memory`, inside their range only.

A result is made of parts, and its total is their sum. A part has the error that is known of it: of
units what 95 % of held-out units stay within, of DRAM the range that the source gives. Nothing is
known of the error of SRAM tables and of links; totals say how large the share of such parts is.
Errors are added up as if all were off in the same direction, which is the widest they can be.

Units and SRAM may be of different nodes, as published tables and open libraries have no node in
common; a note then says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from cost_models import memory, operands, technology
from cost_models.bands import LEVELS
from cost_models.cost import Cost
from cost_models.estimate import estimate
from cost_models.metrics import percents
from cost_models.netlist import FLIP_FLOP, netlist
from cost_models.scaling import ANCHORS
from cost_models.technology import Technology
from hwsim.accelerator.integers import ceil_div
from hwsim.accelerator.memory import Memories, Sram
from hwsim.accelerator.simulation import Accelerator, Group, Mode, Simulation, simulate
from hwsim.accelerator.traffic import Floats, ModelError
from hwsim.accelerator.workload import Workload
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.array import Dataflow, Links
from hwsim.units.layers import GROUP
from hwsim.units.metadata import Operand

#: Percentage of units that the errors of units are stated for.
LEVEL = LEVELS[-1]
#: The SRAMs, as parts are called, by attribute of :class:`~hwsim.accelerator.memory.Memories`.
SRAMS = {"weights": "weight SRAM", "inputs": "input SRAM", "outputs": "output SRAM"}
#: What is handed on or held has a bit that says whether there is any.
_VALID_BITS = 1
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


@dataclass(frozen=True, eq=False)
class UnitPrice:
    """What a unit takes on one pair of formats.

    Attributes
    ----------
    cost
        Its estimate.
    activation_toggles, weight_toggles
        Bits of a beat's two sides that change from one beat to the next, on average.
    loads
        Gate inputs behind a bit of a beat, on average.
    """

    cost: Cost
    activation_toggles: float
    weight_toggles: float
    loads: float

    @property
    def beat_pj(self) -> float:
        """Energy of a beat."""
        return self.cost.energy_pj * self.beat_cycles

    @property
    def beat_cycles(self) -> float:
        """Cycles of a beat of this unit alone, on average."""
        macs: float = self.cost.provenance["macs_per_beat"]
        return macs / self.cost.macs_per_cycle


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
        self._units: dict[tuple[UnitSpec, float], UnitPrice] = {}

    def unit(self, unit: UnitSpec, clock_ns: float) -> UnitPrice:
        """Return what a unit takes that is mapped for a clock."""
        key = unit, clock_ns
        if key not in self._units:
            stream = operands.create(unit, self.source, self.match, self.group)
            cost = estimate(unit, self.technology, stream, clock_ns=clock_ns)
            cost.provenance["macs_per_beat"] = unit.mean_macs_per_beat(stream.metadata)
            gates = netlist(unit)
            fanout = gates.fanout()[2 : gates.first_flip_flop]
            sides = _toggles(unit, unit.words(stream))
            self._units[key] = UnitPrice(cost, *sides, loads=float(fanout.sum()) / unit.beat_bits)
        return self._units[key]

    @property
    def node(self) -> int | None:
        """Node of the technology in nm, if it is known."""
        anchor = ANCHORS.get(self.technology.name)
        return None if anchor is None else anchor.node


def _sides(unit: UnitSpec) -> dict[str, Operand | None]:
    """Return which operand each field of a beat goes with; None are common to all of an array."""
    found: dict[str, Operand | None] = {
        "activations": Operand.ACTIVATION, "weights": Operand.WEIGHT, "last": None,
    }  # fmt: skip
    return found | {field.name: field.operand for field in unit.metadata}


def _toggles(unit: UnitSpec, words: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return how many bits of activations, and of weights, change from beat to beat on average.

    What goes with an operand is part of it.
    """
    sides, masks, low = _sides(unit), {Operand.ACTIVATION: 0, Operand.WEIGHT: 0}, 0
    for name, width in unit.beat_fields.items():
        if (side := sides[name]) is not None:
            masks[side] |= (1 << width) - 1 << low
        low += width
    changes = [a ^ b for row in words for a, b in pairwise(row)]
    counts = [sum((change & mask).bit_count() for change in changes) for mask in masks.values()]
    return counts[0] / len(changes), counts[1] / len(changes)


@dataclass(frozen=True)
class Registers:
    """Flip-flops between the units of an array, in bits: integers, or arrays of several designs.

    Attributes
    ----------
    activations, weights
        That hand operands on, those at the edges included that delay a row or a column.
    control
        That hand on what is common to all operands of a beat.
    stationary
        That hold an operand.
    results
        That hold results until all are there.
    """

    activations: Any
    weights: Any
    control: Any
    stationary: Any
    results: Any

    @property
    def bits(self) -> Any:
        """All of them."""
        return sum(vars(self).values())


def registers(accelerator: Accelerator, rows: Any = None, cols: Any = None) -> Registers:
    """Return the flip-flops between the units of an array, or of arrays of other sizes."""
    rows = accelerator.rows if rows is None else rows
    cols = accelerator.cols if cols is None else cols
    unit, sides = accelerator.unit, _sides(accelerator.unit)
    widths = {
        side: sum(width for name, width in unit.beat_fields.items() if sides[name] is side)
        for side in (Operand.ACTIVATION, Operand.WEIGHT, None)
    }
    systolic = accelerator.links is Links.SYSTOLIC
    output_stationary = accelerator.dataflow is Dataflow.OUTPUT_STATIONARY
    inputs_stay = accelerator.dataflow is Dataflow.INPUT_STATIONARY
    held = widths[Operand.ACTIVATION if inputs_stay else Operand.WEIGHT]
    held *= (1 + accelerator.double_buffered) * (not output_stationary)
    # Lines at the edges are delayed by 0, 1, 2 and so on.
    passed_a = rows * (cols - 1) + rows * (rows - 1) // 2
    passed_w = cols * (rows - 1) + cols * (cols - 1) // 2
    kept = unit.result.bits + _VALID_BITS
    return Registers(
        activations=systolic * widths[Operand.ACTIVATION] * passed_a,
        weights=systolic * widths[Operand.WEIGHT] * passed_w,
        control=systolic * (widths[None] + _VALID_BITS) * (rows + cols - 2),
        stationary=rows * cols * held,
        results=systolic * output_stationary * (rows * cols - 1) * kept,
    )


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
        return {
            "accelerator": run.accelerator.name,
            "unit": run.accelerator.unit.name,
            "rows": run.accelerator.rows,
            "cols": run.accelerator.cols,
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
    wanted = accelerator.clock_ns or prices.technology.clock_ns
    base = prices.unit(accelerator.unit, wanted)
    figures = _srams(accelerator.memories)
    period = base.cost.period_ns
    _check_cycle_times(figures, period)
    run = simulate(accelerator, work, period)
    by_mode = {mode: prices.unit(mode.unit, wanted) for mode in run.layers.modes}
    energies = _energies(run, by_mode, figures, prices)
    area = Total(tuple(_areas(accelerator, base.cost, figures, prices)))
    groups = [one.gemm.group for one in run.layers.gemms]
    by_group = {
        name: {
            part: float(values[np.array([group == name for group in groups])].sum())
            for part, (values, _) in energies.items()
        }
        for name in dict.fromkeys(groups)
    }
    total = Total(
        tuple(
            Part(name, float(values.sum()), *_ends(float(values.sum()), band))
            for name, (values, band) in energies.items()
        )
    )
    summed = math.fsum(value for parts in by_group.values() for value in parts.values())
    if not math.isclose(summed, total.value, rel_tol=_ROUNDING):
        raise ModelError("the energy of groups does not add up to that of parts")
    return Result(
        run, prices.technology.name, total, area, by_group,
        {price.cost.unit: price.cost for price in (base, *by_mode.values())},
        tuple(_notes(run, base.cost, prices)),
    )  # fmt: skip


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
    found = {}
    for name in SRAMS:
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
        found[name] = cost
    return found


def check_memories(memories: Memories) -> None:
    """Raise InputError for SRAM that the tables do not have the cost of, and for unknown DRAM."""
    _srams(memories)
    memory.dram(memories.dram.kind, memories.dram.boundary)


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
    by_mode: Mapping[Mode, UnitPrice],
    figures: Mapping[str, memory.Memory],
    prices: Prices,
) -> dict[str, tuple[Floats, _Band]]:
    """Return the energy of all products in pJ by part, shape (products,), and its band."""
    accelerator, layers, moved = run.accelerator, run.layers, run.times.traffic
    costs = [by_mode[mode] for mode in layers.modes]
    count = layers.count.astype(np.float64)
    cycles = run.times.cycles * count
    units = float(accelerator.rows * accelerator.cols)
    beats = _beats(run) * count
    own_cycles = beats * np.array([one.beat_cycles for one in costs])
    idle = units * cycles - own_cycles
    if (idle < -_ROUNDING * units * cycles).any():
        raise ModelError("units work in more cycles than there are")
    parts: dict[str, tuple[Floats, _Band]] = {
        "units": (
            beats * np.array([one.beat_pj for one in costs]),
            _widest([_band(one.cost, "energy_pj_per_mac") for one in costs]),
        ),
        "idle units": (np.maximum(idle, 0) * np.array([one.cost.idle_pj for one in costs]), None),
        "links": (_link_energy(run, costs, beats, cycles, prices), None),
    }
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
    nanowatts = costs[0].cost.leakage_nw * units
    nanowatts += registers(accelerator).bits * prices.technology.least_area.leakage_nw[FLIP_FLOP]
    parts["leakage of the array"] = (seconds * nanowatts * 1e3, None)
    milliwatts = math.fsum(cost.leakage.low for cost in figures.values() if cost.leakage)
    parts["leakage of SRAM"] = (seconds * milliwatts * 1e9, None)
    return parts


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


@dataclass(frozen=True, eq=False)
class Passed:
    """What goes through an array, in numbers or arrays of them.

    Attributes
    ----------
    beats
        Of all units together.
    activations, weights
        Registers that words of a beat pass, summed over words.
    result_bits
        Bits of results that are kept until all are there.
    cycles
        In which registers are clocked.
    """

    beats: Any
    activations: Any
    weights: Any
    result_bits: Any
    cycles: Any


def links_pj(
    passed: Passed, bits: int, activation_toggles: Any, weight_toggles: Any, loads: Any,
    prices: Prices,
) -> Any:  # fmt: skip
    """Return the energy in pJ of the pins of units, and of ``bits`` of registers between them."""
    sizing = prices.technology.least_area
    per_load = sizing.energy_fj_per_toggle_and_load
    # A register behind a multiplexer that keeps it; its output goes to both and to the next one.
    per_toggle = sizing.energy_fj_per_toggle[FLIP_FLOP] + sizing.energy_fj_per_toggle["MUX"]
    per_toggle += 3 * per_load
    toggles = passed.activations * activation_toggles + passed.weights * weight_toggles
    # Half of the bits of a result differ from the one before.
    toggles = toggles + passed.result_bits / 2
    pins = passed.beats * (activation_toggles + weight_toggles) * loads
    clocked = bits * passed.cycles * sizing.clock_fj_per_cycle
    return (pins * per_load + toggles * per_toggle + clocked) * 1e-3


def _link_energy(
    run: Simulation, costs: Sequence[UnitPrice], beats: Floats, cycles: Floats, prices: Prices
) -> Floats:
    """Return the energy in pJ of what hands operands on, holds them, and holds results.

    An operand passes a register for every unit but the first of its line, and those that delay the
    line, half as many as there are lines on average.
    """
    accelerator, given, product = run.accelerator, run.layers, run.layers.product
    rows, cols = accelerator.rows, accelerator.cols
    passed_a = passed_w = result_bits = beats * 0.0
    if accelerator.links is Links.SYSTOLIC:
        # Lines of edge folds are as long as the others.
        tiles_m = ceil_div(product.m, np.array(given.tile_rows))
        tiles_n = ceil_div(product.n, np.array(given.tile_cols))
        words_a = beats / tiles_n * ceil_div(tiles_n, np.array(cols))
        words_w = beats / tiles_m * ceil_div(tiles_m, np.array(rows))
        passed_a = words_a * (cols - 1 + (rows - 1) / 2)
        passed_w = words_w * (rows - 1 + (cols - 1) / 2)
        if accelerator.dataflow is Dataflow.OUTPUT_STATIONARY:
            outputs = product.n.astype(np.float64) * product.m * product.parts * given.count
            result_bits = outputs * product.sum_bits.astype(np.float64)
        else:
            passed_a, passed_w = _stationary_passes(run, passed_a, passed_w)
    energy: Floats = links_pj(
        Passed(beats, passed_a, passed_w, result_bits, cycles), registers(accelerator).bits,
        np.array([one.activation_toggles for one in costs]),
        np.array([one.weight_toggles for one in costs]),
        np.array([one.loads for one in costs]), prices,
    )  # fmt: skip
    return energy


def composed(accelerator: Accelerator, prices: Prices, beats: int) -> dict[str, float]:
    """Return what the array of an accelerator takes, composed of its units and links.

    The same quantities are estimates of ``hwsim.make("array", ...)``, for arrays that are small
    enough: output-stationary, at full throughput, with dot products of ``beats`` beats.

    Returns
    -------
    dict
        ``area_um2``, and ``energy_pj`` of a cycle.
    """
    rows, cols = accelerator.rows, accelerator.cols
    price = prices.unit(accelerator.unit, accelerator.clock_ns or prices.technology.clock_ns)
    # Pins that the array's inputs drive are in no estimate of it.
    passed = Passed(0, 0, 0, 0, price.beat_cycles)
    if accelerator.links is Links.SYSTOLIC:
        passed = Passed(
            beats=rows * cols - 1,
            activations=rows * (cols - 1) + rows * (rows - 1) / 2,
            weights=cols * (rows - 1) + cols * (cols - 1) / 2,
            result_bits=(rows * cols - 1) * accelerator.unit.result.bits / beats,
            cycles=price.beat_cycles,
        )
    of_beat = links_pj(
        passed, registers(accelerator).bits, price.activation_toggles, price.weight_toggles,
        price.loads, prices,
    )  # fmt: skip
    return {
        "area_um2": float(array_um2(accelerator, prices, rows, cols)),
        "energy_pj": rows * cols * price.cost.energy_pj + of_beat / price.beat_cycles,
    }


def _stationary_passes(
    run: Simulation, passed_a: Floats, passed_w: Floats
) -> tuple[Floats, Floats]:
    """Return how often operands pass a register where one of them is loaded and stays."""
    moved, given = run.times.traffic, run.layers
    rows, count = run.accelerator.rows, given.count.astype(np.float64)
    lanes = given.lanes.astype(np.float64)
    if run.accelerator.dataflow is Dataflow.WEIGHT_STATIONARY:
        words = moved.weight_reads / (given.product.weight_bits * lanes) * count
        return passed_a, words * (rows + 1) / 2
    words = moved.input_reads / (given.product.input_bits * lanes) * count
    return words * (rows + 1) / 2, passed_w


def _areas(
    accelerator: Accelerator,
    cost: Cost,
    figures: Mapping[str, memory.Memory],
    prices: Prices,
) -> list[Part]:
    """Return the area in um^2 by part."""
    units = accelerator.rows * accelerator.cols * cost.area_um2
    return [
        Part("units", units, *_ends(units, _band(cost, "area_um2"))),
        Part("links", float(registers(accelerator).bits * _register_um2(prices))),
        *(Part(SRAMS[name], one.area.low) for name, one in figures.items() if one.area),
    ]


def _register_um2(prices: Prices) -> float:
    """Return the area of a bit of a register that keeps its value behind a multiplexer."""
    area = prices.technology.least_area.area_um2
    return area[FLIP_FLOP] + area["MUX"]


def array_um2(accelerator: Accelerator, prices: Prices, rows: Any, cols: Any) -> Any:
    """Return the area in um^2 of arrays of the accelerator's units, without memories.

    ``rows`` and ``cols`` are integers or arrays of them.
    """
    unit = prices.unit(accelerator.unit, accelerator.clock_ns or prices.technology.clock_ns)
    links = registers(accelerator, rows, cols).bits * _register_um2(prices)
    return rows * cols * unit.cost.area_um2 + links


def _notes(run: Simulation, cost: Cost, prices: Prices) -> list[str]:
    memories = run.accelerator.memories
    dram = memory.dram(memories.dram.kind, memories.dram.boundary)
    notes = [
        f"SRAM: {memories.table} at {memories.node} nm; DRAM: {dram.included}",
        f"± is what {LEVEL} % of units stay within and the range of the DRAM's source; of SRAM, "
        "links, idle units and leakage no error is known",
        "accumulators are in the units; vector units, wires and a clock tree are in no part",
    ]
    if prices.node is not None and prices.node != memories.node:
        notes.insert(
            1, f"units are {prices.technology.name}, {prices.node} nm, beside SRAM of "
            f"{memories.node} nm: the tables have no {prices.node} nm",
        )  # fmt: skip
    if cost.slack_ns is not None and cost.slack_ns < 0:
        notes.append(
            f"{cost.unit} misses the clock of {cost.clock_ns:g} ns and runs at "
            f"{cost.delay_ns:.4g} ns"
        )
    return notes


def groups(result: Result) -> list[tuple[Group, float]]:
    """Return the groups of products with their energy in pJ."""
    return [
        (group, math.fsum(result.group_energy_pj[group.name].values()))
        for group in result.simulation.groups()
    ]
