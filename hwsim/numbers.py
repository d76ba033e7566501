"""Whole numbers as users give them, in Python or as text."""

import re
from typing import Any

from hwsim.errors import InputError


def whole(parameter: str, value: Any, lowest: int, highest: int | None = None) -> int:
    """Return a whole number, given as one or as decimal digits, between two limits.

    Raises
    ------
    InputError
        Naming the parameter, for anything else: other text (``1_6``, ``" 4"``, digits of other
        scripts), booleans, fractions, numbers out of range.
    """
    number = value
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,40}", value):
        number = int(value)
    allowed = isinstance(number, int) and not isinstance(number, bool) and number >= lowest
    if not allowed or (highest is not None and number > highest):
        limits = f"from {lowest}" if highest is None else f"from {lowest} to {highest}"
        raise InputError(f"{parameter}={value!r}: allowed: whole numbers {limits}")
    return int(number)
