"""Numbers as users give them, in Python or as text."""

import math
import re
from contextlib import suppress
from operator import index
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
    number = None
    if isinstance(value, str):
        if re.fullmatch(r"[+-]?[0-9]{1,40}", value):
            number = int(value)
    elif not isinstance(value, bool):
        with suppress(TypeError):
            number = index(value)  # NumPy's integers, too.
    if number is None or number < lowest or (highest is not None and number > highest):
        limits = f"from {lowest}" if highest is None else f"from {lowest} to {highest}"
        raise InputError(f"{parameter}={value!r}: allowed: whole numbers {limits}")
    return number


def positive(parameter: str, text: str) -> float:
    """Return a positive number, given as decimal digits with a point or an exponent, if any.

    Raises
    ------
    InputError
        Naming the parameter, for anything else: other text (``1_6``, ``inf``), zero, what a float
        does not hold.
    """
    known = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text, re.ASCII)
    number = float(text) if known else 0.0
    if not 0 < number < math.inf:
        raise InputError(f"{parameter}={text!r}: allowed: positive numbers, such as 2.5")
    return number
