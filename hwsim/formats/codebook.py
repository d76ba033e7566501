"""Codes that index a table of values: NF4, NF3, any4 and any other, ``codebook([...])``.

The values can be anything, so a multiplier sees the widest of them, behind a table of 2**bits
entries; a table shared by a whole matrix is read-only, one per row (any4) is a register file.

``nf4`` holds quantiles of the normal distribution scaled to [-1, 1], with an exact zero, as
published with QLoRA (float32); ``nf3`` is the table of AFPQ. any4 learns a table for each row of a
weight matrix: :func:`learn`. Values are kept sorted, so codes are in the order of the values and
the tie of two goes to the even code.

Sources: QLoRA (arXiv:2305.14314), appendix E; AFPQ (arXiv:2311.01792); any4 (arXiv:2507.04610).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hwsim.errors import InputError
from hwsim.formats.base import Bools, Float64, Int64, real_array
from hwsim.formats.grid import GridFormat
from hwsim.formats.scaling import ScaleRule

#: Magnitudes of codebook values other than 0; midpoints are exact in between.
_SMALLEST, _LARGEST = 2.0**-900, 2.0**900
#: Lloyd's algorithm stops when nothing changes, or after this many rounds.
_ROUNDS = 100


@dataclass(frozen=True)
class Codebook(GridFormat):
    """Formats with the given values, in ascending order; their number is a power of two.

    Numbers beyond the ends saturate, or raise with ``overflow="error"``. There is no NaN and no -0.
    A value may be repeated; its first code is used.
    """

    entries: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        # -0 is no value of its own: equal codebooks have equal names.
        object.__setattr__(self, "entries", tuple(entry + 0.0 for entry in self.entries))
        count = len(self.entries)
        if not 2 <= count <= 1 << 16 or count & (count - 1):
            raise InputError(
                f"the number of codebook values must be a power of two from 2 to 65536, not {count}"
            )
        magnitudes = np.abs(self.entries)
        if not ((magnitudes == 0) | ((magnitudes >= _SMALLEST) & (magnitudes <= _LARGEST))).all():
            raise InputError("codebook values must be 0 or of a magnitude in [2**-900, 2**900]")
        if self.entries[0] == self.entries[-1] or (np.diff(self.entries) < 0).any():
            raise InputError("codebook values must be ascending, and not all equal")

    @property
    def name(self) -> str:
        named = _NAME_OF.get(self.entries)
        return named or f"codebook({','.join(map(repr, self.entries))})"

    @property
    def family(self) -> str:
        return "codebook"

    @property
    def scale_rule(self) -> ScaleRule:
        # Only a table from -1 to 1 is made for numbers divided by their largest magnitude.
        normalised = self.entries[0] == -1 and self.entries[-1] == 1
        return super().scale_rule if normalised else ScaleRule.LEAST_ERROR

    @property
    def bits(self) -> int:
        return len(self.entries).bit_length() - 1

    def _values(self) -> Float64:
        return np.array(self.entries)

    def _odd(self, values: Float64, codes: Int64) -> Bools:
        return codes % 2 == 1


def codebook(values: ArrayLike) -> Codebook:
    """Return the format whose values are ``values``, which are sorted.

    Raises
    ------
    InputError
        If their number is no power of two from 2 to 65536, one is NaN or infinite, or all are
        equal.
    """
    ordered = np.sort(real_array(values).reshape(-1)) + 0.0
    return Codebook(tuple(ordered.tolist()))


def learn(
    rows: ArrayLike, bits: int = 4, weights: ArrayLike | None = None, seed: int = 0
) -> list[Codebook]:
    """Return the codebook of every row that any4 learns: weighted k-means in one dimension.

    Parameters
    ----------
    rows
        Weights after the group scale, shape (rows, columns).
    bits
        Width of the codes, 1 to 8.
    weights
        Importance of every column, shape (columns,), not negative; any4 takes the mean magnitude
        of the activations. Equal by default.
    seed
        Of the random start (k-means++), one generator for all rows in turn.

    Returns
    -------
    list of Codebook
        A row of fewer different values than codes has them all, the largest repeated.

    Raises
    ------
    InputError
        For NaN or infinity, wrong shapes, negative weights, or a row of equal values.
    """
    data = real_array(rows)
    if data.ndim != 2 or not np.isfinite(data).all():
        raise InputError(f"rows must be a finite array of two dimensions, not {data.shape}")
    if not 1 <= bits <= 8:
        raise InputError(f"bits of a learnt codebook must be 1 to 8, not {bits}")
    importance = np.ones(data.shape[1]) if weights is None else real_array(weights)
    fits = importance.shape == data.shape[1:] and (importance >= 0).all()
    if not fits or not 0 < importance.sum() < np.inf:
        raise InputError(
            f"weights must be {data.shape[1]} finite numbers, not negative and not all 0"
        )
    generator = np.random.default_rng(seed)
    # Squares of magnitudes up to 1 neither overflow nor vanish.
    exponents = np.frexp(np.abs(data).max(axis=1, initial=0.0))[1]
    scaled = np.ldexp(data, -exponents[:, np.newaxis])
    return [
        codebook(np.ldexp(_cluster(row, importance, 1 << bits, generator), exponent))
        for row, exponent in zip(scaled, exponents, strict=True)
    ]


def _cluster(row: Float64, weights: Float64, count: int, generator: np.random.Generator) -> Float64:
    """Return ``count`` weighted means of clusters of a row, ascending."""
    values, inverse = np.unique(row, return_inverse=True)
    mass = np.bincount(inverse, weights=weights, minlength=values.size).astype(np.float64)
    values, mass = values[mass > 0], mass[mass > 0]
    if values.size <= count:
        return np.pad(values, (0, count - values.size), mode="edge")
    centres = _spread(values, mass, count, generator)
    for _ in range(_ROUNDS):
        nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
        total = np.bincount(nearest, weights=mass, minlength=count)
        sums = np.bincount(nearest, weights=mass * values, minlength=count)
        means = np.where(total > 0, sums / np.where(total > 0, total, 1), centres)
        if (means == centres).all():
            break
        centres = means
    return centres


def _spread(values: Float64, mass: Float64, count: int, generator: np.random.Generator) -> Float64:
    """Choose ``count`` starting points, each with a chance that grows with its distance."""
    centres = [generator.choice(values, p=mass / mass.sum())]
    distance = np.square(values - centres[0])
    for _ in range(count - 1):
        chance = mass * distance
        centres.append(generator.choice(values, p=chance / chance.sum()))
        distance = np.minimum(distance, np.square(values - centres[-1]))
    return np.sort(np.array(centres))


NAMED = {
    "nf4": codebook(np.array([
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
        -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ], np.float32)),
    "nf3": codebook([-1.0, -0.53502, -0.24693, 0.0, 0.18334, 0.38199, 0.62299, 1.0]),
}  # fmt: skip
NAMES = tuple(NAMED)
_NAME_OF = {fmt.entries: name for name, fmt in NAMED.items()}


def parse(name: str) -> Codebook | None:
    """Return the codebook called ``name``, or None if the name is of another family.

    ``codebook(-1,0,0.5,1)`` spells the values out. any4 and any3 have no values before they are
    learnt from a matrix.
    """
    if name in NAMED:
        return NAMED[name]
    if name in ("any4", "any3"):
        raise InputError(
            f"{name} has no values of its own; learn them with hwsim.formats.codebook.learn"
        )
    match = re.fullmatch(r"codebook\((.*)\)", name)
    return codebook(_numbers(name, match[1].split(","))) if match else None


def _numbers(name: str, items: Iterable[str]) -> list[float]:
    try:
        return [float(item) for item in items]
    except ValueError:
        raise InputError(f"{name}: the values must be numbers") from None
