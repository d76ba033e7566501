"""Rounding on torch tensors, equal bit for bit to that of NumPy arrays; torch is imported here.

A format's encoder is a step function, known by the smallest float64 of every step
(:mod:`hwsim.formats.fast`). So a number is encoded by a search among the steps. Quotients by a
scale are moved off the numbers that they only round to, as
:func:`hwsim.formats.arithmetic.exact_quotient` does: with the sign of the exact remainder, from a
product split in two halves (T. J. Dekker, 1971), since torch has no fused multiply-add. Everything
is float64 and element by element, so what a device does differently, such as the order of sums,
cannot reach a code.
"""

from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from hwsim.errors import InputError
from hwsim.formats import fast
from hwsim.formats.base import TABLE_BITS, Format, Overflow, Rounding, decode_table

#: A float64 whose lowest 12 bits are 0 has at most 41 significant bits, as there.
_LOW_BITS = (1 << 12) - 1


def exact_quotient(x: Tensor, divisor: Tensor) -> Tensor:
    """Return ``x / divisor`` on the right side of every number of at most 41 significant bits.

    float64 tensors that broadcast, finite, the divisor not negative; 0 where it is 0. Equal to
    :func:`hwsim.formats.arithmetic.exact_quotient` in every bit.
    """
    x, divisor = torch.broadcast_tensors(x, divisor)
    zero = divisor == 0
    quotient = torch.where(zero, 0.0, x / torch.where(zero, 1.0, divisor))
    bits = quotient.contiguous().view(torch.int64)
    nearest = (bits + (_LOW_BITS + 1) // 2) & ~_LOW_BITS
    short = nearest.view(torch.float64)
    side = _remainder_sign(short, x, divisor)
    infinity = torch.copysign(torch.full_like(side, torch.inf), side)
    beside = torch.where(side == 0, short, torch.nextafter(short, infinity))
    doubtful = ((bits - nearest).abs() <= 2) & torch.isfinite(short) & ~zero
    return torch.where(doubtful, beside, quotient)


def _remainder_sign(quotient: Tensor, x: Tensor, divisor: Tensor) -> Tensor:
    """Return a number of the sign of ``x - quotient * divisor``."""
    factor, exponent = torch.frexp(quotient)
    unit, unit_exponent = torch.frexp(divisor)
    product = factor * unit
    (high, low), (unit_high, unit_low) = _halves(factor), _halves(unit)
    error = ((high * unit_high - product) + high * unit_low + low * unit_high) + low * unit_low
    difference = _power_scaled(x, -(exponent + unit_exponent)) - product
    return torch.where(quotient == 0, x, difference - error)


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    large = x * (2.0**27 + 1)
    high = large - (large - x)
    return high, x - high


def _power_scaled(x: Tensor, exponent: Tensor) -> Tensor:
    """Return ``x * 2**exponent``; two steps, as a power of two alone may be out of range."""
    half = torch.div(exponent, 2, rounding_mode="floor")
    return _times_power(_times_power(x, half), exponent - half)


def _times_power(x: Tensor, exponent: Tensor) -> Tensor:
    power = ((exponent.to(torch.int64) + 1023) << 52).view(torch.float64)
    return x * power


class Encoder:
    """Rounds to one format on one device: to nearest even, saturating.

    Parameters
    ----------
    fmt
        A scalar format of at most 16 bits.
    device
        Where the tensors are.

    Raises
    ------
    InputError
        For a wider format.
    """

    def __init__(self, fmt: Format, device: torch.device) -> None:
        codes, steps = _steps(fmt)
        self._codes = torch.from_numpy(codes.astype(np.int32)).to(device)
        self._steps = torch.from_numpy(steps).to(device)
        self._values = torch.from_numpy(np.array(decode_table(fmt))).to(device)

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of float64 numbers, none of them NaN, as int32 of their shape."""
        return self._codes[torch.searchsorted(self._steps, _ordinals(x), right=True)]

    def decode(self, codes: Tensor) -> Tensor:
        """Return the values of codes as float64."""
        return self._values[codes]


def _ordinals(x: Tensor) -> Tensor:
    """Return int64 in the order of float64 numbers, -0 below +0."""
    bits = x.contiguous().view(torch.int64)
    return torch.where(bits < 0, ~(bits & 0x7FFFFFFFFFFFFFFF), bits)


@lru_cache(maxsize=256)
def _steps(fmt: Format) -> tuple[np.ndarray, np.ndarray]:
    if fmt.bits > TABLE_BITS:
        raise InputError(
            f"{fmt.name} on torch tensors: allowed: formats of at most {TABLE_BITS} bits"
        )
    nan_code = int(fmt.encode(np.nan)) if fmt.has_nan else None
    exact = partial(fmt._encode, rounding=Rounding.NEAREST_EVEN, overflow=Overflow.SATURATE)
    return fast.find_steps(exact, decode_table(fmt), nan_code)
