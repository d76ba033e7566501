"""A format drawn: where its values lie, and how large its rounding error is at each magnitude."""

import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hwsim import drawing
from hwsim.errors import InputError
from hwsim.formats.base import Float64, Format

#: Numbers a factor of two at which the error is sampled.
SAMPLES = 256
#: Binades shown beyond the ends of the range.
MARGIN = 2
#: Formats of more bits have too many values for a chart.
MAX_BITS = 16
#: Characters of a line of the title.
TITLE_WIDTH = 80
DPI = 200
#: Ticks are powers of two and ten, which matplotlib writes as mathematics.
SETTINGS: dict[str, str | float | bool] = {"text.parse_math": True}
BLUE, ORANGE = "#0072B2", "#D55E00"


class Errors(NamedTuple):
    """Relative errors of rounding positive numbers to nearest even, with saturation.

    Attributes
    ----------
    numbers, relative
        ``SAMPLES`` numbers a factor of two, ascending, and the error of each over its size.
    exponents
        Powers of two where binades begin and end, one more than there are binades.
    rms
        Root mean square of the errors of each binade.
    """

    numbers: Float64
    relative: Float64
    exponents: Float64
    rms: Float64


def errors(fmt: Format, smallest: float, largest: float) -> Errors:
    """Return the errors of ``fmt`` from ``MARGIN`` binades below one magnitude to as many above."""
    low = int(np.floor(np.log2(smallest))) - MARGIN
    high = int(np.ceil(np.log2(largest))) + MARGIN
    # The middle of each step, so that powers of two themselves are not the sample.
    numbers = np.exp2(low + (np.arange((high - low) * SAMPLES) + 0.5) / SAMPLES)
    relative = np.abs(fmt.quantize(numbers) - numbers) / numbers
    rms = np.sqrt(np.square(relative).reshape(-1, SAMPLES).mean(axis=1))
    return Errors(numbers, relative, np.arange(low, high + 1.0), rms)


def write(fmt: Format, path: Path) -> None:
    """Draw ``fmt`` as :func:`draw` does into a PNG, SVG or PDF.

    Raises
    ------
    InputError
        As :func:`draw` does, or if ``path`` exists or ends in none of ``drawing.SUFFIXES``.
    """
    drawing.check_suffix(path)
    figure = draw(fmt)
    if path.exists():
        raise InputError(f"{path} exists; choose another file")
    with drawing.style(SETTINGS):
        drawing.save(figure, path, DPI)


def draw(fmt: Format) -> Figure:
    """Draw the number line and the error over magnitude of ``fmt``.

    The upper panel marks every positive value on a logarithmic axis. The lower one shows the
    relative error of rounding to nearest even, with saturation, for positive numbers: the largest
    in each of many narrow bins, and its root mean square over a factor of two.

    Raises
    ------
    InputError
        For what is no scalar format, formats of more than 16 bits, and ones without positive
        values.
    """
    if not isinstance(fmt, Format):
        raise InputError(f"charts are drawn of scalar formats, not {fmt!r}")
    if fmt.bits > MAX_BITS:
        raise InputError(f"{fmt.name} has {fmt.bits} bits; charts are drawn up to {MAX_BITS}")
    values = fmt.values()
    values = values[values > 0]
    if not values.size:
        raise InputError(f"{fmt.name} has no positive values to draw")
    with drawing.style(SETTINGS):
        return _draw(fmt, values)


def _draw(fmt: Format, values: Float64) -> Figure:
    title = (
        f"{fmt.name}: {fmt.bits} bits, {values.size} positive values, "
        f"{values[0]:.4g} to {values[-1]:.6g}"
    )
    lines = textwrap.wrap(title, TITLE_WIDTH, break_on_hyphens=False)
    figure = Figure(figsize=(7, 3.4 + 0.2 * len(lines)), layout="constrained")
    FigureCanvasAgg(figure)
    line, error = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    _draw_values(line, values)
    _draw_error(error, fmt, values)
    figure.suptitle("\n".join(lines), fontsize=10, parse_math=False)
    return figure


def _draw_values(axes: Axes, values: Float64) -> None:
    axes.vlines(values, 0, 1, color=BLUE, linewidth=0.7)
    axes.set_yticks([])
    axes.set_ylabel("values")
    axes.spines[["left", "right", "top"]].set_visible(False)


def _draw_error(axes: Axes, fmt: Format, values: Float64) -> None:
    found = errors(fmt, values[0], values[-1])
    axes.plot(
        found.numbers, found.relative, color=BLUE, linewidth=0.6, label="error of each number"
    )
    axes.stairs(
        found.rms,
        np.exp2(found.exponents),
        color=ORANGE,
        label="root mean square a binade",
        zorder=3,
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(found.rms.min() / 30, 2)
    axes.set_xlabel("magnitude")
    axes.set_ylabel("relative rounding error")
    axes.grid(color="0.92")
    axes.legend(fontsize=7, loc="lower center", ncols=2)
