"""Axes of charts: where a metric of a point lies, how far an axis goes, and what its ticks say.

A chart must hold every value that a sweep can deliver. Costs are on logarithmic axes, qualities on
linear ones. Values that have no place on such an axis are *pinned* in a band of their own at its
end, under a tick that names them: infinity, as of the SQNR of a format that holds all operands
exactly, and on a logarithmic axis everything up to zero. NaN and missing values have no place.

Logarithmic axes are marked at 1, 2 and 5 in each decade, over many decades at powers of ten. A
narrow one has none or one of these, so up to a factor of ten it is marked in equal steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, isnan, log10
from typing import Any

import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from cost_models.metric import Metric

#: Parts of the range of the values: beside them, and a band for values pinned at an end.
MARGIN, BAND = 0.07, 0.16
#: Least range: a factor, and a part of the largest magnitude on a linear axis. What differs by
#: less lies together, as no mark could show it without many digits on the ticks.
LEAST_FACTOR, LEAST_PART = 1.1, 0.03
#: Decades from which a logarithmic axis has logarithmic ticks, and up to which they are 1, 2, 5
#: and 1, 3.
LOG_TICKS, ONE_TWO_FIVE, ONE_THREE = 1.0, 2.1, 3.6
#: Most intervals between ticks, of horizontal and vertical axes.
INTERVALS = {"x": 5, "y": 8}
#: Magnitudes that are written without a power of ten.
PLAIN = (1e-4, 1e6)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Scale:
    """The axis of a metric for certain values.

    Attributes
    ----------
    metric
        What it shows.
    low, high
        Ends of the range of the values, with margins; logarithms to base 10 on a logarithmic axis.
    below, above
        What is pinned at the two ends, as their ticks name it; empty for nothing.
    marked
        Whether the range is that of values; it has no ticks if there are none.
    """

    metric: Metric
    low: float
    high: float
    below: str
    above: str
    marked: bool

    def position(self, value: float | None) -> float | None:
        """Return where ``value`` is drawn, None for NaN and missing values."""
        if value is None or isnan(value):
            return None
        if self._is_below(value):
            return self._value(self.low - self._band / 2)
        return self._value(self.high + self._band / 2) if value == inf else value

    def apply(self, panel: Any, which: str, room: tuple[float, float] = (0, 0)) -> None:
        """Scale, limit and mark the axis ``which``, x or y, of a panel.

        ``room`` is what is left free below and above the values, as parts of their range.
        """
        if self.metric.log:
            getattr(panel, f"set_{which}scale")("log")
        span = self.high - self.low
        low = self.low - (self._band if self.below else 0) - room[0] * span
        high = self.high + (self._band if self.above else 0) + room[1] * span
        getattr(panel, f"set_{which}lim")(self._value(low), self._value(high))
        # Ticks go on into the room for labels, but keep away from those of the bands.
        ticks, minor = self._ticks(
            self.low + self._band / 2 if self.below else low,
            self.high - self._band / 2 if self.above else high,
            INTERVALS[which],
        )
        labels = tick_labels(ticks, aligned=not minor)
        for name, pinned in ((self.below, -inf), (self.above, inf)):
            if name:
                ticks = [*ticks, self.position(pinned) or 0.0]
                labels = [*labels, name]
        axis = getattr(panel, f"{which}axis")
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter(labels))
        axis.set_minor_locator(FixedLocator(minor))
        axis.set_minor_formatter(FixedFormatter([]))

    @property
    def _band(self) -> float:
        return (self.high - self.low) * BAND

    def _is_below(self, value: float) -> bool:
        return value <= 0 if self.metric.log else value == -inf

    def _value(self, along: float) -> float:
        return 10**along if self.metric.log else along

    def _ticks(self, low: float, high: float, intervals: int) -> tuple[list[float], list[float]]:
        """Major and minor ticks; minor ones only between logarithmic major ones."""
        if not self.marked:
            return [], []
        decades = high - low
        if not self.metric.log or decades < LOG_TICKS:
            ends = self._value(low), self._value(high)
            locator = MaxNLocator(intervals, steps=[1, 2, 2.5, 5, 10])
            return [float(t) for t in locator.tick_values(*ends) if ends[0] <= t <= ends[1]], []
        exponents = range(floor(low), ceil(high) + 1)
        if decades > ONE_THREE:
            stride = ceil(decades / (intervals + 1))
            major = [10.0**e for e in exponents if e % stride == 0]
            minor = [10.0**e for e in exponents] if stride > 1 else []
        else:
            digits = (1, 2, 5) if decades <= ONE_TWO_FIVE else (1, 3)
            major = [float(f"{d}e{e}") for e in exponents for d in digits]
            minor = [float(f"{d}e{e}") for e in exponents for d in range(1, 10)]
        return tuple(
            [tick for tick in ticks if low <= log10(tick) <= high] for ticks in (major, minor)
        )  # type: ignore[return-value]


def scale(metric: Metric, values: Iterable[float | None]) -> Scale:
    """Return an axis that holds all ``values``."""
    known = [value for value in values if value is not None and not isnan(value)]
    placed = [value for value in known if isfinite(value) and (value > 0 or not metric.log)]
    low, high = _range([log10(value) for value in placed] if metric.log else placed, metric.log)
    margin = MARGIN * (high - low)
    zero = any(value <= 0 for value in known)
    return Scale(
        metric, low - margin, high + margin,
        below=("≤ 0" if zero else "") if metric.log else "−∞" if -inf in known else "",
        above="∞" if inf in known else "",
        marked=bool(placed),
    )  # fmt: skip


def _range(along: list[float], log: bool) -> tuple[float, float]:
    """The least and the greatest, or around them what an axis has at least."""
    if not along:
        return 0.0, 1.0
    low, high = min(along), max(along)
    least = log10(LEAST_FACTOR) if log else LEAST_PART * max(abs(low), abs(high)) or 1.0
    if high - low >= least:
        return low, high
    middle = (low + high) / 2
    return middle - least / 2, middle + least / 2


def tick_labels(ticks: Iterable[float], aligned: bool) -> list[str]:
    """Return ticks as text; ``aligned`` ones have equally many digits behind the point."""
    ticks = list(ticks)
    largest = max((abs(tick) for tick in ticks), default=0.0)
    smallest = min((abs(tick) for tick in ticks if tick), default=1.0)
    if aligned:
        smallest = largest or 1.0
    if PLAIN[0] <= smallest and largest < PLAIN[1]:
        texts = [_positional(tick) for tick in ticks]
        if aligned:
            digits = max((len(text.partition(".")[2]) for text in texts), default=0)
            texts = [f"{tick:.{digits}f}" for tick in ticks]
    else:
        texts = [_scientific(tick) for tick in ticks]
    return [text.replace("-", "−") for text in texts]


def _positional(value: float) -> str:
    # Ten digits drop what computing a tick left behind.
    return np.format_float_positional(float(f"{value:.10g}"), trim="-")


def _scientific(value: float) -> str:
    if not value:
        return "0"
    mantissa, _, exponent = f"{value:.9e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return power if mantissa == "1" else f"{mantissa}×{power}"
