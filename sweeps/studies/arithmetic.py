"""What arithmetic costs at equal SQNR, from the results of a sweep of many units.

Designs are compared where they are as accurate: of every family the unit of least energy, and the
one of least area, among those whose outputs have a signal-to-noise ratio of so many decibels at
least. The sweep has to be there; ``sweeps/specs/pareto_35k.yaml`` is the one that docs/ shows.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hwsim.errors import InputError
from hwsim.tables import number
from sweeps.studies.page import Page, Piece, Table, paragraph

if TYPE_CHECKING:
    import pandas as pd

#: SQNR of outputs in dB.
LEVELS = (10, 15, 20, 25, 30, 35, 40)
Row = dict[str, Any]
SQNR, ENERGY, AREA = "output_sqnr_db", "energy_pj_per_mac", "area_um2_per_mac_per_cycle"

INTRODUCTION = """
A format's cost means little without its accuracy, and the other way round. Here every family of
units is asked for the least energy of a multiply-accumulate, and for the least area, with outputs
that have an SQNR of so many dB at least: dot products of the sweep's tensors, quantised to the
unit's formats and computed as the unit does. Everything is an estimate at the sweep's clock, with
hazards; what does not meet the clock is left out, and so is what is interpolated between estimates.
"""

PUBLISHED = """
The largest exploration that is published (Crafton et al., DAC 2025), of as many designs, in a
closed flow, reports how many times more operations a joule three kinds of arithmetic give than
floating point of as many bits. Here are the units of least energy with these formats, whatever else
they have. The formats of floating point that are behind the published figures, their accumulators
and their workload are not stated with them, so the figures are not of the same designs, and their
SQNR says whether the two do the same.
"""


class Pair(NamedTuple):
    """Two kinds of arithmetic by the formats of their weights, and the published ratio."""

    name: str
    better: str
    other: str
    published: float


PAIRS = (
    Pair("LNS16 over FP16", "lns16_8", "fp16", 1.8),
    Pair("MXINT8 over FP8", "mxint8", "e4m3", 2.2),
    Pair("VSQINT4 over FP4", "int4_vs_g16", "e2m1", 1.9),
)


def page(results: Path) -> Page:
    """Return the page of the results of a sweep in a folder.

    Raises
    ------
    InputError
        If there are none, if they are of several technologies or clocks, and if no unit was
        estimated that meets the clock and whose outputs were measured.
    """
    import sweeps

    table = sweeps.results(results)
    missing = {SQNR, ENERGY, AREA, "clock_ns"} - set(table)
    if missing or len(table[["technology", "clock_ns"]].drop_duplicates()) != 1:
        raise InputError(
            f"{results}: allowed: the results of units on tensors, in one technology at one clock"
        )
    chosen = table[(table["method"] == "estimate") & table["feasible"] & table[SQNR].notna()]
    if chosen.empty:
        raise InputError(f"{results}: no unit was estimated, measured on tensors, and fast enough")
    pieces: list[Piece] = [paragraph(INTRODUCTION), partial(_counts, table, chosen)]
    for metric, said in ((ENERGY, "Energy, pJ a MAC"), (AREA, "Area, um^2 for a MAC a cycle")):
        pieces += [f"## {said.partition(',')[0]} at equal SQNR", f"{said}, the least of a family:"]
        pieces += [_matrix(chosen, metric), "The unit of least of all:", _best(chosen, metric)]
    pieces += ["## Beside published ratios", paragraph(PUBLISHED), _pairs(chosen)]
    pieces += ["The units of these rows:", _units(chosen)]
    return Page("Arithmetic at equal SQNR", pieces)


def _counts(table: "pd.DataFrame", chosen: "pd.DataFrame") -> str:
    """Say how many units there are."""
    technology, clock = table["technology"].iloc[0], table["clock_ns"].iloc[0]
    estimated = int((table["method"] == "estimate").sum())
    return paragraph(
        f"The sweep has {len(table)} units at {number(clock)} ns in {technology}. {estimated} are "
        f"estimated, of which {len(chosen)} meet the clock; the others are interpolated."
    )


def least(table: "pd.DataFrame", metric: str, level: float) -> Row | None:
    """Return the row of least cost among those of so many dB, or None."""
    enough = table[table[SQNR] >= level]
    return None if enough.empty else _cheapest(enough, metric)


def _cheapest(table: "pd.DataFrame", metric: str) -> Row:
    place = int(table[metric].to_numpy().argmin())
    return {str(name): value for name, value in table.iloc[place].items()}


def _matrix(table: "pd.DataFrame", metric: str) -> Table:
    families = [*table["family"].unique()]

    def cell(family: str, level: float) -> str:
        row = least(table[table["family"] == family], metric, level)
        return "-" if row is None else number(row[metric])

    return Table(
        ["family", *(f"{level} dB" for level in LEVELS)],
        [[family, *(cell(family, level) for level in LEVELS)] for family in families],
    )


def _best(table: "pd.DataFrame", metric: str) -> Table:
    """Return the unit of least cost by level, and the families that are as good within errors."""
    rows = []
    for level in LEVELS:
        row = least(table, metric, level)
        if row is not None:
            rows.append([f"{level}", *_named(row), number(row[metric]), _sqnr(row),
                         ", ".join(_as_good(table, metric, level, row)) or "-"])  # fmt: skip
    return Table(["dB", *_NAMED, "least", "its SQNR, dB", "not told apart from it"], rows)


def _as_good(table: "pd.DataFrame", metric: str, level: float, best: Row) -> list[str]:
    """Return the other families whose least cost is no higher than the error of a ratio allows."""
    found = []
    for family in table["family"].unique():
        row = least(table[table["family"] == family], metric, level)
        if row is None or family == best["family"]:
            continue
        error = max(row[f"{metric}_ratio_error_percent"], best[f"{metric}_ratio_error_percent"])
        if row[metric] <= best[metric] * (1 + error / 100):
            found.append(family)
    return found


#: What names a unit in a row, which has all that makes it.
_NAMED = ("family", "weight", "activation", "lanes", "other parameters")


def _named(row: Row) -> list[str]:
    return [*(str(row[one]) for one in _NAMED[:4]), str(row["parameters"]) or "-"]


def _sqnr(row: Row) -> str:
    return f"{row[SQNR]:.1f}"


def _sides(table: "pd.DataFrame", pair: Pair) -> list[Row]:
    """Return the rows of least energy of a pair, both operands in the format."""
    sides = []
    for fmt in (pair.better, pair.other):
        same = table[(table["weight"] == fmt) & (table["activation"] == fmt)]
        sides.append(_cheapest(same, ENERGY))
    return sides


def _pairs(table: "pd.DataFrame") -> Table:
    rows = []
    for pair in _known(table):
        better, other = _sides(table, pair)
        error = max(side[f"{ENERGY}_ratio_error_percent"] for side in (better, other))
        rows.append(
            [pair.name, number(pair.published),
             f"{other[ENERGY] / better[ENERGY]:.2f} (+-{error:.0f} %)",
             f"{other[AREA] / better[AREA]:.2f}", _sqnr(better), _sqnr(other)]
        )  # fmt: skip
    header = [
        "",
        "published, operations a joule",
        "estimated, MACs a joule",
        "estimated, MACs a cycle and um^2",
        "SQNR, dB",
        "SQNR of floating point, dB",
    ]
    return Table(header, rows)


def _units(table: "pd.DataFrame") -> Table:
    rows = [
        [*_named(side), number(side[ENERGY]), number(side[AREA])]
        for pair in _known(table)
        for side in _sides(table, pair)
    ]
    return Table([*_NAMED, "pJ a MAC", "um^2 for a MAC a cycle"], rows)


def _known(table: "pd.DataFrame") -> Sequence[Pair]:
    """Return the pairs of which the sweep has both."""
    formats = set(table.loc[table["weight"] == table["activation"], "weight"])
    return [pair for pair in PAIRS if {pair.better, pair.other} <= formats]
