"""Block formats in exact rational arithmetic, written from their definitions, one number at a time.

Nothing here imports the project. Codes of magnitudes index ``magnitudes``, in ascending order.
"""

from fractions import Fraction


def minifloat_magnitudes(exponent, mantissa, bias, count):
    """Return the values of the first ``count`` non-negative codes of a minifloat."""
    magnitudes = []
    for code in range(count):
        field, fraction = divmod(code, 2**mantissa)
        significand = fraction + (2**mantissa if field else 0)
        magnitudes.append(significand * Fraction(2) ** (max(field, 1) - bias - mantissa))
    return magnitudes


def integer_magnitudes(bits, fraction=0):
    """Return 0 .. 2**(bits-1) - 1 over 2**fraction."""
    return [Fraction(code, 2**fraction) for code in range(2 ** (bits - 1))]


MAGNITUDES = {
    "e4m3": minifloat_magnitudes(4, 3, 7, 127),
    "e5m2": minifloat_magnitudes(5, 2, 15, 124),
    "e2m3": minifloat_magnitudes(2, 3, 1, 32),
    "e3m2": minifloat_magnitudes(3, 2, 3, 32),
    "e2m1": minifloat_magnitudes(2, 1, 1, 8),
    "fixed8": integer_magnitudes(8, 6),
    "fixed4": integer_magnitudes(4, 2),
    "int8": integer_magnitudes(8),
    "int4": integer_magnitudes(4),
}
MANTISSA = {"e4m3": 3, "e5m2": 2, "e2m3": 3, "e3m2": 2, "e2m1": 1, "fixed8": 6, "fixed4": 2}


def nearest_code(x, magnitudes):
    """Return the code of the magnitude nearest to ``x >= 0``: ties to even, saturating."""
    if x >= magnitudes[-1]:
        return len(magnitudes) - 1
    upper = next(code for code, value in enumerate(magnitudes) if value > x)
    lower = upper - 1
    below, above = x - magnitudes[lower], magnitudes[upper] - x
    if below == above:
        return lower + lower % 2
    return lower if below < above else upper


def signed_code(x, negative, magnitudes, bits, twos_complement):
    """Return the code of a number whose sign is given apart, for the sake of -0."""
    code = nearest_code(abs(x), magnitudes)
    if not negative:
        return code
    return -code % 2**bits if twos_complement else code + 2 ** (bits - 1)


def floor_log2(x):
    """Return the exponent of a positive rational number."""
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= x else exponent - 1


def round_half_up_mantissa(x, mantissa):
    """Round a positive rational number to ``mantissa`` fraction bits, ties up."""
    step = Fraction(2) ** (floor_log2(x) - mantissa)
    return (x / step + Fraction(1, 2)).__floor__() * step


def shared_exponent(largest, element, rule):
    """Return the shared exponent of a block by the rules' own formulas."""
    magnitudes = MAGNITUDES[element]
    emax = floor_log2(magnitudes[-1])
    if largest == 0:
        return -127
    match rule:
        case "floor":
            exponent = floor_log2(largest) - emax
        case "even":
            exponent = floor_log2(round_half_up_mantissa(largest, MANTISSA[element])) - emax
        case "ceil":
            exponent = floor_log2(largest)
            exponent += largest > Fraction(2) ** exponent
            exponent -= emax
        case "rceil":
            ratio = largest / magnitudes[-1]
            exponent = floor_log2(ratio)
            exponent += ratio > Fraction(2) ** exponent
    return min(max(exponent, -127), 127)


def mx_block(block, element, bits, rule):
    """Return the scale code and the element codes of a block of finite floats."""
    exact = [Fraction(float(x)) for x in block]
    exponent = shared_exponent(max(abs(x) for x in exact), element, rule)
    codes = [
        signed_code(
            x / Fraction(2) ** exponent,
            str(float(original)).startswith("-"),
            MAGNITUDES[element],
            bits,
            element.startswith("fixed"),
        )
        for x, original in zip(exact, block, strict=True)
    ]
    return exponent + 127, codes
