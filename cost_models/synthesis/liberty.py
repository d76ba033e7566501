"""Liberty files: where they are, and what of their text the flow needs to know.

Most of a library's text is tables; Yosys and OpenSTA need those of delay, the energy sum those of
power. Opening a library therefore writes each file twice, without the one and without the other,
which regular expressions do; cells are found in the latter by position, and only those that a
netlist uses are parsed.
"""

import gzip
import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cost_models.synthesis import cells
from cost_models.synthesis.cells import Cell
from hwsim.errors import InputError, MissingToolError

#: Where Debian's qflow-tech-osu018 installs the only library that is found by itself.
OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")

_FLIP_FLOP = re.compile(r"^\s*ff\s*\(", re.MULTILINE)
_FUNCTION = re.compile(r"^\s*function\s*:", re.MULTILINE)
_CELL = re.compile(r"^\s*cell\s*\(\s*\"?([^\s\")]+)\"?\s*\)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
#: A group that holds groups without groups.
_BODY = r"\s*\([^)]*\)\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}"
_POWER = re.compile(r"\b(?:internal_power|leakage_power)" + _BODY)
_TIMING = re.compile(r"\btiming" + _BODY)


@dataclass(frozen=True)
class Place:
    """Where the text of a cell is: a file, the length of its header, and first and last byte."""

    path: Path
    header: int
    start: int
    end: int


@dataclass(frozen=True)
class Library:
    """A cell library as uncompressed files.

    Attributes
    ----------
    files
        All Liberty files, without power.
    flip_flops
        Those that hold flip-flops.
    places
        Where the functions and the power of each cell are.
    digests
        First 16 hexadecimal digits of the SHA-256 of each file as given, by its name.
    corner
        Name of the operating conditions, voltage in V and temperature in degrees Celsius.
    """

    files: tuple[Path, ...]
    flip_flops: tuple[Path, ...]
    places: dict[str, Place]
    digests: dict[str, str]
    corner: dict[str, str | float]

    def cell(self, name: str) -> Cell:
        """Return a cell by name.

        Raises
        ------
        InputError
            If there is none, or its text lacks something that its cost or function follows from.
        """
        if name not in self.places:
            raise InputError(f"the library has no cell {name}")
        place = self.places[name]
        return cells.cell(place.path, place.header, place.start, place.end)

    @property
    def voltage(self) -> float:
        """Supply voltage in V."""
        place = next(iter(self.places.values()))
        return cells.header(place.path, place.header).voltage


@contextmanager
def opened(technology: str, files: Sequence[Path] | None) -> Iterator[Library]:
    """Yield the library of a technology, decompressed into a folder that is removed afterwards.

    Raises
    ------
    InputError
        If no file is given for a technology other than osu018, if a file cannot be read or is
        no Liberty file, if none of them has a flip-flop or a function, if their supply voltages
        differ, or if two have the same cell.
    MissingToolError
        If no file is given for osu018 and it is not installed.
    """
    sources = list(files or [_installed(technology)])
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        flip_flops = []
        functions = False
        places: dict[str, Place] = {}
        digests = {}
        corner: dict[str, str | float] = {}
        for number, source in enumerate(sources):
            raw = _read(source)
            digests[source.name] = hashlib.sha256(raw).hexdigest()[:16]
            text = _COMMENT.sub("", _decompress(source, raw))
            paths.append(Path(folder) / f"{number}.lib")
            paths[-1].write_text(_POWER.sub("", text))
            functions |= _FUNCTION.search(text) is not None
            if _FLIP_FLOP.search(text):
                flip_flops.append(paths[-1])
                corner = corner or _corner(text)
            _add(places, _index(_TIMING.sub("", text), Path(folder) / f"{number}.power"))
        names = ", ".join(source.name for source in sources)
        if not flip_flops:
            raise InputError(f"no flip-flop in {names}; give all files of the library")
        if not functions:
            raise InputError(f"no cell in {names} has a function, which mapping needs")
        yield Library(tuple(paths), tuple(flip_flops), places, digests, corner)


def _index(text: str, path: Path) -> dict[str, Place]:
    """Write ``text`` to ``path`` and return where its cells are."""
    raw = text.encode()
    path.write_bytes(raw)
    # Positions are bytes, and characters as long as all are ASCII.
    text = text if len(raw) == len(text) else raw.decode("latin-1")
    found = list(_CELL.finditer(text))
    borders = [*(match.start() for match in found), len(text)]
    return {
        match[1]: Place(path, borders[0], start, end)
        for match, (start, end) in zip(found, pairwise(borders), strict=True)
    }


def _add(places: dict[str, Place], more: dict[str, Place]) -> None:
    """Add the cells of another file, whose supply voltage must be the same."""
    if places and more:
        old, new = (next(iter(cells_of.values())) for cells_of in (places, more))
        voltages = sorted(cells.header(place.path, place.header).voltage for place in (old, new))
        if voltages[0] != voltages[1]:
            raise InputError(
                f"the Liberty files are of different supply voltages: {voltages[0]} and "
                f"{voltages[1]} V"
            )
    for name in more:
        if name in places:
            raise InputError(f"cell {name} is in more than one Liberty file")
    places |= more


def _installed(technology: str) -> Path:
    if technology != "osu018":
        raise InputError(
            f"synthesis for {technology} needs its cell library: give --liberty FILE; "
            "only osu018 is found by itself"
        )
    if not OSU018.is_file():
        raise MissingToolError(
            f"the osu018 cell library is not installed ({OSU018}); "
            "`apt-get install qflow-tech-osu018`, or give --liberty FILE"
        )
    return OSU018


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the Liberty file {source}: {error.strerror}") from None


def _decompress(source: Path, raw: bytes) -> str:
    try:
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the Liberty file {source}: {error}") from None
    if not re.search(r"^\s*library\s*\(", text, re.MULTILINE):
        raise InputError(f"{source} is not a Liberty file: it has no library(...) group")
    return text


def _corner(text: str) -> dict[str, str | float]:
    corner: dict[str, str | float] = {}
    if match := re.search(r'default_operating_conditions\s*:\s*"?([\w.]+)', text):
        corner["name"] = match[1]
    for key, attribute in (("voltage_v", "nom_voltage"), ("temperature_c", "nom_temperature")):
        if match := re.search(rf"{attribute}\s*:\s*\"?([-+\d.eE]+)", text):
            corner[key] = float(match[1])
    return corner
