"""Drawings as SVG inside of a page, in its colours, so that they follow light and dark.

Number lines need no list of values: a tick stands where a value of the format is within half a step
of the drawing, so formats of 32 bits are drawn as those of 4 are.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from hwsim.formats import Format
from hwsim.formats.base import Float64
from hwsim.formats.chart import SAMPLES, errors
from sweeps.markup import Markup, tag

#: Size of large drawings, and what they leave at the left and at the right.
WIDTH, LEFT, RIGHT = 760, 52, 12
#: Distance of places that a tick may stand at.
STEP = 0.5
#: Width of a character of a label.
CHARACTER = 6.3
#: Most ticks of an axis with labels.
TICKS = 9
#: Most bins of a line of errors.
BINS = 600
#: Formats of up to so many bits have labels at their values.
LABELLED_BITS = 8
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def raised(base: int, exponent: int) -> str:
    """Return a power such as 2⁻³."""
    return f"{base}{str(exponent).translate(_RAISED)}"


def small_line(fmt: Format, width: int = 200, height: int = 18) -> Markup:
    """Return a number line from the smallest to the largest value, without labels."""
    low, high = _ends(fmt)
    places = _occupied(fmt, np.linspace(low, high, width + 1))
    zero = width * -low / (high - low)
    return tag(
        "svg",
        tag("path", d=f"M0 {height / 2:g}H{width}", class_="axis"),
        tag("path", d=_ticks(places, 1, 3, height - 6), class_="tick"),
        tag("path", d=f"M{zero:.4g} 0v{height}", class_="zero"),
        viewBox=f"-1 0 {width + 2} {height}",
        preserveAspectRatio="none",
        class_="line",
        aria_hidden="true",
    )


def linear_line(fmt: Format) -> Markup:
    """Return the number line on a linear axis, values written where there is room."""
    low, high = _ends(fmt)
    span = WIDTH - 2 * LEFT
    grid = np.linspace(low, high, int(span / STEP) + 1)
    places = LEFT + STEP * _occupied(fmt, grid)

    def x(value: float) -> float:
        return LEFT + span * (value - low) / (high - low)

    wanted = [low, high, 0.0]
    if fmt.bits <= LABELLED_BITS:
        wanted += sorted(fmt.values().tolist(), key=abs, reverse=True)
    return tag(
        "svg",
        tag("path", d=f"M{LEFT} 24H{WIDTH - LEFT}", class_="axis"),
        tag("path", d=_ticks(places, STEP, 6, 36), class_="tick"),
        tag("path", d=f"M{x(0):.5g} 2v44", class_="zero"),
        *_labels(wanted, x, 60),
        **_figure(68, f"Values of {fmt.name} from {low:.6g} to {high:.6g} on a linear axis"),
    )


def log_line(fmt: Format) -> Markup:
    """Return the positive values on a logarithmic axis."""
    low, high, x = _binades(fmt)
    grid = np.exp2(np.linspace(low, high, int((WIDTH - LEFT - RIGHT) / STEP) + 1))
    places = LEFT + STEP * _occupied(fmt, grid)
    return tag(
        "svg",
        tag("path", d=f"M{LEFT} 24H{WIDTH - RIGHT}", class_="axis"),
        tag("path", d=_ticks(places, STEP, 6, 36), class_="tick"),
        *_exponents(low, high, x, 46),
        **_figure(70, f"Positive values of {fmt.name} on a logarithmic axis"),
    )


def error_chart(fmt: Format) -> Markup:
    """Return the relative error of rounding over magnitude.

    The line is the largest error in each of many narrow bins; steps are the root mean square of a
    binade.
    """
    height, top = 250, 12
    low, high, x = _binades(fmt)
    found = errors(fmt, fmt.smallest, fmt.max)
    floor = min(math.floor(math.log10(found.rms.min() / 2)), -1)
    ceiling = max(math.ceil(math.log10(found.relative.max())), 0)

    def y(error: float) -> float:
        return top + (height - top) * (ceiling - math.log10(error)) / (ceiling - floor)

    share = min(SAMPLES, 2 ** max(0, math.ceil(math.log2(SAMPLES * (high - low) / BINS))))
    largest = found.relative.reshape(-1, share).max(axis=1).clip(10.0**floor)
    middles = np.log2(found.numbers).reshape(-1, share).mean(axis=1)
    return tag(
        "svg",
        *_levels(floor, ceiling, y),
        tag("path", d=_path([(x(a), y(b)) for a, b in zip(middles, largest, strict=True)]),
            class_="curve"),
        tag("path", d=_stairs(found.exponents, found.rms.clip(10.0**floor), x, y), class_="rms"),
        *_exponents(low, high, x, height),
        **_figure(height + 26, f"Relative rounding error of {fmt.name} over magnitude"),
    )  # fmt: skip


def share_bar(share: float) -> Markup:
    """Return a bar for a share of 0 to 1."""
    return tag(
        "svg",
        tag("rect", width=100, height=8, rx=2, class_="track"),
        tag("rect", width=f"{100 * share:.3g}", height=8, rx=2, class_="bar"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        class_="share",
        aria_hidden="true",
    )


def complex_plane(values: Sequence[complex]) -> Markup:
    """Return complex values as points of the plane."""
    size, unit = 180, 60
    points = [
        tag("circle", cx=f"{size / 2 + unit * v.real:g}", cy=f"{size / 2 - unit * v.imag:g}", r=5)
        for v in values
    ]
    return tag(
        "svg",
        tag("path", d=f"M0 {size / 2:g}H{size}M{size / 2:g} 0V{size}", class_="axis"),
        *points,
        viewBox=f"0 0 {size} {size}",
        class_="plane",
        role="img",
        aria_label="The values in the complex plane",
    )


def _figure(height: int, label: str) -> dict[str, str]:
    return {
        "viewBox": f"0 0 {WIDTH} {height}",
        "class_": "figure",
        "role": "img",
        "aria_label": label,
    }


def _ends(fmt: Format) -> tuple[float, float]:
    """Return the ends of a linear axis, with 0 between or at them."""
    return min(fmt.min, 0.0), max(fmt.max, 0.0)


def _binades(fmt: Format) -> tuple[int, int, Callable[[float], float]]:
    """Return the powers of two where a logarithmic axis begins and ends, and places on it."""
    found = errors(fmt, fmt.smallest, fmt.max).exponents
    low, high = int(found[0]), int(found[-1])
    scale = (WIDTH - LEFT - RIGHT) / (high - low)
    return low, high, lambda exponent: LEFT + scale * (exponent - low)


def _occupied(fmt: Format, grid: Float64) -> Float64:
    """Return the places of a grid, ascending, that a value of the format is nearest to."""
    values = fmt.quantize(grid.clip(fmt.min, fmt.max))
    above = np.searchsorted(grid, values).clip(1, len(grid) - 1)
    nearer = np.abs(grid[above - 1] - values) <= np.abs(grid[above] - values)
    inside = (values >= grid[0]) & (values <= grid[-1])
    return np.unique((above - nearer)[inside]).astype(float)


def _ticks(places: Float64, step: float, top: float, height: float) -> str:
    """Return a tick at each place; those that would touch are one bar."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > step) + 1)
    return "".join(
        f"M{run[0]:g} {top:g}v{height:g}h{run[-1] - run[0]:g}v{-height:g}z"
        if len(run) > 1
        else f"M{run[0]:g} {top:g}v{height:g}"
        for run in runs
    )


def _labels(values: Sequence[float], x: Callable[[float], float], y: int) -> list[Markup]:
    """Return the values that have room, the first ones first."""
    taken: list[tuple[float, float]] = []
    found = []
    for value in dict.fromkeys(values):
        text = f"{value:.4g}".replace("-", "−")
        half = CHARACTER * len(text) / 2 + 3
        left, right = x(value) - half, x(value) + half
        if all(right <= a or left >= b for a, b in taken):
            taken.append((left, right))
            found.append(_text(text, x(value), y, "middle"))
    return found


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    return tag("text", text, x=f"{x:.5g}", y=f"{y:.5g}", text_anchor=anchor)


def _exponents(low: int, high: int, x: Callable[[float], float], y: int) -> list[Markup]:
    """Return an axis of powers of two at ``y``."""
    step = next(s for s in (1, 2, 4, 8, 16, 32, 64, 128, 256) if (high - low) / s <= TICKS)
    shown = [k for k in range(low, high + 1) if k % step == 0]
    return [
        tag("path", d=f"M{x(low):.5g} {y}H{x(high):.5g}", class_="axis"),
        tag("path", d="".join(f"M{x(k):.5g} {y}v4" for k in shown), class_="axis"),
        *[_text(raised(2, k), x(k), y + 18, "middle") for k in shown],
    ]


def _levels(floor: int, ceiling: int, y: Callable[[float], float]) -> list[Markup]:
    """Return the lines of powers of ten with their labels."""
    step = math.ceil((ceiling - floor) / 6)
    found = []
    for power in range(ceiling, floor - 1, -step):
        at = y(10.0**power)
        label = "1" if power == 0 else raised(10, power)
        found += [
            tag("path", d=f"M{LEFT} {at:.5g}H{WIDTH - RIGHT}", class_="grid"),
            _text(label, LEFT - 8, at + 4, "end"),
        ]
    return found


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _stairs(
    edges: Float64, levels: Float64, x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    steps = "".join(
        f"V{y(level):.1f}H{x(end):.1f}" for level, end in zip(levels, edges[1:], strict=True)
    )
    return f"M{x(edges[0]):.1f} {y(levels[0]):.1f}{steps}"
