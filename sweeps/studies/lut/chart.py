"""The chart: a column an activation format, rows by weight bits and by share."""

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, ScalarFormatter
from PIL import Image

from sweeps.labels import LABEL_SIZE
from sweeps.plots import DPI, OKABE_ITO, PANEL_WIDTH
from sweeps.studies.lut.designs import (
    ACTIVATIONS,
    CONVENTIONAL_ACTIVATIONS,
    CONVENTIONAL_BITS,
    GROUPS,
    SHARES,
    TABLE_LANES,
    TERNARY_ACTIVATIONS,
    WEIGHT_BITS,
    Design,
    K,
    adder_design,
    conventional_design,
    multiplier_design,
    table_design,
    ternary_adder,
    ternary_multiplier,
    ternary_table,
)
from sweeps.studies.lut.results import ALONE, UNITS, Results

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, BLACK = OKABE_ITO
#: Shares drawn against weight bits.
DRAWN = ((1, "-"), (16, "--"), (256, ":"))
SIZE_COLOURS = dict(zip(TABLE_LANES, (SKY, GREEN, BLUE, PINK, YELLOW), strict=True))
#: Weight bits of the panels against the share.
SHARE_BITS = 2
PANEL_HEIGHT = 2.5
#: Of the image, with those between a line and the background.
COLOURS = 48
#: Heights and titles of the keys: of the first two rows, of the third and of the fourth.
KEYS = ((1.05, "By weight bits"), (0.66, "By share"), (0.28, "Ternary weights"))


def write_chart(results: Results, path: Path) -> None:
    """Write the chart as PNG."""
    with matplotlib.rc_context({"font.size": 7.5, "axes.titlesize": 8.5, "axes.linewidth": 0.6}):
        figure = _draw(results)
    pixels = BytesIO()
    figure.savefig(pixels, dpi=DPI)
    # A palette makes the file a quarter as large.
    with Image.open(pixels) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _draw(results: Results) -> Figure:
    figure = Figure(figsize=(3 * PANEL_WIDTH, 4 * PANEL_HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(4, 3)
    for column, activation in enumerate(ACTIVATIONS):
        for row, metric in enumerate(("area", "energy")):
            _by_bits(panels[row, column], results, activation, metric)
        _by_share(panels[2, column], results, activation)
        panels[0, column].set_title(f"{activation} activations, K = {K}")
        panels[2, column].set_title(f"{activation} activations, {SHARE_BITS}-bit weights")
    for column, activation in enumerate(TERNARY_ACTIVATIONS):
        _ternary(panels[3, column], results, activation)
        panels[3, column].set_title(f"{activation} activations, ternary weights")
    panels[3, 2].axis("off")
    for row, (height, title) in enumerate(KEYS):
        source = panels[row + (row > 0), 0]
        handles, labels = source.get_legend_handles_labels()
        key = panels[3, 2].legend(
            handles, labels, title=title, loc="upper center", bbox_to_anchor=(0.5, height),
            ncols=2, fontsize=LABEL_SIZE, title_fontsize=LABEL_SIZE, frameon=False,
        )  # fmt: skip
        panels[3, 2].add_artist(key)
    figure.suptitle(
        f"Tables, adders and multipliers · {results.technology} · estimate", fontsize=10
    )
    return figure


def _line(panel: Axes, points: Iterable[tuple[float, float]], colour: str, style: str,
          label: str, marker: str = "o") -> None:  # fmt: skip
    x, y = zip(*points, strict=True)
    panel.plot(x, y, color=colour, linestyle=style, marker=marker, markersize=3, linewidth=1.1,
               markeredgecolor="white", markeredgewidth=0.3, label=label)  # fmt: skip


def _by_bits(panel: Axes, results: Results, activation: str, metric: str) -> None:
    def points(
        make: Callable[..., Design], share: float, widths: Sequence[int]
    ) -> list[tuple[int, float]]:
        return [(bits, results.cost(make(bits, activation), metric, share)) for bits in widths]

    for share, style in DRAWN:
        _line(panel, points(table_design, share, WEIGHT_BITS), BLUE, style, f"LUT, N = {share}")
    _line(panel, points(table_design, ALONE, WEIGHT_BITS), SKY, "-", "LUT without its table")
    if activation in CONVENTIONAL_ACTIVATIONS:
        _line(panel, points(conventional_design, 16, CONVENTIONAL_BITS), GREEN, "--",
              "conventional LUT, N = 16", "D")  # fmt: skip
    _line(panel, points(adder_design, 1, WEIGHT_BITS), ORANGE, "-", "ADD", "s")
    _line(panel, points(multiplier_design, 1, WEIGHT_BITS), BLACK, "-", "multiplier", "^")
    _axes(panel, "weight bits", metric)
    panel.xaxis.set_major_locator(FixedLocator(list(WEIGHT_BITS)))


def _by_share(panel: Axes, results: Results, activation: str) -> None:
    for size in TABLE_LANES:
        design = table_design(SHARE_BITS, activation, size)
        costs = [(share, results.cost(design, "area", share)) for share in SHARES]
        _line(panel, costs, SIZE_COLOURS[size], "-", f"LUT, K = {size}")
    for design, colour, label in (
        (adder_design(SHARE_BITS, activation), ORANGE, "ADD"),
        (multiplier_design(SHARE_BITS, activation), BLACK, "multiplier"),
    ):
        panel.axhline(results.cost(design, "area", 1), color=colour, linewidth=1.1, label=label)
    _axes(panel, "share N: columns to a table", "area")
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter(ScalarFormatter())


def _ternary(panel: Axes, results: Results, activation: str) -> None:
    for kind, marker in (("symmetric", "o"), ("full", "D")):
        listed = [(g, ternary_table(activation, g, kind)) for g in GROUPS]
        listed = [(g, design) for g, design in listed if design in results.designs]
        for share, style in DRAWN if kind == "symmetric" else DRAWN[1:2]:
            costs = [(g, results.cost(design, "area", share)) for g, design in listed]
            colour = BLUE if kind == "symmetric" else GREEN
            _line(panel, costs, colour, style, f"{kind} table, N = {share}", marker)
    for design, colour, label in (
        (ternary_adder(activation), ORANGE, "ADD (sign-flip)"),
        (ternary_multiplier(activation), BLACK, "multiplier"),
    ):
        panel.axhline(results.cost(design, "area", 1), color=colour, linewidth=1.1, label=label)
    _axes(panel, "activations to a table, G", "area")
    panel.xaxis.set_major_locator(FixedLocator(list(GROUPS)))


def _axes(panel: Axes, horizontal: str, metric: str) -> None:
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    formatter = ScalarFormatter()
    formatter.set_scientific(False)
    panel.yaxis.set_major_formatter(formatter)
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel(horizontal)
    panel.set_ylabel(f"{metric}, {UNITS[metric]}")
    panel.grid(which="major", color="0.92", linewidth=0.5)
    panel.set_axisbelow(True)
