"""Clocks as specifications have them: periods in ns, the one that a technology states, or words for
each unit's own, that of its least area or of its best density."""

from collections.abc import Sequence

from hwsim.decode import Value

#: Clocks that are no periods: the technology's, and each unit's own.
STATED, NO_CLOCK, BEST = "stated", "none", "best"
#: Periods in ns and words for others, each with its place.
Clocks = Sequence[tuple[Value, float | str]]


def clocks(value: Value) -> Clocks:
    """Return the clocks of a list, or the one that stands in its place.

    InputError with file, line and key for what is neither a word for a clock nor a positive number.
    """
    return [(item, _clock(item)) for item in value.scalars()]


def _clock(item: Value) -> float | str:
    allowed = f"a positive period in ns, {STATED}, {NO_CLOCK} or {BEST}"
    if item.is_text and (word := item.text()) in (STATED, NO_CLOCK, BEST):
        return word
    # Other text may be a number that YAML does not read as one, which the message explains.
    if (period := item.number(allowed)) <= 0:
        item.fail(f"must be {allowed}, not {period:g}")
    return period
