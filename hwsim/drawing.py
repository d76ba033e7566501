"""What all charts share: one style whatever the user's matplotlibrc says, text as it is, files.

Names of sweeps, technologies and files may hold any character. None of them is read as
mathematics, and what the font has no glyph for is written as Python would escape it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from hwsim.errors import InputError
from hwsim.files import write_bytes

#: Formats of image files, by the ends of their names.
SUFFIXES = (".png", ".svg", ".pdf")
#: What would differ from run to run.
_NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
FONT = "DejaVu Sans"
STYLE = {
    "font.family": FONT,
    "text.parse_math": False,
    # Text in a PDF stays text, which can be searched and edited.
    "pdf.fonttype": 42,
    # Identifiers in an SVG are drawn from it, so that the same figure is the same bytes.
    "svg.hashsalt": "hwsim",
}


@contextmanager
def style(settings: dict[str, str | float | bool]) -> Iterator[None]:
    """Draw with matplotlib's defaults, ``STYLE`` and ``settings``, and nothing of the user's."""
    with matplotlib.style.context(["default", STYLE | settings]):
        yield


def printable(text: str) -> str:
    """Return ``text`` with escapes for the characters that the font cannot show."""
    return "".join(
        char if char.isprintable() and ord(char) in _characters() else _escape(char)
        for char in text
    )


def check_suffix(path: Path) -> None:
    """Raise InputError unless the name of a chart's file ends in one of ``SUFFIXES``."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: charts are {', '.join(SUFFIXES)} files; choose such a name")


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure in the format that its name ends in, the same bytes for the same figure.

    It is rendered before the file is opened, so that a fault in a figure leaves no file.

    Raises
    ------
    InputError
        As :func:`check_suffix`, and if the file cannot be written.
    """
    check_suffix(path)
    image = BytesIO()
    kind = path.suffix.removeprefix(".")
    figure.savefig(image, format=kind, dpi=dpi, metadata=_NO_DATE.get(kind))
    write_bytes(path, image.getvalue())


@cache
def _characters() -> frozenset[int]:
    return frozenset(FT2Font(findfont(FONT)).get_charmap())


def _escape(char: str) -> str:
    return (
        char.encode("ascii", "backslashreplace").decode() if ord(char) > 127 else repr(char)[1:-1]
    )
