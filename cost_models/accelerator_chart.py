"""A chart of accelerators: energy by part as stacked bars, and a roofline.

The bars are the energy of a token or an image, with a line from the least to the most that it is as
far as errors of parts are known. In the roofline an accelerator is two lines, what its DRAM can
bring in a second and the products that its array can have, and a mark for every group of products
where it lies. Accelerators differ in colour, and after seven of them in the style of the line, too.
Colours are those of Okabe and Ito (2008), and greys for leakage.

The chart fills the width of a page and is as high as its bars and legends need.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from cost_models.accelerator import SRAMS, Result
from hwsim import drawing
from hwsim.tables import number

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", ":", "-.")
_MARKERS = "os^DPXv*<>"
#: Colours of parts that most accelerators have; others take the next of ``_OTHER_PARTS``.
_PARTS = {
    "units": "#0072B2", "idle units": "#56B4E9", "array registers": "#009E73",
    "tables and terms": "#CC79A7", "accumulators": "#332288", "SRAM": "#E69F00",
    "DRAM": "#F0E442", "leakage of the array": "#AAAAAA", "leakage of SRAM": "#666666",
}  # fmt: skip
_OTHER_PARTS = ("#D55E00", "#88CCEE", "#117733", "#882255")
_HATCHES = ("", "////", "....", "xxxx")
_DPI = 200
#: Inches: the width of a page, the height of a bar and of what is around the bars, the least one.
_WIDTH, _BAR, _AROUND, _LEAST = 7.25, 0.34, 1.5, 3.6
#: Characters of an accelerator's name that are shown.
_LONGEST = 20
_SETTINGS: dict[str, str | float | bool] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.4,
}


def write(results: Sequence[Result], path: Path) -> None:
    """Write the chart of accelerators on one workload as PNG or SVG.

    Raises
    ------
    InputError
        For another kind of file, or one that cannot be written.
    """
    with drawing.style(_SETTINGS):
        drawing.save(_draw(results), path, _DPI)


def draw(results: Sequence[Result]) -> Figure:
    """Return the figure."""
    with drawing.style(_SETTINGS):
        return _draw(results)


def _draw(results: Sequence[Result]) -> Figure:
    figure = Figure(figsize=(_WIDTH, max(_LEAST, _AROUND + _BAR * len(results))), dpi=_DPI)
    # Ticks at the ends of axes need some room.
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.05))
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(_title(results), fontsize=9, fontweight="bold", x=0.015, ha="left")
    _draw_bars(left, results)
    _draw_roofline(right, results)
    figure.supxlabel(
        "Lines on bars: between the ends that are known of parts' errors; of "
        f"{_unknown(results)} nothing is known.",
        fontsize=5.5, color="0.35", x=0.015, ha="left",
    )  # fmt: skip
    for axes in (left, right):
        _legend(figure, axes)
    return figure


def _title(results: Sequence[Result]) -> str:
    run = results[0].simulation
    sizes = {"tokens": run.work.tokens, "context": run.work.context, "batch": run.work.batch}
    phase = ", ".join([run.work.phase, *(f"{k} {v}" for k, v in sizes.items() if v is not None)])
    return drawing.printable(f"{run.work.model.name} · {phase} · units in {results[0].technology}")


def _unknown(results: Sequence[Result]) -> str:
    """Return the shares of energy without a known error."""
    shares = [100 * result.energy_pj.unknown_share for result in results]
    low, high = f"{min(shares):.2g}", f"{max(shares):.2g}"
    return f"{low} % of the energy" if low == high else f"{low} to {high} % of the energy"


def shown_parts(result: Result) -> dict[str, float]:
    """Return the energy by part in J, reading and writing of an SRAM together."""
    found: dict[str, float] = {}
    for part in result.energy_pj.parts:
        sram = next((name for name in SRAMS.values() if part.name.startswith(name)), None)
        name = "SRAM" if sram else part.name
        found[name] = found.get(name, 0.0) + part.value * 1e-12
    return found


def _draw_bars(axes: Axes, results: Sequence[Result]) -> None:
    parts = [shown_parts(result) for result in results]
    names = list(dict.fromkeys(name for one in parts for name in one))
    others = [name for name in names if name not in _PARTS]
    places = np.arange(len(results))
    start = np.zeros(len(results))
    per_item = 1e3 / results[0].simulation.work.items
    for name in names:
        widths = np.array([one.get(name, 0.0) for one in parts]) * per_item
        colour, hatch = _PARTS.get(name), ""
        if colour is None:
            rounds, index = divmod(others.index(name), len(_OTHER_PARTS))
            colour, hatch = _OTHER_PARTS[index], _HATCHES[rounds % len(_HATCHES)]
        axes.barh(
            places, widths, 0.62, start, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0, label=name,
        )  # fmt: skip
        start += widths
    ends = np.array([[one.energy_pj.low, one.energy_pj.high] for one in results])
    ends *= 1e-12 * per_item
    axes.hlines(places, *ends.T, color="black", linewidth=0.8)
    for place, total, end in zip(places, start, ends[:, 1], strict=True):
        axes.annotate(
            number(total), (max(total, end), place), (3, 0), textcoords="offset points",
            va="center", fontsize=6.5,
        )  # fmt: skip
    axes.set_ylim(max(len(results), 3) - 0.4, -0.6)
    # Room for the numbers.
    axes.set_xlim(0, max(start.max(), ends.max()) * 1.16)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_yticks(places, [f"{_name(one)}\n{_achieved(one)}" for one in results], fontsize=6.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"energy per {_item(results[0])} (mJ)")


def _item(result: Result) -> str:
    return "image" if result.simulation.work.tokens is None else "token"


def _achieved(result: Result) -> str:
    run = result.simulation
    size = f"{run.accelerator.rows}×{run.accelerator.cols}"
    return f"{size}, {number(run.items_per_s)} {_item(result)}s/s"


def _name(result: Result) -> str:
    name = result.simulation.accelerator.name
    return drawing.printable(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")


def _legend(figure: Figure, axes: Axes) -> None:
    """Write a legend above a panel, in as many columns as it is wide enough for."""
    for columns in (3, 2, 1):
        legend = axes.legend(
            fontsize=6, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns,
            borderaxespad=0, borderpad=0.2, columnspacing=1.2, handlelength=1.6,
        )  # fmt: skip
        # What does not fit would take the room of the panel.
        legend.set_in_layout(False)
        figure.draw_without_rendering()
        if legend.get_window_extent().width <= axes.get_window_extent().width:
            break
    legend.set_in_layout(True)


def _peak(result: Result) -> float:
    """Return the products in a second of the array on its units' own formats, in 10^9."""
    run = result.simulation
    interval = run.accelerator.mode_of_unit.interval
    return run.accelerator.macs_per_beat / interval / run.period_ns


def _draw_roofline(axes: Axes, results: Sequence[Result]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    names = list(dict.fromkeys(g.name for r in results for g in r.simulation.groups()))
    bandwidths = [result.simulation.accelerator.memories.dram.bandwidth for result in results]
    corners = [_peak(one) / bandwidth for one, bandwidth in zip(results, bandwidths, strict=True)]
    marks = [g.macs / g.dram_bytes for r in results for g in r.simulation.groups()]
    ends = np.array([min(marks + corners) / 2, max(marks + corners) * 2])
    for index, (result, bandwidth, corner) in enumerate(
        zip(results, bandwidths, corners, strict=True)
    ):
        run = result.simulation
        rounds, colour = divmod(index, len(_COLOURS))
        along = np.array([ends[0], corner, ends[1]])
        roof = np.minimum(along * bandwidth, _peak(result))
        axes.plot(
            along, roof, _LINES[rounds % len(_LINES)], color=_COLOURS[colour], linewidth=1.0,
            label=_name(result), zorder=2,
        )  # fmt: skip
        for group in run.groups():
            axes.plot(
                group.macs / group.dram_bytes,
                group.macs / (group.cycles * run.period_ns),
                _MARKERS[names.index(group.name) % len(_MARKERS)],
                color=_COLOURS[colour],
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.3,
                zorder=3,
            )
    for name in names:
        marker = _MARKERS[names.index(name) % len(_MARKERS)]
        axes.plot([], [], marker, color="#555555", markersize=4, label=name.replace("_", " "))
    axes.set_xlim(*ends)
    axes.set_xlabel("MAC per byte of DRAM")
    axes.set_ylabel("GMAC/s")
    axes.grid(which="major", color="0.92", linewidth=0.5)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        # Of one decade there would be one mark, or none.
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
