"""The Pareto chart of a sweep: one figure a technology, one panel a cost, made for a paper.

The panels share the vertical axis, the sweep's last objective; each has one of the other
objectives on its horizontal axis. Strong marks are Pareto-optimal in all objectives together,
faint ones are dominated. The line is the front of the panel's own two objectives, and its points
are labelled. Families differ in colour and in marker; the colours are those of Okabe and Ito
(2008), which stay apart for colour-blind readers. An SVG of the same results is the same bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
from numpy.typing import NDArray

from hwsim.units import FAMILIES
from sweeps.metrics import METRICS, Metric
from sweeps.spec import Sweep
from sweeps.store import versions
from sweeps.table import Row, front

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>"
#: After each round of colours the markers move by one, so that every family has its own pair.
STYLE = {
    family: (OKABE_ITO[i % len(OKABE_ITO)], MARKERS[(i + i // len(OKABE_ITO)) % len(MARKERS)])
    for i, family in enumerate(FAMILIES)
}

#: Inches. Two panels fill the width of a two-column page.
PANEL_WIDTH, HEIGHT = 3.35, 4.4
LEFT, TOP, BOTTOM = 0.55, 0.52, 0.78
DPI = 200
#: Part of a panel's width that is added for labels.
LABEL_ROOM = 0.2
LABEL_SIZE = 6.0


def write(sweep: Sweep, table: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``pareto_<technology>.png`` and ``.svg`` into ``folder`` and return their paths.

    ``table`` holds rows of :func:`sweeps.table.rows`; a technology without rows gets no figure.
    Infeasible points are left out, unless there are no others.
    """
    paths = []
    for technology in sweep.technologies:
        rows = [row for row in table if row["technology"] == technology]
        chosen = [row for row in rows if row["feasible"]] or rows
        if not chosen:
            continue
        with matplotlib.rc_context(
            {
                "font.family": "DejaVu Sans",
                "font.size": 8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.linewidth": 0.6,
                "svg.hashsalt": "hwsim",
            }
        ):
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
    width = LEFT + PANEL_WIDTH * len(horizontal)
    figure = Figure(figsize=(width, HEIGHT))
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(horizontal), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        left=LEFT / width, right=1 - 0.12 / width, bottom=BOTTOM / HEIGHT, top=1 - TOP / HEIGHT,
        wspace=0.1,
    )  # fmt: skip
    fronts = [
        _draw_panel(panel, table, name, vertical)
        for panel, name in zip(panels, horizontal, strict=True)
    ]
    panels[0].set_ylabel(METRICS[vertical].label)
    edge = 0.12 / width
    figure.text(edge, 1 - 0.2 / HEIGHT, _title(sweep, technology), fontsize=9, fontweight="bold")
    figure.legend(
        handles=_legend(table), loc="center left", bbox_to_anchor=(edge, 1 - 0.38 / HEIGHT),
        ncols=8, frameon=False, fontsize=7.5, borderpad=0, borderaxespad=0, handletextpad=0.3,
        columnspacing=1.4,
    )  # fmt: skip
    figure.text(edge, 0.08 / HEIGHT, _small_print(sweep, table), fontsize=5.5, color="0.35",
                linespacing=1.4)  # fmt: skip
    figure.draw_without_rendering()
    for panel, points in zip(panels, fronts, strict=True):
        if points:
            _Labels(panel).place(points)
    return figure


def _draw_panel(panel: Axes, table: Sequence[Row], name: str, vertical: str) -> list["_Spot"]:
    """Draw everything but the labels; return the points of the front, left to right."""
    x, y = METRICS[name], METRICS[vertical]
    _scale_axis(panel.xaxis, panel.set_xscale, x)
    _scale_axis(panel.yaxis, panel.set_yscale, y)
    panel.margins(x=0.06, y=0.08)
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
    feasible = [row for row in table if row["feasible"]]
    flags = front(feasible, (name, vertical))
    spots = sorted(
        _Spot(row[x.column], row[y.column], _label(row), row["family"])
        for row, flag in zip(feasible, flags, strict=True)
        if flag
    )
    panel.plot(
        [spot.x for spot in spots],
        [spot.y for spot in spots],
        drawstyle="steps-pre" if x.maximise else "steps-post",
        color="0.25",
        linewidth=0.9,
        zorder=2.5,
    )
    _make_room(panel)
    return spots


def _make_room(panel: Axes) -> None:
    """Widen the panel to the left, where the front leaves room for its labels."""
    panel.autoscale_view()
    data_to_axes = panel.transScale + panel.transLimits
    left, _ = data_to_axes.inverted().transform((-LABEL_ROOM, 0))
    panel.set_xlim(left=left)


def _scale_axis(axis: Any, set_scale: Any, metric: Metric) -> None:
    if not metric.log:
        return
    set_scale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    formatter = ScalarFormatter()
    formatter.set_scientific(False)
    axis.set_major_formatter(formatter)
    axis.set_minor_formatter(NullFormatter())


def _label(row: Row) -> str:
    return f"{row['weight']} × {row['activation']} · {row['lanes']}"


def _title(sweep: Sweep, technology: str) -> str:
    parts = [sweep.name, technology, sweep.method]
    if sweep.tensors:
        parts.append(f"tensors of {sweep.tensors.source.label}")
    return " · ".join(parts)


def _legend(table: Sequence[Row]) -> list[Line2D]:
    families = {row["family"] for row in table}
    marks = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, markersize=4.5, label=family)
        for family, (colour, marker) in STYLE.items()
        if family in families
    ]
    line = Line2D([], [], color="0.25", linewidth=0.9, label="Pareto front of the panel")
    label = "dominated" if table[0]["feasible"] else "infeasible"
    faint = Line2D([], [], linestyle="none", marker="o", color="0.4", alpha=0.3, markersize=3.5,
                   label=label)  # fmt: skip
    return [*marks, faint, line]


def _small_print(sweep: Sweep, table: Sequence[Row]) -> str:
    optimal = sum(row["pareto"] for row in table)
    none = "" if table[0]["feasible"] else "No point keeps the constraints. "
    first = (
        f"{none}Labels: weight × activation · lanes. {len(table)} points, {optimal} of them "
        "Pareto-optimal in all objectives together (strong marks)."
    )
    second = ", ".join(f"{tool} {number}" for tool, number in versions().items())
    if sweep.tensors:
        groups = f"Weights in groups of {sweep.tensors.group}, activations with one scale a token"
        second = f"{groups}; {second}"
    return f"{first}\n{second}"


@dataclass(frozen=True, order=True)
class _Spot:
    """A point of a panel's front."""

    x: float
    y: float
    label: str
    family: str


class _Labels:
    """Puts labels beside points where nothing else is: the nearest free place, or none.

    Works in pixels. Taken are the marks, the front's line and the labels placed before.
    """

    #: Distances from the point in typographic points, and directions in degrees: first to where a
    #: front of low cost and high quality leaves the panel empty.
    RADII = (4, 8, 13, 19, 26, 34, 44, 56)
    ANGLES = (180, 135, 150, 120, 90, 60, 30, 0, -30, -60, -90, -120, -150)
    #: Beyond this distance, or where another mark is nearer, a thin line leads to the point.
    LEADER = 7

    def __init__(self, panel: Axes) -> None:
        self.panel = panel
        self.pixels = panel.figure.dpi / 72
        self.taken = [box for line in panel.lines for box in self._boxes(line)]
        self.marks: NDArray[np.float64] = np.empty((0, 2))
        self.omitted = 0

    def place(self, spots: Sequence[_Spot]) -> None:
        """Label every spot that has room, and say in the panel how many have none."""
        self.marks = self.panel.transData.transform([(spot.x, spot.y) for spot in spots])
        for spot in sorted(spots, key=lambda spot: -spot.y):
            if not self._place(spot):
                self.omitted += 1
        if self.omitted:
            self.panel.text(
                0.99, 0.01, f"{self.omitted} labels left out", transform=self.panel.transAxes,
                ha="right", va="bottom", fontsize=LABEL_SIZE, color="0.4",
            )  # fmt: skip

    def _place(self, spot: _Spot) -> bool:
        x, y = self.panel.transData.transform((spot.x, spot.y))
        width, height = self._size(spot.label)
        for dx, dy in self._offsets(width, height):
            box = Bbox.from_bounds(x + dx - width / 2, y + dy - height / 2, width, height)
            if self._is_free(box):
                self.taken.append(box)
                own = _distance(box, x, y)
                nearest = min(_distance(box, *mark) for mark in self.marks)
                far = own > self.LEADER * self.pixels or nearest < 0.8 * own
                self._write(spot, dx / self.pixels, dy / self.pixels, far)
                return True
        return False

    def _offsets(self, width: float, height: float) -> Iterator[tuple[float, float]]:
        """Offsets of the label's centre: its edge is at the radius in the given direction."""
        for radius in self.RADII:
            for angle in np.radians(self.ANGLES):
                cosine, sine = np.cos(angle), np.sin(angle)
                reach = radius * self.pixels
                yield (
                    cosine * reach + np.sign(round(cosine, 3)) * width / 2,
                    sine * (reach + height / 2),
                )

    def _is_free(self, box: Bbox) -> bool:
        frame = self.panel.get_window_extent()
        inside = (
            frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 <= box.y1 <= frame.y1
        )
        return inside and not box.count_overlaps(self.taken)

    def _write(self, spot: _Spot, dx: float, dy: float, far: bool) -> None:
        self.panel.annotate(
            spot.label,
            (spot.x, spot.y),
            xytext=(dx, dy),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=LABEL_SIZE,
            color=STYLE[spot.family][0],
            zorder=4,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "0.5", "shrinkA": 0,
                        "shrinkB": 2, "relpos": (0.5, 0.5)} if far else None,
        )  # fmt: skip

    def _size(self, label: str) -> tuple[float, float]:
        text = self.panel.text(0, 0, label, fontsize=LABEL_SIZE)
        extent = text.get_window_extent()
        text.remove()
        return extent.width + 2 * self.pixels, extent.height + self.pixels

    def _boxes(self, line: Line2D) -> list[Bbox]:
        """What a line occupies: boxes around its marks, or around the segments of a step line."""
        points = self.panel.transData.transform(line.get_xydata())
        if line.get_linestyle() == "None":
            strong = (line.get_alpha() or 1.0) == 1.0
            size = line.get_markersize() * self.pixels / 2
            return [Bbox.from_extents(*(p - size), *(p + size)) for p in points if strong]
        corner = [
            (b[0], a[1]) if line.get_drawstyle() == "steps-post" else (a[0], b[1])
            for a, b in pairwise(points)
        ]
        path = [p for pair in zip(points, [*corner, points[-1]], strict=True) for p in pair]
        return [Bbox([np.minimum(a, b) - 1, np.maximum(a, b) + 1]) for a, b in pairwise(path)]


def _distance(box: Bbox, x: float, y: float) -> float:
    """The distance of a point from a box."""
    return float(np.hypot(max(box.x0 - x, x - box.x1, 0), max(box.y0 - y, y - box.y1, 0)))
