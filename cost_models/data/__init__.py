"""Published numbers that come with the package, as CSV, and how good the evidence for each is.

Every row says where its number is from, or which source its table has. No number in these files was
measured with hwsim, but for the factors in ``wires.yaml`` (:mod:`cost_models.wires`) and the
estimates in ``arrays.csv`` (:mod:`cost_models.array_errors`).
"""

import csv
from functools import cache
from importlib.resources import files

#: What a row's evidence means, the strongest first.
EVIDENCE = {
    "computed": "the source's program was run with the settings that the source names",
    "read": "taken from the source itself",
    "secondary": "taken from a text or program that quotes the source",
    "recalled": "generally known, but found in no text; look it up before relying on it",
}


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of the file ``name`` by column."""
    return [dict(row) for row in _rows(name)]


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def weakest(*evidence: str) -> str:
    """Return the weakest of some keys of ``EVIDENCE``."""
    return max(evidence, key=list(EVIDENCE).index)
