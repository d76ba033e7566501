"""Somebody's own Verilog in the place of a generator's: verified, priced and swept like the rest.

:func:`with_verilog` returns a unit with the parameters, golden model and timing of another one, and
files as its hardware. Its ports are those of every unit, which is checked at once, and so is that
Yosys reads it and that no combinational loop would stop a simulator. The testbench runs the files
themselves, and costs are of what Yosys reads from them.

Files are compiled together, in their order. ``\\`include "x.vh"`` takes another one of the files by
its last name and makes it no file to compile by itself. So the text is all that results depend on:
what reads other files is refused.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, make_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hwsim import files
from hwsim.errors import InputError
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.naming import MAX_NAME
from rtl import yosys
from rtl.base import ports

#: The file that tools read, and the top module of what Yosys makes of it.
SOURCE, _TOP = "unit.v", "hand_made"
_TO_RTLIL = (
    "proc",
    "setattr -mod -unset keep_hierarchy *",
    "flatten",
    # What is for simulators and proofs alone.
    "chformal -remove",
    "delete */t:$print",
    "opt_clean -purge",
    "rename {top} " + _TOP,
    "write_json unit.json",
    "attrmap -remove src",
    "attrmap -modattr -remove src",
    "write_rtlil unit.il",
)
#: Loops of single gates, as words hide which bits depend on which.
_NO_LOOPS = ("memory", "techmap", "simplemap", "scc -expect 0")
#: Comments and texts, in which nothing is looked for, and what is.
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
    r"|(?P<include>`include\b[^\n]*)"
    r"|(?P<reads>\$(?:readmem[bh]|s?readmem[bh]|fopen|sdf_annotate|system)\b)"
    r"|\bmodule\s+(?:(?:automatic|static)\s+)?(?P<module>[A-Za-z_][\w$]*)",
    re.DOTALL,
)
_INCLUDE = re.compile(r'`include\s+"([^"]+)"\s*(?://.*)?')
_IDENTIFIER = re.compile(r"[A-Za-z_][\w$]*", re.ASCII)
#: Cells that keep their state by more than the clock.
_ASYNCHRONOUS = re.compile(r"^  cell \$((?:al?dff|dlatch|adlatch|dffsr|sr)\w*) ", re.MULTILINE)


@dataclass(frozen=True)
class Verilog:
    """The text of a unit.

    Attributes
    ----------
    names
        Last names of its files, in the order in which they were given.
    text
        All files, those that are included in their places.
    top
        The module that is the unit.
    places
        File and line of every line of ``text``.
    rtlil
        What Yosys reads, without hierarchy; see :func:`rtlil`.
    """

    names: tuple[str, ...]
    text: str
    top: str
    places: tuple[tuple[str, int], ...] = field(repr=False, compare=False)
    rtlil: str = field(default="", repr=False, compare=False)

    @property
    def label(self) -> str:
        """The names of its files."""
        return ", ".join(self.names)

    @property
    def sha256(self) -> str:
        """The SHA-256 of its text and its top module, as hexadecimal text."""
        return hashlib.sha256(f"{self.top}\n{self.text}".encode()).hexdigest()

    def in_files(self, message: str) -> str:
        """Return a tool's message with the lines of the files in place of those of the text."""

        def place(found: re.Match[str]) -> str:
            line = int(found[1])
            if not 1 <= line <= len(self.places):
                return self.label
            return "{}:{}".format(*self.places[line - 1])

        return re.sub(rf"[^\s'`]*\b{re.escape(SOURCE)}:(\d+)", place, message)


class HandMade:
    """What units with Verilog of their own have; their classes are made by :func:`with_verilog`."""

    verilog: Verilog

    @cached_property
    def plain(self) -> UnitSpec:
        """The unit with its generator's hardware."""
        # Behind the class itself and this one.
        cls: Any = type(self).__mro__[2]
        plain: UnitSpec = cls(**self._values())
        return plain

    @property
    def name(self) -> str:
        """The plain unit's name, the files' and a hash of their text."""
        name, verilog = self.plain.name, self.verilog
        digits = hashlib.sha256(f"{name}\n{verilog.sha256}".encode()).hexdigest()[:12]
        words = re.sub(r"[^a-z0-9]+", "_", f"{name}_{'_'.join(verilog.names)}".lower())
        return f"{words[: MAX_NAME - len(digits) - 2].rstrip('_')}_x{digits}"

    def create(self) -> Any:
        """Refuse: there is no component of Amaranth."""
        raise InputError(f"the hardware of {self.name} is {self.verilog.label}, no component")

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = super()._values()  # type: ignore[misc]
        return {key: value for key, value in values.items() if key != "verilog"}

    def __reduce__(self) -> tuple[Any, ...]:
        return _joined, (self.plain, self.verilog)


def with_verilog(unit: UnitSpec, paths: Sequence[str | Path], top: str | None = None) -> UnitSpec:
    """Return a unit like ``unit`` whose hardware is what Verilog files say.

    Everything takes it: :func:`rtl.verification.verify`, estimates, synthesis, ``emit.write``.

    Parameters
    ----------
    unit
        Whose golden model and timing it must have.
    paths
        The files, in the order in which they are compiled.
    top
        The module that is the unit; by default the one that has the unit's name, or the only one.

    Raises
    ------
    InputError
        For files that cannot be read, are no Verilog, or read others; a missing top module; ports
        that are missing, surplus or of another width; a combinational loop.
    """
    check_unit(unit)
    if isinstance(unit, HandMade):
        raise InputError(f"{unit.name} has Verilog of its own already")
    lines, names, modules = _read(paths)
    text = "".join(f"{line}\n" for line, *_ in lines)
    places = tuple((name, number) for _, name, number in lines)
    label = ", ".join(names)
    chosen = _top(top, unit.name, modules, label)
    verilog = Verilog(names, text, chosen, places)
    return _joined(unit, Verilog(names, text, chosen, places, _elaborate(verilog, unit)))


def plain(unit: UnitSpec) -> UnitSpec:
    """Return the unit that has the same golden model, and its generator's hardware."""
    return unit.plain if isinstance(unit, HandMade) else unit


def provenance(unit: UnitSpec) -> dict[str, Any]:
    """Return what results say of a unit's own Verilog; nothing of other units."""
    if not isinstance(unit, HandMade):
        return {}
    own = unit.verilog
    return {"verilog": {"files": [*own.names], "top": own.top, "sha256": own.sha256}}


def rtlil(unit: HandMade) -> str:
    """Return the hardware as RTLIL, its one module named ``unit.name``.

    Raises
    ------
    InputError
        If it has latches or asynchronous resets, which the cost model has no gates for.
    """
    verilog = unit.verilog
    found = _ASYNCHRONOUS.search(verilog.rtlil)
    if found:
        raise InputError(
            f"{verilog.label}: has a {found[1]}; allowed: flip-flops at the rising edge of clk "
            "whose reset is synchronous"
        )
    return verilog.rtlil.replace(f"module \\{_TOP}\n", f"module \\{unit.name}\n", 1)


@cache
def _class(cls: type[UnitSpec]) -> Any:
    return make_dataclass(
        cls.__name__,
        [("verilog", Verilog)],
        bases=(HandMade, cls),
        frozen=True,
        kw_only=True,
        repr=False,
        namespace={"__module__": __name__, "__doc__": cls.__doc__},
    )


def _joined(unit: UnitSpec, verilog: Verilog) -> UnitSpec:
    made: UnitSpec = _class(type(unit))(**unit._values(), verilog=verilog)
    return made


_Line = tuple[str, str, int]


def _read(paths: Sequence[str | Path]) -> tuple[list[_Line], tuple[str, ...], list[str]]:
    """Return the lines to compile with file and number, the files' names, and the modules'."""
    if isinstance(paths, str | Path) or not paths:
        raise InputError(f"verilog={paths!r}: allowed: a list of at least one file")
    texts: dict[str, str] = {}
    for path in paths:
        path = files.as_path("verilog", path)
        name = path.name
        if not name.isprintable():
            raise InputError(f"verilog={path!r}: allowed: printable names of files")
        if name in texts:
            raise InputError(f"{path}: another file is called {name}, too; rename one of them")
        texts[name] = files.read_text(path, "Verilog file")
    scans = {name: _scan(name, text, texts) for name, text in texts.items()}
    included = {target for scan in scans.values() for target in scan.includes.values()}
    compiled = [name for name in texts if name not in included]
    if not compiled:
        raise InputError(f"{', '.join(texts)}: every file is included, so none is compiled")
    lines = [line for name in compiled for line in _expand(name, texts, scans, ())]
    modules = [module for scan in scans.values() for module in scan.modules]
    return lines, tuple(texts), modules


@dataclass(frozen=True)
class _Scan:
    """What stands in a file: other files by the line that includes them, and modules."""

    includes: Mapping[int, str]
    modules: Sequence[str]


def _scan(name: str, text: str, known: Collection[str]) -> _Scan:
    includes: dict[int, str] = {}
    modules = []
    for token in _TOKEN.finditer(text):
        line = text.count("\n", 0, token.start()) + 1
        if token["reads"]:
            raise InputError(
                f"{name}:{line}: {token['reads']} reads another file; write the values in the text"
            )
        if token["include"]:
            whole = text.splitlines()[line - 1].strip()
            found = _INCLUDE.fullmatch(whole)
            if not found:
                raise InputError(
                    f'{name}:{line}: {whole}: allowed: `include "FILE" in a line of its own'
                )
            includes[line] = Path(found[1]).name
        if token["module"]:
            modules.append(token["module"])
    for line, target in includes.items():
        if target not in known:
            raise InputError(f"{name}:{line}: {target} is included; give that file, too")
    return _Scan(includes, modules)


def _expand(
    name: str, texts: Mapping[str, str], scans: Mapping[str, _Scan], within: tuple[str, ...]
) -> Iterator[_Line]:
    if name in within:
        raise InputError(f"{name} includes itself, by way of {', '.join(within)}")
    for number, line in enumerate(texts[name].splitlines(), 1):
        target = scans[name].includes.get(number)
        if target is None:
            yield line, name, number
        else:
            yield from _expand(target, texts, scans, (*within, name))


def _top(given: str | None, name: str, modules: Sequence[str], label: str) -> str:
    if given is not None and not (isinstance(given, str) and _IDENTIFIER.fullmatch(given)):
        raise InputError(f"top={given!r}: allowed: the name of a module")
    if given is None and name not in modules and len(modules) == 1:
        return modules[0]
    top = name if given is None else given
    if top not in modules:
        known = ", ".join(modules) or "none"
        hint = "; choose one with --top (in Python top=)" if given is None else ""
        raise InputError(f"{label}: there is no module {top}, only {known}{hint}")
    return top


def _elaborate(verilog: Verilog, unit: UnitSpec) -> str:
    """Return what Yosys reads, as RTLIL, once its ports are those of ``unit``."""
    with files.temporary_folder() as folder:
        (folder / SOURCE).write_text(verilog.text)
        with _refusing(verilog), yosys.session(folder) as session:
            session.run([f"read_verilog -sv {SOURCE}", f"hierarchy -check -top {verilog.top}"])
            session.run([command.format(top=verilog.top) for command in _TO_RTLIL])
            modules = json.loads((folder / "unit.json").read_text())["modules"]
            _check_ports(verilog, unit, modules[_TOP]["ports"])
            session.run(_NO_LOOPS)
        return (folder / "unit.il").read_text()


@contextmanager
def _refusing(verilog: Verilog) -> Iterator[None]:
    """Turn what Yosys says of a text into an InputError with the lines of the files."""
    try:
        yield
    except yosys.YosysError as error:
        said = [line for line in str(error).splitlines() if "ERROR:" in line] or [str(error)]
        if "SCCs but expected" in said[-1]:
            raise InputError(f"{verilog.label}: has a combinational loop") from None
        raise InputError(
            f"{verilog.label}: Yosys cannot read it: {verilog.in_files(said[-1])}"
        ) from None


def _check_ports(verilog: Verilog, unit: UnitSpec, found: Mapping[str, Any]) -> None:
    wrong = []
    wanted = {name: (direction, bits) for name, direction, bits, _ in ports(unit)}
    for name, (direction, bits) in wanted.items():
        if name not in found:
            wrong.append(f"the {direction} {name} of {bits} bits is missing")
            continue
        has = found[name]["direction"], len(found[name]["bits"])
        if has != (direction, bits):
            wrong.append(f"{name} is an {has[0]} of {has[1]} bits, not an {direction} of {bits}")
    wrong += [f"{name} is no port of a unit" for name in found if name not in wanted]
    if wrong:
        raise InputError(
            f"{verilog.label}: ports of the module {verilog.top}: {'; '.join(wrong)}; "
            f"hwsim generate {plain(unit).family} ... describes them"
        )
