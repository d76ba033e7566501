"""Division by a variable power of two."""

from amaranth.hdl import C, Cat, Module, Value

from hwsim.units.rounding import SumRounding
from rtl.blocks.wire import wire


def shift_right(m: Module, value: Value, amount: Value, rounding: SumRounding, name: str) -> Value:
    """Return ``value`` / 2**amount in the width of ``value``, rounded to an integer.

    ``truncate`` drops the bits that are shifted out (toward minus infinity for a signed value);
    ``nearest_even`` rounds, for which all of them have to be kept until the decision.

    Cost: a barrel shifter of ``value``; as wide again by the largest amount, and an incrementer,
    for ``nearest_even``.
    """
    if rounding == SumRounding.TRUNCATE:
        return wire(m, value >> amount, name)
    dropped_bits = (1 << len(amount)) - 1
    extended = Cat(C(0, dropped_bits), value)
    extended = extended.as_signed() if value.shape().signed else extended
    shifted = wire(m, extended >> amount, f"{name}_extended")
    kept, dropped = shifted[dropped_bits:], shifted[:dropped_bits]
    up = dropped[-1] & (dropped[:-1].any() | kept[0])
    kept = kept.as_signed() if value.shape().signed else kept
    rounded = (kept + up)[: len(value)]
    return wire(m, rounded.as_signed() if value.shape().signed else rounded, f"{name}_rounded")
