"""How commands print: JSON and tables."""

import json
from collections.abc import Iterable, Sequence

from hwsim import tables


def one_line(text: str) -> str:
    """Return text with line ends as spaces, and what cannot be printed as its escape sequence."""
    joined = " ".join(text.split("\n"))
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in joined)


def print_json(value: object) -> None:
    """Print a value as JSON; NaN and infinity are an error."""
    print(json.dumps(value, indent=2, allow_nan=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, numbers to the right."""
    print(tables.plain(header, rows), end="")
