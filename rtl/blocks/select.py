"""Choosing one of many, combinationally."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Mux, Value


def lowest_one(bits: Value) -> Value:
    """Return ``bits`` with only the lowest set bit left."""
    return Cat(bit & ~bits[:k].any() if k else bit for k, bit in enumerate(bits))


def pick(choice: Value, values: Sequence[Value]) -> Value:
    """Return the value whose bit of the one-hot ``choice`` is set, or 0 if none is.

    The values are unsigned. Cost: an AND-OR, without the encoder that an index would need.
    """
    width = max(len(value) for value in values)
    masked = [Mux(bit, value, 0) for bit, value in zip(choice, values, strict=True)]
    return Cat(Cat(value[k] for value in masked if k < len(value)).any() for k in range(width))
