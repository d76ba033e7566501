"""Torch against NumPy, bit for bit; on the CPU, and on a CUDA device where there is one."""

import numpy as np
import pytest

from hwsim.formats import arithmetic, parse, scalar_names
from hwsim.formats.base import TABLE_BITS

torch = pytest.importorskip("torch", reason="needs torch: pip install hwsim[torch]")

from hwsim.tensors import torch_rounding  # noqa: E402

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def numbers(seed, size=20_000):
    """Numbers and divisors of all magnitudes, many of their quotients next to short numbers."""
    rng = np.random.default_rng(seed)
    short = rng.integers(-(2**12), 2**12, size=size) * 2.0 ** rng.integers(-20, 20, size=size)
    divisor = np.abs(rng.normal(size=size)).astype(np.float32).astype(np.float64)
    divisor *= 2.0 ** rng.integers(-100, 100, size=size)
    divisor[::97] = 0
    x = short * divisor
    for step in range(4):
        part = slice(step, None, 5)
        x[part] = np.nextafter(x[part], [np.inf, -np.inf, 0, 1][step])
    x[::89] = rng.normal(size=x[::89].size)
    x[::83] = np.copysign(0.0, x[::83])
    return x, divisor


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(3))
def test_exact_quotients(device, seed):
    x, divisor = numbers(seed)
    expected = arithmetic.exact_quotient(x, divisor)
    found = torch_rounding.exact_quotient(
        torch.from_numpy(x).to(device), torch.from_numpy(divisor).to(device)
    )
    np.testing.assert_array_equal(found.cpu().numpy().view(np.int64), expected.view(np.int64))
    # Both have numbers that were moved.
    with np.errstate(divide="ignore", invalid="ignore"):
        assert (expected != x / divisor)[divisor != 0].any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "name", [name for name in scalar_names() if parse(name).bits <= TABLE_BITS]
)
def test_codes_of_scalar_formats(device, name):
    fmt = parse(name)
    rng = np.random.default_rng(0)
    values = fmt.values()
    ties = (values[1:] + values[:-1]) / 2
    ties = ties[rng.permutation(ties.size)[:2000]]
    span = rng.normal(size=2000) * 10.0 ** rng.uniform(-12, 12, size=2000)
    x = np.concatenate([
        values[:2000], -values[:2000], ties, -ties, np.nextafter(ties, np.inf),
        np.nextafter(ties, -np.inf), span, [0.0, -0.0, 1e300, -1e300, 5e-324, -5e-324],
    ])  # fmt: skip
    encoder = torch_rounding.Encoder(fmt, torch.device(device))
    codes = encoder.encode(torch.from_numpy(x).to(device))
    np.testing.assert_array_equal(codes.cpu().numpy(), fmt.encode(x))
    np.testing.assert_array_equal(encoder.decode(codes).cpu().numpy(), fmt.decode(fmt.encode(x)))
