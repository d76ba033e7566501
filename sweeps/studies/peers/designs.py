"""What of ours is mapped to stand beside RTL of others, by name: components, or Verilog."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import rtl
from hwsim.formats import parse_scalar
from hwsim.formats.minifloat import Minifloat
from hwsim.formats.posit import Posit
from hwsim.units import make
from hwsim.units.bitmod import BitmodUnit
from rtl.bitmod import Aligner, ColumnAccumulator, ProcessingElement, TermGenerator
from rtl.blocks import posit
from rtl.blocks.fma import FusedAdd, multiply, operand

#: The element of BitMoD.
PE_LANES = 4
PE: dict[str, Any] = {"lanes": PE_LANES, "activation": "fp16"}
#: As the LUT array of others was reduced to: 2 rows, 8 columns, tables of 4, 2-bit weights.
LUT: dict[str, Any] = {
    "row_count": 2,
    "column_count": 8,
    "lanes": 4,
    "table_lanes": 4,
    "weight": "bipolar2",
}
FORMATS = ("e5m2", "e4m3", "bf16", "fp16")
POSITS = ("posit8_1", "posit8_2", "posit16_1", "posit16_2")


class Shape(NamedTuple):
    """A dot product of integers, and its name in ``peers.csv`` as plain Verilog."""

    lanes: int
    weight: int
    activation: int
    peer: str

    def __str__(self) -> str:
        return f"{self.lanes} x int{self.weight} x int{self.activation}"


SHAPES = (
    Shape(1, 8, 8, "base_mac_s8xs8_acc32"),
    Shape(16, 8, 8, "base_dot16_s8xs8_acc32"),
    Shape(16, 4, 8, "base_dot16_s4xs8_acc32"),
)


class MultiplyAdd(wiring.Component):
    """``a * b + c`` in one format, combinational, rounded once.

    To nearest even, with subnormals, infinity and NaN.
    """

    def __init__(self, fmt: Minifloat) -> None:
        self.fmt = fmt
        super().__init__({name: In(fmt.bits) for name in "abc"} | {"o": Out(fmt.bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = (operand(m, self.fmt, code, name) for code, name in ((self.a, "a"), (self.b, "b")))
        product = multiply(m, a, b, "product")
        m.d.comb += self.o.eq(FusedAdd(self.fmt, product).sum(m, self.c, "sum"))
        return m


class Multiplier(wiring.Component):
    """A posit multiplier, combinational: ``o`` is the product of ``a`` and ``b``, rounded once."""

    def __init__(self, fmt: Posit) -> None:
        self.fmt = fmt
        super().__init__({"a": In(fmt.width), "b": In(fmt.width), "o": Out(fmt.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a = posit.decode(m, self.fmt, self.a, "a")
        b = posit.decode(m, self.fmt, self.b, "b")
        m.d.comb += self.o.eq(posit.multiply(m, self.fmt, a, b, "product"))
        return m


def plain(shape: Shape) -> str:
    """Return the sum of products as one would write it in Verilog, with a 32-bit register."""
    weights = [f"b[{k * shape.weight} +: {shape.weight}]" for k in range(shape.lanes)]
    activations = [f"a[{k * shape.activation} +: {shape.activation}]" for k in range(shape.lanes)]
    products = [f"$signed({a}) * $signed({b})" for a, b in zip(activations, weights, strict=True)]
    return f"""
module top(
  input clk, clr,
  input [{shape.lanes * shape.activation - 1}:0] a, input [{shape.lanes * shape.weight - 1}:0] b,
  output reg signed [31:0] acc
);
  always @(posedge clk) acc <= (clr ? 32'sd0 : acc) + {" + ".join(products)};
endmodule
"""


def _unit(family: str, **parameters: Any) -> Callable[[], Any]:
    return lambda: rtl.create(make(family, **parameters))


def _integer(shape: Shape) -> Callable[[], Any]:
    formats = {"weight": f"int{shape.weight}", "activation": f"int{shape.activation}"}
    return _unit("integer", lanes=shape.lanes, **formats)


def _multiply_add(name: str) -> MultiplyAdd:
    fmt = parse_scalar(name)
    assert isinstance(fmt, Minifloat)
    return MultiplyAdd(fmt)


def _multiplier(name: str) -> Multiplier:
    fmt = parse_scalar(name)
    assert isinstance(fmt, Posit)
    return Multiplier(fmt)


def _part(component: Callable[[BitmodUnit], Any], family: str = "bitmod", **size: int) -> Any:
    spec = make(family, **PE, **size)
    assert isinstance(spec, BitmodUnit)
    return component(spec)


_FP16 = {"activation": "fp16", "accumulator": "fp16"}
_E5M2 = {"lanes": 2, "weight": "e5m2", "activation": "e5m2"}

#: How each is made.
DESIGNS: dict[str, Callable[[], Any]] = {
    **{f"plain acc + a*b, {shape}": partial(plain, shape) for shape in SHAPES},
    **{f"integer, {shape}": _integer(shape) for shape in SHAPES},
    **{f"multiply-add, {name}": partial(_multiply_add, name) for name in FORMATS},
    "float, 2 x e5m2, fp16 sums": _unit("float", accumulator="fp16", **_E5M2),
    "float, 2 x e5m2, aligned25, fp16 sums": _unit(
        "float", accumulation="aligned25", accumulator="fp16", **_E5M2
    ),
    **{f"posit multiplier, {name}": partial(_multiplier, name) for name in POSITS},
    **{
        f"posit, quire, {name}": _unit("posit", lanes=1, weight=name, activation=name)
        for name in ("posit8_1", "posit16_1")
    },
    "bitmod aligner": partial(_part, Aligner),
    "bitmod processing element": partial(_part, ProcessingElement),
    "bitmod term generator": partial(_part, TermGenerator),
    "bitmod column accumulator": partial(_part, ColumnAccumulator),
    "bitmod column accumulator of an 8 x 8 tile": partial(
        _part, ColumnAccumulator, "bitmod_tile", row_count=8, column_count=8
    ),
    "bitmod": _unit("bitmod", **PE),
    "fma, fp16 x fp16 + fp16": _unit("fma", lanes=1, weight="fp16", **_FP16),
    "fma, int8 x fp16 + fp16": _unit("fma", lanes=1, weight="int8", **_FP16),
    "fma, (int8 or 2 e2m1) x fp16 + fp16": _unit(
        "fma", lanes=2, weight="e2m1", wide="int8", **_FP16
    ),
    "lut_array, int16 entries, 32-bit sums": _unit("lut_array", activation="int16", **LUT),
    "lut_array, int10 entries, 16-bit sums": _unit(
        "lut_array", activation="int10", accumulator_bits=16, **LUT
    ),
    "lut_tensor_core, int8, tables included": _unit("lut_tensor_core", activation="int8", **LUT),
    "lut_array, fp16 entries, fp16 sums": _unit(
        "lut_array", activation="fp16", accumulator="fp16", **LUT
    ),
}
