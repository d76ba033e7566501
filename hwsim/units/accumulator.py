"""Width of two's complement accumulators, which wrap when a sum leaves their range."""

#: The default is at least this wide, and holds at least 2**HEADROOM beats.
ACCUMULATOR_BITS = 32
HEADROOM = 8


def beat_bits(largest_beat: int) -> int:
    """Return the width that holds one beat, whose largest magnitude is ``largest_beat``."""
    return largest_beat.bit_length() + 1


def default_bits(largest_beat: int) -> int:
    """Return the default width: 32, or what 256 beats need if that is more."""
    return max(ACCUMULATOR_BITS, beat_bits(largest_beat) + HEADROOM)


def safe_beats(bits: int, largest_beat: int) -> int:
    """Return how many beats cannot wrap an accumulator of ``bits`` bits."""
    # The most negative sum has one unit more than the most positive; do not count on it.
    return ((1 << (bits - 1)) - 1) // max(largest_beat, 1)
