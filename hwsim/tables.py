"""Tables for a terminal, in Markdown and in HTML, and how numbers stand in them.

Columns are aligned, those of numbers to the right. A cell is text, or a number that
:func:`number` or :func:`cell` has written; units are in the headings.
"""

import html as markup
import math
import re
from collections.abc import Iterable, Sequence

#: Significant digits of a page: estimates are some per cent off.
DIGITS = 3
#: Columns with longer cells hold prose, and are not padded in Markdown.
LONGEST = 48

_WORDS = re.compile(r"\b(to|never|unknown|none)\b|(?<=\d)e[-+]?\d+")
_NUMBERS = re.compile(r"[-+±<>=*×.,/()% \d]*")


def number(value: float, digits: int = DIGITS) -> str:
    """Return a number with so many significant digits, and all of those before the point.

    Zeros at the end count, so that 2 is ``2.00``; there is no exponent. Infinity is ``never``,
    zero ``0``.
    """
    if math.isinf(value):
        return "never"
    if value == 0:
        return "0"
    # Rounding may add a digit before the point.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:.{max(digits - 1 - exponent, 0)}f}"


def percent(value: float, reference: float, places: int = 0) -> str:
    """Return by how much ``value`` is above or below ``reference``, with its sign."""
    return f"{100 * (value / reference - 1):+.{places}f} %"


def cell(value: object) -> str:
    """Return a value as a terminal's table shows it: numbers with five digits, None as a dash."""
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def counted(count: int, noun: str) -> str:
    """Return how many there are of something, in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plain(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table for a terminal, columns two spaces apart; every line ends in a newline."""
    lines, right = _columns(header, rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(_aligned(line, widths, right)).rstrip() + "\n" for line in lines)


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; every line ends in a newline."""
    lines, right = _columns(header, rows)
    longest = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths = [max(width, 4) if width <= LONGEST else 0 for width in longest]
    rule = [
        "-" * (max(width, 4) - to_right) + ":" * to_right
        for width, to_right in zip(widths, right, strict=True)
    ]
    head, *body = (_aligned(line, widths, right) for line in lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *body))


def html(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as a notebook shows it."""
    (head, *body), right = _columns(header, rows)
    titles = "".join(f"<th>{markup.escape(text)}</th>" for text in head)
    aligns = ["right" if to_right else "left" for to_right in right]
    lines = (
        "".join(
            f'<td style="text-align: {align}">{markup.escape(text)}</td>'
            for text, align in zip(line, aligns, strict=True)
        )
        for line in body
    )
    return f"<table><tr>{titles}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _columns(
    header: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[list[list[str]], list[bool]]:
    """Return all lines as text, and which columns hold numbers."""
    body = [[cell(value) for value in row] for row in rows]
    right = [_is_numeric([row[k] for row in body]) for k in range(len(header))]
    return [list(header), *body], right


def _is_numeric(column: Sequence[str]) -> bool:
    """Whether all cells are numbers, ranges or lists of them, or say that there is none."""
    bare = [_WORDS.sub("", text) for text in column]
    return all(map(_NUMBERS.fullmatch, bare)) and any(re.search(r"\d", text) for text in bare)


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        text.rjust(width) if to_right else text.ljust(width)
        for text, width, to_right in zip(cells, widths, right, strict=True)
    ]
