"""A chart of loss over cost: the best formats for every budget, and what was measured.

The line is predicted; marks are measured, filled for mixed formats and hollow for one format in all
matrices, with a thin line down or up to what was predicted of them.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from hwsim import drawing
from hwsim.networks.allocation import Allocation

_BLUE, _ORANGE = "#0072B2", "#D55E00"
_DPI = 200
_SETTINGS: dict[str, str | float | bool] = {
    "font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6,
}  # fmt: skip
#: Decades below the largest loss that are shown at most.
_DECADES = 6


def write(
    path: Path,
    title: str,
    axis: str,
    curve: Sequence[Allocation],
    measured: Sequence[tuple[str, Allocation, float]],
) -> None:
    """Write the chart as PNG or SVG.

    Parameters
    ----------
    title, axis
        Heading, and the label of costs.
    curve
        The best formats for some budgets, by rising cost.
    measured
        A label, formats, and the KL divergence that was measured with them; the first is mixed.

    Raises
    ------
    InputError
        For another kind of file, or one that cannot be written.
    """
    with drawing.style(_SETTINGS):
        drawing.save(draw(title, axis, curve, measured), path, _DPI)


def draw(
    title: str,
    axis: str,
    curve: Sequence[Allocation],
    measured: Sequence[tuple[str, Allocation, float]],
) -> Figure:
    """Return the figure."""
    figure = Figure(figsize=(5.2, 3.6), dpi=_DPI)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.05))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(
        [one.cost for one in curve], [one.loss for one in curve], "-o", color=_BLUE, linewidth=1,
        markersize=2, label="mixed formats, predicted",
    )  # fmt: skip
    for number, (label, one, loss) in enumerate(measured):
        colour, face = (_BLUE, _BLUE) if number == 0 else (_ORANGE, "white")
        axes.plot([one.cost] * 2, [one.loss, loss], "-", color=colour, linewidth=0.5)
        kind = {0: "mixed formats, measured", 1: "one format, measured"}.get(number)
        axes.plot(
            [one.cost], [loss], "s", color=colour, markerfacecolor=face, markersize=5, label=kind
        )
        axes.annotate(
            drawing.printable(label), (one.cost, loss), xytext=(4, 4), textcoords="offset points",
            fontsize=6, color=colour,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    most = max(loss for _, _, loss in measured)
    axes.set_ylim(bottom=max(axes.get_ylim()[0], most * 10.0**-_DECADES))
    axes.set_xlabel(drawing.printable(axis))
    axes.set_ylabel("KL divergence to float32, nats a token")
    axes.set_title(drawing.printable(title), fontsize=8, fontweight="bold", loc="left")
    axes.grid(alpha=0.25, linewidth=0.4)
    axes.legend(frameon=False, fontsize=6.5)
    return figure
