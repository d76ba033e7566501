from pathlib import Path

import numpy as np
import pytest

from hwsim.formats import parse_scalar, scalar_names
from hwsim.formats.table import format_row, markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"


def test_the_document_holds_the_table() -> None:
    names = dict.fromkeys(parse_scalar(name).name for name in scalar_names())
    assert markdown(parse_scalar(name) for name in names) in DOCUMENT.read_text()


@pytest.mark.parametrize(
    ("name", "specials"),
    [("e4m3", "-0 NaN"), ("e5m2", "-0 inf NaN"), ("e2m1", "-0"), ("int4", ""), ("binary", ""),
     ("e4m3fnuz", "NaN"), ("posit8_0", "NaN"), ("hif8", "inf NaN"), ("fp32", "-0 inf NaN")],
)  # fmt: skip
def test_specials(name: str, specials: str) -> None:
    assert format_row(parse_scalar(name)).specials == specials


def test_figures() -> None:
    row = format_row(parse_scalar("e4m3"))
    assert (row.bits, row.min, row.max) == (8, -448, 448)
    assert (row.smallest, row.epsilon) == (2**-9, 2**-3)
    assert np.isnan(format_row(parse_scalar("nf4")).epsilon)
