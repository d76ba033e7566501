"""Columns of a table as JSON that a browser reads at once.

A column with one value is ``{"all": value}``. One with few is ``{"levels": [...], "codes": ...}``,
whose codes are unsigned little-endian integers of ``bytes`` bytes in Base64. Other text is
``{"text": [...]}``. Other numbers are ``{"numbers": ...}``, little-endian float64 in Base64, NaN
where there is none: bit for bit those of the table, so that comparisons in the page come out as
they do here.
"""

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Columns have levels where values are that many times as many.
REPEATS = 3


def encoded(values: Sequence[Any]) -> dict[str, Any]:
    """Return a column; values are text, numbers, truth values or None, as JSON has them."""
    plain = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    levels = list(dict.fromkeys(plain))
    infinite = any(isinstance(value, float) and math.isinf(value) for value in levels)
    if len(levels) == 1 and not infinite:
        return {"all": levels[0]}
    if len(levels) * REPEATS <= len(plain) and not infinite:
        return {"levels": levels, **_codes(plain, levels)}
    if any(isinstance(value, str) for value in levels):
        return {"text": plain}
    if any(isinstance(value, bool) for value in levels):
        return {"levels": levels, **_codes(plain, levels)}
    numbers = np.array([math.nan if value is None else value for value in plain], "<f8")
    return {"numbers": _base64(numbers)}


def _codes(values: Sequence[Any], levels: Sequence[Any]) -> dict[str, Any]:
    places = {level: code for code, level in enumerate(levels)}
    size = next(size for size in (1, 2, 4) if len(levels) <= 256**size)
    codes = np.array([places[value] for value in values], f"<u{size}")
    return {"codes": _base64(codes), "bytes": size}


def _base64(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()
