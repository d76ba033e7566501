"""A unit as generic gates: the one netlist that every technology is estimated from.

Yosys and ABC map the unit's RTL to two-input gates, multiplexers and plain flip-flops, the same
logic optimisation that a cell library would get. Yosys builds multipliers in three styles, which
differ by up to a third in area and not always in the same order, so all that apply are tried.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil
from numpy.typing import NDArray

import rtl
from hwsim.units import UnitSpec
from rtl import yosys

#: Options of Yosys' ``synth`` by the name of the multiplier style.
STYLES = {"default": "", "noalumacc": "-noalumacc", "booth": "-booth"}

#: The order keeps types that simulate alike together.
GATES = ("NOT", "XOR", "XNOR", "AND", "NAND", "OR", "NOR", "ANDNOT", "ORNOT", "MUX")
FLIP_FLOP = "DFF"
#: Everything that has an area, in the order of counts and coefficients.
TYPES = (*GATES, FLIP_FLOP)

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

Int = NDArray[np.int64]


class NetlistError(RuntimeError):
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
    inputs, outputs
        Nets of every port, lowest bit first; the clock is left out.
    """

    style: str
    types: Int
    pins: Int
    levels: Int
    data: Int
    inputs: Mapping[str, Int]
    outputs: Mapping[str, Int]

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

    def fanout(self) -> Int:
        """Return for each net the number of gate inputs, flip-flops and output bits it drives."""
        loads = [self.pins.ravel(), self.data, *self.outputs.values()]
        fanout = np.bincount(np.concatenate(loads), minlength=self.nets)
        fanout[:2] = 0  # Constants, and the unused pins that are numbered 0.
        return fanout


def multiplier_styles(text: str) -> list[str]:
    """Return the styles of ``STYLES`` that can differ for a design, given as RTLIL."""
    return [style for style in STYLES if style != "booth" or "cell $mul " in text]


def rtlil_text(unit: UnitSpec) -> str:
    """Return the unit's hardware as RTLIL, its top module named ``unit.name``."""
    return str(rtlil.convert(rtl.create(unit), name=unit.name, emit_src=False))


@lru_cache(maxsize=256)
def netlist(unit: UnitSpec) -> Netlist:
    """Return ``unit`` mapped to generic gates, in the style of the smallest area.

    Raises
    ------
    NetlistError
        If something other than gates and rising-edge flip-flops of one clock is left.
    rtl.yosys.YosysError
        If Yosys fails.
    """
    text = rtlil_text(unit)
    styles = multiplier_styles(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "unit.il").write_text(text)
        commands = ["read_rtlil unit.il", "design -save rtl"]
        for style in styles:
            commands += [
                "design -load rtl",
                f"synth -flatten -noabc -top {unit.name} {STYLES[style]}",
                "dfflegalize -cell $_DFF_P_ 01",
                "setundef -zero",
                "abc",
                "opt_clean -purge",
                f"write_json {style}.json",
            ]
        yosys.run(commands, path)
        candidates = [
            parse(json.loads((path / f"{style}.json").read_text())["modules"][unit.name], style)
            for style in styles
        ]
    weights = np.array([NAND2_EQUIVALENTS[name] for name in TYPES])
    return min(candidates, key=lambda candidate: float(candidate.counts() @ weights))


def parse(module: Mapping[str, Any], style: str) -> Netlist:
    """Return a module of Yosys' JSON format as a netlist.

    Raises
    ------
    NetlistError
        For cells other than generic gates and ``$_DFF_P_``, a flip-flop that is not clocked by
        the port ``clk``, or a combinational loop.
    """
    gates: list[tuple[int, dict[str, Any]]] = []
    flip_flops: list[dict[str, Any]] = []
    clock = module["ports"].get("clk", {"bits": []})["bits"]
    for name, cell in module["cells"].items():
        kind = cell["type"].removeprefix("$_").removesuffix("_")
        if kind == "DFF_P":
            if cell["connections"]["C"] != clock:
                raise NetlistError(f"flip-flop {name} is not clocked by the port clk")
            flip_flops.append(cell["connections"])
        elif kind in GATES:
            gates.append((GATES.index(kind), cell["connections"]))
        else:
            raise NetlistError(f"cell {name} is a {cell['type']}, neither gate nor flip-flop")

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
        inputs=inputs,
        outputs={
            name: np.array([number[bit] for bit in port["bits"]], np.int64)
            for name, port in module["ports"].items()
            if port["direction"] == "output"
        },
    )


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
