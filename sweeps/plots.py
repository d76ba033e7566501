"""The Pareto chart of a sweep: one figure a technology, one panel a cost, made for a paper.

The panels share the vertical axis, the sweep's last objective; each has one of the other
objectives on its horizontal axis. Strong marks are Pareto-optimal in all objectives together,
faint ones are dominated. The line is the front of the panel's own two objectives, and its points
are labelled. Families differ in colour and in marker; the colours are those of Okabe and Ito
(2008), which stay apart for colour-blind readers. An SVG of the same results is the same bytes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from matplotlib.transforms import Bbox

from hwsim.units import FAMILIES
from sweeps.metrics import METRICS, Metric
from sweeps.spec import Sweep
from sweeps.store import versions
from sweeps.table import Row, front

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>"
STYLE = {
    family: (OKABE_ITO[i % len(OKABE_ITO)], MARKERS[i % len(MARKERS)])
    for i, family in enumerate(FAMILIES)
}

#: Inches; the width of a two-column page.
PANEL_WIDTH, HEIGHT = 3.7, 4.6
DPI = 200
LABEL_SIZE = 6.0

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "svg.hashsalt": "hwsim",
    "svg.fonttype": "path",
}


def write(sweep: Sweep, table: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``pareto_<technology>.png`` and ``.svg`` into ``folder`` and return their paths.

    ``table`` holds rows of :func:`sweeps.table.rows`; a technology without rows gets no figure.
    """
    paths = []
    for technology in sweep.technologies:
        chosen = [row for row in table if row["technology"] == technology and row["feasible"]]
        if not chosen:
            continue
        with matplotlib.rc_context(_RC):
            figure = draw(sweep, chosen, technology)
            for suffix in (".png", ".svg"):
                path = folder / f"pareto_{technology}{suffix}"
                metadata = {"Date": None} if suffix == ".svg" else None
                figure.savefig(path, dpi=DPI, metadata=metadata)
                paths.append(path)
    return paths


def draw(sweep: Sweep, table: Sequence[Row], technology: str) -> Figure:
    """Return the figure of the rows of one technology."""
    *horizontal, vertical = sweep.objectives
    figure = Figure(figsize=(PANEL_WIDTH * len(horizontal), HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(horizontal), sharey=True, squeeze=False)[0]
    fronts = [
        _draw_panel(panel, table, name, vertical)
        for panel, name in zip(panels, horizontal, strict=True)
    ]
    panels[0].set_ylabel(METRICS[vertical].label)
    figure.suptitle(_title(sweep, technology), fontsize=9, x=0.01, ha="left", fontweight="bold")
    figure.legend(handles=_legend(table), loc="outside lower left", ncols=7, frameon=False,
                  fontsize=7, handletextpad=0.3, columnspacing=1.2)  # fmt: skip
    figure.supxlabel(_small_print(sweep, table), fontsize=5.5, x=0.01, ha="left", color="0.35")
    figure.draw_without_rendering()
    # From here on the layout stands, so that the labels stay where they are put.
    figure.set_layout_engine("none")
    for panel, points in zip(panels, fronts, strict=True):
        _Labels(panel, table).place(points)
    return figure


def _draw_panel(panel: Axes, table: Sequence[Row], name: str, vertical: str) -> list["_Spot"]:
    """Draw everything but the labels; return the points of the front, left to right."""
    x, y = METRICS[name], METRICS[vertical]
    _scale_axis(panel.xaxis, panel.set_xscale, x)
    _scale_axis(panel.yaxis, panel.set_yscale, y)
    panel.margins(x=0.1, y=0.08)
    panel.set_xlabel(x.label)
    panel.grid(which="major", color="0.92", linewidth=0.5)
    panel.set_axisbelow(True)
    for optimal in (False, True):
        for family, (colour, marker) in STYLE.items():
            rows = [r for r in table if r["family"] == family and r["pareto"] is optimal]
            panel.plot(
                [row[x.column] for row in rows],
                [row[y.column] for row in rows],
                linestyle="none",
                marker=marker,
                color=colour,
                markersize=4.5 if optimal else 3.5,
                markeredgecolor="white" if optimal else colour,
                markeredgewidth=0.4 if optimal else 0,
                alpha=1.0 if optimal else 0.22,
                zorder=3 if optimal else 2,
            )
    flags = front(table, (name, vertical))
    spots = sorted(
        _Spot(row[x.column], row[y.column], _label(row), row["family"])
        for row, flag in zip(table, flags, strict=True)
        if flag
    )
    panel.plot(
        [spot.x for spot in spots],
        [spot.y for spot in spots],
        drawstyle="steps-post",
        color="0.25",
        linewidth=0.9,
        zorder=2.5,
    )
    return spots


def _scale_axis(axis: Any, set_scale: Any, metric: Metric) -> None:
    if not metric.log:
        return
    set_scale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    formatter = ScalarFormatter()
    formatter.set_scientific(False)
    axis.set_major_formatter(formatter)
    axis.set_minor_formatter(NullFormatter())
