"""How long an accelerator takes for a network: arrays and memories at work at the same time.

A product takes as long as the slowest of what works at the same time: the array, the port of each
SRAM, and DRAM, whose transfers overlap with computing where an SRAM is double-buffered. The first
strips of operands have to be there before the array begins, and the outputs of the last fold leave
after it ends; transfers of an SRAM without a second half wait for the array, and it for them:

    cycles = max(array, SRAM ports, DRAM without first and last) + first and last + not overlapped

Products follow each other without overlap. What is between them, such as softmax, norms, scales
that units do not apply, and quantising of results, is not modelled.

A unit runs in a *mode* for every pair of formats that its hardware takes: weights decide how many
cycles a beat has in ``bitmod``, and all units of an array wait for the slowest.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hwsim.accelerator.cycles import Convention, choice, gemm_cycles
from hwsim.accelerator.integers import Ints, ceil_div, positive_integers
from hwsim.accelerator.layer_formats import AnyFormat, FormattedGemm, LayerFormats
from hwsim.accelerator.memory import Memories, clock_period
from hwsim.accelerator.traffic import Floats, ModelError, Product, Traffic, traffic
from hwsim.accelerator.workload import Workload
from hwsim.errors import InputError
from hwsim.formats import BlockFormat
from hwsim.formats.base import Bools
from hwsim.numbers import whole
from hwsim.units import UnitSpec
from hwsim.units.array import ArrayUnit, Dataflow, Links
from hwsim.units.layer_operands import OPERANDS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: A dataclass of arrays over products.
_Arrays = TypeVar("_Arrays", bound="DataclassInstance")
#: What a product's time may be bound by.
BOUNDS = ("array", "weight SRAM", "input SRAM", "output SRAM", "DRAM")
#: Most units along a side of an array.
LARGEST_SIDE = 1 << 16
#: Rows and columns of the seeded matrices that a mode's cycles are those of.
_SAMPLE = 8
#: Relative room for sums of float64 in another order.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Mode:
    """A unit as it works on two formats.

    Attributes
    ----------
    unit
        With these formats.
    interval
        Cycles of a beat of the array, which waits for the slowest of its units: the most of a
        seeded sample of normal operands where they decide.
    drain
        Cycles from a unit's last beat to its result.
    dot_length
        Elements after which a dot product ends because of a scale that the unit does not apply;
        None where it never does.
    granule
        Elements that a dot product is filled up to whole multiples of: those of a beat, or of a
        block whose scale the unit applies.
    weight_bits, activation_bits
        Bits of an element in memory, metadata included.
    sum_bits
        Bits of one result.
    """

    unit: UnitSpec
    interval: int
    drain: int
    dot_length: int | None
    granule: int
    weight_bits: float
    activation_bits: float
    sum_bits: int


@cache
def mode(unit: UnitSpec) -> Mode:
    """Return how a unit works on the formats that it has.

    Raises
    ------
    InputError
        For a unit that computes no layers, or has several products in a code.
    """
    unit.check_layers()
    rows, cols = unit.tile_shape
    if unit.macs_per_beat != unit.lanes * rows * cols:
        raise InputError(f"unit={unit.name}: has several products in a lane, which is not modelled")
    weight, activation = map(unit.bits_per_element, OPERANDS)
    if weight is None or activation is None:
        raise InputError(
            f"unit={unit.name}: its codes hold numbers of several widths; name formats"
        )
    tensors = map(unit.tensor_format, OPERANDS)
    sizes = [fmt.size for fmt in tensors if isinstance(fmt, BlockFormat)]
    length = math.lcm(unit.lanes, *(2 * size for size in sizes))
    rng = np.random.default_rng(0)
    sample = unit.operands(
        rng.standard_normal((_SAMPLE * cols, length)),
        rng.standard_normal((_SAMPLE * rows, length)),
        group=length,
    )
    shortest = unit.operands(
        rng.standard_normal((cols, 1)), rng.standard_normal((rows, 1)), group=length
    )
    timing = unit.timing()
    cycles = unit.cycles(sample.activations, sample.weights, **sample.metadata)
    return Mode(
        unit=unit,
        interval=int(cycles.max()),
        drain=timing.drain,
        dot_length=length // sample.parts if sample.parts > 1 else None,
        granule=shortest.activations.shape[1] // rows,
        weight_bits=weight,
        activation_bits=activation,
        sum_bits=-(-unit.result.bits // (rows * cols)),
    )


@dataclass(frozen=True, kw_only=True)
class Attention:
    """A second array that computes products with keys and values, and nothing else.

    Parameters
    ----------
    unit, rows, cols, dataflow, links, double_buffered
        As of an :class:`Accelerator`.
    """

    unit: UnitSpec
    rows: int
    cols: int
    dataflow: Dataflow = Dataflow.OUTPUT_STATIONARY
    links: Links = Links.SYSTOLIC
    double_buffered: bool = True


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """An array of units with its memories.

    Parameters
    ----------
    name
        What it is called.
    unit
        Every element of the array. A tile of several dot products counts as one unit.
    rows, cols
        Units of the array, up to 65536 each.
    memories
        What feeds it.
    clock_ns
        Clock period in ns that units are mapped for; None for the one that a technology states.
    dataflow, links, double_buffered, convention
        Of the array and of its cycles, see :func:`hwsim.accelerator.cycles.gemm_cycles`.
    formats
        Of weights, activations, and keys and values; None for those of the unit, and its weights'
        for keys and values.
    attention
        The array for products with keys and values, which has the same memories and works while
        the other one does not; None where one array computes everything. Its unit takes the same
        activations.

    Raises
    ------
    InputError
        For what these do not take, formats that the unit has no hardware for, and an SRAM that is
        too small for a beat of an array.
    """

    name: str
    unit: UnitSpec
    rows: int
    cols: int
    memories: Memories
    clock_ns: float | None = None
    dataflow: Dataflow = Dataflow.OUTPUT_STATIONARY
    links: Links = Links.SYSTOLIC
    double_buffered: bool = True
    convention: Convention = Convention.RTL
    formats: LayerFormats | None = None
    attention: Attention | None = None

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            value = whole(name, getattr(self, name), 1, LARGEST_SIDE)
            object.__setattr__(self, name, value)
        for name, kind in (("dataflow", Dataflow), ("links", Links), ("convention", Convention)):
            object.__setattr__(self, name, choice(name, getattr(self, name), kind))
        if self.clock_ns is not None:
            object.__setattr__(self, "clock_ns", clock_period("clock_ns", self.clock_ns))
        if self.convention is Convention.RTL and self.dataflow is not Dataflow.OUTPUT_STATIONARY:
            # It refuses units whose sums cannot be handed on.
            given = {"element": self.unit.family, "rows": 1, "columns": 1, **self.unit._given()}
            ArrayUnit(**given, dataflow=self.dataflow)
        self._check_capacities()
        if self.attention is not None:
            first, second = (one.unit.activation for one in self.arrays)
            if first != second:
                raise InputError(
                    f"the unit of attention takes activations of {second.name}; allowed: "
                    f"{first.name}, as the other array's"
                )

    @property
    def arrays(self) -> "tuple[Accelerator, ...]":
        """This one without the array for attention, and one whose only array that is."""
        if self.attention is None:
            return (self,)
        formats = self.operand_formats
        return (
            replace(self, formats=formats, attention=None),
            replace(self, formats=formats, attention=None, **vars(self.attention)),
        )

    @property
    def operand_formats(self) -> LayerFormats:
        """``formats``, or those of the units."""
        return formats_of(self.unit, self.attention) if self.formats is None else self.formats

    def _check_capacities(self) -> None:
        for side, name, bits in self._beats:
            units, sram = getattr(self, side), getattr(self.memories, name)
            if units * bits > sram.tile_bits:
                half = ", of which a tile has half" if sram.double_buffered else ""
                needed = -(-units * bits * sram.halves // 8)
                raise InputError(
                    f"{side}={units}: the SRAM of {name} has capacity={sram.capacity}{half}, and "
                    f"holds a beat of {sram.tile_bits // bits} {side}; needed for {units}: "
                    f"capacity={needed}"
                )

    @property
    def _beats(self) -> tuple[tuple[str, str, int], ...]:
        """Sides, the SRAM that holds a beat or a row of sums of each, and bits of one unit."""
        rows, cols = self.unit.tile_shape
        return (
            ("rows", "inputs", rows * self.unit.lanes * self.unit.activation.bits),
            ("cols", "weights", cols * self.unit.lanes * self.unit.weight.bits),
            ("cols", "outputs", cols * self.mode_of_unit.sum_bits),
        )

    @property
    def largest_sides(self) -> dict[str, int]:
        """Rows and columns that tiles of the SRAMs hold one beat of, and one row of sums."""
        most = {"rows": LARGEST_SIDE, "cols": LARGEST_SIDE}
        for side, name, bits in self._beats:
            most[side] = min(most[side], getattr(self.memories, name).tile_bits // bits)
        return most

    def mode(self, weight: AnyFormat, activation: AnyFormat) -> Mode:
        """Return how the units work on operands of two formats; InputError if they do not."""
        try:
            return mode(_with_formats(self.unit, weight, activation))
        except InputError as error:
            raise InputError(f"accelerator {self.name}: {error}") from None

    @property
    def mode_of_unit(self) -> Mode:
        """How the units work on their own formats."""
        return mode(self.unit)

    @property
    def macs_per_beat(self) -> int:
        """Products that the array takes in a beat."""
        return self.rows * self.cols * self.unit.macs_per_beat


def formats_of(
    unit: UnitSpec,
    attention: Attention | None = None,
    kv_cache: str | None = None,
    overrides: Mapping[str, Mapping[str, str]] | None = None,
) -> LayerFormats:
    """Return the formats of units' operands: keys and values are weights of what takes them."""
    weight, activation = _formats(unit)
    keys = weight if attention is None else _formats(attention.unit)[0]
    return LayerFormats(weight, activation, kv_cache or keys, overrides or {})


def _formats(unit: UnitSpec) -> list[AnyFormat]:
    return [unit.tensor_format(operand) or getattr(unit, operand) for operand in OPERANDS]


@cache
def _with_formats(unit: UnitSpec, weight: AnyFormat, activation: AnyFormat) -> UnitSpec:
    return unit.with_formats(weight, activation)


@dataclass(frozen=True, eq=False)
class Layers:
    """The products of a workload as an array has them, in NumPy arrays of shape (products,).

    Attributes
    ----------
    gemms
        With their formats.
    modes
        How units work on each.
    count
        How often each is computed.
    product
        Sizes and bits, those of tiles and dot products not yet divided.
    lanes, interval, drain
        Of the modes.
    part_length
        Elements of a dot product of a unit, filled up.
    tile_rows, tile_cols
        Outputs of a unit.
    macs_per_beat
        Products of numbers that the array takes in a beat.
    """

    gemms: tuple[FormattedGemm, ...]
    modes: tuple[Mode, ...]
    count: Ints
    product: Product
    lanes: Ints
    interval: Ints
    drain: Ints
    part_length: Ints
    tile_rows: Ints
    tile_cols: Ints
    macs_per_beat: Ints

    @property
    def macs(self) -> Ints:
        """Products of numbers, of all ``count`` matrix products."""
        return np.array([one.gemm.macs for one in self.gemms], np.int64)


def layers(accelerator: Accelerator, work: Workload) -> Layers:
    """Return the products of a workload as an accelerator has them.

    Without those that its array for attention computes.

    Raises
    ------
    InputError
        For formats that the unit has no hardware for.
    """
    first, *others = accelerator.arrays
    gemms = accelerator.operand_formats.assign(work.gemms)
    if others:
        gemms = tuple(one for one in gemms if one.gemm.stationary == "weights")
    return _layers(first, gemms, accelerator.arrays[-1])


def _layers(
    accelerator: Accelerator, gemms: tuple[FormattedGemm, ...], attention: Accelerator
) -> Layers:
    """Return products as an array has them; keys and values are what ``attention`` takes."""
    modes = tuple(accelerator.mode(one.stationary, one.activation) for one in gemms)
    k = np.array([one.gemm.k for one in gemms], np.int64)
    length = np.array([one.dot_length or one_k for one, one_k in zip(modes, k, strict=True)])
    if accelerator.dataflow is not Dataflow.OUTPUT_STATIONARY:
        length = k  # Sums of folds are added up behind the array anyway.
    granules = np.array([one.granule for one in modes], np.int64)
    rows, cols = accelerator.unit.tile_shape

    def ints(values: Sequence[int]) -> Ints:
        return np.array(values, np.int64)

    product = Product(
        m=ints([one.gemm.m for one in gemms]),
        n=ints([one.gemm.n for one in gemms]),
        k=k,
        input_bits=np.array([one.activation_bits for one in modes]),
        weight_bits=np.array([one.weight_bits for one in modes]),
        output_bits=np.array(
            [_output_bits(attention, *pair) for pair in zip(gemms, modes, strict=True)]
        ),
        inputs=ints([one.gemm.input_elements for one in gemms]),
        weights=ints([one.gemm.stationary_elements for one in gemms]),
        sum_bits=ints([one.sum_bits for one in modes]),
        parts=ceil_div(k, np.minimum(length, k)),
    )
    return Layers(
        gemms=gemms,
        modes=modes,
        count=ints([one.gemm.count for one in gemms]),
        product=product,
        lanes=ints([one.unit.lanes for one in modes]),
        interval=ints([one.interval for one in modes]),
        drain=ints([one.drain for one in modes]),
        part_length=ceil_div(np.minimum(length, k), granules) * granules,
        tile_rows=np.full(len(gemms), rows),
        tile_cols=np.full(len(gemms), cols),
        macs_per_beat=np.full(len(gemms), accelerator.macs_per_beat),
    )


def _output_bits(attention: Accelerator, one: FormattedGemm, mode_of: Mode) -> float:
    """Return the bits that an output is stored in: keys and values are second operands later."""
    if one.gemm.result == "activations":
        return mode_of.activation_bits
    return attention.mode(one.result, one.activation).weight_bits


@dataclass(frozen=True, eq=False)
class Times:
    """Cycles of one product each, in arrays over designs and products.

    Attributes
    ----------
    array
        Of the array alone, exact.
    weight_sram, input_sram, output_sram
        That the port of each SRAM is busy, reading and writing.
    dram
        That DRAM is busy, all transfers.
    exposed
        Of ``dram``, before the array begins and after it ends, and not overlapped at all.
    cycles
        All together.
    traffic
        What is moved.
    """

    array: Ints
    weight_sram: Floats
    input_sram: Floats
    output_sram: Floats
    dram: Floats
    exposed: Floats
    cycles: Floats
    traffic: Traffic

    @property
    def bound(self) -> Ints:
        """What takes longest, an index of ``BOUNDS``."""
        busy = (self.array, self.weight_sram, self.input_sram, self.output_sram, self.dram)
        found: Ints = np.stack(np.broadcast_arrays(*busy)).argmax(axis=0)
        return found


def times(
    accelerator: Accelerator,
    given: Layers,
    period_ns: float | Floats,
    rows: Ints | None = None,
    cols: Ints | None = None,
) -> Times:
    """Return the cycles of products on an accelerator, or on arrays of other sizes.

    Parameters
    ----------
    accelerator, given
        The accelerator, and its :func:`layers`.
    period_ns
        Clock period, or one a size.
    rows, cols
        Sizes in place of the accelerator's, of shape (designs, 1).

    Raises
    ------
    InputError
        For counts beyond int64.
    ModelError
        If cycles are fewer than products over units, or transfers.
    """
    r = positive_integers("rows", accelerator.rows if rows is None else rows)
    c = positive_integers("cols", accelerator.cols if cols is None else cols)
    product, memories = given.product, accelerator.memories
    array = gemm_cycles(
        r, c, accelerator.dataflow,
        ceil_div(product.m, np.array(given.tile_rows)),
        ceil_div(product.n, np.array(given.tile_cols)),
        given.part_length, accelerator.convention, given.lanes, given.interval,
        accelerator.links, accelerator.double_buffered, given.drain, product.parts,
    )  # fmt: skip
    srams = (memories.weights, memories.inputs, memories.outputs)
    moved = traffic(
        product, *_outputs_of_fold(accelerator.dataflow, r, c, given), given.lanes,
        accelerator.dataflow, *(np.array(sram.tile_bits) for sram in srams),
    )  # fmt: skip
    port_w, port_i, port_o = (
        (reads + writes) / sram.bits_per_cycle
        for sram, reads, writes in zip(
            srams,
            (moved.weight_reads, moved.input_reads, moved.output_reads),
            (moved.weight_writes, moved.input_writes, moved.output_writes),
            strict=True,
        )
    )
    bandwidth = memories.dram.bits_per_cycle(period_ns)
    dram = moved.dram / bandwidth
    exposed = np.zeros_like(dram)
    for sram, edge, everything in zip(
        srams,
        (moved.first_weights, moved.first_inputs, moved.last_outputs),
        (moved.weights, moved.inputs, moved.outputs),
        strict=True,
    ):
        exposed = exposed + (edge if sram.double_buffered else everything) / bandwidth
    busy = np.maximum.reduce(
        np.broadcast_arrays(array.astype(np.float64), port_w, port_i, port_o, dram - exposed)
    )
    found = Times(array, port_w, port_i, port_o, dram, exposed, busy + exposed, moved)
    _check(found, accelerator, given, r, c)
    return found


def _outputs_of_fold(flow: Dataflow, r: Ints, c: Ints, given: Layers) -> tuple[Ints, Ints]:
    """Return what an array's rows and columns are as outputs; rows along K have no tiles."""
    if flow is Dataflow.OUTPUT_STATIONARY:
        return r * given.tile_rows, c * given.tile_cols
    return r, c * (given.tile_cols if flow is Dataflow.WEIGHT_STATIONARY else given.tile_rows)


def _check(found: Times, accelerator: Accelerator, given: Layers, r: Ints, c: Ints) -> None:
    product = given.product
    macs = product.m.astype(np.float64) * product.n * product.k
    peak = r.astype(np.float64) * c * accelerator.unit.macs_per_beat / given.interval
    if (found.array < macs / peak * (1 - _ROUNDING)).any():
        raise ModelError("an array takes fewer cycles than its units can have products")
    if (found.cycles < found.dram * (1 - _ROUNDING)).any() or (found.cycles < found.array).any():
        raise ModelError("a product takes fewer cycles than its array or its transfers")


@dataclass(frozen=True, eq=False)
class Simulation:
    """A workload on an accelerator.

    Attributes
    ----------
    accelerator, work
        What was simulated.
    period_ns
        Clock period.
    layers
        The products.
    times
        Of one each; totals count them ``layers.count`` times.
    apart
        Of an accelerator with an array for attention: the index of each array that has products,
        and its simulation alone.
    """

    accelerator: Accelerator
    work: Workload
    period_ns: float
    layers: Layers
    times: Times
    apart: "tuple[tuple[int, Simulation], ...]" = ()

    @property
    def parts(self) -> "tuple[tuple[int, Simulation], ...]":
        """Indices and simulations of arrays; of a single one it is this."""
        return self.apart or ((0, self),)

    def total(self, values: Floats | Ints) -> float:
        """Return the sum of what one product each takes, over all of them."""
        return float((values * self.layers.count).sum())

    @property
    def cycles(self) -> float:
        """Clock cycles of all products."""
        return self.total(self.times.cycles)

    @property
    def time_s(self) -> float:
        """Time of all products in s."""
        return self.cycles * self.period_ns * 1e-9

    @property
    def items_per_s(self) -> float:
        """Tokens of all sequences, or images, per s."""
        return self.work.items / self.time_s

    @property
    def macs(self) -> int:
        """Products of numbers."""
        return self.work.macs

    @property
    def utilisation(self) -> float:
        """Share of the products that the array's units had beats for, in modes as they were."""
        return _utilisation(self.layers, self.times)

    @property
    def dram_bytes(self) -> float:
        """What DRAM moves."""
        return self.total(self.times.traffic.dram) / 8

    def groups(self) -> "list[Group]":
        """Return the products by group, in the order of the network."""
        names = [one.gemm.group for one in self.layers.gemms]
        return [self._group(name, names) for name in dict.fromkeys(names)]

    def _group(self, name: str, names: Sequence[str]) -> "Group":
        chosen = np.array([other == name for other in names])
        count = self.layers.count[chosen]

        def added(values: Floats | Ints) -> float:
            return float((values[chosen] * count).sum())

        cycles = self.times.cycles * self.layers.count
        bound = np.bincount(self.times.bound[chosen], cycles[chosen], len(BOUNDS))
        orders = [self.times.traffic.order[k] for k in np.flatnonzero(chosen)]
        return Group(
            name=name,
            products=int(count.sum()),
            macs=int(self.layers.macs[chosen].sum()),
            cycles=added(self.times.cycles),
            array_cycles=added(self.times.array),
            dram_cycles=added(self.times.dram),
            exposed_cycles=added(self.times.exposed),
            dram_bytes=added(self.times.traffic.dram) / 8,
            utilisation=_utilisation(self.layers, self.times, chosen),
            bound=BOUNDS[int(bound.argmax())],
            orders=tuple(sorted({int(order) for order in orders})),
        )


def _utilisation(given: Layers, found: Times, chosen: Bools | None = None) -> float:
    """Return products over those that there would be if every unit had a beat in every interval."""
    which = np.ones(len(given.count), np.bool_) if chosen is None else chosen
    beats = found.cycles * given.count / given.interval
    macs = given.macs[which].astype(np.float64).sum()
    return float(macs / (beats * given.macs_per_beat)[which].sum())


@dataclass(frozen=True)
class Group:
    """What the products of one group take.

    Attributes
    ----------
    name, products, macs
        The group, how many matrix products it has, and their products of numbers.
    cycles
        All, overlap considered.
    array_cycles, dram_cycles, exposed_cycles
        That the array and DRAM are busy, and of the latter that the array waits.
    dram_bytes
        What DRAM moves.
    utilisation
        Share of the products that the array could have had in this time.
    bound
        One of ``BOUNDS``: what most of the time is bound by.
    orders
        Values of :class:`hwsim.accelerator.traffic.Order` that were cheapest.
    """

    name: str
    products: int
    macs: int
    cycles: float
    array_cycles: float
    dram_cycles: float
    exposed_cycles: float
    dram_bytes: float
    utilisation: float
    bound: str
    orders: tuple[int, ...]


def simulate(
    accelerator: Accelerator, work: Workload, period_ns: float | None = None
) -> Simulation:
    """Return a workload on an accelerator.

    Parameters
    ----------
    period_ns
        Clock period; the accelerator's ``clock_ns`` if None.

    Raises
    ------
    InputError
        Without any clock, for formats that the unit has no hardware for, and counts beyond int64.
    """
    period = accelerator.clock_ns if period_ns is None else clock_period("period_ns", period_ns)
    if period is None:
        raise InputError(f"period_ns=None: accelerator {accelerator.name} has no clock; give one")
    if accelerator.attention is None:
        given = layers(accelerator, work)
        return Simulation(accelerator, work, period, given, times(accelerator, given, period))
    gemms = accelerator.operand_formats.assign(work.gemms)
    arrays, apart, order = accelerator.arrays, [], []
    for index, array in enumerate(arrays):
        places = [k for k, one in enumerate(gemms) if (one.gemm.stationary != "weights") == index]
        if places:
            given = _layers(array, tuple(gemms[k] for k in places), arrays[-1])
            found = times(array, given, period)
            apart.append((index, Simulation(array, work, period, given, found)))
            order += places
    inverse = np.argsort(order)
    together = _joined([part.layers for _, part in apart], inverse)
    found = _joined([part.times for _, part in apart], inverse)
    return Simulation(accelerator, work, period, together, found, tuple(apart))


def _joined(parts: Sequence[_Arrays], order: Ints) -> _Arrays:
    """Return the products of several arrays as one, in another order."""
    values: dict[str, Any] = {}
    for field in fields(parts[0]):
        own = [getattr(part, field.name) for part in parts]
        if isinstance(own[0], tuple):
            every = [one for part in own for one in part]
            values[field.name] = tuple(every[k] for k in order)
        elif isinstance(own[0], np.ndarray):
            values[field.name] = np.concatenate(own)[order]
        else:
            values[field.name] = _joined(own, order)
    return type(parts[0])(**values)
