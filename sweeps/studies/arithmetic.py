"""What arithmetic costs at equal SQNR, from the results of a sweep of many units.

Designs are compared where they are as accurate: of every family the unit of least energy, and the
one of least area, among those whose outputs have a signal-to-noise ratio of so many decibels at
least. The sweep has to be there; ``sweeps/specs/pareto_35k.yaml`` is the one that docs/ shows.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hwsim import files
from hwsim.errors import InputError
from hwsim.tables import number
from hwsim.units import make
from sweeps.studies.page import Page, Piece, Table, paragraph
from sweeps.table import COMMON, read_parquet

#: SQNR of outputs in dB.
LEVELS = (10, 15, 20, 25, 30, 35, 40)
Row = dict[str, Any]
Rows = Sequence[Row]
SQNR, ENERGY, AREA = "output_sqnr_db", "energy_pj_per_mac", "area_um2_per_mac_per_cycle"

#: What is read of the results.
_COLUMNS = [
    *COMMON, "family", "parameters", "technology", "clock_ns", "method", "feasible", "slack_ns",
    SQNR, ENERGY, AREA, f"{ENERGY}_ratio_error_percent", f"{AREA}_ratio_error_percent",
]  # fmt: skip
_ALLOWED = "allowed: the results of units on tensors, in one technology at one clock"

INTRODUCTION = """
A format's cost means little without its accuracy, and the other way round. Here every family of
units is asked for the least energy of a multiply-accumulate, and for the least area, with outputs
that have an SQNR of so many dB at least: dot products of the sweep's tensors, quantised to the
unit's formats and computed as the unit does. Everything is an estimate at the sweep's clock, with
hazards; what does not meet the clock is left out, and so is what is interpolated between estimates.
"""

CHART = "arithmetic.png"
_CHART = f"![Area and energy of a MAC against SQNR, all units of the sweep]({CHART})"

PUBLISHED = """
The largest exploration that is published (Crafton et al., DAC 2025), of as many designs, in a
closed flow, reports how many times more operations a joule three kinds of arithmetic give than
floating point of as many bits. Here are the estimated units of least energy with these formats,
whatever else they have, beside floating point as it costs least, and beside floating point that
rounds every sum. Some miss the clock, and are as fast as they are. The published figures are cited
from elsewhere, the paper was not read; lanes, accumulators and workload behind them are not known
here, so the designs are not the same. SQNR says whether the two of a row do the same.
"""


class Pair(NamedTuple):
    """Two kinds of arithmetic by the formats of their weights, and the published ratio."""

    name: str
    better: str
    other: str
    published: float


#: The ratios are second-hand.
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
    table = _read(results)
    measured = [row for row in table if row["method"] == "estimate" and row[SQNR] is not None]
    chosen = [row for row in measured if row["feasible"]]
    if not chosen:
        raise InputError(f"{results}: no unit was estimated, measured on tensors, and fast enough")
    pieces: list[Piece] = [paragraph(INTRODUCTION), partial(_counts, table, chosen)]
    for metric, said in ((ENERGY, "Energy, pJ a MAC"), (AREA, "Area, um^2 for a MAC a cycle")):
        pieces += [f"## {said.partition(',')[0]} at equal SQNR", f"{said}, the least of a family:"]
        pieces += [_matrix(chosen, metric), "The unit of least of all:", _best(chosen, metric)]
    pieces += ["## Beside published ratios", paragraph(PUBLISHED), _pairs(measured)]
    pieces += [partial(_says, measured), "The units of these rows:", _units(measured)]
    pieces += ["## All of them", _CHART]
    return Page("Arithmetic at equal SQNR", pieces, beside={CHART: partial(_copy, results)})


def _copy(results: Path, path: Path) -> None:
    """Write the sweep's chart beside the page."""
    charts = [*results.glob("pareto_*.png")]
    if len(charts) != 1:
        raise InputError(f"{results}: {len(charts)} charts pareto_*.png; allowed: one")
    files.write_bytes(path, charts[0].read_bytes())


def _read(results: Path) -> Rows:
    """Return the rows of a sweep of units on tensors, in one technology at one clock."""
    stored = read_parquet(results)
    if not {*_COLUMNS} <= {*stored.column_names}:
        raise InputError(f"{results}: {_ALLOWED}")
    rows: Rows = stored.select(_COLUMNS).to_pylist()
    if len({(row["technology"], row["clock_ns"]) for row in rows}) != 1:
        raise InputError(f"{results}: {_ALLOWED}")
    return rows


def _families(table: Rows) -> list[str]:
    return [*dict.fromkeys(row["family"] for row in table)]


def _of(table: Rows, **values: str) -> Rows:
    """Return the rows that have these values."""
    return [row for row in table if all(row[name] == one for name, one in values.items())]


def _counts(table: Rows, chosen: Rows) -> str:
    """Say how many units there are."""
    slow = sorted({*_families(table)} - {*_families(chosen)})
    technology, clock = table[0]["technology"], table[0]["clock_ns"]
    estimated = len(_of(table, method="estimate"))
    return paragraph(
        f"The sweep has {len(table)} units at {number(clock)} ns in {technology}. {estimated} are "
        f"estimated, of which {len(chosen)} meet the clock; the others are interpolated."
        + (f" No unit of {', '.join(slow)} meets it." if slow else "")
    )


def least(table: Rows, metric: str, level: float) -> Row | None:
    """Return the row of least cost among those of so many dB, or None."""
    enough = [row for row in table if row[SQNR] >= level]
    return min(enough, key=lambda row: row[metric], default=None)


def _matrix(table: Rows, metric: str) -> Table:
    def cell(family: str, level: float) -> str:
        row = least(_of(table, family=family), metric, level)
        return "-" if row is None else number(row[metric])

    return Table(
        ["family", *(f"{level} dB" for level in LEVELS)],
        [[family, *(cell(family, level) for level in LEVELS)] for family in _families(table)],
    )


def _best(table: Rows, metric: str) -> Table:
    """Return the unit of least cost by level, and the families that are as good within errors."""
    rows = []
    for level in LEVELS:
        row = least(table, metric, level)
        if row is not None:
            rows.append([f"{level}", *_named(row), number(row[metric]), _sqnr(row),
                         ", ".join(_as_good(table, metric, level, row)) or "-"])  # fmt: skip
    return Table(["dB", *_NAMED, "least", "its SQNR, dB", "not told apart from it"], rows)


def _as_good(table: Rows, metric: str, level: float, best: Row) -> list[str]:
    """Return the other families whose least cost is no higher than the error of a ratio allows."""
    found = []
    for family in _families(table):
        row = least(_of(table, family=family), metric, level)
        if row is None or family == best["family"]:
            continue
        error = max(row[f"{metric}_ratio_error_percent"], best[f"{metric}_ratio_error_percent"])
        if row[metric] <= best[metric] * (1 + error / 100):
            found.append(family)
    return found


#: What names a unit in a row, which has all that makes it.
_NAMED = ("family", "weight", "activation", "lanes", "other parameters")


def _named(row: Row) -> list[str]:
    return [*(str(row[one]) for one in _NAMED[:4]), _others(row) or "-"]


def _others(row: Row) -> str:
    """Return the other parameters that a unit does not have by itself."""
    common = {name: row[name] for name in COMMON}
    usual = make(row["family"], **common).parameters()
    given = dict(pair.split("=", 1) for pair in row["parameters"].split())
    return " ".join(f"{name}={value}" for name, value in given.items()
                    if f"{usual[name]}" != value)  # fmt: skip


def _sqnr(row: Row) -> str:
    return f"{row[SQNR]:.1f}"


class _Sides(NamedTuple):
    """The units of least energy of a pair: floating point by the cost alone, and with rounding."""

    better: Row
    other: Row
    rounded: Row


def _sides(table: Rows, pair: Pair) -> _Sides:
    """Return the units of a pair, both operands of each in its format."""
    better, other = (_of(table, weight=one, activation=one) for one in (pair.better, pair.other))
    return _Sides(
        *(min(one, key=lambda row: row[ENERGY]) for one in (better, other, _rounded(other)))
    )


def _rounded(table: Rows) -> Rows:
    return [row for row in table if "accumulation=rounded" in row["parameters"].split()]


def _pairs(table: Rows) -> Table:
    rows = []
    for pair in _known(table):
        better, *others = _sides(table, pair)
        rows.append([pair.name, number(pair.published), *(_ratio(better, one) for one in others),
                     _sqnr(better), *map(_sqnr, others)])  # fmt: skip
    header = [
        "",
        "published, operations a joule",
        "estimated, MACs a joule",
        "over rounded sums",
        "SQNR, dB",
        "of floating point",
        "of rounded sums",
    ]
    return Table(header, rows)


def _says(table: Rows) -> str:
    """Say where the published ratios lie."""
    between, near, others = [], [], []
    for pair in _known(table):
        better, *rest = _sides(table, pair)
        low, high = sorted(one[ENERGY] / better[ENERGY] for one in rest)
        error = 1 + max(one[f"{ENERGY}_ratio_error_percent"] for one in (better, *rest)) / 100
        if low <= pair.published <= high:
            between.append(pair.name)
        elif low / error <= pair.published <= high * error:
            near.append(pair.name)
        else:
            others.append(pair.name)
    said = [
        (between, "lies between both estimates, so what floating point adds up in decides"),
        (near, "lies beside both, within the error of a ratio"),
        (others, "lies outside of both, by more than the error of a ratio"),
    ]
    return paragraph(
        " ".join(
            f"{', '.join(names)}: the published ratio {what}." for names, what in said if names
        )
    )


def _ratio(better: Row, other: Row) -> str:
    error = max(side[f"{ENERGY}_ratio_error_percent"] for side in (better, other))
    return f"{other[ENERGY] / better[ENERGY]:.2f} (+-{error:.0f} %)"


def _units(table: Rows) -> Table:
    rows = [
        [*_named(side), number(side[ENERGY]), number(side[AREA]), f"{side['slack_ns']:.1f}"]
        for pair in _known(table)
        for side in _sides(table, pair)
    ]
    header = [*_NAMED, "pJ a MAC", "um^2 for a MAC a cycle", "slack ns"]
    return Table(header, rows)


def _known(table: Rows) -> Sequence[Pair]:
    """Return the pairs of which the sweep has both, and sums that are rounded."""
    return [
        pair
        for pair in PAIRS
        if _of(table, weight=pair.better, activation=pair.better)
        and _rounded(_of(table, weight=pair.other, activation=pair.other))
    ]
