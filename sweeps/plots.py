"""The Pareto chart of a sweep: one figure a technology and clock, one panel a cost, for a paper.
Accelerators have one a model, with a row of panels for each of its workloads.

The panels share the vertical axis, the sweep's last objective; each has one of the other
objectives on its horizontal axis. Strong marks are Pareto-optimal in all objectives together, faint
ones in rings are behind these by no more than errors may be, other faint ones are dominated, grey
outlines break a constraint. Dots are interpolated, as nothing on a front is. The line is the front
of the panel's own two objectives, and its points are labelled; the shade behind it is as far as
errors like theirs reach. Families differ in colour and in marker; the colours are those of Okabe
and Ito (2008), which stay apart for colour-blind readers. An SVG or PDF of the same results is the
same bytes.

Two panels fill the width of a page, and more begin another row. Title, legend and small print are
broken to that width, and the figure is as high as they need.
"""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from cost_models.bands import RATIO_LEVEL
from hwsim import drawing
from hwsim.tables import counted
from hwsim.units import FAMILIES
from sweeps.labels import DAGGER, LABEL_SIZE, Placement, Points, Spot, texts, told_apart
from sweeps.metrics import METRICS, OF_FORMATS
from sweeps.pareto import pareto
from sweeps.scales import Scale, scale
from sweeps.spec import Constraint, Sweep
from sweeps.store import versions
from sweeps.table import Row, errors_of, front, is_of
from sweeps.targets import Target

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^DPXv"
#: Sizes that make markers look equally large.
RELATIVE_SIZE = {"P": 1.3, "X": 1.3, "^": 1.1, "v": 1.1}

#: Inches. Two panels fill the width of a two-column page. Heights include what is written along the
#: axes; in more than two rows panels are lower, so that five fit on a page.
PANEL_WIDTH, PANEL_HEIGHT, LOW_HEIGHT = 3.35, 3.55, 2.75
WIDTH, EDGE = 0.55 + 2 * PANEL_WIDTH, 0.12
#: Panels in a row.
COLUMNS = 2
DPI = 200
#: Part of a panel's width that is added for labels.
LABEL_ROOM = 0.28
#: Most points of a chart that labels those behind the fronts, too, where there is room.
FEW = 64
#: The state of points that errors cannot tell from Pareto-optimal ones.
WITHIN_BAND = "within band"
#: The state of points that are interpolated, in front of those that break a constraint.
INTERPOLATED = "interpolated"
#: All states, in the order in which they are drawn.
STATES = (
    f"{INTERPOLATED}, infeasible", "infeasible", INTERPOLATED, "dominated", WITHIN_BAND, "optimal",
)  # fmt: skip
#: Sizes of strong and of other marks, in typographic points.
STRONG, FAINT, DOT = 4.5, 3.5, 1.2
#: Size of the ring around a mark that errors cannot tell from the front's, and its line's width.
RING, RING_WIDTH = 7.5, 0.6
#: Shade of what lies within errors behind a front.
SHADE = "0.93"
#: A target and its rows.
_Chosen = tuple[Target, Sequence[Row]]
SETTINGS: dict[str, str | float | bool] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
}


def write(sweep: Sweep, table: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``pareto_<target>`` as PNG, SVG and PDF into ``folder`` and return their paths.

    ``table`` holds rows of :func:`sweeps.table.rows`; a target without rows gets no figure.
    """
    charts: dict[str, list[_Chosen]] = {}
    for target in sweep.targets:
        if chosen := [row for row in table if is_of(row, target)]:
            charts.setdefault(target.stem, []).append((target, chosen))
    paths = []
    for stem, parts in charts.items():
        with drawing.style(SETTINGS):
            figure = _draw(sweep, parts)
            for suffix in drawing.SUFFIXES:
                path = folder / f"pareto_{stem}{suffix}"
                drawing.save(figure, path, DPI)
                paths.append(path)
    return paths


def draw(sweep: Sweep, table: Sequence[Row], target: Target) -> Figure:
    """Return the figure of the rows of one target."""
    with drawing.style(SETTINGS):
        return _draw(sweep, [(target, table)])


def _draw(sweep: Sweep, parts: Sequence[_Chosen]) -> Figure:
    """Return the figure of targets that differ in their workload alone."""
    *horizontal, _ = sweep.objectives
    columns = min(COLUMNS, len(horizontal))
    rows = -(-len(horizontal) // columns) * len(parts)
    height = rows * (PANEL_HEIGHT if rows <= 2 else LOW_HEIGHT)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    FigureCanvasAgg(figure)
    table = [row for _, chosen in parts for row in chosen]
    looks = styles(_kinds(table))
    groups = [_groups(sweep, chosen, looks) for _, chosen in parts]
    has_errors = any(errors_of(table, name).any() for name in sweep.objectives)
    handles = _handles([group for of in groups for group in of], has_errors, looks)
    approximate = any(group.approximate for of in groups for group in of)
    _frame(figure, _title(sweep, parts[0][0]), handles, _small_print(sweep, table, approximate))
    grid = figure.add_gridspec(rows, columns)
    panels: list[list[_Panel]] = []
    for part, of in zip(parts, groups, strict=True):
        places = range(len(panels) * (rows // len(parts)) * columns, rows * columns)
        panels.append(_panels(figure, [grid[divmod(k, columns)] for k in places], sweep, part))
        for panel in panels[-1]:
            panel.draw(of)
    # Labels and notes go where the layout has left room, and do not change it.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    figure.align_ylabels()
    for (_, chosen), of, drawn in zip(parts, groups, panels, strict=True):
        _label(chosen, of, drawn)
    return figure


def _panels(
    figure: Figure, places: Sequence[SubplotSpec], sweep: Sweep, part: _Chosen
) -> "list[_Panel]":
    """Return the panels of a target, empty but for what stands along their axes."""
    target, table = part
    *horizontal, vertical = sweep.objectives
    scales = {name: scale(METRICS[name], [row[name] for row in table]) for name in sweep.objectives}
    panels = []
    for index, name in enumerate(horizontal):
        axes = figure.add_subplot(places[index])
        axes.set_xlabel(_axis_label(name, target))
        panels.append(_Panel(axes, (name, vertical), (scales[name], scales[vertical]), table))
        if index % COLUMNS:
            axes.yaxis.set_tick_params(labelleft=False)
        else:
            axes.set_ylabel(_axis_label(vertical, target))
        if index == 0 and target.workload is not None:
            heading = drawing.printable(target.workload.sizes)
            axes.set_title(heading, loc="left", fontsize=8, fontweight="bold")
    return panels


def _axis_label(name: str, target: Target) -> str:
    """Return the label of an axis, which says what items a workload has."""
    label = METRICS[name].label
    return label if target.workload is None else label.replace("item", target.workload.item)


def _label(table: Sequence[Row], groups: "Sequence[_Group]", panels: "Sequence[_Panel]") -> None:
    """Label the points of a target in all of its panels."""
    daggers = {index for group in groups if group.approximate for index in group.indices}
    labels = texts(table, [index in daggers for index in range(len(table))])
    labels = told_apart(table, labels, {index for panel in panels for index in panel.front})
    for panel in panels:
        panel.label(labels, groups)


@dataclass(frozen=True)
class _Group:
    """Points that look the same: of one kind, in one state, with one sort of arithmetic.

    A kind is a family of units, or an accelerator without its changes.
    """

    kind: str
    state: str
    approximate: bool
    style: tuple[str, str]
    indices: list[int]

    @property
    def colour(self) -> str:
        return self.style[0]

    @property
    def look(self) -> dict[str, Any]:
        return _look(*self.style, self.state, self.approximate)


def styles(kinds: Collection[str] = FAMILIES) -> dict[str, tuple[str, str]]:
    """Return colour and marker of every family, or of other kinds of points.

    After each round of colours the markers move by one, so that of 49 none are alike.
    """
    return {
        kind: (OKABE_ITO[i % len(OKABE_ITO)], MARKERS[(i + i // len(OKABE_ITO)) % len(MARKERS)])
        for i, kind in enumerate(kinds)
    }


def _kind(row: Row) -> str:
    kind: str = row.get("accelerator") or row["family"]
    return kind


def _kinds(table: Sequence[Row]) -> Collection[str]:
    """Return all families, or the accelerators that there are."""
    found = dict.fromkeys(map(_kind, table))
    return found if table and "accelerator" in table[0] else FAMILIES


def _look(colour: str, marker: str, state: str, approximate: bool) -> dict[str, Any]:
    """How marks of a state look; those of approximate arithmetic are open."""
    size = RELATIVE_SIZE.get(marker, 1.0)
    look: dict[str, Any] = {"linestyle": "none", "marker": marker, "color": colour}
    if state == "optimal":
        edge = colour if approximate else "white"
        look |= {"markersize": STRONG * size, "markeredgecolor": edge, "zorder": 3}
        return look | (
            {"markerfacecolor": "white", "markeredgewidth": 0.9}
            if approximate
            else {"markeredgewidth": 0.4}
        )
    if state.startswith(INTERPOLATED):
        # There may be tens of thousands.
        look |= {"marker": ".", "markersize": DOT, "markeredgewidth": 0, "zorder": 1.5}
        look["rasterized"] = True
        return look | ({"alpha": 0.5} if state == INTERPOLATED else {"color": "0.75"})
    look |= {"markersize": FAINT * size, "zorder": 2}
    if state == "infeasible":
        return look | {"color": "0.6", "markerfacecolor": "none", "markeredgewidth": 0.5}
    if approximate:
        return look | {"markerfacecolor": "none", "markeredgewidth": 0.6, "alpha": 0.6}
    return look | {"markeredgewidth": 0, "alpha": 0.4}


def _groups(
    sweep: Sweep, table: Sequence[Row], looks: Mapping[str, tuple[str, str]]
) -> list[_Group]:
    """Return all points of the chart in groups, in the order in which they are drawn."""
    # Nothing is said of arithmetic where no axis leaves it out.
    left_out = not OF_FORMATS.isdisjoint(sweep.objectives)
    indices: dict[tuple[str, str, bool], list[int]] = {
        (kind, state, approximate): []
        for state in STATES
        for kind in looks
        for approximate in (False, True)
    }
    for index, row in enumerate(table):
        state = "infeasible"
        if row["feasible"]:
            within = WITHIN_BAND if row["pareto_within_band"] else "dominated"
            state = "optimal" if row["pareto"] else within
        if row.get("method") == INTERPOLATED:
            state = f"{INTERPOLATED}, {state}" if state == "infeasible" else INTERPOLATED
        approximate = left_out and row.get("exact_arithmetic") is False
        indices[_kind(row), state, approximate].append(index)
    return [_Group(*key, looks[key[0]], found) for key, found in indices.items() if found]


class _Panel:
    """One cost and the quality: the marks, the front of the two, and its labels."""

    def __init__(
        self, axes: Axes, names: tuple[str, str], scales: tuple[Scale, Scale], table: Sequence[Row]
    ) -> None:
        self.axes, self.scales, self.table = axes, scales, table
        places = [[one.position(row[one.metric.name]) for one in scales] for row in table]
        self.shown = [None not in place for place in places]
        self.points = np.array(places, np.float64)
        feasible = [i for i, row in enumerate(table) if row["feasible"] and self.shown[i]]
        flags = front([table[i] for i in feasible], names)
        chosen = [i for i, flag in zip(feasible, flags, strict=True) if flag]
        #: Rows on the front of the two objectives, from left to right.
        self.front = sorted(chosen, key=lambda i: tuple(self.points[i]))
        # What it says is known after the layout, which leaves it a line.
        self.note = axes.text(
            1, 1.01, "labels left out", transform=axes.transAxes, ha="right", va="bottom",
            fontsize=LABEL_SIZE, color="0.4",
        )  # fmt: skip

    def draw(self, groups: Sequence[_Group]) -> None:
        """Draw everything but the labels."""
        x, y = self.scales
        x.apply(self.axes, "x", (0, LABEL_ROOM) if x.metric.maximise else (LABEL_ROOM, 0))
        y.apply(self.axes, "y")
        self.axes.grid(which="major", color="0.92", linewidth=0.5)
        self.axes.set_axisbelow(True)
        for group in groups:
            places = self.points[group.indices]
            self.axes.plot(*places.T, **group.look)
            if group.state == WITHIN_BAND:
                self.axes.scatter(
                    places[:, 0], places[:, 1], RING**2, marker="o", facecolors="none",
                    edgecolors=group.colour, linewidths=RING_WIDTH, zorder=2,
                )  # fmt: skip
        if self.front:
            self._shade()
            self.axes.plot(
                *self.points[self.front].T,
                drawstyle="steps-pre" if x.metric.maximise else "steps-post",
                color="0.25",
                linewidth=0.9,
                zorder=2.5,
            )

    def label(self, labels: Sequence[str], groups: Sequence[_Group]) -> None:
        """Label the front's points where there is room, and say in the panel what is not there.

        Of few points, others have labels, too, as long as there is room right beside them.
        """
        colours = {i: group.colour for group in groups for i in group.indices}
        strong = {i for group in groups if group.state == "optimal" for i in group.indices}
        strong |= set(self.front)
        faint = {i for i, shown in enumerate(self.shown) if shown} - strong
        placement = Placement(
            self.axes, self._corners(self.points[self.front]),
            self.points[sorted(strong)], self.points[sorted(faint)], STRONG,
            [1 if one.metric.maximise else -1 for one in self.scales],
        )  # fmt: skip
        spots = [Spot(*self._place(i), label, colours[i]) for i, label in enumerate(labels)]
        omitted = placement.place([spots[i] for i in self.front])
        if len(spots) <= FEW:
            behind = (strong | faint) - {*self.front}
            placement.place([spots[i] for i in sorted(behind)], nearby=True)
        missing = len(self.shown) - sum(self.shown)
        notes = [f"{counted(omitted, 'label')} of the front left out"] if omitted else []
        notes += [f"{counted(missing, 'point')} without a value"] if missing else []
        self.note.set_text(", ".join(notes))

    def _place(self, index: int) -> tuple[float, float]:
        x, y = self.points[index]
        return float(x), float(y)

    def _shade(self) -> None:
        """Shade what a point with errors like those of the front's would be within the band of."""
        points = self.points[self.front]
        moved = points.copy()
        for along, one in enumerate(self.scales):
            metric = one.metric
            errors = errors_of([self.table[i] for i in self.front], metric.name)
            # Of both points, and to where values are worse.
            steps = np.sqrt(2) * errors * (-1 if metric.maximise else 1)
            if metric.quantity:
                moved[:, along] *= np.exp(steps)
            else:
                moved[:, along] += steps
        if (moved == points).all():
            return
        moved = moved[pareto(moved, [one.metric.maximise for one in self.scales])]
        moved = moved[np.lexsort(moved.T[::-1])]
        outline = np.vstack([self._to_edges(points), self._to_edges(moved)[::-1]])
        self.axes.fill(*outline.T, color=SHADE, linewidth=0, zorder=0.4)

    def _to_edges(self, points: Points) -> Points:
        """A front's corners, with its line drawn on to the edges where one value is worse."""
        x, y = (one.metric.maximise for one in self.scales)
        edge = self.axes.get_xlim()[0 if x else 1], self.axes.get_ylim()[0 if y else 1]
        ends = [(points[0, 0], edge[1]), (edge[0], points[-1, 1])]
        if x:
            ends = [(edge[0], points[0, 1]), (points[-1, 0], edge[1])]
        return np.vstack([ends[0], self._corners(points), ends[1]])

    def _corners(self, points: Points) -> Points:
        """Where the line of a front, from left to right, begins, turns and ends."""
        before, after = points[:-1], points[1:]
        if self.scales[0].metric.maximise:
            before, after = after, before
        turns = np.column_stack([after[:, 0], before[:, 1]])
        corners = np.empty((max(2 * len(points) - 1, 0), 2))
        corners[::2], corners[1::2] = points, turns
        return corners


def _frame(
    figure: Figure, title: str, handles: Sequence[Line2D], small_print: Sequence[str]
) -> None:
    """Write title, legend and small print, and make the figure as high as they and panels need."""
    width, panels = figure.get_size_inches()
    head = _wrapped(figure, title, fontsize=9, fontweight="bold", va="top")
    foot = _wrapped(
        figure, "\n".join(small_print), fontsize=5.5, color="0.35", linespacing=1.4, va="bottom"
    )
    legend = _legend(figure, handles)
    heights = [artist.get_window_extent().height / DPI for artist in (head, legend, foot)]
    top = EDGE + heights[0] + 0.08 + heights[1] + 0.04
    bottom = EDGE + heights[2] + 0.04
    height = top + panels + bottom
    figure.set_size_inches(width, height)
    head.set_position((EDGE / width, 1 - EDGE / height))
    foot.set_position((EDGE / width, EDGE / height))
    legend.set_bbox_to_anchor((EDGE / width, 1 - (EDGE + heights[0] + 0.08) / height))
    figure.set_layout_engine(
        ConstrainedLayoutEngine(rect=(0, bottom / height, 1, panels / height), w_pad=0.06,
                                h_pad=0.06, wspace=0.02, hspace=0.02)
    )  # fmt: skip


def _wrapped(figure: Figure, text: str, **font: Any) -> Text:
    """Write text in the figure's lower left corner, broken where it would be too wide."""
    artist = figure.text(0, 0, text, **font)
    room = (figure.get_figwidth() - 2 * EDGE) * DPI
    columns = max(map(len, text.splitlines()))
    while (width := artist.get_window_extent().width) > room:
        columns = min(columns - 1, int(columns * room / width))
        lines = [textwrap.fill(line, columns, break_on_hyphens=False) for line in text.splitlines()]
        artist.set_text("\n".join(lines))
    return artist


def _legend(figure: Figure, handles: Sequence[Line2D]) -> Legend:
    """Put the legend into the figure, in as few rows as its width has room for."""
    room = (figure.get_figwidth() - 2 * EDGE) * DPI
    for rows in range(1, len(handles) + 1):
        columns = -(-len(handles) // rows)
        legend = figure.legend(
            handles=handles, loc="upper left", ncols=columns, frameon=False, fontsize=7.5,
            borderpad=0, borderaxespad=0, handletextpad=0.3, columnspacing=1.4,
        )  # fmt: skip
        if columns == 1 or legend.get_window_extent().width <= room:
            break
        legend.remove()
    return legend


def _title(sweep: Sweep, target: Target) -> str:
    clock = {
        "area": "each at its own fmax",
        "density": "each unit at its best GMAC/s/mm²",
        "clock": f"clock of {target.clock}",
    }
    parts = [sweep.name, target.technology, sweep.method, clock[target.mapped_for]]
    if target.clock_gating:
        parts.append("clock gates")
    if target.workload is not None:
        parts.insert(1, target.workload.model)
    if target.tensors is not None:
        parts.append(f"tensors of {target.tensors.name}")
    elif sweep.tensors is not None:
        parts.append(f"tensors of {sweep.tensors.source.label}")
    if sweep.network:
        parts.append(f"network {sweep.network.source.name}")
    return drawing.printable(" · ".join(parts))


def _handles(
    groups: Sequence[_Group], has_errors: bool, looks: Mapping[str, tuple[str, str]]
) -> list[Line2D]:
    """The legend's entries: the kinds of points, and what else the chart has."""
    kinds = {group.kind for group in groups}
    states = {(group.state, group.approximate) for group in groups}
    handles = [
        Line2D([], [], label=drawing.printable(kind), **_look(*style, "optimal", approximate=False))
        for kind, style in looks.items()
        if kind in kinds
    ]
    if any(approximate for _, approximate in states):
        look = _look("0.25", "o", "optimal", approximate=True)
        handles.append(Line2D([], [], label=f"approximate {DAGGER}", **look))
    for state in ("dominated", INTERPOLATED, "infeasible", f"{INTERPOLATED}, infeasible"):
        if any(state == found for found, _ in states):
            look = _look("0.4", "o", state, approximate=False)
            if state.startswith(INTERPOLATED):
                look |= {"markersize": FAINT, "alpha": 1}
            handles.append(Line2D([], [], label=state, **look))
    if any(state == WITHIN_BAND for state, _ in states):
        ring = Line2D(
            [], [], label="within the band", linestyle="none", marker="o", color="0.4",
            markersize=RING, markeredgewidth=RING_WIDTH, markerfacecolor="none",
        )  # fmt: skip
        handles.append(ring)
    if any(state != "infeasible" for state, _ in states):
        label = "Pareto front of the panel"
        handles.append(Line2D([], [], color="0.25", linewidth=0.9, label=label))
        if has_errors:
            handles.append(Line2D([], [], color=SHADE, linewidth=7, label="its band"))
    return handles


def _small_print(sweep: Sweep, table: Sequence[Row], approximate: bool) -> list[str]:
    optimal = sum(row["pareto"] for row in table)
    said = "weight × activation · lanes, and parameters in which points of a family differ"
    if "accelerator" in table[0]:
        said = "the accelerator, and what points of one differ in"
    lines = [
        f"Labels: {said}. {counted(len(table), 'point')}, {optimal} Pareto-optimal in all "
        "objectives together (strong marks)."
    ]
    if dots := sum(row.get("method") == INTERPOLATED for row in table):
        lines.append(
            f"{counted(dots, 'point')} interpolated from estimates of similar units (dots); none "
            "of a front is."
        )
    if within := sum(row["pareto_within_band"] for row in table) - optimal:
        kind = (
            f"errors of {RATIO_LEVEL} % of pairs of units"
            if sweep.method == "estimate"
            else "the spread of their netlists"
        )
        lines.append(
            f"{counted(within, 'more point')} behind these by no more than {kind} (rings)."
        )
    if len(table) <= FEW:
        lines[0] += " Behind the fronts, labels are where there is room."
    if missed := sum((row.get("slack_ns") or 0) < 0 for row in table):
        lines.append(
            f"{missed} of {counted(len(table), 'point')} cannot meet the clock; at own fmax."
        )
    if approximate:
        lines.append(
            f"{DAGGER} approximate product or sums; the axis is of the formats alone (open marks)."
        )
    if sweep.constraints:
        feasible = sum(row["feasible"] for row in table)
        limits = ", ".join(map(_limits, sweep.constraints))
        lines.append(f"{feasible} of {counted(len(table), 'point')} feasible: {limits}.")
    last = ", ".join(f"{tool} {number}" for tool, number in versions().items())
    if sweep.network:
        lines.append(
            f"Network: {sweep.network.label}; embedding and head in float32 where no format of "
            "theirs is named, sums exact."
        )
    if (group := table[0].get("group")) is not None:
        scales = (
            f"Weights in groups of {group} and activations with one scale a token "
            "where their formats say nothing else"
        )
        last = f"{scales}; {last}"
    return [*lines, last]


def _limits(limit: Constraint) -> str:
    label = METRICS[limit.metric].label
    low = "" if limit.minimum is None else f"{limit.minimum:g} ≤ "
    high = "" if limit.maximum is None else f" ≤ {limit.maximum:g}"
    return f"{low}{label}{high}"
