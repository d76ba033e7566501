"""Whole positive numbers, one or many: what parameters of designs and sizes of layers are."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError

Ints: TypeAlias = NDArray[np.int64]

_LARGEST = np.iinfo(np.int64).max


def positive_integers(parameter: str, value: ArrayLike) -> Ints:
    """Return whole numbers from 1 as int64; see :func:`whole_integers`."""
    return whole_integers(parameter, value, 1)


def whole_integers(parameter: str, value: ArrayLike, lowest: int) -> Ints:
    """Return whole numbers from ``lowest`` as int64, of the shape of ``value``.

    Raises
    ------
    InputError
        Naming the parameter and the first value that is none: text, booleans, fractions, numbers
        below ``lowest`` or beyond int64.
    """
    try:
        array = np.asarray(value)
    except ValueError:  # Lists of unequal lengths.
        raise _refusal(parameter, value, lowest) from None
    if array.dtype == object and array.size:
        # Python's integers beyond int64, or no numbers at all.
        raise _refusal(parameter, array.flat[0], lowest)
    if array.dtype.kind not in "iu" or not array.size:
        raise _refusal(parameter, array.flat[0] if array.size else value, lowest)
    wrong = (array < lowest) | (array > _LARGEST)
    if wrong.any():
        raise _refusal(parameter, array[wrong].flat[0], lowest)
    return array.astype(np.int64, copy=False)


def _refusal(parameter: str, value: Any, lowest: int) -> InputError:
    shown = value.item() if isinstance(value, np.generic) else value
    return InputError(f"{parameter}={shown!r}: allowed: whole numbers from {lowest} to {_LARGEST}")


def ceil_div(number: Ints, divisor: Ints) -> Ints:
    """Return positive numbers divided and rounded up, without overflow."""
    return (number - 1) // divisor + 1


def product(what: str, **factors: Ints) -> Ints:
    """Return the exact product of factors from 1.

    Raises
    ------
    InputError
        Naming ``what`` and the factors whose product is beyond int64.
    """
    values = [*factors.values()]
    result, estimate = values[0], values[0].astype(np.float64)
    for value in values[1:]:
        with np.errstate(over="ignore"):  # Judged below.
            result = result * value
        estimate = estimate * value
    _check_range(what, factors, estimate)
    return result


def total(what: str, **terms: Ints) -> Ints:
    """Return the exact sum of terms from 0; errors are those of :func:`product`."""
    values = [*terms.values()]
    result, estimate = values[0], values[0].astype(np.float64)
    for value in values[1:]:
        with np.errstate(over="ignore"):
            result = result + value
        estimate = estimate + value
    _check_range(what, terms, estimate)
    return result


def _check_range(what: str, parts: Mapping[str, Ints], estimate: NDArray[np.float64]) -> None:
    # The estimate is off by a few units in the last place of float64.
    beyond = estimate >= _LARGEST * (1 - 1e-14)
    if beyond.any():
        spread = np.broadcast_arrays(beyond, *parts.values())
        first = tuple(np.argwhere(spread[0])[0])
        given = ", ".join(
            f"{name}={array[first]}" for name, array in zip(parts, spread[1:], strict=True)
        )
        raise InputError(f"{given}: {what} is beyond int64; allowed: up to {_LARGEST}")
