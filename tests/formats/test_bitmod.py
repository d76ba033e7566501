from fractions import Fraction

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import parse

#: The artifact's integer grids and its search order.
GRIDS = {
    3: [[-4, -2, -1, 0, 1, 2, 3, 4], [-4, -3, -2, -1, 0, 1, 2, 4], [-4, -2, -1, 0, 1, 2, 4, 6],
        [-6, -4, -2, -1, 0, 1, 2, 4]],
    4: [sorted([-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12, special])
        for special in (10, -10, 16, -16)],
}  # fmt: skip
UNIT = {3: 1, 4: 2}


def nearest_lower(x, grid):
    """Return the nearest grid value, the lower one of two."""
    return min(grid, key=lambda level: (abs(level - x), level))


def exact_group(group, bits):
    """Return selector, fp16 scale and values of the least squared error in real arithmetic."""
    exact = [Fraction(float(v)) for v in group]
    largest = max(map(abs, exact))
    best = None
    for selector, grid in enumerate(GRIDS[bits]):
        top = Fraction(max(map(abs, grid)), UNIT[bits])
        stored = np.float64(largest / top).astype(np.float16)
        if stored == 0 and largest:
            stored = np.float16(2.0**-24)
        scale = Fraction(float(stored)) / UNIT[bits]
        values = [nearest_lower(v / scale, grid) * scale if scale else Fraction(0) for v in exact]
        error = sum((v - w) ** 2 for v, w in zip(exact, values, strict=True))
        if best is None or error < best[0]:
            best = error, selector, stored, values
    return best[1:]


def fp16_group(group, bits):
    """Return selector and values in the artifact's arithmetic, one fp16 operation at a time."""
    half = np.float16
    weights = [half(v) for v in group]
    largest = max(abs(w) for w in weights)
    best, selector, values = half(1000), -1, [half(0)] * len(weights)
    for candidate, grid in enumerate(GRIDS[bits]):
        scale = half(largest / half(max(map(abs, grid))))
        scale = min(max(scale, half(1e-5)), half(1e4))
        levels = [half(nearest_lower(float(half(w / scale)), grid)) for w in weights]
        decoded = [half(level * scale) for level in levels]
        squares = [float(half(half(d - w) ** 2)) for d, w in zip(decoded, weights, strict=True)]
        error = half(np.float32(sum(squares)) / np.float32(len(weights)))
        if error < best:
            best, selector, values = error, candidate, decoded
    return selector, [float(v) for v in values]


def groups(bits, count=25, size=128):
    rng = np.random.default_rng(bits)
    x = rng.standard_normal((count, size)) * rng.choice([1.0, 0.02, 0.005, 30.0], (count, 1))
    x[::5] = rng.standard_t(3, (len(x[::5]), size))
    # On the grid and its midpoints, where ties and equal errors are.
    ticks = rng.integers(-8, 9, (4, size)) / 2.0
    ticks[:, 0] = np.array([4, -4, 6, -6])
    x[1:5] = ticks
    x[6], x[7, 1:] = 0, 0
    return x.astype(np.float16).astype(np.float32)


@pytest.mark.parametrize("bits", [3, 4])
def test_error_selection_against_exact_arithmetic(bits):
    x = groups(bits, size=32)
    x = np.concatenate([x, -x, x[:4, ::-1] * np.float32(1.0001)])
    tensor = parse(f"bitmod{bits}_g32").quantize(x)
    values = tensor.dequantize()
    for row, group in enumerate(x):
        selector, scale, expected = exact_group(group, bits)
        assert tensor.metadata["selectors"][row, 0] == selector
        assert tensor.scales[row, 0] == scale.view(np.uint16)
        assert values[row].tolist() == [float(v) for v in expected]


@pytest.mark.parametrize("bits", [3, 4])
def test_fp16_selection_step_by_step(bits):
    x = groups(bits)
    fmt = parse(f"bitmod{bits}").with_options(selection="fp16")
    with np.errstate(all="ignore"):
        expected = [fp16_group(group, bits) for group in x]
    tensor = fmt.quantize(x)
    assert tensor.metadata["selectors"][:, 0].tolist() == [selector for selector, _ in expected]
    np.testing.assert_array_equal(tensor.dequantize(), [values for _, values in expected])


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("amax", [1e-7, 1e-5, 7e-5, 3000.0, 6e4, 7e4, 1e6])
def test_fp16_selection_at_the_clamps(bits, amax):
    x = np.linspace(-amax, amax, 128).astype(np.float32)[np.newaxis]
    fmt = parse(f"bitmod{bits}").with_options(selection="fp16")
    with np.errstate(all="ignore"):
        selector, values = fp16_group(x[0], bits)
    tensor = fmt.quantize(x)
    assert tensor.metadata["selectors"][0, 0] == max(selector, 0)
    np.testing.assert_array_equal(tensor.dequantize()[0], values)


@pytest.mark.parametrize("bits", [3, 4])
def test_compiled_equals_exact(bits):
    x = np.concatenate([groups(bits), np.random.default_rng(1).standard_normal((300, 128))])
    x = x.astype(np.float32)
    fmt = parse(f"bitmod{bits}")
    compiled = fmt._encode_compiled(x)
    exact = fmt._encode_exact(x.astype(np.float64))
    np.testing.assert_array_equal(compiled.codes, exact.codes)
    np.testing.assert_array_equal(compiled.scales, exact.scales)
    np.testing.assert_array_equal(compiled.metadata["selectors"], exact.metadata["selectors"])


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("size", [128, 96])
def test_compiled_fp16_equals_numpy(bits, size):
    rng = np.random.default_rng(2)
    spread = rng.standard_normal((1500, size)) * np.exp2(rng.integers(-30, 17, (1500, 1)))
    x = np.concatenate([groups(bits, size=size), spread, np.zeros((1, size))])
    fmt = parse(f"bitmod{bits}_g{size}").with_options(selection="fp16")
    compiled, plain = fmt._encode_fp16_compiled(x), fmt._encode_fp16(x)
    np.testing.assert_array_equal(compiled.codes, plain.codes)
    np.testing.assert_array_equal(compiled.scales, plain.scales)
    np.testing.assert_array_equal(compiled.metadata["selectors"], plain.metadata["selectors"])


@pytest.mark.parametrize("bits", [3, 4])
def test_errors_equal_in_reals_go_to_the_first(bits):
    """Mirrored groups: the sum of the same squares in another order must not decide."""
    half = np.random.default_rng(bits).standard_normal((40, 16)).astype(np.float16)
    x = np.concatenate([half, -half[:, ::-1]], axis=1).astype(np.float32)
    selectors = parse(f"bitmod{bits}_g32").quantize(x).metadata["selectors"]
    assert set(np.unique(selectors)) <= {0, 2}


@pytest.mark.parametrize(
    ("bits", "std", "expected"), [(3, 0.005, 0.068), (4, 0.005, 0.28), (4, 0.02, 0.019)]
)
def test_fp16_underflow_changes_selectors_as_often_as_in_the_original(bits, std, expected):
    x = (np.random.default_rng(0).standard_normal((4000, 128)) * std).astype(np.float16)
    fmt = parse(f"bitmod{bits}")
    exact = fmt.quantize(x).metadata["selectors"]
    original = fmt.with_options(selection="fp16").quantize(x).metadata["selectors"]
    assert (exact != original).mean() == pytest.approx(expected, rel=0.35)


def test_special_value_takes_the_code_of_minus_zero():
    x = np.zeros((1, 128))
    x[0, :3] = [8.0, -6.0, 0.5]
    tensor = parse("bitmod4").quantize(x)
    assert tensor.metadata["selectors"][0, 0] == 2
    assert tensor.codes[0, 0, :3].tolist() == [0b1000, 0b1111, 0b0001]
    np.testing.assert_array_equal(tensor.dequantize(), x)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"selection": "fp32"}, "unknown selection"),
     ({"selection": "fp16", "scale": "fp32"}, "needs scale='fp16'")],
)  # fmt: skip
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        parse("bitmod4").with_options(**options)


def test_only_three_and_four_bits():
    with pytest.raises(InputError, match="3 or 4"):
        parse("bitmod5")
