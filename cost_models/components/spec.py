"""What components compute."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import unknown
from hwsim.formats import parse_scalar
from hwsim.formats.base import Codes
from hwsim.formats.integer import Integer
from hwsim.units.base import Timing, UnitSpec
from hwsim.units.integer import require_integer
from hwsim.units.result import Integers, Result

#: Python integers, shape (dot products, values) or (dot products, arguments).
Values = NDArray[np.object_]

#: Width of a table's entries in bits.
ENTRY_BITS = 6


class Shape(NamedTuple):
    """Numbers that a result's width follows from: how many values and arguments, their widths."""

    values: int
    bits: int
    arguments: int
    argument_bits: int


class Kind(NamedTuple):
    """A kind of component.

    Attributes
    ----------
    compute
        Elements of the result, the first lowest, from the last beat's values and arguments.
    element_bits
        Width of each.
    """

    compute: Callable[[Values, Values, Shape], Values]
    element_bits: Callable[[Shape], int]


@dataclass(frozen=True, kw_only=True)
class Component(UnitSpec):
    """One arithmetic or logic function behind the streams of a unit.

    Parameters
    ----------
    lanes
        Values of a beat, or arguments if there are no values.
    activation, weight
        Formats of values and arguments, integers.
    kind
        A key of ``KINDS``.
    value_count, argument_count
        Values and arguments of a beat.

    Raises
    ------
    InputError
        For an unknown kind.
    """

    family: ClassVar[str] = "component"
    generator: ClassVar[str] = "cost_models.components.hardware:ComponentHardware"

    kind: str
    value_count: int
    argument_count: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in KINDS:
            raise unknown("kind of component", self.kind, KINDS)

    @classmethod
    def of(cls, kind: str, values: int, value: str, arguments: int, argument: str) -> "Component":
        """Return a component of ``values`` values and ``arguments`` arguments a beat."""
        return cls(
            kind=kind,
            lanes=max(values, arguments),
            activation=parse_scalar(value),
            weight=parse_scalar(argument),
            value_count=values,
            argument_count=arguments,
        )

    @property
    def name(self) -> str:
        return (
            f"{self.kind}_{self.value_count}_{self.activation.name}_{self.argument_count}"
            f"_{self.weight.name}"
        )

    @property
    def activation_lanes(self) -> int:
        # A beat has at least one value, though a kind may ignore it.
        return max(self.value_count, 1)

    @property
    def weight_lanes(self) -> int:
        return self.argument_count

    @cached_property
    def shape(self) -> Shape:
        """What the result's width follows from."""
        return Shape(self.value_count, self.activation.bits, self.argument_count, self.weight.bits)

    @property
    def element_bits(self) -> int:
        """Width of an element of the result."""
        return KINDS[self.kind].element_bits(self.shape)

    @property
    def elements(self) -> int:
        """Number of elements of the result."""
        values = np.zeros((1, self.activation_lanes), object)
        arguments = np.zeros((1, self.argument_count), object)
        return KINDS[self.kind].compute(values, arguments, self.shape).shape[-1]

    @property
    def result(self) -> Result:
        return Result(self.element_bits, shape=(self.elements,))

    @property
    def safe_beats(self) -> int:
        return 1

    def _timing(self) -> Timing:
        return Timing(latency=1, interval=1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        values, arguments = (
            _integers(require_integer(name, fmt, self.family), codes)
            for name, fmt, codes in (
                ("activation", self.activation, activations),
                ("weight", self.weight, weights),
            )
        )
        if self.kind != "accumulate":
            values = values[..., -self.activation_lanes :]
            arguments = arguments[..., len(arguments[0]) - self.argument_count :]
        return self.result.pack(KINDS[self.kind].compute(values, arguments, self.shape))


def _integers(fmt: Integer, codes: Codes) -> Values:
    return fmt.to_int(codes).astype(object)


def _each(function: Callable[[Any], Any], values: Values) -> Values:
    """Apply a function to every value."""
    return np.frompyfunc(function, 1, 1)(values)


def _pairs(function: Callable[[Any, Any], Any], values: Values, arguments: Values) -> Values:
    """Apply a function to every value and its argument; one argument serves all values."""
    return np.frompyfunc(function, 2, 1)(values, arguments)


def _total(values: Values, arguments: Values, shape: Shape) -> Values:
    return values.sum(axis=-1, keepdims=True)


def _growth(count: int) -> int:
    return (count - 1).bit_length()


def _round_right(value: int, amount: int) -> int:
    kept, dropped = divmod(value, 1 << amount)
    half = (1 << amount) // 2
    return kept + (dropped > half or (amount > 0 and dropped == half and kept & 1))


def table(index_bits: int) -> list[int]:
    """Return the entries of a table: arbitrary numbers of ``ENTRY_BITS`` bits."""
    rng = np.random.default_rng(index_bits)
    return rng.integers(1 << ENTRY_BITS, size=1 << index_bits).tolist()


def _look_up(values: Values, arguments: Values, shape: Shape) -> Values:
    places = np.array([1 << (shape.bits * k) for k in range(shape.values)], object)
    entries = table(shape.values * shape.bits)
    return _each(entries.__getitem__, (values @ places)[:, np.newaxis])


#: Every kind of component by its name.
KINDS: dict[str, Kind] = {
    "add": Kind(
        lambda v, a, s: v + a,
        lambda s: max(s.bits, s.argument_bits) + 1,
    ),
    "accumulate": Kind(_total, lambda s: s.bits + _growth(s.values) + 8),
    "multiply": Kind(
        lambda v, a, s: (v * a).sum(axis=-1, keepdims=True),
        lambda s: s.bits + s.argument_bits + _growth(s.values),
    ),
    "multiply_booth": Kind(lambda v, a, s: v * a, lambda s: s.bits + s.argument_bits),
    "sum": Kind(_total, lambda s: s.bits + _growth(s.values)),
    "magnitude": Kind(lambda v, a, s: abs(v), lambda s: s.bits),
    "shift_left": Kind(
        lambda v, a, s: _pairs(lambda x, n: x << n, v, a),
        lambda s: s.bits + (1 << s.argument_bits) - 1,
    ),
    "shift_right": Kind(lambda v, a, s: _pairs(lambda x, n: x >> n, v, a), lambda s: s.bits),
    "round_right": Kind(lambda v, a, s: _pairs(_round_right, v, a), lambda s: s.bits),
    "select": Kind(
        lambda v, a, s: np.take_along_axis(v, a.astype(np.int64), axis=-1), lambda s: s.bits
    ),
    "decode": Kind(lambda v, a, s: _each(lambda n: 1 << n, a), lambda s: 1 << s.argument_bits),
    "compare": Kind(lambda v, a, s: _pairs(lambda x, y: int(x < y), v, a), lambda s: 1),
    "largest": Kind(lambda v, a, s: v.max(axis=-1, keepdims=True), lambda s: s.bits),
    "leading_zeros": Kind(
        lambda v, a, s: _each(lambda x: s.bits - int(x).bit_length(), v),
        lambda s: s.bits.bit_length(),
    ),
    "normalise": Kind(
        lambda v, a, s: _each(lambda x: x << (s.bits - int(x).bit_length()), v),
        lambda s: s.bits,
    ),
    "lowest_one": Kind(lambda v, a, s: _each(lambda x: x & -x, v), lambda s: s.bits),
    "parity": Kind(lambda v, a, s: _total(v, a, s) % 2, lambda s: 1),
    "invert": Kind(
        lambda v, a, s: _pairs(lambda x, n: x ^ (n * ((1 << s.bits) - 1)), v, a),
        lambda s: s.bits,
    ),
    "gate": Kind(lambda v, a, s: v * a, lambda s: s.bits),
    "table": Kind(_look_up, lambda s: ENTRY_BITS),
    "store": Kind(lambda v, a, s: v, lambda s: s.bits),
}
