"""Width of two's complement accumulators, which wrap when a sum leaves their range.

A sum that wraps is right modulo 2**bits, so one that ends in range is right, whatever came before.
An accumulator may be too narrow for a beat of extreme operands, such as 32 bits for two products of
int16, the multiply-add of SIMD instruction sets; then no number of beats is safe. One that does not
hold a single product is refused.
"""

from hwsim.errors import InputError

#: The widest accumulator.
MAX_BITS = 1024
#: The default is at least this wide, and holds at least 2**HEADROOM beats.
ACCUMULATOR_BITS = 32
HEADROOM = 8


def bits_for(largest: int) -> int:
    """Return the width that holds numbers of a magnitude of up to ``largest``."""
    return largest.bit_length() + 1


def default_bits(largest_beat: int) -> int:
    """Return the default width: 32, or what 256 beats need if that is more."""
    return max(ACCUMULATOR_BITS, bits_for(largest_beat) + HEADROOM)


def check_bits(bits: int, largest_product: int, product: str, widest: int = MAX_BITS) -> None:
    """Raise InputError unless an accumulator holds a product and is at most ``widest`` wide.

    Parameters
    ----------
    bits
        ``accumulator_bits``.
    largest_product
        The largest magnitude that a product adds, in units of the sum.
    product
        What the message calls it.
    widest
        The widest accumulator that the unit takes.
    """
    needed = bits_for(largest_product)
    if not needed <= bits <= widest:
        trouble = f"cannot hold {product}" if bits < needed else "is too wide"
        raise InputError(f"accumulator_bits={bits} {trouble}; allowed: {needed} to {widest}")


def safe_beats(bits: int, largest_beat: int) -> int:
    """Return how many beats cannot wrap an accumulator of ``bits`` bits, 0 where one can."""
    # The most negative sum has one unit more than the most positive; do not count on it.
    return ((1 << (bits - 1)) - 1) // max(largest_beat, 1)
