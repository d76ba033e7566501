"""A format drawn: where its values lie, and how large its rounding error is at each magnitude."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hwsim.errors import InputError
from hwsim.formats.base import Format

#: Numbers a factor of two at which the error is sampled.
SAMPLES = 256
#: Binades shown beyond the ends of the range.
MARGIN = 2
#: Files that a chart can be written to.
SUFFIXES = (".png", ".svg", ".pdf")
#: Formats of more bits have too many values for a chart.
MAX_BITS = 16
BLUE, ORANGE = "#0072B2", "#D55E00"


def write(fmt: Format, path: Path) -> None:
    """Draw the number line and the error over magnitude of ``fmt``, as the file's suffix says.

    The upper panel marks every positive value on a logarithmic axis. The lower one shows the
    relative error of rounding to nearest even, with saturation, for positive numbers: the largest
    in each of many narrow bins, and its root mean square over a factor of two.

    Raises
    ------
    InputError
        For formats of more than 16 bits or without positive values, for another suffix than those
        of :data:`SUFFIXES`, and if ``path`` exists or cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: charts are written as {', '.join(SUFFIXES)}")
    if fmt.bits > MAX_BITS:
        raise InputError(f"{fmt.name} has {fmt.bits} bits; charts are drawn up to {MAX_BITS}")
    if path.exists():
        raise InputError(f"{path} exists; choose another file")
    values = fmt.values()
    values = values[values > 0]
    if not values.size:
        raise InputError(f"{fmt.name} has no positive values to draw")
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    line, error = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    _draw_values(line, values)
    _draw_error(error, fmt, values)
    figure.suptitle(
        f"{fmt.name}: {fmt.bits} bits, {values.size} positive values, "
        f"{values[0]:.4g} to {values[-1]:.6g}",
        fontsize=10,
    )
    # Without the date, equal formats give equal files.
    metadata = {"Date": None} if path.suffix == ".svg" else None
    metadata = {"CreationDate": None} if path.suffix == ".pdf" else metadata
    try:
        figure.savefig(path, format=path.suffix[1:], dpi=200, metadata=metadata)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from None


def _draw_values(axes: Axes, values: np.ndarray) -> None:
    axes.vlines(values, 0, 1, color=BLUE, linewidth=0.7)
    axes.set_yticks([])
    axes.set_ylabel("values")
    axes.spines[["left", "right", "top"]].set_visible(False)


def _draw_error(axes: Axes, fmt: Format, values: np.ndarray) -> None:
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
