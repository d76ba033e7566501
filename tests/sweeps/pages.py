"""Compare a page of docs/ with the study that made it: its layout, and samples of its figures."""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sweeps.studies.page import Page, printed, value


class Place(NamedTuple):
    """A cell of a page: table, row and column."""

    table: int
    row: int
    column: int


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of all tables of a page, the header first and without its rule."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE):
        head, _, *body = ([*map(str.strip, line[2:-2].split(" | "))] for line in block.splitlines())
        found.append([head, *body])
    return found


def outputs(text: str) -> Iterator[tuple[str, str]]:
    """Yield commands and their output."""
    for block in re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def computed(page: Page) -> list[Place]:
    """Return the cells that are computed."""
    return [
        Place(t, r, c)
        for t, table in enumerate(page.tables())
        for r, row in enumerate(table.rows)
        for c, cell in enumerate(row)
        if not isinstance(cell, str)
    ]


def chosen(
    page: Page, cheap: Callable[[str, str], bool], rows: int, seed: str, skip: set[int]
) -> list[Place]:
    """Return the cheap cells of so many rows of a page that has some, drawn by a seed.

    ``cheap`` gets the text of a row that needs no computing, and the heading of a column; no table
    in ``skip`` has cheap cells.
    """
    by_row: dict[tuple[int, int], list[Place]] = {}
    for place in computed(page):
        table = page.tables()[place.table]
        label = " | ".join(cell for cell in table.rows[place.row] if isinstance(cell, str))
        if place.table not in skip and cheap(label, table.header[place.column]):
            by_row.setdefault((place.table, place.row), []).append(place)
    drawn = random.Random(seed).sample(sorted(by_row), min(rows, len(by_row)))
    return [place for row in drawn for place in by_row[row]]


def differences(
    text: str, page: Page, places: Iterable[Place], commands: Iterable[str] = ()
) -> list[str]:
    """Return what of a page's text is not what the study gives.

    Compared are paragraphs, tables' headings and cells that need no computing, all of them, and the
    computed cells and the outputs of the commands that are given.
    """
    flat = " ".join(text.split())
    found = [
        f"not in the page: {piece[:60]!r}"
        for piece in page.pieces
        if isinstance(piece, str) and " ".join(piece.split()) not in flat
    ]
    shown, laid = tables(text), page.tables()
    if len(shown) != len(laid):
        return [*found, f"{len(shown)} tables in the page, {len(laid)} in the study"]
    for k, (rows, table) in enumerate(zip(shown, laid, strict=True)):
        if rows[0] != list(table.header):
            found.append(f"table {k}: header {rows[0]}, not {table.header}")
        if len(rows) != 1 + len(table.rows):
            return [*found, f"table {k}: {len(rows) - 1} rows, not {len(table.rows)}"]
        for r, (texts, cells) in enumerate(zip(rows[1:], table.rows, strict=True)):
            found += [
                f"table {k}, row {r}: {was!r}, not {cell!r}"
                for was, cell in zip(texts, cells, strict=True)
                if isinstance(cell, str) and was != cell
            ]
    for t, r, c in places:
        was, now = shown[t][1 + r][c], value(laid[t].rows[r][c])
        if was != now:
            found.append(f"table {t}, row {r}, {laid[t].header[c]}: {was!r}, now {now!r}")
    known = list(outputs(text))
    if [command for command, _ in known] != page.commands():
        found.append("other commands")
    found += [f"{c} prints something else now" for c in commands if dict(known)[c] != printed(c)]
    return found
