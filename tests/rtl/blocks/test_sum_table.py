"""Tables and accumulators of both arithmetics against the golden model, in all operands."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hwsim.formats import parse_scalar
from hwsim.formats.base import Format
from hwsim.formats.integer import Integer
from hwsim.formats.minifloat import Minifloat
from hwsim.units import rounding
from hwsim.units.sum_table import Combination, combinations, sum_table, symmetric_half
from hwsim.units.sums import FloatSums, IntegerSums, Sums
from rtl.blocks.sum_table import SumTable
from rtl.blocks.sums import FloatAdders, adders

BINARY, SUBSETS, TERNARY = (-1, 1), (0, 1), (-1, 0, 1)


def arithmetic(activation: str, table_format: str = "", accumulator: str = "") -> Sums:
    fmt = parse_scalar(activation)
    if isinstance(fmt, Integer):
        return IntegerSums(fmt, 12)
    formats: list[Format] = [fmt, parse_scalar(table_format), parse_scalar(accumulator or "fp16")]
    assert all(isinstance(f, Minifloat) for f in formats)
    return FloatSums(*formats)


def entry_codes(sums: Sums, entries: np.ndarray, width: int) -> list[int]:
    """Return the entries as hardware holds them."""
    if isinstance(sums, IntegerSums):
        return [int(value) & ((1 << width) - 1) for value in entries]
    return [int(code) for code in rounding.encode(sums.table_format, entries)]


def canonical(sums: Sums, codes: list[int]) -> list[int]:
    """Return ``codes`` with every NaN replaced by one; negation changes a NaN's sign."""
    if isinstance(sums, IntegerSums):
        return codes
    return [int(c) for c in rounding.encode(sums.table_format, sums.table_format.decode(codes))]


def check_table(sums: Sums, table: tuple[Combination, ...], codes: np.ndarray) -> None:
    dut = SumTable(adders(sums), table)
    m = Module()
    m.submodules.dut = dut
    width = dut.entries.shape().elem_shape.width
    bits = sums.activation.bits
    expected = sum_table(sums, sums.operands(codes), table)

    async def bench(ctx) -> None:
        for row, entries in zip(codes, expected, strict=True):
            word = sum(int(code) << (bits * k) for k, code in enumerate(row))
            ctx.set(dut.activations.as_value(), word)
            got = ctx.get(dut.entries.as_value())
            found = [got >> (width * k) & ((1 << width) - 1) for k in range(len(table))]
            assert canonical(sums, found) == entry_codes(sums, entries, width), row

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def all_codes(bits: int, lanes: int) -> np.ndarray:
    return np.array(list(product(range(1 << bits), repeat=lanes)))


def half(digits: tuple[int, ...]) -> Callable[[int], tuple[Combination, ...]]:
    return lambda lanes: symmetric_half(combinations(lanes, digits))


def whole(digits: tuple[int, ...]) -> Callable[[int], tuple[Combination, ...]]:
    return lambda lanes: combinations(lanes, digits)


TABLES = {
    "binary": whole(BINARY),
    "subsets": whole(SUBSETS),
    "ternary": whole(TERNARY),
    "binary half": half(BINARY),
    "ternary half": half(TERNARY),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("activation", "lanes"),
    [("int1", 3), ("int2", 3), ("int3", 3), ("int4", 2), ("uint1", 4), ("uint3", 3), ("int4", 1),
     ("int4_sym", 2)],
)  # fmt: skip
def test_integer_tables(activation: str, lanes: int, table: str) -> None:
    sums = arithmetic(activation)
    check_table(sums, TABLES[table](lanes), all_codes(sums.activation.bits, lanes))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("activation", "table_format", "lanes"),
    [
        ("e2m1", "e4m3", 2),
        ("e2m1", "e5m2", 2),
        ("minifloat(exponent=2,mantissa=1,bias=1,specials=ieee)", "e4m3fnuz", 2),
        ("minifloat(exponent=3,mantissa=1,bias=3,specials=p3109)", "e5m2fnuz", 2),
        ("minifloat(exponent=3,mantissa=1,bias=3,specials=ieee)",
         "minifloat(exponent=3,mantissa=1,bias=3,specials=ieee)", 2),
    ],
)  # fmt: skip
def test_float_tables(activation: str, table_format: str, lanes: int, table: str) -> None:
    sums = arithmetic(activation, table_format)
    check_table(sums, TABLES[table](lanes), all_codes(sums.activation.bits, lanes))


@pytest.mark.parametrize(
    ("activation", "table_format", "lanes"),
    [("e4m3", "fp16", 2), ("e5m2", "e5m2", 2), ("fp16", "fp16", 3), ("bf16", "fp16", 2),
     ("bf16", "tf32", 2), ("e4m3fnuz", "e4m3fnuz", 3), ("fp16", "e5m2", 2)],
)  # fmt: skip
def test_random_float_tables(activation: str, table_format: str, lanes: int) -> None:
    sums = arithmetic(activation, table_format)
    assert isinstance(sums, FloatSums)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 1 << sums.activation.bits, (200, lanes))
    # Half of them near each other, where sums cancel.
    near = codes[:100, :1] + rng.integers(-2, 3, (100, lanes))
    signs = rng.integers(0, 2, (100, lanes)) << (sums.activation.bits - 1)
    codes[:100] = (near ^ signs) & ((1 << sums.activation.bits) - 1)
    check_table(sums, symmetric_half(combinations(lanes, TERNARY)), codes)


def codes_of(sums: Sums, width: int) -> np.ndarray:
    """All entries as values, in the order of their codes."""
    codes = np.arange(1 << width)
    if isinstance(sums, IntegerSums):
        return codes - ((codes >> (width - 1)) << width)
    return sums.table_format.decode(codes)


@pytest.mark.parametrize(
    "sums",
    [arithmetic("int3"), arithmetic("uint4"), arithmetic("e2m1", "e4m3", "e5m2"),
     arithmetic("e2m1", "e5m2fnuz", "e4m3fnuz"),
     arithmetic("e2m1", "e3m4", "minifloat(exponent=3,mantissa=2,bias=3,specials=p3109)")],
    ids=["int3", "uint4", "e4m3", "e5m2fnuz", "p3109"],
)  # fmt: skip
def test_negation_and_accumulation(sums: Sums) -> None:
    m = Module()
    hardware = adders(sums)
    shape = hardware.entry_shape(3)
    entry, second, minus, plane = Signal(shape), Signal(shape), Signal(), Signal(2)
    bits = sums.result(()).bits
    state, following = Signal(bits), Signal(bits)
    negated = hardware.negate(m, entry, minus, "negated")
    terms = [
        hardware.term(m, value, plane, 3, name)
        for value, name in ((negated, "first"), (second, "second"))
    ]
    m.d.comb += following.eq(hardware.accumulate(m, state, terms, "sum"))
    values = codes_of(sums, shape.width)
    if isinstance(sums, IntegerSums):
        values = np.where(np.abs(values) <= 3 * sums.largest, values, 0)
    rng = np.random.default_rng(0)
    count = 600
    # Every entry at least once.
    codes = np.resize(np.arange(1 << shape.width), count)
    others = rng.integers(0, 1 << shape.width, count)
    others[::3] = codes[::3]
    signs, planes = rng.integers(0, 2, count), rng.integers(0, 4, count)
    before = rng.integers(0, 1 << bits, count)
    before[::5] = 0
    if isinstance(sums, IntegerSums):
        totals = before - ((before >> (bits - 1)) << bits)
    else:
        totals = sums.accumulator.decode(before)

    async def bench(ctx) -> None:
        for k in range(count):
            first, other = values[codes[k]], values[others[k]]
            pair = np.array([-first if signs[k] else first, other])
            ctx.set(entry, int(codes[k]) if first or not isinstance(sums, IntegerSums) else 0)
            ctx.set(second, int(others[k]) if other or not isinstance(sums, IntegerSums) else 0)
            ctx.set(minus, int(signs[k]))
            ctx.set(plane, int(planes[k]))
            ctx.set(state, int(before[k]))
            expected = sums.pack(sums.accumulate(totals[k], pair, int(planes[k])), ())
            assert ctx.get(following) == int(expected), (pair, planes[k], totals[k])

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_a_table_without_negation_of_the_sign_fails() -> None:
    class PositiveAdders(FloatAdders):
        def negate(self, m, entry, negative, name):
            return entry

    sums = arithmetic("e2m1", "e4m3")
    table = combinations(2, BINARY)
    dut = SumTable(PositiveAdders(sums), table)
    m = Module()
    m.submodules.dut = dut

    async def bench(ctx) -> None:
        ctx.set(dut.activations.as_value(), 0x22)
        entries = [ctx.get(entry) for entry in dut.entries]
        minus_two = int(sums.table_format.encode(-2.0))
        assert minus_two not in entries

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
