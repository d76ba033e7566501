"""A chart of accelerators: energy by part as stacked bars, and a roofline.

The bars are the energy of a token or an image. In the roofline an accelerator is two lines, the
products that its array can have in a second and what its DRAM can bring for them, and a mark for
every group of products where it lies. Colours are those of Okabe and Ito (2008).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from cost_models.accelerator import SRAMS, Result
from hwsim import drawing

_COLOURS = (
    "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#F0E442",
    "#CC79A7", "#D55E00", "#999999", "#000000",
)  # fmt: skip
_MARKERS = "os^DPXv*<>"
_DPI = 200
#: Characters of an accelerator's name that are shown.
_LONGEST = 20
_SETTINGS: dict[str, str | float | bool] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
}


def write(results: Sequence[Result], path: Path) -> None:
    """Write the chart of accelerators on one workload as PNG or SVG.

    Raises
    ------
    InputError
        For another kind of file, or one that cannot be written.
    """
    with drawing.style(_SETTINGS):
        drawing.save(draw(results), path, _DPI)


def draw(results: Sequence[Result]) -> Figure:
    """Return the figure."""
    width = 7.2 + 0.35 * max(len(results) - 4, 0)
    figure = Figure(figsize=(width, 4.6), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw_bars(left, results)
    _draw_roofline(right, results)
    work = results[0].simulation.work
    title = f"{work.model.name}, {work.phase}, units in {results[0].technology}"
    figure.suptitle(drawing.printable(title), fontsize=9)
    return figure


def shown_parts(result: Result) -> dict[str, float]:
    """Return the energy by part in J, reading and writing of an SRAM together."""
    found: dict[str, float] = {}
    for part in result.energy_pj.parts:
        sram = next((name for name in SRAMS.values() if part.name.startswith(name)), None)
        name = "SRAM" if sram else part.name
        found[name] = found.get(name, 0.0) + part.value * 1e-12
    return found


def _draw_bars(axes: Axes, results: Sequence[Result]) -> None:
    items = results[0].simulation.work.items
    parts = [shown_parts(result) for result in results]
    places = np.arange(len(results))
    bottom = np.zeros(len(results))
    for name, colour in zip(parts[0], _COLOURS, strict=True):
        heights = np.array([one[name] for one in parts]) / items * 1e3
        axes.bar(places, heights, 0.7, bottom, color=colour, label=name)
        bottom += heights
    for place, result in zip(places, results, strict=True):
        ends = np.array([result.energy_pj.low, result.energy_pj.high]) * 1e-9 / items
        axes.vlines(place, *ends, color="black", linewidth=0.8)
    axes.set_xlim(-0.7, max(len(results), 3) - 0.3)
    axes.set_xticks(places, [_name(result) for result in results], rotation=35, ha="right")
    unit = "image" if results[0].simulation.work.tokens is None else "token"
    axes.set_ylabel(f"energy per {unit} (mJ)")
    _legend(axes)


def _name(result: Result) -> str:
    return drawing.printable(result.simulation.accelerator.name[:_LONGEST])


def _legend(axes: Axes) -> None:
    axes.legend(
        fontsize=6, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3,
        borderaxespad=0,
    )  # fmt: skip


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
    ends = np.array([min(marks + corners) / 3, max(marks + corners) * 3])
    for index, (result, bandwidth, corner) in enumerate(
        zip(results, bandwidths, corners, strict=True)
    ):
        run, colour = result.simulation, _COLOURS[index % len(_COLOURS)]
        along = np.array([ends[0], corner, ends[1]])
        roof = np.minimum(along * bandwidth, _peak(result))
        axes.plot(along, roof, color=colour, linewidth=0.9, label=_name(result))
        for group in run.groups():
            axes.plot(
                group.macs / group.dram_bytes,
                group.macs / (group.cycles * run.period_ns),
                _MARKERS[names.index(group.name) % len(_MARKERS)],
                color=colour,
                markersize=4,
            )
    for name in names:
        marker = _MARKERS[names.index(name) % len(_MARKERS)]
        axes.plot([], [], marker, color="#555555", markersize=4, label=name.replace("_", " "))
    axes.set_xlabel("MAC per byte of DRAM")
    axes.set_ylabel("GMAC/s")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator())
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    _legend(axes)
