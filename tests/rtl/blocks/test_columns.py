import re
from collections.abc import Callable

import pytest
from amaranth.hdl import C, Cat, Module, Shape, Signal, Value, signed, unsigned
from amaranth.sim import Simulator

import hwsim
from rtl import emit
from rtl.blocks.columns import AND_ROW, PLACED, Columns, spread
from rtl.blocks.partial_products import add_and_rows, add_booth_rows, add_product

WIDTH = 9
SHAPES = [make(bits) for make in (unsigned, signed) for bits in (1, 2, 3, 4)]


def settle(m: Module, operands: Signal, result: Signal, expected: Callable[[int], int]) -> None:
    """Check a combinational result for all values of the operands' bits."""

    async def bench(ctx) -> None:
        for code in range(1 << len(operands)):
            ctx.set(operands, code)
            assert ctx.get(result) == expected(code) % (1 << len(result)), bin(code)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def number(code: int, low: int, shape: Shape) -> int:
    """Return the value of the bits from ``low`` on."""
    value = code >> low & ((1 << shape.width) - 1)
    return value - (value >> shape.width - 1 << shape.width) if shape.signed else value


def fields(operands: Signal, *shapes: Shape) -> list[Value]:
    """Return the operands that the bits hold, the first lowest."""
    low, values = 0, []
    for shape in shapes:
        bits = operands[low : low + shape.width]
        values.append(bits.as_signed() if shape.signed else bits)
        low += shape.width
    return values


def and_rows(columns: Columns, a: Value, b: Value, name: str) -> None:
    add_and_rows(columns, a, b)


@pytest.mark.parametrize("b", SHAPES, ids=str)
@pytest.mark.parametrize("a", SHAPES, ids=str)
def test_products_of_all_pairs(a: Shape, b: Shape) -> None:
    m = Module()
    operands = Signal(a.width + b.width)
    totals = Signal(2 * WIDTH)
    for k, rows in enumerate((and_rows, add_booth_rows)):
        m.submodules[rows.__name__] = part = Module()
        columns = Columns(part, WIDTH)
        rows(columns, *fields(operands, a, b), "product")
        m.d.comb += totals.word_select(k, WIDTH).eq(columns.total(C(0, WIDTH)))

    def expected(code: int) -> int:
        product = (number(code, 0, a) * number(code, a.width, b)) % (1 << WIDTH)
        return product << WIDTH | product

    settle(m, operands, totals, expected)


@pytest.mark.parametrize(
    ("a", "b"),
    [(signed(5), unsigned(6)), (unsigned(6), signed(5)), (unsigned(5), signed(6))],
    ids=str,
)
def test_wide_products_by_booth_rows(a: Shape, b: Shape) -> None:
    m = Module()
    operands, total = Signal(a.width + b.width), Signal(12)
    columns = Columns(m, 12)
    add_booth_rows(columns, *fields(operands, a, b), "product")
    m.d.comb += total.eq(columns.total(C(0, 12)))
    settle(m, operands, total, lambda code: number(code, 0, a) * number(code, a.width, b))


@pytest.mark.parametrize(
    ("weight", "activation", "digits"),
    [("int8", "int8", 4), ("int4", "int8", 2), ("int8", "int2", 1), ("int4", "int4", 0),
     ("int1", "int8", 0), ("uint8", "uint8", 0)],
)  # fmt: skip
def test_rows_are_of_the_kind_that_takes_fewer_gates(
    weight: str, activation: str, digits: int
) -> None:
    unit = hwsim.make("integer", lanes=1, weight=weight, activation=activation)
    assert len(set(re.findall(r"product_0_two_\d+", emit.verilog(unit)))) == digits


@pytest.mark.parametrize("width", [3, 8, 12])
def test_products_of_lanes_and_the_running_sum_wrap(width: int) -> None:
    m = Module()
    shapes = [signed(2), unsigned(3), signed(2), signed(2)]
    operands, total = Signal(9 + 2), Signal(width)
    columns = Columns(m, width)
    a, b, c, d = fields(operands, *shapes)
    add_product(columns, a, b, "first")
    add_product(columns, c, d, "second")
    m.d.comb += total.eq(columns.total(Cat(operands[9:], C(3, width))[:width]))

    def expected(code: int) -> int:
        p, q, r, s = (number(code, low, shape) for low, shape in zip((0, 2, 5, 7), shapes,
                                                                      strict=True))  # fmt: skip
        return p * q + r * s + (code >> 9) + (3 << 2)

    settle(m, operands, total, expected)


@pytest.mark.parametrize("width", [2, 5, 9])
def test_terms_with_signs_of_all_kinds(width: int) -> None:
    m = Module()
    operands, total = Signal(11), Signal(width)
    columns = Columns(m, width)
    magnitude, negative, term, masked = fields(
        operands, unsigned(3), unsigned(1), signed(3), unsigned(4)
    )
    columns.add_signed(magnitude, negative, PLACED)
    columns.add(term, AND_ROW, 1)
    columns.add(masked, 0.0, 0, 0b0110)
    m.d.comb += total.eq(columns.total(C(1, width)))

    def expected(code: int) -> int:
        bits = code >> 7
        return (
            number(code, 0, unsigned(3)) * (-1 if code >> 3 & 1 else 1)
            + 2 * number(code, 4, signed(3))
            + (bits & 0b1001)
            - (bits & 0b0110)
            + 1
        )

    settle(m, operands, total, expected)


@pytest.mark.parametrize("width", [4, 10, 16])
def test_rows_carry_a_sum_from_beat_to_beat(width: int) -> None:
    m = Module()
    operands, total = Signal(8), Signal(width)
    columns = Columns(m, width)
    add_product(columns, *fields(operands, signed(4), signed(4)), "product")
    assert columns.saved.bit_count() < width
    state = Signal(width + columns.saved.bit_count())
    m.d.sync += state.eq(columns.rows(state))
    m.d.comb += total.eq(state[:width] + spread(state[width:], columns.saved, width))

    async def bench(ctx) -> None:
        expected = 0
        for code in [*range(256), *(255 - k * 3 % 256 for k in range(256)), *[0x88] * 70]:
            ctx.set(operands, code)
            await ctx.tick()
            expected += number(code, 0, signed(4)) * number(code, 4, signed(4))
            assert ctx.get(total) == expected % (1 << width)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
