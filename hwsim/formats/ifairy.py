"""iFairy's complex weights, ``ifairy``: +1, +i, -1 and -i in two bits.

Code c is i**c: the quarter turns 1, i, -1, -i. A complex product by one of them swaps and negates
the parts and needs no multiplier. Encoding takes the direction of a number and forgets its length:
it is the unit whose quarter plane the phase falls into, [-pi/4, pi/4) for +1 and so on
counter-clockwise, so the boundary belongs to the unit that is a quarter turn further. Lengths are
kept outside, as two scales of a matrix (:func:`scales`).

There is no zero: 0, whatever its signs, is encoded as +1.

Source: iFairy, phase-aware quantiser of the authors' model code.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError
from hwsim.formats.base import Codes, as_array

NAMES = ("ifairy",)

Complex = NDArray[np.complex128]


@dataclass(frozen=True, repr=False)
class IFairy:
    """The four units; like a :class:`~hwsim.formats.base.Format`, but of complex numbers."""

    @property
    def name(self) -> str:
        """The name of the format."""
        return "ifairy"

    def __repr__(self) -> str:
        return f"hwsim.parse({self.name!r})"

    @property
    def family(self) -> str:
        """What kind of format this is, one word."""
        return "complex"

    @property
    def bits(self) -> int:
        """Width of a code."""
        return 2

    def encode(self, x: ArrayLike) -> Codes:
        """Return the codes, uint8, of the units nearest in phase to complex or real numbers.

        Raises
        ------
        InputError
            For NaN, or dtypes that are no numbers.
        """
        numbers = _complex(x)
        re, im = numbers.real, numbers.imag
        # Comparisons decide the boundaries exactly, where the phase itself would be rounded.
        right = (im < re) & (im >= -re)
        up = (im >= re) & (im > -re)
        left = (im > re) & (im <= -re)
        down = (im <= re) & (im < -re)
        return np.select([right, up, left, down], [0, 1, 2, 3], 0).astype(np.uint8)

    def decode(self, codes: ArrayLike) -> Complex:
        """Return the units as complex128.

        Raises
        ------
        InputError
            If ``codes`` are not integers in 0..3.
        """
        array = as_array(codes)
        if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 3):
            raise InputError("codes of ifairy must be integers in [0, 4)")
        return np.array([1, 1j, -1, -1j])[array.astype(np.uint8)]

    def quantize(self, x: ArrayLike) -> Complex:
        """Return the units that ``x`` is rounded to: ``decode(encode(x))``."""
        return self.decode(self.encode(x))

    def values(self) -> Complex:
        """Return the four values in the order of their codes."""
        return self.decode(np.arange(4))

    def __str__(self) -> str:
        return self.name


def scales(x: ArrayLike) -> tuple[float, float]:
    """Return the scales of the real and of the imaginary units of a matrix.

    They are the mean magnitude of the real parts of what is encoded as +-1 and of the imaginary
    parts of what is encoded as +-i; 0 where there is none.
    """
    numbers = _complex(x)
    imaginary = IFairy().encode(numbers) % 2 == 1
    real_part, imaginary_part = np.abs(numbers.real[~imaginary]), np.abs(numbers.imag[imaginary])
    return _mean(real_part), _mean(imaginary_part)


def _mean(x: NDArray[np.float64]) -> float:
    """Return the mean of magnitudes, whose sum may be beyond float64."""
    exponent = np.frexp(x.max(initial=0.0))[1]
    return float(np.ldexp(np.ldexp(x, -exponent).mean(), exponent)) if x.size else 0.0


def _complex(x: ArrayLike) -> Complex:
    array = as_array(x)
    if array.dtype.fields is not None or not np.can_cast(array.dtype, np.complex128, "safe"):
        raise InputError(f"cannot encode values of dtype {array.dtype} as complex units")
    numbers = array.astype(np.complex128)
    if np.isnan(numbers).any():
        raise InputError("ifairy has no NaN, and the array to encode holds one")
    return numbers


def parse(name: str) -> IFairy | None:
    """Return the format if it is called ``name``, or None if the name is of another family."""
    return IFairy() if name == "ifairy" else None
