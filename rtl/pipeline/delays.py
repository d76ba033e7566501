"""Delays of words of logic, in those of a NAND gate, to balance stages by."""

from collections.abc import Callable
from math import ceil, log, log2
from typing import Any

#: A two-input multiplexer, or an exclusive-or.
_MUX = 1.5


def delay(cell: dict[str, Any]) -> float:
    """Return about the delay of a cell as Yosys writes it in JSON, once ABC has mapped it."""
    kind = cell["type"].removeprefix("$")
    widths = {port: len(bits) for port, bits in cell["connections"].items()}
    found = _DELAYS.get(kind)
    return _tree(max(widths.values())) if found is None else found(widths)


def _tree(leaves: int) -> float:
    """A tree of two-input gates."""
    return log2(max(leaves, 2))


def _add(widths: dict[str, int]) -> float:
    """A parallel prefix adder."""
    return 3 + 2 * log2(max(widths["Y"], 2))


def _multiply(widths: dict[str, int]) -> float:
    """Rows of partial products, full adders, and an adder."""
    rows = max(min(widths["A"], widths["B"]), 2)
    return 1 + 3 * ceil(log(rows / 2, 1.5)) + _add(widths)


def _shift(widths: dict[str, int]) -> float:
    """A rank of multiplexers for every bit of the amount that matters."""
    return _MUX * min(widths["B"], ceil(log2(max(widths["A"], widths["Y"], 2))) + 1)


def _compare(widths: dict[str, int]) -> float:
    return 2 + 1.5 * log2(max(widths["A"], widths["B"], 2))


def _read(widths: dict[str, int]) -> float:
    """A table, as a tree of multiplexers."""
    return _MUX * widths["RD_ADDR"]


def _gate(kind: float) -> Callable[[dict[str, int]], float]:
    return lambda widths: kind


_DELAYS: dict[str, Callable[[dict[str, int]], float]] = {
    "not": _gate(0.5),
    "and": _gate(1),
    "or": _gate(1),
    "xor": _gate(_MUX),
    "xnor": _gate(_MUX),
    "mux": _gate(_MUX),
    "pmux": lambda widths: 1 + _tree(widths["S"]),
    "reduce_xor": lambda widths: _MUX * _tree(widths["A"]),
    "eq": lambda widths: _MUX + _tree(widths["A"]),
    "ne": lambda widths: _MUX + _tree(widths["A"]),
    **dict.fromkeys(("lt", "le", "gt", "ge"), _compare),
    **dict.fromkeys(("add", "sub", "neg"), _add),
    **dict.fromkeys(("shl", "shr", "sshl", "sshr", "shift", "shiftx"), _shift),
    "mul": _multiply,
    "mem_v2": _read,
}
