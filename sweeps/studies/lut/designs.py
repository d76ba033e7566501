"""Tables, adders and multipliers as designs to compare, and what one of them costs by part.

Every unit is built as a tile of one row and one column, and its cost is broken down by part
(`cost_models.breakdown`). What a row offers to all columns (tables, decoded activations) is its
*table*; the rest is the *column*. A column's cost at share N, N columns to a table, is
table / N + column. All costs are those of LANES products a column:

- integers are built with LANES lanes, or where a table's size does not divide that, between the
  two nearest lane counts, linearly;
- floating-point units add one after another, so they are built with the lanes of one table (one
  lane without tables), and everything but the result's register counts LANES / lanes times;
- floating-point tables are large and do not depend on the weights, so they are built for weights of
  TABLE_BITS bits; the columns of other weights are those of `lut_array`, which takes its entries,
  of the table's format, from outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cost_models import activity
from cost_models import technology as technologies
from cost_models.breakdown import price
from cost_models.estimate import PathDelays, critical_path
from cost_models.netlist import TOP, Netlist, netlist, netlist_by_part
from cost_models.operands import default_operands
from hwsim.formats import parse_scalar
from hwsim.formats.integer import Integer
from hwsim.units import UnitSpec, make
from hwsim.units.adder_tile import AdderTile
from hwsim.units.bit_plane_table import BitPlaneTable
from hwsim.units.operands import Operands
from hwsim.units.sums import FloatSums

LUT, CONVENTIONAL, ADD, MULTIPLIER = "LUT", "conventional LUT", "ADD", "multiplier"

LANES = 12
ACTIVATIONS = ("int8", "e4m3", "fp16")
WEIGHT_BITS = (1, 2, 3, 4, 5, 6, 7, 8)
TABLE_LANES = range(2, 7)
SHARES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: Lane counts, and the weight bits, for which the lanes' influence on integers is measured.
LANE_COUNTS = (4, LANES, 24)
LANE_BITS = (2, 4)
#: Activations of a table for which every weight width is measured.
K = 4
GROUPS = range(2, 5)
TERNARY_ACTIVATIONS = ("int8", "fp16")
CONVENTIONAL_BITS = (1, 2, 3, 4)
CONVENTIONAL_ACTIVATIONS = ("int8",)
#: Weight bits that floating-point tables are built with.
TABLE_BITS = 2

#: What activations are divided by where entries have their format.
HEADROOM = 16
#: Parts of a unit that its columns share, and parts whose size does not follow the lanes.
SHARED = {"tables", "rows"}
FIXED = {"fold", "accumulator", "control"}


@dataclass(frozen=True)
class Design:
    """A design point, apart from the number of lanes.

    Attributes
    ----------
    kind
        ``LUT``, ``ADD`` or ``multiplier``, or a variant's name.
    family, weight, activation
        Of the unit.
    bits
        Weight bits of the comparison.
    table_lanes
        Activations of a table, or 1.
    options
        Further parameters of the unit.
    """

    kind: str
    family: str
    bits: int
    weight: str
    activation: str
    table_lanes: int = 1
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def exact(self) -> bool:
        """Whether sums are integers."""
        return isinstance(parse_scalar(self.activation), Integer)

    def build(self, lanes: int, columns: int = 1) -> UnitSpec:
        """Return the unit with this size."""
        parameters = dict(self.options) | {
            "lanes": lanes, "weight": self.weight, "activation": self.activation
        }  # fmt: skip
        if self.table_lanes > 1:
            parameters["table_lanes"] = self.table_lanes
        if columns > 1:
            parameters["column_count"] = columns
        return make(self.family, **parameters)

    @property
    def measured_lanes(self) -> tuple[int, ...]:
        """Lane counts to measure: one, or two around ``LANES``."""
        size = self.table_lanes
        if not self.exact:
            return (size,)
        if LANES % size == 0:
            return (LANES,)
        below = LANES // size * size
        return (below, below + size)

    @property
    def split(self) -> "tuple[Design, Design] | None":
        """The designs whose table and whose column are this one's, where it is not built itself."""
        if self.exact or self.family != "lut_tensor_core" or self.bits == TABLE_BITS:
            return None
        table = table_design(TABLE_BITS, self.activation, self.table_lanes)
        entries = float_sums(table.build(self.table_lanes)).table_format.name
        column = replace(self, family="lut_array", activation=entries)
        return table, column

    @property
    def jobs(self) -> "list[tuple[Design, int]]":
        """The designs and lanes to measure for this one."""
        return [(part, lanes) for part in self.split or (self,) for lanes in part.measured_lanes]

    @property
    def label(self) -> str:
        """A name for progress and tables."""
        size = f" K={self.table_lanes}" if self.table_lanes > 1 else ""
        options = "".join(f" {key}={value}" for key, value in self.options)
        return f"{self.family} {self.weight} x {self.activation}{size}{options}"


@dataclass(frozen=True)
class Shares:
    """Area in um^2 and energy in pJ of one MAC a cycle: of a whole table, and of a column."""

    table_area: float
    table_energy: float
    column_area: float
    column_energy: float
    delay_ns: float

    def area(self, share: float) -> float:
        """Return um^2/(MAC/cycle) with ``share`` columns to a table; infinite: no table."""
        return self.table_area / share + self.column_area

    def energy(self, share: float) -> float:
        """Return pJ/MAC with ``share`` columns to a table."""
        return self.table_energy / share + self.column_energy


@dataclass(frozen=True)
class Amount:
    """An area in um^2 and an energy in pJ per cycle."""

    area: float = 0.0
    energy: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.area + other.area, self.energy + other.energy)

    def __sub__(self, other: "Amount") -> "Amount":
        return self + -1.0 * other

    def __rmul__(self, factor: float) -> "Amount":
        return Amount(factor * self.area, factor * self.energy)


@dataclass(frozen=True)
class Tile:
    """What a tile of one row and one column was measured at.

    Attributes
    ----------
    lanes
        Products a beat.
    shared
        What all columns of a row share.
    fixed
        What a column has once, whatever its lanes.
    scaled
        What a column has for its lanes.
    macs
        Multiply-accumulates per cycle.
    delay_ns
        Shortest clock period.
    parts
        Area and energy by part.
    """

    lanes: int
    shared: Amount
    fixed: Amount
    scaled: Amount
    macs: float
    delay_ns: float
    parts: tuple[tuple[str, Amount], ...]

    def at(self, lanes: int, columns: int) -> Amount:
        """Return the predicted cost of a tile of another size."""
        factor = lanes / self.lanes
        return factor * self.shared + float(columns) * (self.fixed + factor * self.scaled)


def mapped(design: Design, unit: UnitSpec) -> Netlist:
    """Return the unit as gates with parts."""
    if design.kind != MULTIPLIER or not design.exact:
        return netlist_by_part(unit)
    # Nothing is shared and nothing scaled: one part, optimised as a whole.
    gates = netlist(unit)
    return replace(gates, parts=np.full(gates.nets - gates.first_flip_flop, TOP))


def float_sums(unit: UnitSpec) -> FloatSums:
    """Return the arithmetic of a unit with a table of floating-point sums."""
    assert isinstance(unit, BitPlaneTable | AdderTile)
    assert isinstance(unit.sums, FloatSums)
    return unit.sums


def operands_of(design: Design, unit: UnitSpec) -> Operands:
    """Return the default operands, smaller where they would overflow the entries of a table.

    They reach the largest activation, and entries of the same format are sums of some; infinite
    ones would hardly toggle. A power of two leaves mantissas as they are.
    """
    operands = default_operands(unit)
    summed = design.family in ("lut_tensor_core", "ternary_lut") and not design.exact
    if not summed or float_sums(unit).table_format != unit.activation:
        return operands
    smaller = unit.activation.encode(unit.activation.decode(operands.activations) / HEADROOM)
    return replace(operands, activations=smaller)


def measure(design: Design, lanes: int, technology: str) -> Tile:
    """Build a tile of one row and column, prove it, and price it by part."""
    coefficients = technologies.load(technology)
    unit = design.build(lanes)
    gates = mapped(design, unit)
    simulated = activity.simulate(unit, gates, operands_of(design, unit))
    parts = {
        name: Amount(part.area_um2, part.settled_pj)
        for name, part in price(gates, simulated, coefficients).items()
    }
    # A multiplier's lanes are in the top module; in a tile that one only connects.
    fixed = FIXED if design.kind == MULTIPLIER else FIXED | {"top"}
    shared, constant, scaled = (
        sum((part for name, part in parts.items() if name in names), start=Amount())
        for names in (SHARED, fixed, parts.keys() - SHARED - fixed)
    )
    delay = critical_path(gates, PathDelays.of(coefficients.least_area)).delay_ns
    return Tile(
        lanes, shared, constant, scaled, simulated.macs_per_cycle, delay, tuple(parts.items())
    )


def shares(design: Design, tiles: Sequence[Tile]) -> Shares:
    """Return the cost of ``LANES`` lanes from the tiles of ``design.jobs``."""
    if design.split:
        of_table, of_column = (
            shares(part, [tile]) for part, tile in zip(design.split, tiles, strict=True)
        )
        return Shares(
            # A table serves a beat, however many cycles its weights take.
            of_table.table_area * design.bits / TABLE_BITS, of_table.table_energy,
            of_column.column_area, of_column.column_energy,
            max(of_table.delay_ns, of_column.delay_ns),
        )  # fmt: skip
    if not design.exact or len(tiles) == 1:
        (tile,) = tiles
        factor = LANES / tile.lanes
        table, column = factor * tile.shared, tile.fixed + factor * tile.scaled
    else:
        below, above = tiles
        weight = (LANES - below.lanes) / (above.lanes - below.lanes)
        table = (1 - weight) * below.shared + weight * above.shared
        column = (1 - weight) * (below.fixed + below.scaled) + weight * (above.fixed + above.scaled)
    macs = tiles[0].macs * LANES / tiles[0].lanes
    return Shares(
        table.area / macs, table.energy / macs, column.area / macs, column.energy / macs,
        max(tile.delay_ns for tile in tiles),
    )  # fmt: skip


def table_design(bits: int, activation: str, size: int = K) -> Design:
    """Symmetric tables of weights that are sums of digits -1 and 1."""
    weight = "binary" if bits == 1 else f"bipolar{bits}"
    return Design(LUT, "lut_tensor_core", bits, weight, activation, size)


def conventional_design(bits: int, activation: str) -> Design:
    """Tables of all sums of digits 0 and 1."""
    return Design(CONVENTIONAL, "unpu_lut", bits, integer_weight(bits), activation, K)


def dequantised_design(bits: int, activation: str) -> Design:
    """A multiplier of two operands of the activation's format, for weights converted to it."""
    return multiplier_design(parse_scalar(activation).bits, activation, activation)


def adder_design(bits: int, activation: str) -> Design:
    """An adder a lane, one bit of the weight a cycle."""
    weight = "binary" if bits == 1 else integer_weight(bits)
    return Design(ADD, "serial_add", bits, weight, activation)


def multiplier_design(bits: int, activation: str, weight: str | None = None) -> Design:
    """A multiplier a lane; floating-point activations with a fused, once rounded addition."""
    exact = isinstance(parse_scalar(activation), Integer)
    options = () if exact else (("accumulator", "fp32"),)
    family = "integer" if exact else "fma"
    weight = weight or integer_weight(bits)
    return Design(MULTIPLIER, family, bits, weight, activation, options=options)


def integer_weight(bits: int) -> str:
    """Return the two's complement weight; of one bit, the unsigned one."""
    return "uint1" if bits == 1 else f"int{bits}"


def chain() -> list[Design]:
    """Return table 2 of arXiv:2408.06003 in our units: 2-bit weights by int8."""
    return [
        conventional_design(2, "int8"),
        Design("LUT with correction", "lut_tensor_core", 2, "int2", "int8", K),
        table_design(2, "int8"),
    ]


def lane_jobs() -> list[tuple[Design, int]]:
    """Return the designs that are measured at other lane counts, too."""
    return [
        (make(bits, "int8"), lanes)
        for bits in LANE_BITS
        for make in (multiplier_design, table_design, adder_design)
        for lanes in LANE_COUNTS
    ]


def swept_bits(activation: str) -> tuple[int, ...]:
    """Return the weight bits at which every table size is measured."""
    exact = isinstance(parse_scalar(activation), Integer)
    return (1, 2, 4) if exact else (TABLE_BITS,)


def ternary_sizes(activation: str) -> range:
    """Return the activations to a table; floating-point tables of 40 entries take too long."""
    exact = isinstance(parse_scalar(activation), Integer)
    return GROUPS if exact else GROUPS[:-1]


def ternary_adder(activation: str) -> Design:
    """A sign-flip and an adder a lane."""
    return Design(ADD, "ternary_add", 2, "ternary", activation)


def ternary_multiplier(activation: str) -> Design:
    """A multiplier a lane that takes ternary weights as int2."""
    return multiplier_design(2, activation, "ternary")


def ternary_table(activation: str, size: int, kind: str) -> Design:
    """Tables of sums of ternary digits, ``symmetric`` or ``full``."""
    options = (("table", kind),)
    return Design(LUT, "ternary_lut", 2, "ternary", activation, size, options)


def ternary_designs() -> list[Design]:
    """Return the designs with ternary weights."""
    listed = []
    for activation in TERNARY_ACTIVATIONS:
        listed += [ternary_adder(activation), ternary_multiplier(activation)]
        listed += [
            ternary_table(activation, size, "symmetric") for size in ternary_sizes(activation)
        ]
        listed += [ternary_table(activation, size, "full") for size in GROUPS[:2]]
    return listed


def designs() -> list[Design]:
    """Return everything that is measured, without repetitions."""
    listed = [dequantised_design(0, activation) for activation in ACTIVATIONS]
    for activation in ACTIVATIONS:
        for bits in WEIGHT_BITS:
            listed += [
                table_design(bits, activation),
                adder_design(bits, activation),
                multiplier_design(bits, activation),
            ]
        listed += [
            table_design(bits, activation, size)
            for bits in swept_bits(activation)
            for size in TABLE_LANES
        ]
    listed += [
        conventional_design(bits, activation)
        for activation in CONVENTIONAL_ACTIVATIONS
        for bits in CONVENTIONAL_BITS
    ]
    return list(dict.fromkeys([*listed, *chain(), *ternary_designs()]))
