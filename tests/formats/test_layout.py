"""Fields of codes, against values computed from them."""

from fractions import Fraction

import pytest

from hwsim.errors import InputError
from hwsim.formats import parse_scalar, scalar_names
from hwsim.formats.layout import fields


def finite(name: str) -> list[tuple[dict[str, str], Fraction]]:
    """Return fields and value of every finite code of a format."""
    fmt = parse_scalar(name)
    values = fmt.decode(range(2**fmt.bits)).tolist()
    return [
        (dict(fields(fmt, code)), Fraction(value))
        for code, value in enumerate(values)
        if abs(value) < float("inf")
    ]


def number(bits: str) -> int:
    return int(bits or "0", 2)


def part(bits: str) -> Fraction:
    """Bits behind the point."""
    return Fraction(number(bits), 2 ** len(bits))


@pytest.mark.parametrize("name", [n for n in scalar_names() if parse_scalar(n).bits <= 8])
def test_the_fields_of_a_code_are_the_code(name: str) -> None:
    fmt = parse_scalar(name)
    for code in range(2**fmt.bits):
        found = fields(fmt, code)
        assert int("".join(field.bits for field in found), 2) == code
        assert sum(len(field.bits) for field in found) == fmt.bits
        assert all(field.bits for field in found)


@pytest.mark.parametrize(("name", "bias"), [("e4m3", 7), ("e2m1", 1), ("e5m2", 15), ("e5m3u", 15)])
def test_a_minifloat_is_worth_its_fields(name: str, bias: int) -> None:
    for found, value in finite(name):
        exponent, mantissa = number(found["exponent"]), part(found["mantissa"])
        one = 1 if exponent else 0
        magnitude = (one + mantissa) * Fraction(2) ** (max(exponent, 1) - bias)
        assert value == (-magnitude if found.get("sign") == "1" else magnitude)


@pytest.mark.parametrize(("name", "es"), [("posit8_0", 0), ("posit8_1", 1), ("posit8_2", 2)])
def test_a_posit_is_worth_its_fields(name: str, es: int) -> None:
    fmt = parse_scalar(name)
    for code in range(1, 2 ** (fmt.bits - 1)):
        found = dict(fields(fmt, code))
        run = len(found["regime"].rstrip("01"[found["regime"][0] == "0"]))
        regime = run - 1 if found["regime"][0] == "1" else -run
        # Exponent bits that are cut off are zeros.
        exponent = number(found.get("exponent", "").ljust(es, "0"))
        value = Fraction(2) ** (regime * 2**es + exponent) * (1 + part(found.get("fraction", "")))
        assert value == Fraction(float(fmt.decode(code)))
        mirrored = fields(fmt, 2**fmt.bits - code)
        assert [(f.name, len(f.bits)) for f in mirrored] == [
            (name, len(bits)) for name, bits in found.items()
        ]


def test_hif8_is_worth_its_fields() -> None:
    for found, value in finite("hif8"):
        sign = -1 if found["sign"] == "1" else 1
        mantissa = found["mantissa"]
        if found["prefix"] == "0000":
            magnitude = Fraction(2) ** (number(mantissa) - 23) if number(mantissa) else Fraction(0)
        else:
            field = found.get("exponent", "")
            size = number("1" + field[1:]) if field else 0
            power = -size if field.startswith("1") else size
            magnitude = Fraction(2) ** power * (1 + part(mantissa))
        assert value == sign * magnitude


@pytest.mark.parametrize("name", ["flint4u", "flint8", "dybit4u", "dybit8"])
def test_runs_are_worth_their_fields(name: str) -> None:
    for found, value in finite(name):
        sign = -1 if found.get("sign") == "1" else 1
        if found.get("prefix") == "0":
            assert value == sign * part(found["integer"])
        elif "mantissa" in found:
            run = found["exponent"]
            assert value == sign * Fraction(2) ** (len(run) - 1 - name.startswith("dybit")) * (
                1 + part(found["mantissa"])
            )


def test_a_code_that_there_is_not() -> None:
    with pytest.raises(InputError, match="code=16: allowed: 0 to 15"):
        fields(parse_scalar("e2m1"), 16)
