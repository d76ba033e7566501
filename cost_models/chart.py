"""Estimate against synthesis as a chart, from what technology files hold."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cost_models.fit import QUANTITIES
from cost_models.technology import Technology

#: Colours of units that were fitted to and of those held out.
_COLOURS = {False: "#a0a0a0", True: "#c02020"}
_LABELS = {False: "fitted to", True: "held out"}

_TITLES = {
    "area": "area, um^2",
    "delay": "delay, ns",
    "energy": "energy, pJ/cycle",
    "energy_with_glitches": "energy with glitches, pJ/cycle",
}


def write(technologies: Sequence[Technology], path: Path) -> None:
    """Write scatter plots of all units to a PNG: a row a technology, a column a quantity."""
    figure = Figure(figsize=(3 * len(QUANTITIES), 2.8 * len(technologies)), dpi=75)
    for row, technology in enumerate(technologies):
        for column, (quantity, field) in enumerate(QUANTITIES.items()):
            axes = figure.add_subplot(
                len(technologies), len(QUANTITIES), row * len(QUANTITIES) + column + 1
            )
            for held_out in (False, True):
                units = [unit for unit in technology.units if unit["held_out"] == held_out]
                axes.loglog(
                    [unit["synthesis"][field] for unit in units],
                    [unit["estimate"][field] for unit in units],
                    ".",
                    markersize=4,
                    color=_COLOURS[held_out],
                    label=_LABELS[held_out],
                )
            low, high = axes.get_xlim()
            axes.plot([low, high], [low, high], color="black", linewidth=0.6)
            axes.set_title(f"{technology.name}: {_TITLES[quantity]}", fontsize=8)
            axes.tick_params(labelsize=7, which="both")
            axes.set_xlabel("synthesis", fontsize=7)
            axes.set_ylabel("estimate", fontsize=7)
    FigureCanvasAgg(figure)
    figure.axes[0].legend(fontsize=7)
    figure.tight_layout()
    # Without the version of the library that drew it.
    figure.savefig(path, format="png", metadata={"Software": None})
