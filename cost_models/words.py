"""What of RTLIL a screen counts: bits of words, before anything is mapped.

Bits of partial products, of adders, multiplexers, shifters, comparisons and registers. Yosys does
not run, so nothing is simplified, and what the optimiser would merge or drop is counted.
"""

import math
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: What is counted, in the order of feature vectors.
FEATURES = (
    "product_bits",  # of multiplications: a bit of a times a bit of b
    "product_sum_bits",  # of their sums
    "constant_product_bits",  # of multiplications by a constant
    "sum_bits",  # of additions and subtractions
    "sum_bits_log",  # times log2 of the width: carries
    "constant_sum_bits",  # where one operand is constant, and of negations
    "compare_bits",
    "equal_bits",
    "equal_constant_bits",
    "mux_bits",
    "constant_mux_bits",  # where one choice is constant
    "shift_bits",  # times the bits of the distance that matter
    "and_or_bits",
    "xor_bits",
    "reduced_bits",
    "flip_flop_bits",
)
_INDEX = {name: k for k, name in enumerate(FEATURES)}

Floats = NDArray[np.float64]

_MODULE = re.compile(r"^module \\(\S+)\n(.*?)^end$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^  cell (\S+) \S+\n((?:    .*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"    (?:parameter|connect) \\(\S+) (.*)")
#: An assignment inside a switch; those of the process itself are defaults.
_CHOICE = re.compile(r"^ {6,}assign \S+ \[(\d+)(?::(\d+))?\] (.*)$", re.MULTILINE)
_CASE = re.compile(r"^ +case (\d+)'", re.MULTILINE)
_CONSTANT = re.compile(r"\d+'[01x-]+$")

_SUMS = {"$add", "$sub"}
_COMPARISONS = {"$lt", "$le", "$gt", "$ge"}
_SHIFTS = {"$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx"}
_REDUCTIONS = {"$reduce_and", "$reduce_or", "$reduce_xor", "$reduce_bool", "$logic_not"}


def features(text: str, top: str) -> Floats:
    """Return the counts of ``FEATURES`` in RTLIL, a module as often as it is instantiated."""
    modules = dict(_MODULE.findall(text))
    known: dict[str, Floats] = {}

    def count(name: str) -> Floats:
        if name not in known:
            total = np.zeros(len(FEATURES))
            for kind, body in _CELL.findall(modules[name]):
                if kind.startswith("\\"):
                    total += count(kind[1:])
                else:
                    _add_cell(total, kind, dict(_ENTRY.findall(body)))
            _add_choices(total, modules[name])
            known[name] = total
        return known[name]

    return count(top)


def _add_choices(total: Floats, body: str) -> None:
    """Count the multiplexers of processes: one for every bit that a case assigns."""
    for high, low, value in _CHOICE.findall(body):
        width = int(high) - int(low or high) + 1
        total[_INDEX["constant_mux_bits" if _CONSTANT.match(value) else "mux_bits"]] += width
    for width in _CASE.findall(body):
        total[_INDEX["equal_constant_bits"]] += int(width)


def _add_cell(total: Floats, kind: str, entries: Mapping[str, str]) -> None:
    a, b, y = (int(entries.get(f"{name}_WIDTH", 0)) for name in "ABY")
    constant = any(_CONSTANT.match(entries.get(name, "")) for name in "AB")
    width = min(y, max(a, b) + 1)
    if kind == "$mul":
        total[_INDEX["constant_product_bits" if constant else "product_bits"]] += a * b
        total[_INDEX["product_sum_bits"]] += 0 if constant else y
    elif kind == "$neg" or (kind in _SUMS and constant):
        total[_INDEX["constant_sum_bits"]] += width
    elif kind in _SUMS:
        total[_INDEX["sum_bits"]] += width
        total[_INDEX["sum_bits_log"]] += width * math.log2(width)
    elif kind in _COMPARISONS:
        total[_INDEX["compare_bits"]] += max(a, b)
    elif kind in ("$eq", "$ne"):
        total[_INDEX["equal_constant_bits" if constant else "equal_bits"]] += max(a, b)
    elif kind in _SHIFTS and not _CONSTANT.match(entries["B"]):
        total[_INDEX["shift_bits"]] += max(a, y) * min(b, math.ceil(math.log2(max(a, y) + 1)))
    elif kind in _REDUCTIONS:
        total[_INDEX["reduced_bits"]] += a
    elif kind == "$mux":
        width = int(entries["WIDTH"])
        total[_INDEX["constant_mux_bits" if constant else "mux_bits"]] += width
    elif kind in ("$and", "$or") and not constant:
        total[_INDEX["and_or_bits"]] += y
    elif kind in ("$xor", "$xnor") and not constant:
        total[_INDEX["xor_bits"]] += y
    elif kind.startswith(("$dff", "$sdff", "$adff")):
        total[_INDEX["flip_flop_bits"]] += int(entries["WIDTH"])
