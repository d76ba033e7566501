"""The names of IEEE P3109: ``binary8p3se`` is 8 bits, precision 3, signed, extended.

A format of K bits with precision P has P - 1 mantissa bits and the bias 2**(K - P - 1), or
2**(K - P) if unsigned; both are 2**(exponent bits - 1). There is one zero and one NaN. A signed
format has NaN in the place of -0, an unsigned one at all ones. The domain is extended (infinities
are the largest codes) or finite.

``binary8p3`` without letters is signed and extended, as in the first interim reports. The finite
signed formats of 8 bits are also known as fnuz: ``binary8p3sf`` is ``e5m2fnuz``.

Source: IEEE SA P3109 working group, Interim Report version 3 (parameters K, P, signedness and
domain); its draft may still change. Checked against gfloat 0.5.2, not against the report's text.
"""

import re

from hwsim.errors import InputError
from hwsim.formats.minifloat import P3109_BITS, Minifloat, Specials

NAMES = (
    *(f"binary8p{p}{sign}{domain}" for p in (3, 4) for sign in "su" for domain in "ef"),
    "binary6p3sf",
    "binary4p2sf",
)


def parse(name: str) -> Minifloat | None:
    """Return the format that P3109 calls ``name``, or None if the name is of another family.

    Raises
    ------
    InputError
        For a precision that leaves fewer than 1 or more than 8 exponent bits, and for widths
        outside 3 to 16 bits.
    """
    match = re.fullmatch(r"binary(\d+)p(\d+)(?:([su])([ef]))?", name)
    if match is None:
        return None
    width, precision = int(match[1]), int(match[2])
    signed, finite = match[3] != "u", match[4] == "f"
    exponent = width - precision + (not signed)
    if not (width in P3109_BITS and precision >= 1 and 1 <= exponent <= 8):
        raise InputError(
            f"{name}: P3109 formats here have 3 to 16 bits and 1 to 8 exponent bits, "
            f"not {width} and {exponent}"
        )
    specials = Specials.P3109
    if finite:
        specials = Specials.FNUZ if signed else Specials.FN
    return Minifloat(exponent, precision - 1, 1 << (exponent - 1), specials, signed)
