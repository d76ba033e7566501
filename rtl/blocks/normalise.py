"""Leading zeros, and rounding a fixed-point magnitude to a minifloat."""

from amaranth.hdl import C, Cat, Module, Mux, Value

from hwsim.formats.minifloat import Minifloat
from hwsim.units.rounding import SumRounding
from rtl.blocks.wire import wire

ZERO = C(0, 1)


def leading_zeros(m: Module, value: Value, name: str) -> Value:
    """Return how many bits above the highest set bit of ``value`` are 0.

    For 0, the result is the width. Cost: a tree of multiplexers.
    """
    width = len(value)
    padded = 1 << max(width - 1, 0).bit_length()
    # Ones below, so that they are not counted.
    return _count(m, Cat(C((1 << (padded - width)) - 1, padded - width), value), name)


def _count(m: Module, value: Value, name: str) -> Value:
    if len(value) == 1:
        return ~value[0]
    half = len(value) // 2
    high = wire(m, _count(m, value[half:], f"{name}_h"), f"{name}_h")
    low = wire(m, _count(m, value[:half], f"{name}_l"), f"{name}_l")
    # The top bit of a count says that all bits of the half are 0.
    both = high[-1] & low[-1]
    # A multiplexer of no width would be a wire of two bits in Verilog.
    lower = [Mux(high[-1], low[:-1], high[:-1])] if len(high) > 1 else []
    return Cat(*lower, high[-1] & ~both, both)


def raise_tiny(
    m: Module,
    fmt: Minifloat,
    magnitude: Value,
    lowest: Value,
    least: int,
    name: str,
    fill: Value = ZERO,
) -> tuple[Value, Value]:
    """Return the same number with its highest place not below the highest of a subnormal.

    Parameters are those of :func:`round_magnitude`; ``least`` is the least value of ``lowest``.
    Only where it is too low; there it costs a shifter, with a sticky bit.
    """
    width = len(magnitude)
    top = width - 1 - fmt.mantissa
    if least + top >= 0:
        return magnitude, lowest
    room = wire(m, lowest + top, f"{name}_tiny_room")
    tiny = room[-1]
    excess = Mux(-room > width, width, -room)[: width.bit_length()]
    places = Cat(fill.replicate(width), magnitude) >> Mux(tiny, excess, 0)
    places = wire(m, places, f"{name}_raised")
    dropped = places[: width + 1] ^ fill.replicate(width + 1)
    raised = Cat(dropped.any() ^ fill, places[width + 1 :])
    return raised, wire(m, Mux(tiny, -top, lowest), f"{name}_raised_lowest")


def flush_subnormal(fmt: Minifloat, code: Value) -> Value:
    """Return the ``fmt.bits - 1`` bits below the sign, or 0 if they are those of a subnormal."""
    return Mux(code[fmt.mantissa :].any(), code, 0)


def round_magnitude(
    m: Module,
    fmt: Minifloat,
    magnitude: Value,
    lowest: Value,
    name: str,
    rounding: SumRounding = SumRounding.NEAREST_EVEN,
    fill: Value = ZERO,
) -> tuple[Value, Value]:
    """Return the code of ``magnitude * 2**lowest`` rounded, and overflow.

    Parameters
    ----------
    fmt
        Format of the result, which has NaN or infinity.
    magnitude
        Unsigned; bits may be merged into its lowest one (sticky) where it is two places or more
        below the last place of any result that is not exact.
    lowest
        Exponent of its lowest bit, above that of the format's smallest subnormal; signed. Its
        highest bit must not be below the highest bit of the subnormals.
    name
        Prefix of the signals that this adds to ``m``.
    rounding
        To nearest even or toward zero. Toward zero, what is too large gives the largest finite
        code and no overflow.
    fill
        If 1, the magnitude is ``magnitude + 1``, as if its lowest bit were followed by ones
        without end; so a difference needs no carry into its lowest bit.

    Returns
    -------
    tuple[Value, Value]
        The ``fmt.bits - 1`` bits below the sign, and whether the magnitude is too large for them;
        if it is, they mean nothing.

    Cost: a leading-zero counter, a shifter as wide as the magnitude, an incrementer.
    """
    width = len(magnitude)
    if width < fmt.mantissa + 3:
        raise ValueError(f"{width} bits are too few to round to {fmt.name}")
    if rounding is SumRounding.TRUNCATE:
        raise ValueError(f"rounding={rounding}: allowed: nearest_even, toward_zero")
    # Places from the highest bit of the magnitude down to the highest of a subnormal.
    room = wire(m, (lowest + (width - 1 - fmt.mantissa))[: len(lowest) + 1], f"{name}_room")
    zeros = wire(m, leading_zeros(m, magnitude, f"{name}_zeros"), f"{name}_zeros")
    shift = wire(m, Mux(zeros > room, room, zeros)[: len(zeros)], f"{name}_shift")
    shifted = wire(
        m, (Cat(fill.replicate(width), magnitude) << shift)[width : 2 * width], f"{name}_normal"
    )

    kept = shifted[width - 1 - fmt.mantissa :]
    guard = shifted[width - 2 - fmt.mantissa]
    below = shifted[: width - 2 - fmt.mantissa]
    # With ones below, a tie and a carry are where all bits are 1.
    sticky = wire(m, (below ^ fill.replicate(len(below))).any(), f"{name}_sticky")
    field = Mux(kept[-1], room - shift + 1, 0)
    if rounding is SumRounding.TOWARD_ZERO:
        code = wire(m, Cat(kept[:-1], field) + (fill & guard & ~sticky), f"{name}_truncated")
        return Mux(code > fmt.max_code, fmt.max_code, code)[: fmt.bits - 1], ZERO
    round_up = Mux(fill, guard | (~sticky & kept[0]), guard & (sticky | kept[0]))
    # A carry out of the mantissa makes the next exponent, which is the next code.
    code = wire(m, Cat(kept[:-1], field) + round_up, f"{name}_rounded")
    return code[: fmt.bits - 1], wire(m, code > fmt.max_code, f"{name}_overflow")
