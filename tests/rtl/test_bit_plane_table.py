"""Look-up-table units: all indices of small tables, and hardware with one mistake."""

from itertools import product

import numpy as np
import pytest
from amaranth.hdl import Mux, Value
from amaranth.sim import Simulator

import rtl
from hwsim.units import UnitSpec, make
from rtl.bit_plane_table import Read
from rtl.blocks.fma import FusedAdd
from rtl.blocks.sums import Adders, FloatAdders, IntegerAdders
from rtl.blocks.table_quantiser import Quantised
from rtl.verification import verify
from tests.rtl.mutants import ExtraCycle, failure_of, without_carry

CORE = make("lut_tensor_core", lanes=4, table_lanes=2, weight="int2", activation="int4")
TILE = make("lut_tensor_core", lanes=2, table_lanes=2, weight="bipolar2", activation="int4",
            row_count=2, column_count=2)  # fmt: skip
FLOAT = make("lut_tensor_core", lanes=2, table_lanes=2, weight="int2", activation="e2m1",
             table_format="e5m2", accumulator="e5m2")  # fmt: skip
ARRAY = make("lut_array", lanes=4, table_lanes=2, weight="int2", activation="int4")
SUBSETS = make("unpu_lut", lanes=4, table_lanes=2, weight="int2", activation="int4")
TMAC = make("tmac", lanes=4, weight="int2", activation="uint6")


def simulate(unit: UnitSpec, words: list[int]) -> list[int]:
    """Return the results of dot products of one beat each."""
    dut = rtl.create(unit)
    found = []

    async def bench(ctx) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for word in words:
            ctx.set(dut.i.payload.as_value(), word)
            for _ in range(unit.timing().latency):
                await ctx.tick()
            assert ctx.get(dut.o.valid)
            found.append(ctx.get(dut.o.payload))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def check_all(unit: UnitSpec) -> None:
    """Compare all activations with all weights."""
    spaces = [
        np.array(list(product(range(1 << fmt.bits), repeat=lanes)))
        for fmt, lanes in (
            (unit.activation, unit.activation_lanes),
            (unit.weight, unit.weight_lanes),
        )
    ]
    a = np.repeat(spaces[0], len(spaces[1]), axis=0)
    w = np.tile(spaces[1], (len(spaces[0]), 1))
    words = [unit.pack_beats(*row)[0] for row in zip(a, w, strict=True)]
    assert simulate(unit, words) == [int(code) for code in unit.dot(a, w)]


SMALL = [
    ("lut_tensor_core", 2, "bipolar2", "int2"),
    ("lut_tensor_core", 2, "int1", "int3"),
    ("lut_tensor_core", 3, "binary", "int2"),
    ("lut_tensor_core", 2, "uint2", "uint1"),
    ("lut_array", 2, "int2", "int2"),
    ("unpu_lut", 2, "int2", "int2"),
    ("unpu_lut", 3, "uint1", "int2"),
]
#: Random operands beside corners, cancelling pairs and all lengths of dot products.
FEW = 256
LARGE = [
    ("lut_tensor_core", 2, "int2", "int4"),
    ("lut_tensor_core", 2, "bipolar2", "uint4"),
    ("lut_tensor_core", 3, "int2", "int2"),
    ("lut_tensor_core", 3, "binary", "int4"),
    ("lut_tensor_core", 2, "uint3", "int3"),
    ("lut_array", 3, "int1", "int2"),
    ("unpu_lut", 2, "int2", "int4"),
    ("unpu_lut", 3, "int2", "int2"),
]


@pytest.mark.parametrize(
    ("family", "lanes", "weight", "activation"),
    [*SMALL, *(pytest.param(*case, marks=pytest.mark.exhaustive) for case in LARGE)],
)
def test_all_activations_and_indices(family: str, lanes: int, weight: str, activation: str) -> None:
    check_all(make(family, lanes=lanes, table_lanes=lanes, weight=weight, activation=activation))


@pytest.mark.parametrize(("weight", "bits"), [("binary", 2), ("uint1", 8)])
def test_all_indices_of_quantised_floats(weight: str, bits: int) -> None:
    check_all(
        make("lut_tensor_core", lanes=2, table_lanes=2, weight=weight, table_bits=bits,
             activation="minifloat(exponent=2,mantissa=1,bias=1,specials=ieee)",
             table_format="e5m2", accumulator="e5m2")
    )  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", ["lut_tensor_core", "lut_array", "unpu_lut"])
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("table_lanes", [2, 3, 4, 5, 6])
def test_every_weight_width_and_table(family: str, bits: int, table_lanes: int) -> None:
    kind = "uint" if bits % 2 else "int"
    unit = make(
        family, lanes=table_lanes, table_lanes=table_lanes, weight=f"{kind}{bits}",
        activation="int8",
    )  # fmt: skip
    verdict = verify(unit, random_dots=FEW)
    assert verdict.passed, str(verdict)


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", ["lut_tensor_core", "unpu_lut"])
@pytest.mark.parametrize(
    ("activation", "lanes"), [("e4m3", 4), ("e5m2", 4), ("fp16", 2), ("bf16", 2)]
)
@pytest.mark.parametrize("weight", ["int4", "uint2", "int1"])
def test_every_float(family: str, activation: str, lanes: int, weight: str) -> None:
    unit = make(family, lanes=lanes, table_lanes=lanes, weight=weight, activation=activation)
    verdict = verify(unit, random_dots=FEW)
    assert verdict.passed, str(verdict)


def mutant(unit: UnitSpec, **methods: object) -> rtl.Unit:
    """Return the hardware of ``unit`` with methods replaced."""
    generator = rtl.generator(type(unit))
    return type("Mutant", (generator,), methods)(unit)


def reversed_entries(unit: UnitSpec) -> rtl.Unit:
    right = rtl.generator(type(unit)).sum_table
    return mutant(unit, sum_table=lambda self, m, row, table: right(self, m, row, table)[::-1])


def swapped_tables(unit: UnitSpec) -> rtl.Unit:
    """Every table gets the next one's indices, by column if there is one table."""
    right = rtl.generator(type(unit)).reads

    def reads(self, m, column, position):
        found = right(self, m, (column + 1) % self.spec.column_count, position)
        return found[::-1]

    return mutant(unit, reads=reads)


def positive_entries(unit: UnitSpec) -> rtl.Unit:
    """Nothing is negated: neither an entry nor the top plane."""
    generator = rtl.generator(type(unit))
    read, element = generator.read, generator.element

    def positive_read(self, word: Value) -> Read:
        return Read(read(self, word).address, word[0] & 0)

    def positive_element(self, m, state, tables, reads, plane, *rest) -> Value:
        return element(self, m, state, tables, reads, _without_top(plane), *rest)

    return mutant(unit, read=positive_read, element=positive_element)


def _without_top(plane):
    return type(plane)(plane.shift, plane.highest, plane.top & 0)


def unshifted_planes(unit: UnitSpec) -> rtl.Unit:
    element = rtl.generator(type(unit)).element

    def unshifted(self, m, state, tables, reads, plane, *rest) -> Value:
        flat = type(plane)(plane.shift & 0, plane.highest, plane.top)
        return element(self, m, state, tables, reads, flat, *rest)

    return mutant(unit, element=unshifted)


class CarrylessAdders(IntegerAdders):
    """No carry passes from the low 4 bits of the accumulator to the rest."""

    def accumulate(self, m, state, terms, name):
        total = sum(terms[1:], terms[0])
        return without_carry(state.as_signed(), total, 4)[: self.sums.accumulator_bits]


class CarrylessFusedAdd(FusedAdd):
    """No carry passes from the low bits of the product's place to the rest."""

    def add(self, fixed: Value, aligned: Value) -> Value:
        return without_carry(fixed, aligned, self.below + 1 + 1)


class CarrylessFloatAdders(FloatAdders):
    """An accumulator with that adder."""

    def fused_add(self, term):
        return CarrylessFusedAdd(self.sums.accumulator, term)


def dropped_carry(unit: UnitSpec) -> rtl.Unit:
    def arithmetic(self) -> Adders:
        integer = isinstance(self.spec.activation, type(CORE.activation))
        return (CarrylessAdders if integer else CarrylessFloatAdders)(self.spec.sums)

    return mutant(unit, arithmetic=arithmetic)


def no_correction(unit: UnitSpec) -> rtl.Unit:
    return mutant(unit, correction=lambda *_: None)


def kept_scale(unit: UnitSpec) -> rtl.Unit:
    """Entries are not scaled back."""
    quantise = rtl.generator(type(unit)).quantise

    def unscaled(self, m, entries, bits, name) -> Quantised:
        right = quantise(self, m, entries, bits, name)
        return Quantised(right.entries, Mux(right.scale.any(), 0, right.scale), right.nan)

    return mutant(unit, quantise=unscaled)


MISTAKES = [
    *((reversed_entries, unit) for unit in (CORE, FLOAT, ARRAY, SUBSETS, TMAC)),
    *((swapped_tables, unit) for unit in (CORE, TILE)),
    *((positive_entries, unit) for unit in (TILE, FLOAT, SUBSETS)),
    *((unshifted_planes, unit) for unit in (TILE, FLOAT)),
    *((dropped_carry, unit) for unit in (FLOAT, SUBSETS)),
    *((no_correction, unit) for unit in (CORE, TMAC)),
    (kept_scale, TMAC),
]


@pytest.mark.parametrize(
    ("mistake", "unit"), MISTAKES, ids=[f"{f.__name__}-{u.name}" for f, u in MISTAKES]
)
def test_a_mistake_fails(mistake, unit: UnitSpec) -> None:
    assert "expected" in failure_of(unit, mistake(unit))


@pytest.mark.parametrize("unit", [TILE, FLOAT], ids=["integer", "float"])
def test_an_extra_cycle_fails(unit: UnitSpec) -> None:
    assert "the golden model predicts" in failure_of(unit, ExtraCycle(unit))
