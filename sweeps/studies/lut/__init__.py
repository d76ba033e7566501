"""Tables, adders and multipliers: area and settled energy by weight bits, table size and share.

What is compared and how is in :mod:`sweeps.studies.lut.designs`. Everything is an estimate of one
technology; with its library the decisive points are synthesised, too, in a table of their own.
Beside the page are a table, ``lut.csv``, and a chart, ``lut.png``. With an empty cache of
netlists it takes more than an hour, most of it for the largest tables of floating-point sums.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from sweeps.studies.lut import report
from sweeps.studies.lut.results import Results, Syntheses
from sweeps.studies.page import Page

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library


def page(technology: str, libraries: "Mapping[str, Library]") -> Page:
    """Return the page, with a synthesis if the library of ``technology`` is given."""
    from sweeps.studies.lut.chart import write_chart

    results = Results(technology)
    syntheses = None
    if technology in libraries:
        syntheses = Syntheses(technology, libraries[technology])

    def measured(workers: int | None) -> None:
        results.measure(workers)
        if syntheses:
            syntheses.measure(workers)

    return Page(
        "Tables, adders or multipliers",
        report.pieces(results, syntheses),
        measured,
        {"lut.csv": partial(report.write_csv, results), "lut.png": partial(write_chart, results)},
    )
