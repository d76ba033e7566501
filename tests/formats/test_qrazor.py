from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse


@pytest.mark.parametrize("base", [8, 16])
@pytest.mark.parametrize("discard", ["toward_zero", "nearest_even"])
def test_against_integers(base, discard):
    rng = np.random.default_rng(base)
    x = (rng.standard_normal((30, 4, 8)) * np.exp2(rng.integers(-9, 3, (30, 4, 1)))).astype("f4")
    x[2, 1] = 0
    fmt = parse("qrazor4_g8").with_options(base=base, discard=discard)
    tensor = fmt.quantize(x.reshape(30, 32))
    values = tensor.dequantize().reshape(x.shape)
    top = 2 ** (base - 1) - 1
    for row, channel in enumerate(x):
        stored = np.float32(np.float64(np.abs(channel).max()) / top)
        unit = Fraction(float(stored))
        for i, group in enumerate(channel):
            integers = [min(max(round(Fraction(float(v)) / unit), -top), top) for v in group]
            together = 0
            for q in integers:
                together |= abs(q)
            flag = max(together.bit_length() - 3, 0)
            assert tensor.scales[row, i] == flag
            for j, q in enumerate(integers):
                kept = (
                    abs(q) >> flag if discard == "toward_zero" else round(Fraction(abs(q), 2**flag))
                )
                kept = min(kept, 7) * (-1 if q < 0 else 1)
                assert tensor.codes[row, i, j] == kept % 16
                assert values[row, i, j] == float(kept * 2**flag * unit)


@pytest.mark.parametrize(("base", "bits"), [(8, 3), (16, 4)])
def test_flag_width(base, bits):
    assert parse("qrazor4_g16").with_options(base=base).bits_per_element == 4 + bits / 16


@pytest.mark.parametrize("options", [{"base": 12}, {"discard": "odd"}])
def test_bad_options(options):
    with pytest.raises(InputError, match=r"base|rounding"):
        parse("qrazor4_g16").with_options(**options)


def test_width():
    with pytest.raises(InputError, match="bits must be 2 to 8"):
        parse("qrazor9_g16")
