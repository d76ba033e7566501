"""Liberty files: where they are, and what of their text the flow needs to know.

Most of a library's text is tables; Yosys and OpenSTA need those of delay, the energy sum those of
power. Opening a library therefore writes each file twice, without the one and without the other.
Cells are found in the latter by position, and only those that a netlist uses are parsed.
"""

import codecs
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import numpy as np

from cost_models.synthesis import cells, structure
from cost_models.synthesis.cells import Cell, Header
from cost_models.synthesis.expressions import Expression, ExpressionError, parse
from hwsim.errors import InputError, MissingToolError
from hwsim.files import temporary_folder

#: Where Debian's qflow-tech-osu018 installs the only library that is found by itself.
OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")

#: Fast because it begins with a letter and not with a border.
_FUNCTION = re.compile(r'function(?<!\wfunction)\s*:\s*("[^"]*"|[^;{}\n]*)')
#: Cells that are no ordinary logic, though their functions look like it: isolation between power
#: domains (sky130).
DONT_USE = ("*lpflow*",)
_AREA = re.compile(r"(?<!\w)area\s*:\s*\"?([0-9.eE+-]+)")
_DONT_USE = re.compile(r'dont_use\s*:\s*"?true')
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
#: Wires that OpenSTA would take by itself: which a unit has is not known before it is placed.
_WIRES = re.compile(r"\bdefault_wire_load\w*\s*:[^;\n{}]*;?")
_INCLUDE = re.compile(r"\binclude_file\s*\(")
_CLOCK_GATE = re.compile(r'clock_gating_integrated_cell\s*:\s*"?(\w+)')
#: Groups that mapping and timing do not need.
_FOR_OTHERS = {"internal_power", "leakage_power", "wire_load", "wire_load_selection"}
_NO_LOGIC = {"ff", "ff_bank", "latch", "latch_bank", "statetable"}


@dataclass(frozen=True)
class Place:
    """Where the text of a cell is: a file, the length of its header, first and last byte.

    ``source`` is the file that the user knows.
    """

    path: Path
    header: int
    start: int
    end: int
    source: str


@dataclass(frozen=True)
class Library:
    """A cell library as uncompressed files.

    Attributes
    ----------
    files
        All Liberty files, without power and models of wires, and line by line as the user's.
    sources
        The user's, in the same order.
    flip_flops
        Those of ``files`` that hold flip-flops.
    places
        Where the functions and the power of each cell are.
    registers
        Cells with one flip-flop.
    clock_gates
        Cells that gate the clock of rising-edge flip-flops. Libraries that mark them ``dont_use``
        mean logic synthesis, which must not make them out of gates.
    buffer
        The smallest buffer, which stands for what drives an input or a flip-flop's output.
    digests
        First 16 hexadecimal digits of the SHA-256 of each file as given, by its name, or by its
        path where names are the same.
    corner
        Name of the operating conditions, voltage in V and temperature in degrees Celsius.
    """

    files: tuple[Path, ...]
    sources: tuple[Path, ...]
    flip_flops: tuple[Path, ...]
    places: dict[str, Place]
    registers: tuple[str, ...]
    clock_gates: tuple[str, ...]
    buffer: str
    digests: dict[str, str]
    corner: dict[str, str | float]

    def in_words(self, log: str) -> str:
        """Return what a tool says of ``files`` with the user's names for them."""
        names = {
            path.name: str(source) for path, source in zip(self.files, self.sources, strict=True)
        }
        return re.sub(r'[^\s"]*?\b(\d+\.lib)\b', lambda match: names.get(match[1], match[0]), log)

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
        return cells.cell(place.path, place.header, place.start, place.end, place.source)

    @property
    def voltage(self) -> float:
        """Supply voltage in V."""
        return _header(next(iter(self.places.values()))).voltage


@contextmanager
def opened(technology: str, files: Sequence[Path | str] | None) -> Iterator[Library]:
    """Yield the library of a technology, decompressed into a folder that is removed afterwards.

    Raises
    ------
    InputError
        If no file is given for a technology other than osu018, if a file cannot be read or is
        no Liberty file, if they lack a flip-flop, inverter, buffer or gate of two inputs, if their
        corners or units differ, or if two have the same cell.
    MissingToolError
        If no file is given for osu018 and it is not installed.
    """
    sources = _sources(technology, files)
    with temporary_folder() as folder:
        raws = [_read(source) for source in sources]
        parts = [
            _part(folder, number, source, raw)
            for number, (source, raw) in enumerate(zip(sources, raws, strict=True))
        ]
        corner = _one_corner([part.corner for part in parts])
        places: dict[str, Place] = {}
        for part in parts:
            _add(places, part.places)
        names = [source.name for source in sources]
        with_flip_flops = [part for part in parts if part.registers]
        if not with_flip_flops:
            raise InputError(f"no flip-flop in {', '.join(names)}; give all files of the library")
        # That of the operating conditions alone, where the file has no other.
        corner |= {"voltage_v": _header(next(iter(places.values()))).voltage}
        _check_gates([function for part in parts for function in part.gates], ", ".join(names))
        yield Library(
            tuple(part.path for part in parts),
            sources,
            tuple(part.path for part in with_flip_flops),
            places,
            tuple(name for part in parts for name in part.registers),
            tuple(name for part in parts for name in part.clock_gates),
            min(buffer for part in parts for buffer in part.buffers)[1],
            {
                source.name if names.count(source.name) == 1 else str(source): _digest(raw)
                for source, raw in zip(sources, raws, strict=True)
            },
            corner,
        )


@dataclass(frozen=True)
class _Part:
    """One of a library's files: what is written of it, and what it holds."""

    path: Path
    places: dict[str, Place]
    registers: list[str]
    clock_gates: list[str]
    gates: list[Expression]
    buffers: list[tuple[float, str]]
    corner: dict[str, str | float]


def _part(folder: Path, number: int, source: Path, raw: bytes) -> _Part:
    """Write a file twice, for the tools and for us, and return what it holds."""
    text = structure.plain(_decompress(source, raw), str(source))
    groups = structure.groups(text, str(source))
    library = _library(text, groups, source)
    path = folder / f"{number}.lib"
    left_out = [g for g in groups if g.kind in _FOR_OTHERS]
    tools = _WIRES.sub(_blank, structure.without(text, left_out))
    # Of files with one library name, OpenSTA keeps the last.
    tools = f"library (part_{number}) {tools[tools.index('{', library.start) :]}"
    lines = "\n" * text.count("\n", 0, text.index("{", library.start))
    path.write_bytes((lines + tools).encode("latin-1"))
    every = [group for group in groups if group.depth == 1 and group.kind == "cell"]
    header = "\n" * text.count("\n", 0, library.start) + structure.without(
        text[library.start : library.end], every, library.start
    )
    places = {}
    gates = []
    registers = []
    clock_gates = []
    buffers = []
    inside: list[structure.Group] = []
    with (folder / f"{number}.power").open("wb") as file:
        file.write(header.encode("latin-1"))
        for group in groups:
            if group.depth != 1:
                inside.append(group)
                continue
            if group.kind == "cell":
                timing = [g for g in inside if g.kind == "timing"]
                content = structure.without(text[group.start : group.end], timing, group.start)
                start = file.tell()
                file.write(content.encode("latin-1"))
                if not group.name or group.name in places:
                    where = structure.place(text, group.start, str(source))
                    raise InputError(
                        f"{where}: a second cell, or one without a name: {group.name!r}"
                    )
                places[group.name] = Place(
                    Path(file.name), len(header), start, file.tell(), str(source)
                )
                kinds = {g.kind for g in inside if g.depth == 2}
                if "ff" in kinds:
                    registers.append(group.name)
                kind = _CLOCK_GATE.search(content)
                if kind and kind[1] in cells.CLOCK_GATES:
                    clock_gates.append(group.name)
                if kinds.isdisjoint(_NO_LOGIC):
                    functions = _gate(content)
                    gates += functions
                    if _is_buffer(functions) and not _avoided(group.name):
                        buffers.append((_area(content), group.name))
            inside = []
    return _Part(path, places, registers, clock_gates, gates, buffers, _corner(header))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _library(text: str, groups: Sequence[structure.Group], source: Path) -> structure.Group:
    """Return the group that the file is."""
    outermost = [group for group in groups if group.depth == 0]
    if not outermost or outermost[0].kind != "library" or text[: outermost[0].start].strip():
        raise InputError(f"{source} is not a Liberty file: it has no library(...) group")
    if text[outermost[0].end :].strip(" \t\n\f\v;"):
        where = structure.place(text, outermost[0].end, str(source))
        raise InputError(f"{where}: there is more behind the library(...) group")
    if match := _INCLUDE.search(text):
        where = structure.place(text, match.start(), str(source))
        raise InputError(f"{where}: include_file is not supported; give one file with everything")
    return outermost[0]


def _gate(text: str) -> list[Expression]:
    """Return the function of a cell, if that is one to map to, in a list."""
    functions = _FUNCTION.findall(text)
    if len(functions) != 1 or "three_state" in text or _DONT_USE.search(text):
        return []
    try:
        return [parse(functions[0].strip().strip('"'))]
    except ExpressionError:
        return []  # An error if it is used.


def _is_buffer(functions: Sequence[Expression]) -> bool:
    return bool(functions) and functions[0].operator == "name"


def _avoided(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in DONT_USE)


def _area(text: str) -> float:
    match = _AREA.search(text)
    return float(match[1]) if match else 0.0


def _check_gates(functions: Sequence[Expression], names: str) -> None:
    """Refuse libraries that ABC cannot map to."""
    if not functions:
        raise InputError(f"no cell in {names} has a function, which mapping needs")
    tables = set()
    for function in functions:
        inputs = sorted(function.names)
        if len(inputs) in (1, 2):
            columns = np.array(list(product([False, True], repeat=len(inputs))), bool).T
            values = function.evaluate(dict(zip(inputs, columns, strict=True)))
            tables.add(tuple(map(int, values)))
    for gate, found in (
        ("inverter", (1, 0) in tables),
        ("buffer", (0, 1) in tables),
        # With an inverter, one that is true, or false, for one state of its inputs.
        (
            "AND, OR, NAND or NOR of two inputs",
            any(sum(t) in (1, 3) for t in tables if len(t) == 4),
        ),
    ):
        if not found:
            raise InputError(
                f"no {gate} in {names}, which mapping needs; give all files of the library"
            )


def _add(places: dict[str, Place], more: dict[str, Place]) -> None:
    """Add the cells of another file, whose supply voltage and units must be the same."""
    if places and more:
        old, new = (_header(next(iter(cells_of.values()))) for cells_of in (places, more))
        for what, unit, values in (
            ("supply voltages", "V", (old.voltage, new.voltage)),
            ("units of time", "ns", (old.time_ns, new.time_ns)),
            ("units of capacitance", "fF", (old.capacitance_ff, new.capacitance_ff)),
        ):
            if values[0] != values[1]:
                low, high = sorted(values)
                raise InputError(
                    f"the Liberty files are of different {what}: {low:g} and {high:g} {unit}"
                )
    for name in more:
        if name in places:
            raise InputError(f"cell {name} is in more than one Liberty file")
    places |= more


def _one_corner(corners: Sequence[dict[str, str | float]]) -> dict[str, str | float]:
    """Return the corner of all files; refuse those of several, as far as the files say."""
    found: dict[str, str | float] = {}
    for corner in corners:
        for key, value in corner.items():
            if found.setdefault(key, value) != value:
                raise InputError(
                    f"the Liberty files are of different corners: {key} {found[key]} and {value}; "
                    "give those of one, and characterise every corner by itself"
                )
    return found


def _header(place: Place) -> Header:
    return cells.header(place.path, place.header, place.source)


def _sources(technology: str, files: Sequence[Path | str] | None) -> tuple[Path, ...]:
    if isinstance(files, str | Path):
        raise InputError(f"liberty={str(files)!r}: allowed: a list of paths")
    return tuple(map(Path, files or [_installed(technology)]))


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


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the Liberty file {source}: {error.strerror}") from None


def _decompress(source: Path, raw: bytes) -> str:
    """Return the text of a file; a byte is a character, as positions and tools count bytes."""
    try:
        plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read the Liberty file {source}: {error}") from None
    text = plain.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _corner(text: str) -> dict[str, str | float]:
    corner: dict[str, str | float] = {}
    if match := re.search(r'default_operating_conditions\s*:\s*"?([\w.]+)', text):
        corner["name"] = match[1]
    for key, attribute in (("voltage_v", "nom_voltage"), ("temperature_c", "nom_temperature")):
        if match := re.search(rf'{attribute}\s*:\s*"?({_NUMBER})', text):
            corner[key] = float(match[1])
    return corner
