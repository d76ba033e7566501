"""A unit as generic gates: the one netlist that every technology is estimated from.

Yosys and ABC map the unit's RTL to two-input gates, multiplexers and plain flip-flops, by the
steps of Yosys' ``synth`` less what costs time and finds nothing here. Equal nets are looked for by
ABC's older ``ifraig``, which gives a proof up after 100 conflicts: areas are the same to
within 1.5 %, in a fifth less of ABC's time.

Multipliers are built from rows of partial products or from Booth's digits. Signs and widths of the
operands tell which is smaller (:func:`generic_styles`); where they do not, both are mapped. Yosys'
default style, which merges additions before, is tried by synthesis only: it takes as much time
again and is hardly ever smaller.

Large designs are mapped with bounded effort: without Yosys' search for operators to share, which
takes hours in long chains of rounded additions and finds nothing there.

The elements of an array are all alike, so one of them is mapped, by itself, as the unit would be
that they are, but for inputs that are constants in the array. Mapped as one design, each copy comes
out of ABC a little different, and the slowest and luckiest of them would decide about the array.
Gates that are the same afterwards, as all that depends on the operands of a whole row only, are
merged.

Mapped by part, the submodules of the unit's top module stay apart until every gate is made, so each
gate belongs to one of them. Nothing is optimised across their borders, which costs some area.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, product
from typing import Any, NamedTuple

import numpy as np
from amaranth.back import rtlil
from numpy.typing import NDArray

import rtl
from cost_models import enables
from cost_models.unit_key import unit_key
from hwsim import cache
from hwsim.errors import ToolError, check_known
from hwsim.files import temporary_folder
from hwsim.progress import mentioned
from hwsim.units import UnitSpec
from hwsim.units.array import ArrayUnit
from rtl import verilog, yosys
from rtl.once import once

#: Options of Yosys' ``synth`` by the name of the multiplier style.
STYLES = {"default": "", "noalumacc": "-noalumacc", "booth": "-booth -noalumacc"}

#: The order keeps types that simulate alike together.
GATES = ("NOT", "XOR", "XNOR", "AND", "NAND", "OR", "NOR", "ANDNOT", "ORNOT", "MUX")
FLIP_FLOP = "DFF"
#: Everything that has an area, in the order of counts and coefficients.
TYPES = (*GATES, FLIP_FLOP)

#: The folder of the user's cache that has them; a unit takes some 10 kB.
NETLISTS = "netlists"
#: The part of what is in the top module itself.
TOP = "top"
#: The part of elements of an array, whose instances are called so and by row and column.
ELEMENT = "element"

#: Rough static CMOS area in NAND2 equivalents, only to choose between multiplier styles.
NAND2_EQUIVALENTS = {
    "NOT": 0.7,
    "AND": 1.3,
    "NAND": 1.0,
    "OR": 1.3,
    "NOR": 1.0,
    "XOR": 2.3,
    "XNOR": 2.3,
    "ANDNOT": 1.3,
    "ORNOT": 1.3,
    "MUX": 2.3,
    "DFF": 5.0,
}

#: To operators of words without hierarchy, which every style begins with.
_TO_WORDS = (
    "hierarchy -check -top {top}",
    "proc",
    "flatten",
    "opt_expr",
    "opt_clean",
    "opt -nodffe -nosdff",
    "fsm",
    "opt",
    "wreduce",
    "peepopt",
    "opt_clean",
)
_SHARE = "share"
#: What makes the multipliers of a style.
_MULTIPLIERS = {"default": ("alumacc",), "noalumacc": (), "booth": ("booth",)}
#: Flip-flops without enable and reset, which become multiplexers and gates.
_PLAIN = "dfflegalize -cell $_DFF_P_ 01"
_TO_GATES = (
    "opt",
    "memory -nomap",
    "opt_clean",
    "opt -fast -full",
    "memory_map",
    "opt -full",
    "techmap",
    # ABC merges equal gates itself.
    "opt_expr",
    "opt_clean",
    _PLAIN,
    "setundef -zero",
    "abc -script +strash;ifraig;dc2;&get,-n;&dch,-f;&nf,-C,8;&put",
)
#: Cells of a design in RTLIL from which the effort is bounded.
LARGE = 16384
_CLEAN = "opt_clean -purge"
#: What modules that stay apart learn of constants outside.
_ACROSS = ("opt_hier", "opt", "opt_clean")
#: Merges what is the same in modules that were mapped apart.
_MERGE = ("opt_merge -share_all", "opt_clean")
#: Yosys recodes multipliers whose operands both have so many bits, and no others.
_RECODED_BITS = 4
#: Signed numbers of equal widths from so many bits are always smaller recoded.
_BOOTH_BITS = 6
#: Unsigned numbers of at most so many bits are never smaller recoded.
_ROWS_BITS = 8
_MODULE = re.compile(r"^module \\(\S+)\n(.*?)^end$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^  cell (\S+) ", re.MULTILINE)
_MULTIPLIER = re.compile(r"^  cell \$mul .*\n((?:    .*\n)*)", re.MULTILINE)
_NUMBER = re.compile(r"^    parameter \\([AB]_(?:WIDTH|SIGNED)) (\d+)$", re.MULTILINE)

#: Part of the cache's key: raise the number when :func:`parse` makes another netlist of the same.
_LAYOUT = f"netlist 2: {', '.join(TYPES)}"
_DIRECTIONS = ("inputs", "outputs")

Int = NDArray[np.int64]
Names = NDArray[np.str_]


class NetlistError(ToolError):
    """A unit's RTL does not map to gates and flip-flops of one clock."""


@dataclass(frozen=True, eq=False)
class Netlist:
    """Gates in topological order, and flip-flops.

    Nets are numbered: 0 and 1 are the constants, then the bits of the input ports, the outputs of
    the flip-flops, and the outputs of the gates in the order of ``types``.

    Attributes
    ----------
    style
        The multiplier style of Yosys that it was made with.
    types
        Gate types as indices into ``GATES``, shape (gates,).
    pins
        Nets of the inputs A, B, S of every gate, unused ones 0; shape (gates, 3).
    levels
        Longest distance from an input, constant or flip-flop, at least 1; ascending.
    data
        Nets of the D inputs of the flip-flops.
    enables
        Nets that are 1 before the clock edges that reach each flip-flop: 1, the constant, for those
        that no clock gate is before.
    inputs, outputs
        Nets of every port, lowest bit first; the clock is left out.
    parts
        Part of every cell, flip-flops and then gates in the order of their nets; None unless
        mapped by part.
    bounded
        Whether it is of a large design that was mapped with bounded effort.
    """

    style: str
    types: Int
    pins: Int
    levels: Int
    data: Int
    enables: Int
    inputs: Mapping[str, Int]
    outputs: Mapping[str, Int]
    parts: Names | None = None
    bounded: bool = False

    @property
    def first_flip_flop(self) -> int:
        """Net of the first flip-flop's output."""
        return 2 + sum(len(nets) for nets in self.inputs.values())

    @property
    def first_gate(self) -> int:
        """Net of the first gate's output."""
        return self.first_flip_flop + len(self.data)

    @property
    def nets(self) -> int:
        """Number of nets, the two constants included."""
        return self.first_gate + len(self.types)

    def counts(self) -> NDArray[np.float64]:
        """Return the number of cells of each of ``TYPES``."""
        gates = np.bincount(self.types, minlength=len(GATES))
        return np.append(gates, len(self.data)).astype(np.float64)

    def groups(self) -> tuple[Int, Int]:
        """Return the nets that open clock gates, and how many flip-flops are behind each."""
        return np.unique(self.enables[self.enables != 1], return_counts=True)

    def fanout(self) -> Int:
        """Return for each net the number of gate inputs, flip-flops and output bits it drives.

        Clock gates count like flip-flops.
        """
        loads = [self.pins.ravel(), self.data, self.groups()[0], *self.outputs.values()]
        fanout = np.bincount(np.concatenate(loads), minlength=self.nets)
        fanout[:2] = 0  # Constants, and the unused pins that are numbered 0.
        return fanout


def multiplier_styles(text: str) -> list[str]:
    """Return the styles of ``STYLES`` that can differ for a design, given as RTLIL."""
    return [style for style in STYLES if style != "booth" or "cell $mul " in text]


def mapped_styles(text: str) -> list[str]:
    """Return the styles that a design, given as RTLIL, is mapped to a cell library in.

    The default style is left out: of 14 units on sky130, five were up to 1.6 % smaller in it, and
    the others up to 43 % larger.
    """
    recoded = any(min(cell.widths) >= _RECODED_BITS for cell in _multipliers(text))
    return ["noalumacc", "booth"] if recoded else ["noalumacc"]


def generic_styles(text: str) -> list[str]:
    """Return the styles of ``STYLES`` that generic gates are tried in, for a design as RTLIL.

    One, where the other was not smaller by more than 2 % in any of 70 units and multipliers.
    Booth's digits are signed: they are worth it for wide signed numbers of equal widths, and not
    for unsigned ones or where one number is twice as wide as the other.
    """
    recoded = [cell for cell in _multipliers(text) if min(cell.widths) >= _RECODED_BITS]
    if not recoded:
        return ["noalumacc"]
    unsigned = not any(cell.signed for cell in recoded)
    if unsigned and len(recoded) == 1 and min(recoded[0].widths) <= _ROWS_BITS:
        return ["noalumacc"]
    if all(cell.signed and max(cell.widths) >= 2 * min(cell.widths) for cell in recoded):
        return ["noalumacc"]
    if all(cell.signed and _BOOTH_BITS <= min(cell.widths) == max(cell.widths) for cell in recoded):
        return ["booth"]
    return ["noalumacc", "booth"]


class _Multiplier(NamedTuple):
    """Widths of the operands of a multiplier in bits, and whether they are signed."""

    widths: tuple[int, int]
    signed: bool


def _multipliers(text: str) -> list[_Multiplier]:
    """Return the multipliers of a design as RTLIL."""
    found = []
    for cell in _MULTIPLIER.findall(text):
        numbers = {name: int(value) for name, value in _NUMBER.findall(cell)}
        widths = numbers["A_WIDTH"], numbers["B_WIDTH"]
        found.append(_Multiplier(widths, bool(numbers["A_SIGNED"])))
    return found


def cell_count(text: str, top: str) -> int:
    """Return the number of cells of a design, given as RTLIL, with those of its submodules."""
    contents = {name: _CELL.findall(body) for name, body in _MODULE.findall(text)}

    def count(module: str) -> int:
        return sum(
            count(kind.removeprefix("\\")) if kind.startswith("\\") else 1
            for kind in contents[module]
        )

    return count(top)


def rtlil_text(unit: UnitSpec) -> str:
    """Return the unit's hardware as RTLIL, its top module named ``unit.name``.

    Raises InputError as :func:`rtl.verilog.rtlil` for Verilog of its own.
    """
    if isinstance(unit, verilog.HandMade):
        return verilog.rtlil(unit)
    component = rtl.create(unit if unit.writes_stages else replace(unit, stages=1))
    text = str(rtlil.convert(component, name=unit.name, emit_src=False))
    if unit.stages == 1 or unit.writes_stages:
        return text
    from rtl.pipeline import pipelined

    return pipelined(text, unit.name, unit.stages, unit.turns)


@lru_cache(maxsize=256)
def netlist(unit: UnitSpec, style: str | None = None, clock_gating: bool = False) -> Netlist:
    """Return ``unit`` mapped to generic gates, in the style of the smallest area.

    With a ``style`` out of ``STYLES`` only that one is tried. With ``clock_gating``, registers that
    are loaded in some cycles only have ``enables`` instead of multiplexers. What was mapped
    before, by any process, is read from :mod:`hwsim.cache`.

    Raises
    ------
    NetlistError
        If something other than gates and rising-edge flip-flops of one clock is left.
    rtl.yosys.YosysError
        If Yosys fails.
    """
    return _netlist(unit, style, by_part=False, clock_gating=clock_gating)


@lru_cache(maxsize=256)
def netlist_by_part(unit: UnitSpec) -> Netlist:
    """Return ``unit`` mapped like :func:`netlist`, but every part by itself, with ``parts``.

    A part is a submodule of the top module, with all that is inside it. Submodules whose names
    differ in trailing numbers only (``element_0``, ``element_1``) are one part (``element``). What
    is in the top module itself is the part ``top``. Errors are those of :func:`netlist`.
    """
    return _netlist(unit, None, by_part=True)


def _netlist(
    unit: UnitSpec, style: str | None, by_part: bool, clock_gating: bool = False
) -> Netlist:
    if style is not None:
        check_known("style", style, STYLES)
    known = unit_key(unit)
    text = rtlil_text(unit) if known is None else None
    name = cache.key(
        *_settings(), str(style), str(by_part), str(clock_gating), *(known or (str(text),))
    )
    found = cache.load(NETLISTS, name, unpack)
    if found is None:
        text = text or rtlil_text(unit)
        found = _mapped(unit, text, style, by_part, clock_gating)
        # Sources that have changed meanwhile may be what made it.
        if unit_key(unit) == known:
            cache.store(NETLISTS, name, pack(found))
    return found


def _settings() -> tuple[str, ...]:
    """Return what every netlist depends on beside the unit."""
    scripts = (_script(*choice) for choice in product(STYLES, (False, True), (False, True)))
    commands = (*_TO_WORDS, *chain(*scripts), enables.RESET_OPENS, *_ACROSS, *_MERGE, _CLEAN)
    return (yosys.version(), _LAYOUT, *map(str, (LARGE, _ROWS_BITS, _BOOTH_BITS)), *commands)


def _mapped(
    unit: UnitSpec, text: str, style: str | None, by_part: bool, clock_gating: bool
) -> Netlist:
    """Map a unit whose RTLIL is ``text``."""
    if isinstance(unit, ArrayUnit):
        return _mapped_array(unit, text, style, by_part, clock_gating)
    instances = _instances(text, unit.name) if by_part else None
    styles = generic_styles(text) if style is None else [style]
    bounded = cell_count(text, unit.name) >= LARGE
    scripts = {name: _script(name, bounded, clock_gating) for name in styles}
    with mentioned(f"mapping {unit.name} to gates, which takes minutes for large units"):
        found = _smallest(unit.name, text, scripts, instances)
    return replace(found, bounded=bounded)


def _mapped_array(
    unit: ArrayUnit, text: str, style: str | None, by_part: bool, clock_gating: bool
) -> Netlist:
    """Map an array whose RTLIL is ``text``, its elements apart and once."""
    text = once(text)
    element = netlist(unit.processing_element, style, clock_gating)
    instances = _instances(text, unit.name)
    if not by_part:
        instances = {name: of for name, of in instances.items() if name.startswith(ELEMENT)}
    scripts = {element.style: _script(element.style, element.bounded, clock_gating)}
    with mentioned(f"mapping {unit.name} to gates, which takes minutes for large units"):
        found = _smallest(unit.name, text, scripts, instances, across=True)
    return replace(found, bounded=element.bounded, parts=found.parts if by_part else None)


def _script(style: str, bounded: bool, clock_gating: bool) -> list[str]:
    """Return the commands that make gates of words in a multiplier style."""
    place = _TO_GATES.index(_PLAIN)
    flip_flops = enables.COMMANDS if clock_gating else [_PLAIN]
    to_gates = [*_TO_GATES[:place], *flip_flops, *_TO_GATES[place + 1 :]]
    return [*_MULTIPLIERS[style], *([] if bounded else [_SHARE]), *to_gates]


def _smallest(
    top: str,
    text: str,
    scripts: Mapping[str, Sequence[str]],
    instances: Mapping[str, str] | None,
    across: bool = False,
) -> Netlist:
    """Map an RTLIL text in the styles of ``scripts`` and return the smallest netlist.

    ``instances`` has the modules to map by themselves, by instance; with None there are no parts.
    With ``across``, they are told of constants outside before, and equal gates are merged after.
    """
    modules = dict.fromkeys((instances or {}).values())
    apart = [f"setattr -mod -set keep_hierarchy 1 {module}" for module in modules]
    together = [f"setattr -mod -unset keep_hierarchy {module}" for module in modules]
    if instances:
        together += ["flatten", "setundef -undriven -zero", *(_MERGE if across else ())]
    mapped = {}
    with temporary_folder() as folder, yosys.session(folder) as session:
        (folder / "unit.il").write_text(text)
        enables.write_map(folder)
        to_words = [command.format(top=top) for command in _TO_WORDS]
        to_words += _ACROSS if across else ()
        session.run(["read_rtlil unit.il", *apart, *to_words, "design -save words"])
        for style, script in scripts.items():
            file = f"{style}.json"
            session.run(["design -load words", *script, *together, _CLEAN, f"write_json {file}"])
            mapped[style] = yosys.read_json(folder / file)["modules"][top]
    style = min(mapped, key=lambda name: nand2_equivalents(mapped[name]))
    return parse(mapped[style], style, instances)


def nand2_equivalents(module: Mapping[str, Any]) -> float:
    """Return the rough area of a module of Yosys' JSON format; errors are those of ``parse``."""
    return sum(NAND2_EQUIVALENTS[_kind(name, cell)] for name, cell in module["cells"].items())


def _kind(name: str, cell: Mapping[str, Any]) -> str:
    """Return which of ``TYPES`` a cell is."""
    kind = cell["type"].removeprefix("$_").removesuffix("_")
    if kind in ("DFF_P", "DFFE_PP"):
        return FLIP_FLOP
    if kind not in GATES:
        raise NetlistError(f"cell {name} is a {cell['type']}, neither gate nor flip-flop")
    return str(kind)


def pack(gates: Netlist) -> dict[str, NDArray[Any]]:
    """Return a netlist as arrays, which :func:`unpack` reads back."""
    arrays: dict[str, NDArray[Any]] = {
        "style": np.array(gates.style),
        "bounded": np.array(gates.bounded),
        "types": gates.types.astype(np.uint8),
        **{
            name: getattr(gates, name).astype(np.int32)
            for name in ("pins", "levels", "data", "enables")
        },
    }
    for direction in _DIRECTIONS:
        ports = getattr(gates, direction)
        arrays |= {f"{direction}/{name}": nets.astype(np.int32) for name, nets in ports.items()}
    return arrays if gates.parts is None else arrays | {"parts": gates.parts}


def unpack(arrays: Mapping[str, NDArray[Any]]) -> Netlist:
    """Return the netlist that :func:`pack` made arrays of."""
    ports: dict[str, dict[str, Int]] = {direction: {} for direction in _DIRECTIONS}
    for key in arrays:
        direction, _, name = key.partition("/")
        if direction in ports:
            ports[direction][name] = arrays[key].astype(np.int64)
    return Netlist(
        style=str(arrays["style"]),
        types=arrays["types"].astype(np.int64),
        pins=arrays["pins"].astype(np.int64),
        levels=arrays["levels"].astype(np.int64),
        data=arrays["data"].astype(np.int64),
        enables=arrays["enables"].astype(np.int64),
        inputs=ports["inputs"],
        outputs=ports["outputs"],
        parts=arrays.get("parts"),
        bounded=bool(arrays["bounded"]),
    )


def _instances(text: str, top: str) -> dict[str, str]:
    """Return the modules that the module ``top`` of an RTLIL text instantiates, by instance."""
    _, _, rest = text.partition(f"\nmodule \\{top}\n")
    body, _, _ = rest.partition("\nend\n")
    return {
        instance: module
        for module, instance in re.findall(r"^  cell \\(\S+) \\(\S+)$", body, re.MULTILINE)
    }


def parse(
    module: Mapping[str, Any], style: str, instances: Collection[str] | None = None
) -> Netlist:
    """Return a module of Yosys' JSON format as a netlist.

    Parameters
    ----------
    instances
        Instances of the top module that were flattened after mapping, whose cells are parts of
        their own; None for a netlist without parts.

    Raises
    ------
    NetlistError
        For cells other than generic gates, ``$_DFF_P_`` and ``$_DFFE_PP_``, a flip-flop that
        is not clocked by the port ``clk``, or a combinational loop.
    """
    gates: list[tuple[int, dict[str, Any]]] = []
    flip_flops: list[dict[str, Any]] = []
    gate_names, flip_flop_names = [], []
    clock = module["ports"].get("clk", {"bits": []})["bits"]
    for name, cell in module["cells"].items():
        kind = _kind(name, cell)
        if kind == FLIP_FLOP:
            if cell["connections"]["C"] != clock:
                raise NetlistError(f"flip-flop {name} is not clocked by the port clk")
            flip_flops.append(cell["connections"])
            flip_flop_names.append(name)
        else:
            gates.append((GATES.index(kind), cell["connections"]))
            gate_names.append(name)

    number: dict[int | str, int] = {"0": 0, "1": 1}
    inputs = {}
    for name, port in module["ports"].items():
        if port["direction"] == "input" and name != "clk":
            start = len(number)
            number.update((bit, start + k) for k, bit in enumerate(port["bits"]))
            inputs[name] = np.arange(start, len(number))
    for flip_flop in flip_flops:
        number[flip_flop["Q"][0]] = len(number)

    levels = _levels(gates, number)
    order = sorted(range(len(gates)), key=lambda k: (levels[k], gates[k][0]))
    for k in order:
        number[gates[k][1]["Y"][0]] = len(number)
    pins = np.zeros((len(gates), 3), np.int64)
    for row, k in enumerate(order):
        connections = gates[k][1]
        pins[row] = [number[connections[pin][0]] if pin in connections else 0 for pin in "ABS"]
    return Netlist(
        style=style,
        types=np.array([gates[k][0] for k in order], np.int64),
        pins=pins,
        levels=np.array([levels[k] for k in order], np.int64),
        data=np.array([number[flip_flop["D"][0]] for flip_flop in flip_flops], np.int64),
        enables=np.array(
            [number[flip_flop.get("E", ["1"])[0]] for flip_flop in flip_flops], np.int64
        ),
        inputs=inputs,
        outputs={
            name: np.array([number[bit] for bit in port["bits"]], np.int64)
            for name, port in module["ports"].items()
            if port["direction"] == "output"
        },
        parts=None
        if instances is None
        else _parts([*flip_flop_names, *(gate_names[k] for k in order)], instances),
    )


def _parts(names: Sequence[str], instances: Collection[str]) -> Names:
    """Return the part of each cell from its name, which begins with its former instance."""
    parts = []
    for name in names:
        instance, _, _ = name.removeprefix("$flatten\\").partition(".")
        parts.append(re.sub(r"([_$]\d+)+$", "", instance) if instance in instances else TOP)
    return np.array(parts)


def _levels(gates: list[tuple[int, dict[str, Any]]], sources: Mapping[int | str, int]) -> list[int]:
    """Return the longest distance of each gate from ``sources``, which are at level 0."""
    readers: dict[int | str, list[int]] = {}
    waiting = [0] * len(gates)
    for k, (_, connections) in enumerate(gates):
        for pin in "ABS":
            if pin in connections and (bit := connections[pin][0]) not in sources:
                readers.setdefault(bit, []).append(k)
                waiting[k] += 1
    levels = [1] * len(gates)
    ready = [k for k, count in enumerate(waiting) if count == 0]
    for k in ready:
        for reader in readers.get(gates[k][1]["Y"][0], ()):
            levels[reader] = max(levels[reader], levels[k] + 1)
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if len(ready) < len(gates):
        raise NetlistError(f"{len(gates) - len(ready)} gates are in or behind a loop or undriven")
    return levels
