"""A format drawn: where its values lie, and how large its rounding error is at each magnitude."""

import textwrap
from pathlib import Path

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
    low = int(np.floor(np.log2(values[0]))) - MARGIN
    high = int(np.ceil(np.log2(values[-1]))) + MARGIN
    # The middle of each step, so that powers of two themselves are not the sample.
    exponents = low + (np.arange((high - low) * SAMPLES) + 0.5) / SAMPLES
    x = np.exp2(exponents)
    relative = np.abs(fmt.quantize(x) - x) / x
    axes.plot(x, relative, color=BLUE, linewidth=0.6, label="error of each number")
    rms = np.sqrt(np.square(relative).reshape(-1, SAMPLES).mean(axis=1))
    binades = np.exp2(np.arange(low, high + 1))
    axes.stairs(rms, binades, color=ORANGE, label="root mean square a binade", zorder=3)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(rms.min() / 30, 2)
    axes.set_xlabel("magnitude")
    axes.set_ylabel("relative rounding error")
    axes.grid(color="0.92")
    axes.legend(fontsize=7, loc="lower center", ncols=2)
