"""Exact, slow and independent: the scalar formats as their sources define them.

Nothing here uses hwsim. A definition decodes each code to a ``Fraction`` (or a special); encoding
searches the list of values and compares with exact decision points.
"""

import itertools
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

ROUNDINGS = ("nearest_even", "nearest_away", "toward_zero", "up", "down", "to_odd")

NAN, PLUS, MINUS, MINUS_ZERO = "nan", "+inf", "-inf", "-0"
Value = Fraction | str
#: The sign of x minus the decision point between two neighbours.
Compare = Callable[[Fraction, Fraction, Fraction], int]


class OutOfRangeError(Exception):
    """The number is out of range and overflow is an error."""


def sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)


def arithmetic(lower: Fraction, upper: Fraction, x: Fraction) -> int:
    return sign(2 * x - lower - upper)


@dataclass
class Reference:
    """One format. ``odd`` holds the values that count as odd; by default the odd codes."""

    table: list[Value]
    canonical: dict[Fraction, int] = field(default_factory=dict)
    odd: set[Fraction] | None = None
    outside: tuple[Fraction, Fraction] | None = None
    compare: Compare = arithmetic
    nan: int | None = None
    #: Numbers but 0 never leave the range or become 0, and infinities are NaN.
    posit: bool = False
    #: There is no zero: what is not positive is out of range, what is small is the smallest.
    positive: bool = False

    def __post_init__(self) -> None:
        for code, value in enumerate(self.table):
            if isinstance(value, Fraction):
                self.canonical.setdefault(value, code)
        if self.odd is None:
            self.odd = {v for v, code in self.canonical.items() if code % 2}
        self.points = sorted(self.canonical)
        if self.outside is not None:
            self.points = [self.outside[0], *self.points, self.outside[1]]
        if self.nan is None:
            self.nan = self.specials.get(NAN)
        # Floats are exact for these formats, and searched faster.
        self.floats = [float(p) for p in self.points]

    @cached_property
    def specials(self) -> dict[str, int]:
        """The first code of every special."""
        pairs = [(v, c) for c, v in enumerate(self.table) if isinstance(v, str)]
        return dict(reversed(pairs))

    @cached_property
    def finite(self) -> list[Fraction]:
        return sorted(self.canonical)

    @cached_property
    def minus_zero(self) -> int | None:
        return self.specials.get(MINUS_ZERO)

    def round(self, x: float, rounding: str) -> Fraction:
        """Return the point that a finite number between the first and the last is rounded to."""
        i = bisect_right(self.floats, x) - 1
        if self.floats[i] == x:
            return self.points[i]
        lower, upper = self.points[i], self.points[i + 1]
        negative = math.copysign(1, x) < 0
        inner = min(lower, upper, key=abs)
        outer = max(lower, upper, key=abs)
        if lower < 0 < upper:
            inner = lower if negative else upper
        if abs(lower) == abs(upper):
            outer = lower if negative else upper
        match rounding:
            case "up":
                return upper
            case "down":
                return lower
            case "toward_zero":
                return inner
            case "to_odd":
                odd = [p for p in (lower, upper) if p in self.odd]
                return odd[0] if len(odd) == 1 else inner
        side = self.compare(lower, upper, Fraction(x))
        if side:
            return upper if side > 0 else lower
        even = [p for p in (lower, upper) if p not in self.odd]
        return even[0] if rounding == "nearest_even" and len(even) == 1 else outer

    def encode(self, x: float, rounding: str, overflow: str) -> int | None:
        """Return the code of ``x``; None for NaN in a format that has none."""
        if math.isnan(x):
            return self.nan
        negative = math.copysign(1, x) < 0
        first, last = self.finite[0], self.finite[-1]
        if self.posit:
            return self._encode_posit(x, rounding, overflow)
        if self.positive:
            if x <= 0:
                return self._beyond(first, "nearest_even", overflow, True, True)
            x = max(x, float(first))
        point = self.round(x, rounding) if self.floats[0] <= x <= self.floats[-1] else None
        if point in self.canonical:
            if point == 0 and negative and self.minus_zero is not None:
                return self.minus_zero
            return self.canonical[point]
        return self._beyond(
            first if negative else last, rounding, overflow, negative, math.isinf(x)
        )

    def _beyond(
        self, end: Fraction, rounding: str, overflow: str, negative: bool, infinite: bool
    ) -> int:
        if overflow == "error":
            raise OutOfRangeError
        stays = {"toward_zero": True, "to_odd": True, "up": negative, "down": not negative}
        if overflow == "saturate" or (stays.get(rounding, False) and not infinite):
            return (
                self.minus_zero
                if end == 0 and negative and self.minus_zero
                else self.canonical[end]
            )
        infinity = self.specials.get(MINUS if negative else PLUS)
        return self.nan if infinity is None else infinity

    def _encode_posit(self, x: float, rounding: str, overflow: str) -> int:
        last = float(self.finite[-1])
        if overflow == "error" and abs(x) > last:
            raise OutOfRangeError
        if math.isinf(x):
            return self.nan
        if x == 0:
            return 0
        clamped = math.copysign(min(max(abs(x), 1 / last), last), x)
        return self.canonical[self.round(clamped, rounding)]


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def by_rank(values: list[Value]) -> set[Fraction]:
    """Return every second magnitude, 0 being the first, with both signs."""
    magnitudes = sorted({abs(v) for v in values if isinstance(v, Fraction)})
    return {s * v for v in magnitudes[1::2] for s in (1, -1)}


def signed(magnitudes: list[Fraction]) -> list[Value]:
    negative = [MINUS_ZERO if v == 0 else -v for v in magnitudes]
    return [*magnitudes, *negative]


def integer(bits: int, is_signed: bool = True, symmetric: bool = False) -> Reference:
    codes = range(2**bits)
    half = 2 ** (bits - 1)
    values = [Fraction(c - 2**bits if is_signed and c >= half else c) for c in codes]
    low = (-half + symmetric) if is_signed else 0
    high = max(values)
    reference = Reference(
        values,
        odd={Fraction(v) for v in range(low - 1, int(high) + 2) if v % 2},
        outside=(Fraction(low - 1), high + 1),
    )
    if symmetric:
        reference.canonical.pop(Fraction(-half))
        reference.points = [Fraction(low - 1), *sorted(reference.canonical), high + 1]
        reference.floats = [float(p) for p in reference.points]
    return reference


def fixed(whole: int, fraction: int, is_signed: bool) -> Reference:
    unit = power(-fraction)
    base = integer(whole + fraction, is_signed)
    return Reference(
        [v * unit for v in base.table],
        odd={v * unit for v in base.odd},
        outside=(base.outside[0] * unit, base.outside[1] * unit),
    )


def sign_magnitude(bits: int) -> Reference:
    half = 2 ** (bits - 1)
    table = signed([Fraction(i) for i in range(half)])
    return Reference(table, outside=(Fraction(-half), Fraction(half)))


def bipolar(bits: int) -> Reference:
    table: list[Value] = [
        sum(Fraction(2**i if code >> i & 1 else -(2**i)) for i in range(bits))
        for code in range(2**bits)
    ]
    edge = Fraction(2**bits + 1)
    return Reference(table, odd=by_rank([*table, edge]), outside=(-edge, edge))


def minifloat(exponent: int, mantissa: int, bias: int, kind: str, has_sign: bool = True):
    """Return a float of the kinds ieee, fn (all ones NaN), nz (NaN for -0), nzinf, and none."""
    size = 2 ** (exponent + mantissa)

    def magnitude(code: int) -> Fraction:
        e, m = divmod(code, 2**mantissa)
        if e == 0:
            return Fraction(m) * power(1 - bias - mantissa)
        return (2**mantissa + m) * power(e - bias - mantissa)

    def special(code: int) -> str | None:
        if kind == "ieee" and code >> mantissa == 2**exponent - 1:
            return NAN if code & (2**mantissa - 1) else PLUS
        if kind == "fn" or (kind == "nzinf" and not has_sign):
            if code == size - 1:
                return NAN
            return PLUS if kind == "nzinf" and code == size - 2 else None
        return PLUS if kind == "nzinf" and code == size - 1 else None

    positive: list[Value] = [special(c) or magnitude(c) for c in range(size)]
    table = positive
    if has_sign:
        opposite = {NAN: NAN, PLUS: MINUS}
        table = positive + [opposite.get(v) or -v for v in positive]
        table[size] = NAN if kind in ("nz", "nzinf") else MINUS_ZERO
    count = sum(isinstance(v, Fraction) for v in positive)
    follows = magnitude(count)
    # The canonical NaN is positive, and quiet: the upper mantissa bit is set.
    nan = None
    if kind == "ieee":
        nan = (2**exponent - 1) * 2**mantissa + 2 ** (mantissa - 1)
    odd = {s * magnitude(c) for c in range(1, count + 1, 2) for s in (1, -1)}
    outside = (-follows if has_sign else -magnitude(1), follows)
    return Reference(table, odd=odd, outside=outside, nan=nan)


def p3109(width: int, precision: int, has_sign: bool, extended: bool) -> Reference:
    """Interim Report 3: bias 2**(K - P - 1) signed, 2**(K - P) unsigned."""
    if has_sign:
        kind = "nzinf" if extended else "nz"
        return minifloat(width - precision, precision - 1, 2 ** (width - precision) // 2, kind)
    kind = "nzinf" if extended else "fn"
    bias = 2 ** (width - precision)
    return minifloat(width - precision + 1, precision - 1, bias, kind, False)


def e8m0() -> Reference:
    table: list[Value] = [power(c - 127) for c in range(255)]
    odd = {v for c, v in enumerate(table) if c % 2} | {power(128)}
    return Reference([*table, NAN], odd=odd, outside=(Fraction(0), power(128)), positive=True)


def hif8() -> Reference:
    table: list[Value] = []
    for code in range(256):
        text = f"{code:08b}"
        s, rest = -1 if text[0] == "1" else 1, text[1:]
        if code in (0, 0x80):
            table.append(NAN if code else Fraction(0))
        elif code & 0x7F == 0x6F:
            table.append(PLUS if s > 0 else MINUS)
        elif rest.startswith("0000"):
            table.append(s * power(int(rest[4:], 2) - 23))
        else:
            prefixes = {"0001": 0, "001": 1, "01": 2, "10": 3, "11": 4}
            prefix = next(p for p in prefixes if rest.startswith(p))
            depth = prefixes[prefix]
            rest = rest[len(prefix) :]
            field_, mantissa = rest[:depth], rest[depth:]
            e = 0
            if depth:
                e = int("1" + field_[1:], 2) * (-1 if field_[0] == "1" else 1)
            table.append(s * power(e) * (1 + Fraction(int(mantissa, 2), 2 ** len(mantissa))))
    edge = 3 * power(14)
    return Reference(table, odd=by_rank([*table, edge]), outside=(-edge, edge))


def posit_value(code: int, bits: int, es: int) -> Value:
    if code == 0:
        return Fraction(0)
    if code == 1 << (bits - 1):
        return NAN
    if code >> (bits - 1):
        return -posit_value(2**bits - code, bits, es)
    text = f"{code:0{bits}b}"[1:]
    run = len(text) - len(text.lstrip(text[0]))
    regime = run - 1 if text[0] == "1" else -run
    rest = text[run + 1 :]
    e = int(rest[:es].ljust(es, "0") or "0", 2)
    fraction = rest[es:]
    f = Fraction(int(fraction, 2), 2 ** len(fraction)) if fraction else Fraction(0)
    return power(regime * 2**es + e) * (1 + f)


def posit(bits: int, es: int) -> Reference:
    table = [posit_value(c, bits, es) for c in range(2**bits)]
    odd = {v for c, v in enumerate(table) if c % 2 and v != NAN}
    codes = {v: c for c, v in enumerate(table)}

    def compare(lower: Fraction, upper: Fraction, x: Fraction) -> int:
        # The decision point is the posit of one bit more between the two.
        middle = posit_value(2 * codes[lower] + 1, bits + 1, es)
        return sign(x - middle)

    return Reference(table, odd=odd, compare=compare, posit=True)


def logarithm_is(value: float, base: Fraction, k: int, denominator: int) -> bool:
    """Whether ``value`` is the float64 nearest to base**(k / denominator)."""
    exact = base**k
    below = (Fraction(math.nextafter(value, 0)) + Fraction(value)) / 2
    above = (Fraction(math.nextafter(value, math.inf)) + Fraction(value)) / 2
    return below**denominator <= exact <= above**denominator


def lns(bits: int, fraction: int, base: Fraction = Fraction(2)) -> Reference:
    """The values are the nearest float64, found by search and proved by integer powers."""
    half, denominator = 2 ** (bits - 2), 2**fraction
    logarithms = [c if c < half else c - 2 * half for c in range(2 * half)]
    positive: list[Value] = []
    for k in logarithms:
        guess = float(base) ** (k / denominator)
        candidates = [guess, math.nextafter(guess, 0), math.nextafter(guess, math.inf)]
        good = [c for c in candidates if logarithm_is(c, base, k, denominator)]
        positive.append(Fraction(good[0]))
    steps = dict(zip(positive, logarithms, strict=True))
    positive[half] = Fraction(0)
    table = positive + [-v for v in positive]
    table[3 * half] = NAN
    edge = Fraction(float(base) ** (half / denominator))
    steps[edge] = half
    steps[Fraction(0)] = -half

    def compare(lower: Fraction, upper: Fraction, x: Fraction) -> int:
        k = steps[min(abs(lower), abs(upper))]
        side = sign(abs(x) ** (2 * denominator) - base ** (2 * k + 1))
        return side if upper > 0 else -side

    odd = {s * v for v, k in steps.items() if k % 2 for s in (1, -1)}
    return Reference(table, odd=odd, outside=(-edge, edge), compare=compare)


def quarters(*numbers: float) -> list[Fraction]:
    return [Fraction(n) for n in numbers]


def flint(bits: int, has_sign: bool) -> Reference:
    width = bits - has_sign
    magnitudes = []
    for code in range(2**width):
        text = f"{code:0{width}b}"
        if text[0] == "0":
            magnitudes.append(Fraction(code, 2 ** (width - 1)))
        elif "1" not in text[1:]:
            magnitudes.append(power(width - 1))
        else:
            zeros = text[1:].index("1")
            mantissa = text[zeros + 2 :]
            m = Fraction(int(mantissa, 2), 2 ** len(mantissa)) if mantissa else Fraction(0)
            magnitudes.append(power(zeros) * (1 + m))
    table: list[Value] = signed(magnitudes) if has_sign else list(magnitudes)
    return Reference(table, odd=by_rank(table))


def dybit(bits: int, has_sign: bool) -> Reference:
    width = bits - has_sign
    magnitudes = []
    for code in range(2**width):
        text = f"{code:0{width}b}"
        ones = len(text) - len(text.lstrip("1"))
        mantissa = text[ones + 1 :]
        m = Fraction(int(mantissa, 2), 2 ** len(mantissa)) if mantissa else Fraction(0)
        if ones == 0:
            magnitudes.append(m)
        elif ones == width:
            magnitudes.append(power(width - 1))
        else:
            magnitudes.append(power(ones - 1) * (1 + m))
    table: list[Value] = signed(magnitudes) if has_sign else list(magnitudes)
    return Reference(table, odd=by_rank(table))


def dint4() -> Reference:
    table = quarters(0, 1, 2, 3, 4, 5, 6, 0.5, -0.5, -7, -6, -5, -4, -3, -2, -1)
    odd = set(quarters(-7, -5, -3, -1, -0.5, 0.5, 1, 3, 5, 7))
    return Reference(table, odd=odd, outside=(Fraction(-8), Fraction(7)))


def abfloat4() -> Reference:
    table = signed(quarters(0, 48, 64, 96, 128, 192, 256, 384))
    return Reference(table, outside=(Fraction(-512), Fraction(512)))


def pot(bits: int, has_sign: bool) -> Reference:
    count = 2 ** (bits - has_sign)
    magnitudes = [Fraction(0), *(power(i) for i in range(count - 1))]
    edge = power(count - 1)
    table: list[Value] = signed(magnitudes) if has_sign else list(magnitudes)
    low = -edge if has_sign else Fraction(-1)
    return Reference(table, outside=(low, edge), odd=by_rank([*table, edge]))


def apot(has_sign: bool) -> Reference:
    """Four bits: the sums that the paper lists, in the order of the fields."""
    fields = (
        ((0, 1, 0.5, 0.125), (0, 0.25))
        if has_sign
        else ((0, 1, 0.25, 0.0625), (0, 0.5, 0.125, 0.03125))
    )
    magnitudes = [Fraction(a) + Fraction(b) for a in fields[0] for b in fields[1]]
    table: list[Value] = signed(magnitudes) if has_sign else list(magnitudes)
    return Reference(table, odd=by_rank(table))


def khot(terms: int, bits: int) -> Reference:
    count = 2 ** (bits - 1)
    magnitudes = [Fraction(0), *(power(i) for i in range(count - 1))]
    one_term = magnitudes + [-v for v in magnitudes]
    table: list[Value] = [sum(parts) for parts in itertools.product(one_term, repeat=terms)]
    return Reference(table, odd=by_rank(table))


def codebook(*values: float) -> Reference:
    return Reference([Fraction(v) for v in values])


NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
)  # fmt: skip

#: Formats of up to 8 bits.
SMALL: dict[str, Callable[[], Reference]] = {
    **{f"int{n}": lambda n=n: integer(n) for n in (1, 2, 3, 4, 5, 8)},
    **{f"uint{n}": lambda n=n: integer(n, False) for n in (1, 2, 4, 8)},
    "ternary": lambda: integer(2, symmetric=True),
    "int4_sym": lambda: integer(4, symmetric=True),
    "int8_sym": lambda: integer(8, symmetric=True),
    "int4_sm": lambda: sign_magnitude(4),
    "int8_sm": lambda: sign_magnitude(8),
    "binary": lambda: bipolar(1),
    "bipolar2": lambda: bipolar(2),
    "bipolar4": lambda: bipolar(4),
    "q2.6": lambda: fixed(2, 6, True),
    "q0.4": lambda: fixed(0, 4, True),
    "uq4.4": lambda: fixed(4, 4, False),
    "e5m2": lambda: minifloat(5, 2, 15, "ieee"),
    "e4m3": lambda: minifloat(4, 3, 7, "fn"),
    "e4m3_ieee": lambda: minifloat(4, 3, 7, "ieee"),
    "e3m4": lambda: minifloat(3, 4, 3, "ieee"),
    "e4m3fnuz": lambda: minifloat(4, 3, 8, "nz"),
    "e5m2fnuz": lambda: minifloat(5, 2, 16, "nz"),
    "e4m3b11fnuz": lambda: minifloat(4, 3, 11, "nz"),
    "e4m3u": lambda: minifloat(4, 3, 7, "fn", False),
    "e5m3u": lambda: minifloat(5, 3, 15, "fn", False),
    "e5m3u_ieee": lambda: minifloat(5, 3, 15, "ieee", False),
    "e3m2": lambda: minifloat(3, 2, 3, "none"),
    "e2m3": lambda: minifloat(2, 3, 1, "none"),
    "e2m1": lambda: minifloat(2, 1, 1, "none"),
    "minifloat(exponent=3,mantissa=0,bias=3,specials=fn)": lambda: minifloat(3, 0, 3, "fn"),
    "minifloat(exponent=1,mantissa=2,bias=1,specials=none)": lambda: minifloat(1, 2, 1, "none"),
    "minifloat(exponent=1,mantissa=0,bias=0,specials=none)": lambda: minifloat(1, 0, 0, "none"),
    **{
        f"binary{k}p{p}{'su'[not s]}{'fe'[x]}": lambda k=k, p=p, s=s, x=x: p3109(k, p, s, x)
        for k, p in ((8, 1), (8, 3), (8, 4), (6, 3), (4, 2), (3, 2))
        for s in (True, False)
        for x in (True, False)
    },
    "e8m0": e8m0,
    "hif8": hif8,
    **{
        f"posit{n}_{es}": lambda n=n, es=es: posit(n, es)
        for n, es in ((2, 0), (3, 1), (4, 0), (4, 1), (4, 2), (5, 2), (6, 0), (6, 2), (8, 0),
                      (8, 1), (8, 2), (8, 3))
    },
    "lns4_1": lambda: lns(4, 1),
    "lns8_2": lambda: lns(8, 2),
    "lns8_3": lambda: lns(8, 3),
    "lns8_4": lambda: lns(8, 4),
    "lns6_0": lambda: lns(6, 0),
    "lns5_0_base4.0": lambda: lns(5, 0, Fraction(4)),
    "lns6_1_base1.5": lambda: lns(6, 1, Fraction(3, 2)),
    "flint4": lambda: flint(4, True),
    "flint4u": lambda: flint(4, False),
    "flint8": lambda: flint(8, True),
    "dybit4": lambda: dybit(4, True),
    "dybit4u": lambda: dybit(4, False),
    "dybit8u": lambda: dybit(8, False),
    "dint4": dint4,
    "abfloat4": abfloat4,
    "pot4": lambda: pot(4, True),
    "pot4u": lambda: pot(4, False),
    "apot4": lambda: apot(True),
    "apot4u": lambda: apot(False),
    "khot2_4": lambda: khot(2, 4),
    "nf4": lambda: codebook(*NF4),
    "nf3": lambda: codebook(-1, -0.53502, -0.24693, 0, 0.18334, 0.38199, 0.62299, 1),
    "codebook(-3,0.1,0.1,7)": lambda: codebook(-3, 0.1, 0.1, 7),
}  # fmt: skip

#: Formats of 9 to 16 bits, of which fewer points are tried.
LARGE: dict[str, Callable[[], Reference]] = {
    "int16": lambda: integer(16),
    "uint16": lambda: integer(16, False),
    "q8.8": lambda: fixed(8, 8, True),
    "bipolar10": lambda: bipolar(10),
    "int12_sm": lambda: sign_magnitude(12),
    "fp16": lambda: minifloat(5, 10, 15, "ieee"),
    "bf16": lambda: minifloat(8, 7, 127, "ieee"),
    "binary12p5ue": lambda: p3109(12, 5, False, True),
    "posit10_2": lambda: posit(10, 2),
    "posit16_1": lambda: posit(16, 1),
    "posit16_2": lambda: posit(16, 2),
    "lns10_4": lambda: lns(10, 4),
    "khot3_4": lambda: khot(3, 4),
}
