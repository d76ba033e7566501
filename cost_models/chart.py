"""Estimate against synthesis as a chart, from what technology files hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from cost_models.technology import Technology

#: Label and colour of units that were fitted to, and of those held out.
_SETS = {False: ("fitted to", "#a0a0a0"), True: ("held out", "#c02020")}

#: Titles by figure of a unit.
_TITLES = {
    "area_um2": "area, um^2",
    "delay_ns": "delay, ns",
    "settled_pj": "settled energy, pJ/cycle",
    "energy_pj": "energy with glitches, pJ/cycle",
}


def write(technologies: Sequence[Technology], path: Path) -> None:
    """Write scatter plots of all units to a PNG: a row a technology, a column a figure."""
    size = (2.9 * len(_TITLES), 2.5 * len(technologies))
    figure = Figure(figsize=size, dpi=72, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(technologies), len(_TITLES), squeeze=False)
    for technology, row in zip(technologies, grid, strict=True):
        for (field, title), axes in zip(_TITLES.items(), row, strict=True):
            axes.set_title(f"{technology.name}: {title}", fontsize=8, parse_math=False)
            _draw(axes, technology.units, field)
    grid[0, 0].legend(fontsize=7)
    figure.supxlabel("synthesis", fontsize=8)
    figure.supylabel("estimate", fontsize=8)
    # Without the version of the library that drew it.
    figure.savefig(
        path, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 9}
    )


def _draw(axes: Axes, rows: Sequence[dict[str, Any]], field: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for held_out, (label, colour) in _SETS.items():
        chosen = [row for row in rows if row["held_out"] == held_out]
        axes.plot(
            [row["synthesis"][field] for row in chosen],
            [row["estimate"][field] for row in chosen],
            ".",
            markersize=4,
            color=colour,
            label=label,
        )
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color="black", linewidth=0.6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(labelsize=7)
