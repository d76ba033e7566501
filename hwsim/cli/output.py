"""How commands print: JSON, and tables with numbers to the right."""

import json
import re
from collections.abc import Iterable, Sequence


def one_line(text: str) -> str:
    """Return text with line ends as spaces, and what cannot be printed as its escape sequence."""
    joined = " ".join(text.split("\n"))
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in joined)


def print_json(value: object) -> None:
    """Print a value as JSON; NaN and infinity are an error."""
    print(json.dumps(value, indent=2, allow_nan=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns, numbers to the right."""
    text = [[cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *text, strict=True)]
    numeric = [all(_is_number(row[k]) for row in text) for k in range(len(header))]
    for row in [list(header), *text]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _is_number(cell: str) -> bool:
    """Whether a cell is a number, with or without its error."""
    return bool(re.fullmatch(r"[-+.e\d]*\d( ±[./\d]+%)?", cell))


def cell(value: object) -> str:
    """Return a value as a table shows it, numbers with five digits."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
