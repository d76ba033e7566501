"""Formats against ml_dtypes and gfloat, and the differences to them that are on purpose."""

from typing import Any

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
import pytest

from hwsim.formats import parse_scalar
from tests.formats.reference import LARGE, SMALL
from tests.formats.trials import reference_of, trial_numbers

ML_DTYPES = [
    "bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3", "float8_e3m4", "float8_e4m3fnuz",
    "float8_e5m2fnuz", "float8_e4m3b11fnuz", "float6_e3m2fn", "float6_e2m3fn", "float4_e2m1fn",
    "float8_e8m0fnu",
]  # fmt: skip
HAS_INFINITY_OR_NAN = [n for n in ML_DTYPES if not n.startswith(("float6", "float4"))]
OCP = {
    "e5m2": gfloat.formats.format_info_ocp_e5m2, "e4m3": gfloat.formats.format_info_ocp_e4m3,
    "e3m2": gfloat.formats.format_info_ocp_e3m2, "e2m3": gfloat.formats.format_info_ocp_e2m3,
    "e2m1": gfloat.formats.format_info_ocp_e2m1, "q2.6": gfloat.formats.format_info_ocp_int8,
    "fp16": gfloat.formats.format_info_binary16, "bf16": gfloat.formats.format_info_bfloat16,
    "e8m0": gfloat.formats.format_info_ocp_e8m0,
}  # fmt: skip
P3109 = [
    (k, p, sign, domain)
    for k in (3, 4, 6, 8, 10)
    for p in range(1, k + 1)
    for sign in "su"
    for domain in "ef"
    if 1 <= k - p + (sign == "u") <= 8
]
GFLOAT_ROUNDINGS = {
    "nearest_even": gfloat.RoundMode.TiesToEven, "nearest_away": gfloat.RoundMode.TiesToAway,
    "toward_zero": gfloat.RoundMode.TowardZero, "up": gfloat.RoundMode.TowardPositive,
    "down": gfloat.RoundMode.TowardNegative,
}  # fmt: skip


def float32_trials(name: str) -> np.ndarray:
    count = 300 if name in LARGE else None
    with np.errstate(over="ignore", under="ignore"):
        return trial_numbers(reference_of(name), count).astype(np.float32)


def canonical(values: np.ndarray) -> list[Any]:
    """Return values in which NaN equals NaN and -0 differs from 0."""
    return ["nan" if np.isnan(v) else (v, np.signbit(v)) for v in values]


@pytest.mark.parametrize("alias", ML_DTYPES)
def test_ml_dtypes_decode(alias: str) -> None:
    fmt = parse_scalar(alias)
    codes = np.arange(2**fmt.bits).astype(fmt.code_dtype)
    with np.errstate(invalid="ignore"):
        theirs = codes.view(getattr(ml_dtypes, alias)).astype(np.float64)
    assert canonical(fmt.decode(codes)) == canonical(theirs)


@pytest.mark.parametrize("alias", HAS_INFINITY_OR_NAN)
def test_ml_dtypes_encode(alias: str) -> None:
    fmt = parse_scalar(alias)
    x = float32_trials(fmt.name)
    rounding = "nearest_even"
    if alias == "float8_e8m0fnu":
        # Ties are rounded up there.
        rounding, x = "nearest_away", x[~(np.signbit(x) & (x == 0)) & ~below_normal(x)]
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = x.astype(getattr(ml_dtypes, alias)).astype(np.float64)
    assert canonical(fmt.quantize(x, rounding, overflow="ieee")) == canonical(theirs)


@pytest.mark.parametrize("alias", ["float6_e3m2fn", "float6_e2m3fn", "float4_e2m1fn"])
def test_ml_dtypes_encode_finite_formats(alias: str) -> None:
    fmt = parse_scalar(alias)
    x = float32_trials(fmt.name)
    with np.errstate(over="ignore"):
        theirs = x.astype(getattr(ml_dtypes, alias)).astype(np.float64)
    assert canonical(fmt.quantize(x)) == canonical(theirs)


def below_normal(x: np.ndarray) -> np.ndarray:
    """Whether float32 numbers are subnormal and above the smallest power of E8M0."""
    return (x > 2.0**-127) & (x < 2.0**-126)


def test_e8m0_rounds_subnormal_float32_to_nearest_unlike_ml_dtypes() -> None:
    x = np.array([2.0**-127 * 1.25], np.float32)
    assert below_normal(x).all()
    assert x.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8).tolist() == [1]
    assert parse_scalar("e8m0").encode(x).tolist() == [0]


def test_sign_of_nan_is_dropped_unlike_ml_dtypes() -> None:
    nans = np.array([np.nan, -np.nan], np.float32)
    assert nans.astype(ml_dtypes.float8_e4m3fn).view(np.uint8).tolist() == [0x7F, 0xFF]
    assert parse_scalar("e4m3").encode(nans).tolist() == [0x7F, 0x7F]


@pytest.mark.parametrize("name", OCP)
def test_gfloat_decode(name: str) -> None:
    fmt = parse_scalar(name)
    theirs = [gfloat.decode_float(OCP[name], code).fval for code in range(2**fmt.bits)]
    assert canonical(fmt.decode(np.arange(2**fmt.bits))) == canonical(np.array(theirs))


@pytest.mark.parametrize("rounding", GFLOAT_ROUNDINGS)
@pytest.mark.parametrize("name", [n for n in OCP if n != "e8m0"])
def test_gfloat_encode(name: str, rounding: str) -> None:
    fmt = parse_scalar(name)
    x = float32_trials(name).astype(np.float64)
    info, mode = OCP[name], GFLOAT_ROUNDINGS[rounding]
    for overflow in ("saturate", "ieee") if fmt.has_nan else ("saturate",):
        theirs = gfloat.round_ndarray(info, x, mode, sat=overflow == "saturate")
        ours = fmt.quantize(x, rounding, overflow)
        if name == "q2.6":
            ours, theirs = ours + 0.0, theirs + 0.0
        assert canonical(ours) == canonical(theirs)


@pytest.mark.parametrize(("width", "precision", "sign", "domain"), P3109)
def test_gfloat_decodes_p3109_alike(width: int, precision: int, sign: str, domain: str) -> None:
    fmt = parse_scalar(f"binary{width}p{precision}{sign}{domain}")
    info = gfloat.formats.format_info_p3109(
        width,
        precision,
        gfloat.Signedness.Signed if sign == "s" else gfloat.Signedness.Unsigned,
        gfloat.Domain.Extended if domain == "e" else gfloat.Domain.Finite,
    )
    theirs = [gfloat.decode_float(info, code).fval for code in range(2**width)]
    assert canonical(fmt.decode(np.arange(2**width))) == canonical(np.array(theirs))


@pytest.mark.parametrize("name", [n for n in SMALL if n.startswith("binary8p") and "s" in n])
@pytest.mark.parametrize("rounding", GFLOAT_ROUNDINGS)
def test_gfloat_encodes_p3109_alike(name: str, rounding: str) -> None:
    fmt = parse_scalar(name)
    domain = gfloat.Domain.Extended if name.endswith("e") else gfloat.Domain.Finite
    info = gfloat.formats.format_info_p3109(8, int(name[8]), gfloat.Signedness.Signed, domain)
    x = float32_trials(name).astype(np.float64)
    mode = GFLOAT_ROUNDINGS[rounding]
    for overflow in ("saturate", "ieee"):
        theirs = gfloat.round_ndarray(info, x, mode, sat=overflow == "saturate")
        assert canonical(fmt.quantize(x, rounding, overflow)) == canonical(theirs)
