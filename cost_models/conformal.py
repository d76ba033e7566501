"""Bands of estimates by split conformal prediction: for a unit, by family, and for ratios of units.

An error is the natural logarithm of estimate over synthesis. Split conformal prediction (Vovk et
al., Algorithmic Learning in a Random World, 2005) bounds that of a further unit by an order
statistic of those of held-out units: nothing is assumed but that the further unit is drawn like
these. Divided by a scale of its family, fixed before any held-out unit was looked at, the same
statistic gives a band to each family (locally weighted: Lei et al., Distribution-Free Predictive
Inference for Regression, JASA 2018), and the promise stays what it was: of a unit drawn like these,
not of each family by itself.

Scales come from the units that the coefficients were fitted to. A family has few, so its mean
square is pulled towards that of all units, as if so many more of its own had had it; how many,
leave-one-out likelihood over the same units decides, and may decide that families do not differ.

Errors of two estimates are partly common, and cancel in a ratio. So ratios are bounded by errors of
ratios of held-out units. Their pairs share units, so it is units that are counted: what has any
rank with the same probability is the pair of two further units among all pairs with them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cost_models.bands import LEVELS, RATIO_ERROR, RATIO_LEVEL, error_key

Floats = NDArray[np.float64]

#: How many units' worth of the overall mean square a family's own is pulled with; with infinitely
#: many, families do not differ.
PULLS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, math.inf)
#: Figures of units have five digits, so errors below that are none.
_LEAST_SCALE = 1e-4


def within(scores: Floats, level: int) -> float:
    """Return what the score of a further unit stays within with a probability of ``level`` percent.

    That is the ceil((n + 1) * level / 100)-th smallest of the n scores, if the further unit is as
    likely as any other to have any rank among all n + 1. Infinity if that is more than n.
    """
    rank = rank_within(len(scores), level)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def rank_within(count: int, level: int) -> int:
    """Return ceil((count + 1) * level / 100)."""
    return -(-(count + 1) * level // 100)


class Scales:
    """What the errors of each family are relative to.

    Parameters
    ----------
    families, errors
        Of the units fitted to, at least two; errors as logarithms.

    Attributes
    ----------
    pull
        The one out of ``PULLS`` under which each unit's error is likeliest, as a normal one of the
        scale that all other units say.
    """

    def __init__(self, families: Sequence[str], errors: Floats) -> None:
        self._squares = np.square(errors)
        self._mean = float(self._squares.mean())
        self._counts = Counter(families)
        self._sums: Counter[str] = Counter()
        for family, square in zip(families, self._squares.tolist(), strict=True):
            self._sums[family] += square
        self.pull = max(PULLS[::-1], key=lambda pull: self._likelihood(families, pull))

    def of(self, families: Sequence[str]) -> Floats:
        """Return the scale of each of ``families``; of one that is not known, that of all units."""
        return np.array([self._of(family) for family in families])

    def _of(self, family: str) -> float:
        return _scale(self._sums[family], self._counts[family], self._mean, self.pull)

    def _likelihood(self, families: Sequence[str], pull: float) -> float:
        total, count = float(self._squares.sum()), len(families)
        logs = []
        for family, square in zip(families, self._squares.tolist(), strict=True):
            scale = _scale(
                self._sums[family] - square, self._counts[family] - 1,
                (total - square) / (count - 1), pull,
            )  # fmt: skip
            logs.append(-math.log(scale) - square / scale**2 / 2)
        return math.fsum(logs)


def _scale(squares: float, count: int, mean: float, pull: float) -> float:
    shrunk = mean if math.isinf(pull) else (squares + pull * mean) / (count + pull)
    # What is subtracted may leave a little less than zero.
    return max(math.sqrt(max(shrunk, 0.0)), _LEAST_SCALE)


def ratio_score(errors: Floats, scales: Floats, level: int) -> float:
    """Return what the error of a ratio of two units stays within, relative to their two scales.

    An error of a ratio is the difference of two errors; it is relative to the root of the sum of
    the squares of both scales. A pair of further units is as likely as any other pair to have any
    rank among the N pairs of these n and both further units, so it is within the
    ceil(N * level / 100)-th smallest of all N with at least that probability, and within that of
    the pairs of these n alone, which is no smaller. Infinity if there are not as many.
    """
    rank = rank_of_pairs_within(len(errors), level)
    first, second = np.triu_indices(len(errors), 1)
    between = np.abs(errors[first] - errors[second]) / np.hypot(scales[first], scales[second])
    return float(np.sort(between)[rank - 1]) if rank <= len(between) else math.inf


def rank_of_pairs_within(count: int, level: int) -> int:
    """Return the ceiling of ``level`` percent of the number of pairs of ``count`` + 2 units."""
    return -(-math.comb(count + 2, 2) * level // 100)


def bounds(
    errors: Floats, scales: Floats, of: Mapping[str, float]
) -> dict[str, dict[str, float | None]]:
    """Return the bands of families by errors of held-out units.

    Parameters
    ----------
    errors, scales
        Of the held-out units; errors as logarithms.
    of
        The scale of each family to be given a band.

    Returns
    -------
    dict
        By family, in percent of the smaller of two numbers, rounded up, None if there are too few
        units: ``error_68_percent``, ``error_95_percent``, what estimate and synthesis of a further
        unit are within of each other; ``ratio_error_90_percent``, its part in the error of a ratio
        of two units: the ratio's logarithm is within the root of the sum of the squares of both
        parts' log(1 + part).
    """
    scores = np.abs(errors) / scales
    found = {error_key(level): within(scores, level) for level in LEVELS}
    found[RATIO_ERROR] = ratio_score(errors, scales, RATIO_LEVEL)
    return {
        family: {key: rounded_up(100 * math.expm1(score * scale)) for key, score in found.items()}
        for family, scale in of.items()
    }


def rounded_up(percent: float) -> float | None:
    """Return a bound with two decimals, no smaller; None for infinity."""
    # Not for what is exact but for its last bits.
    return None if math.isinf(percent) else math.ceil(round(percent * 100, 6)) / 100
