"""Faults in the cells of a unit: registers, adders, shifters and conditions, not quite right.

A kind lists the places that it applies to, one of which is drawn; each is a function that changes
the netlist.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtl.flat import Bit, Bits, Flat

Cell = dict[str, Any]


@dataclass(frozen=True)
class Within:
    """A fault in one cell.

    Attributes
    ----------
    cell
        Its name.
    change
        What is wrong, in words.
    apply
        Changes a copy of the netlist.
    """

    cell: str
    change: str
    apply: Callable[[Flat], None]


Kind = Callable[[Flat, np.random.Generator], Iterator[Within]]


def _readers_get(flat: Flat, new: Mapping[Bit, Bit], but: str = "") -> None:
    """Let everything that reads a bit read another one, except the cell ``but``."""
    for name, cell in flat.cells.items():
        if name == but:
            continue
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                cell["connections"][port] = [new.get(bit, bit) for bit in bits]
    for name, port in flat.module["ports"].items():
        old = port["bits"]
        if port["direction"] == "output" and not new.keys().isdisjoint(old):
            flat.module["netnames"][f"inner.{name}"] = flat.module["netnames"].pop(name)
            bits = flat.add("pos", len(old), A=[new.get(bit, bit) for bit in old])
            port["bits"] = bits
            flat.module["netnames"][name] = {"hide_name": 0, "bits": bits, "attributes": {}}


def _read(flat: Flat) -> set[Bit]:
    """Return the bits that something reads."""
    found: set[Bit] = set()
    for cell in flat.cells.values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                found.update(bits)
    for port in flat.module["ports"].values():
        if port["direction"] == "output":
            found.update(port["bits"])
    return found


def _cells(flat: Flat, *types: str) -> Iterator[tuple[str, Cell]]:
    return ((name, cell) for name, cell in flat.cells.items() if cell["type"] in types)


def _label(flat: Flat, bits: Bits) -> str:
    """Return the name of the word that bits belong to."""
    names = flat.names()
    for bit in bits:
        if isinstance(bit, int) and bit in names:
            return names[bit].rpartition("[")[0]
    return "a word"


def _short(flat: Flat, name: str, bits: Bits, place: int, signed: bool, what: str) -> Within:
    """Return the fault that bits from ``place`` on are copies of the one below, or zero."""

    def apply(copy: Flat) -> None:
        low = bits[place - 1] if signed else "0"
        _readers_get(copy, dict.fromkeys(bits[place:], low))

    how = "sign-extended from" if signed else "cut to"
    return Within(name, f"{what} {_label(flat, bits)} of {len(bits)} bits is {how} {place}", apply)


def register_short(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A register is one bit short."""
    for name, cell in flat.registers():
        q = cell["connections"]["Q"]
        if len(q) > 3:
            yield _short(flat, name, q, len(q) - 1, bool(rng.integers(2)), "the register")


def register_narrow(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A register is sign-extended early."""
    for name, cell in flat.registers():
        q = cell["connections"]["Q"]
        if len(q) > 7:
            place = int(rng.integers(len(q) // 3, len(q) - 1))
            yield _short(flat, name, q, place, bool(rng.integers(2)), "the register")


def adder_short(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A sum, difference or product is one bit short."""
    read = _read(flat)
    for name, cell in _cells(flat, "$add", "$sub", "$neg", "$mul", "$alu", "$macc"):
        y = [*cell["connections"]["Y"]]
        while len(y) > 2 and y[-1] not in read:
            y.pop()
        if len(y) > 2:
            what = {"$add": "the sum", "$sub": "the difference"}.get(cell["type"], "the word")
            yield _short(flat, name, y, len(y) - 1, bool(rng.integers(2)), what)


def without_reset(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A register has no reset."""
    for name, cell in _cells(flat, "$sdff", "$sdffe"):

        def apply(copy: Flat, name: str = name) -> None:
            changed = copy.cells[name]
            changed["type"] = {"$sdff": "$dff", "$sdffe": "$dffe"}[changed["type"]]
            for part in ("connections", "port_directions"):
                del changed[part]["SRST"]
            for parameter in ("SRST_POLARITY", "SRST_VALUE"):
                del changed["parameters"][parameter]

        yield Within(name, f"{_label(flat, cell['connections']['Q'])} has no reset", apply)


def other_reset(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A register is reset to another value."""
    for name, cell in _cells(flat, "$sdff", "$sdffe"):
        value = cell["parameters"]["SRST_VALUE"]
        place = int(rng.integers(len(value)))

        def apply(copy: Flat, name: str = name, value: str = value, place: int = place) -> None:
            other = "0" if value[place] == "1" else "1"
            copy.cells[name]["parameters"]["SRST_VALUE"] = (
                value[:place] + other + value[place + 1 :]
            )

        label = _label(flat, cell["connections"]["Q"])
        yield Within(name, f"bit {len(value) - 1 - place} of {label} is reset wrongly", apply)


def always_loaded(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A register is loaded in every cycle."""
    for name, cell in _cells(flat, "$dffe", "$sdffe"):

        def apply(copy: Flat, name: str = name) -> None:
            changed = copy.cells[name]
            changed["connections"]["EN"] = [changed["parameters"]["EN_POLARITY"][-1]]

        label = _label(flat, cell["connections"]["Q"])
        yield Within(name, f"{label} is loaded in every cycle", apply)


def never_cleared(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A word is not cleared where it should be."""
    for name, cell in _cells(flat, "$mux"):
        a, b = cell["connections"]["A"], cell["connections"]["B"]
        for cleared, other in (("A", b), ("B", a)):
            if len(a) > 1 and set(cell["connections"][cleared]) == {"0"}:

                def apply(
                    copy: Flat, name: str = name, port: str = cleared, kept: Bits = other
                ) -> None:
                    copy.cells[name]["connections"][port] = kept

                label = _label(flat, cell["connections"]["Y"])
                yield Within(name, f"{label} is not cleared", apply)


def condition_dropped(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A condition does not count."""
    neutral = {"$and": "1", "$logic_and": "1", "$or": "0", "$logic_or": "0"}
    for name, cell in _cells(flat, *neutral):
        if len(cell["connections"]["Y"]) == 1:
            for port in ("A", "B"):
                bits = cell["connections"][port]
                constant = neutral[cell["type"]]

                def apply(
                    copy: Flat, name: str = name, port: str = port, constant: str = constant
                ) -> None:
                    wide = len(copy.cells[name]["connections"][port])
                    copy.cells[name]["connections"][port] = [constant] + ["0"] * (wide - 1)

                label, to = _label(flat, bits), _label(flat, cell["connections"]["Y"])
                yield Within(name, f"{to} does not depend on {label}", apply)


def sticky_short(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A bit that says whether any of a word is set misses one of them."""
    for name, cell in _cells(flat, "$reduce_or", "$reduce_bool", "$logic_not"):
        a = cell["connections"]["A"]
        if len(a) > 1:
            place = int(rng.integers(len(a)))

            def apply(copy: Flat, name: str = name, place: int = place) -> None:
                copy.cells[name]["connections"]["A"][place] = "0"

            yield Within(name, f"bit {place} of {_label(flat, a)} is not looked at", apply)


def comparison(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A comparison is wrong where both are equal."""
    other = {"$lt": "$le", "$le": "$lt", "$gt": "$ge", "$ge": "$gt"}
    for name, cell in _cells(flat, *other):

        def apply(copy: Flat, name: str = name) -> None:
            copy.cells[name]["type"] = other[copy.cells[name]["type"]]

        yield Within(name, f"{cell['type'][1:]} is {other[cell['type']][1:]}", apply)


def shift_short(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """The largest distance of a shifter is missing."""
    for name, cell in _cells(flat, "$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx"):
        b = cell["connections"]["B"]
        if len(b) > 1 and isinstance(b[-1], int):

            def apply(copy: Flat, name: str = name) -> None:
                copy.cells[name]["connections"]["B"][-1] = "0"

            yield Within(name, f"the top bit of the distance {_label(flat, b)} is missing", apply)


def sign_inverted(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A choice between two words, or a sign, is the wrong way round."""
    for name, cell in _cells(flat, "$mux", "$xor"):
        if cell["type"] == "$mux":

            def apply(copy: Flat, name: str = name) -> None:
                connections = copy.cells[name]["connections"]
                connections["A"], connections["B"] = connections["B"], connections["A"]

            yield Within(
                name, f"the choice of {_label(flat, cell['connections']['Y'])} is inverted", apply
            )
        elif len(cell["connections"]["Y"]) == 1:

            def apply(copy: Flat, name: str = name) -> None:
                copy.cells[name]["type"] = "$xnor"

            yield Within(name, f"{_label(flat, cell['connections']['Y'])} is inverted", apply)


def constant_flipped(flat: Flat, rng: np.random.Generator) -> Iterator[Within]:
    """A bit of a constant is inverted."""
    skipped = ("$dff", "$dffe", "$sdff", "$sdffe", "$meminit", "$meminit_v2", "$mem_v2")
    for name, cell in flat.cells.items():
        if cell["type"] in skipped:
            continue
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "input" or not set(bits) <= {"0", "1"}:
                continue
            place = int(rng.integers(len(bits)))

            def apply(copy: Flat, name: str = name, port: str = port, place: int = place) -> None:
                changed = copy.cells[name]["connections"][port]
                changed[place] = "0" if changed[place] == "1" else "1"

            kind = cell["type"][1:]
            yield Within(name, f"bit {place} of a constant of {kind} is inverted", apply)


#: Kinds by name.
KINDS: Mapping[str, Kind] = {
    kind.__name__: kind
    for kind in (
        register_short,
        register_narrow,
        adder_short,
        without_reset,
        other_reset,
        always_loaded,
        never_cleared,
        condition_dropped,
        sticky_short,
        comparison,
        shift_short,
        sign_inverted,
        constant_flipped,
    )
}
