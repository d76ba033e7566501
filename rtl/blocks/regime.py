"""The regime of a posit, combinationally."""

from amaranth.hdl import C, Cat, Module, Value

from rtl.blocks.normalise import leading_zeros
from rtl.blocks.wire import wire


def regime(m: Module, body: Value, name: str) -> tuple[Value, Value]:
    """Return the regime of a posit, and the bits after it.

    Parameters
    ----------
    body
        The posit's magnitude without the sign bit, at least 3 bits.
    name
        Prefix of the signals that this adds to ``m``.

    Returns
    -------
    tuple[Value, Value]
        R as a signed value: a run of k ones is k - 1, of k zeros is -k. And the ``len(body) - 2``
        bits after the shortest regime, moved up over longer ones, with zeros below: es exponent
        bits, then the fraction.

    Cost: a leading-zero counter and a shifter of the body's width.
    """
    ones = body[-1]
    # The first bit of the run is one in any case; count the ones after it.
    differs = wire(m, body[:-1] ^ ones.replicate(len(body) - 1), f"{name}_differs")
    count = leading_zeros(m, differs, f"{name}_run")
    more = wire(m, count[: len(differs).bit_length()], f"{name}_more")
    # -k is the inversion of k - 1.
    value = wire(m, Cat(more, C(0, 1)) ^ (~ones).replicate(len(more) + 1), f"{name}_value")
    width = len(body) - 2
    tail = wire(m, (body[:width] << more)[:width], f"{name}_tail")
    return value.as_signed(), tail
