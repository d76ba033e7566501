"""A unit as one module of word-level cells, which programs look at and change.

Yosys reads the Verilog and writes its module without hierarchy as JSON: cells by name, each with
its connections as lists of bits. A bit is the number of a net, or ``"0"``, ``"1"`` or ``"x"``.
"""

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtl import yosys

Bit = int | str
Bits = list[Bit]

#: From Verilog to cells: registers have their reset and enable (``$sdffe``) ...
WITH_RESETS = ("proc", "flatten", "opt_expr", "opt_dff -simple-dffe", "opt_clean -purge")
#: ... or are plain (``$dff``), and there are no memories, for proofs.
PLAIN = ("proc", "flatten", "opt_expr", "memory -nordff", "opt_clean")
#: What a register keeps its state for.
_REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce")


@dataclass
class Flat:
    """One module, to be changed in place.

    Attributes
    ----------
    name
        The module's.
    module
        Its ``ports``, ``cells`` and ``netnames``, as Yosys writes them.
    """

    name: str
    module: dict[str, Any]
    _next: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        nets = [*self.module["ports"].values(), *self.module["netnames"].values()]
        lists = [net["bits"] for net in nets]
        for cell in self.cells.values():
            lists += cell["connections"].values()
        self._next = 1 + max(bit for bits in lists for bit in bits if isinstance(bit, int))

    @classmethod
    def read(cls, path: Path, name: str) -> "Flat":
        """Return the module ``name`` of a file that ``write_json`` wrote."""
        return cls(name, yosys.read_json(path)["modules"][name])

    def write(self, path: Path) -> None:
        """Write what ``read_json`` reads."""
        path.write_text(json.dumps({"modules": {self.name: self.module}}))

    def copy(self) -> "Flat":
        """Return a copy, which may be changed."""
        return Flat(self.name, copy.deepcopy(self.module))

    @property
    def cells(self) -> dict[str, Any]:
        """Cells by name."""
        cells: dict[str, Any] = self.module["cells"]
        return cells

    def port(self, name: str) -> Bits:
        """Return the bits of a port, lowest first."""
        bits: Bits = self.module["ports"][name]["bits"]
        return bits

    def registers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield names and cells of the registers."""
        return ((name, cell) for name, cell in self.cells.items() if cell["type"] in _REGISTERS)

    def names(self) -> dict[int, str]:
        """Return the shortest public name of every net that has one, such as ``sum[3]``.

        The module that is in another one as ``inner`` has the names that it has alone.
        """
        found: dict[int, str] = {}
        for name in self.module["netnames"]:
            net = self.module["netnames"][name]
            if net.get("hide_name"):
                continue
            plain = name.removeprefix("inner.")
            for place, bit in enumerate(net["bits"]):
                if isinstance(bit, int):
                    label = f"{plain}[{place}]"
                    found[bit] = min(found.get(bit, label), label, key=_shortest)
        return found

    def new(self, width: int) -> Bits:
        """Return bits of a new net."""
        self._next += width
        return [*range(self._next - width, self._next)]

    def reserve(self, top: int) -> None:
        """Make new nets have numbers above ``top``."""
        self._next = max(self._next, top + 1)

    def add(self, kind: str, width: int, **connections: Bits) -> Bits:
        """Add a cell ``$kind`` with an output ``Y`` of ``width`` bits, and return these."""
        output = self.new(width)
        self.connect(kind, output, **connections)
        return output

    def connect(self, kind: str, output: Bits, **connections: Bits) -> None:
        """Add a cell ``$kind`` whose output ``Y`` is these bits."""
        parameters = {f"{port}_WIDTH": len(bits) for port, bits in connections.items()}
        if kind == "mux":
            parameters = {"WIDTH": len(output)}
        elif kind == "initstate":
            parameters = {}
        else:
            parameters |= {"Y_WIDTH": len(output), **{f"{port}_SIGNED": 0 for port in connections}}
        self.cells[f"$added${len(self.cells)}"] = {
            "hide_name": 1,
            "type": f"${kind}",
            "parameters": {key: f"{value:032b}" for key, value in parameters.items()},
            "attributes": {},
            "port_directions": {**dict.fromkeys(connections, "input"), "Y": "output"},
            "connections": {**connections, "Y": output},
        }

    def register(self, clock: Bits, d: Bits) -> Bits:
        """Add a plain register and return its output."""
        q = self.new(len(d))
        self.connect_register(clock, d, q)
        return q

    def connect_register(self, clock: Bits, d: Bits, q: Bits) -> None:
        """Add a plain register between these bits."""
        self.cells[f"$added${len(self.cells)}"] = {
            "hide_name": 1,
            "type": "$dff",
            "parameters": {"WIDTH": f"{len(d):032b}", "CLK_POLARITY": f"{1:032b}"},
            "attributes": {},
            "port_directions": {"CLK": "input", "D": "input", "Q": "output"},
            "connections": {"CLK": clock, "D": d, "Q": q},
        }

    def reads(self, output: str) -> set[Bit]:
        """Return the bits that an output port depends on within a cycle, states and inputs."""
        drivers: dict[Bit, list[Bits]] = {}
        for cell in self.cells.values():
            if cell["type"] in _REGISTERS:
                continue
            directions, connections = cell["port_directions"], cell["connections"]
            inputs = [bits for port, bits in connections.items() if directions[port] == "input"]
            for port, bits in connections.items():
                if directions[port] == "output":
                    drivers.update((bit, inputs) for bit in bits)
        seen: set[Bit] = set()
        waiting: list[Bit] = [*self.port(output)]
        while waiting:
            bit = waiting.pop()
            if bit not in seen:
                seen.add(bit)
                waiting += [b for bits in drivers.get(bit, ()) for b in bits]
        return {bit for bit in seen if bit not in drivers}


def _shortest(label: str) -> tuple[int, str]:
    return len(label), label


def commands(files: str, top: str, steps: Iterable[str] = WITH_RESETS) -> list[str]:
    """Return the commands that read Verilog as the one module ``top``."""
    return [f"read_verilog -sv {files}", f"hierarchy -check -top {top}", *steps]
