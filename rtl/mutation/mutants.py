"""Draws the mutants of a unit: versions of its Verilog with one fault each.

Some come from Yosys' ``mutate``, which inverts, fixes or mixes single bits of cells, spread
evenly over the netlist. The others are of hand-made kinds, whole faults that designers make:
around the unit (:mod:`rtl.mutation.around`) and within it (:mod:`rtl.mutation.within`).
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.files import temporary_folder
from hwsim.units import UnitSpec
from rtl import emit, yosys
from rtl.flat import WITH_RESETS, Flat, commands
from rtl.mutation import around, within

#: How Yosys' mutations are called here.
_YOSYS = {
    "inv": "inverted",
    "const0": "always 0",
    "const1": "always 1",
    "cnot0": "inverted while bit {ctrlbit} is 0",
    "cnot1": "inverted while bit {ctrlbit} is 1",
}
_SRC = re.compile(r"\S+?:(\d+)\.")


@dataclass(frozen=True)
class Mutant:
    """A version of a unit with one fault.

    Attributes
    ----------
    unit
        What it is a version of.
    kind
        A hand-made kind, or ``yosys_`` and the mode of Yosys' ``mutate``.
    change
        What is wrong, in words.
    place
        Line of the unit's Verilog, with its text; empty for faults around the unit.
    text
        Its Verilog.
    """

    unit: UnitSpec
    kind: str
    change: str
    place: str
    text: str

    @property
    def name(self) -> str:
        """The kind and what is wrong."""
        return f"{self.kind}: {self.change}"

    def __str__(self) -> str:
        return f"{self.name}{f' [{self.place}]' if self.place else ''}"


@dataclass(frozen=True)
class Mutants:
    """The mutants of a unit.

    Attributes
    ----------
    original
        The unit's Verilog as one module, which the mutants are versions of.
    mutants
        Those, without repeats.
    """

    original: str
    mutants: tuple[Mutant, ...]


def draw(unit: UnitSpec, count: int, seed: int) -> Mutants:
    """Return the mutants of a unit: ``count`` by Yosys, and one of every hand-made kind.

    The same arguments give the same mutants.

    Raises
    ------
    InputError, rtl.yosys.YosysError
        As :func:`rtl.emit.verilog`; if Yosys fails.
    """
    lines = emit.verilog(unit).splitlines()
    top = emit.top_module(unit)
    with temporary_folder() as folder, yosys.session(folder) as session:
        (folder / "unit.v").write_text("\n".join(lines) + "\n")
        session.run(
            [
                *commands("unit.v", top, WITH_RESETS),
                # Private names would depend on the order in which cells are made.
                "memory_collect",
                "write_json unit.json",
                "write_verilog -noattr original.v",
                f"mutate -list {count} -seed {seed} -o list.txt" if count else "",
                "design -save original",
            ]
        )
        session.run(["rename -top " + around.INNER, "write_verilog -noattr inner.v"])
        maker = _Maker(unit, folder, session, top, lines, np.random.default_rng(seed))
        made = [*maker.around(), *maker.within(), *maker.by_yosys()]
        original = _tidy(folder / "original.v")
    kept: dict[str, Mutant] = {}
    for mutant in made:
        if mutant.text != original:
            kept.setdefault(mutant.text, mutant)
    return Mutants(original, tuple(kept.values()))


@dataclass
class _Maker:
    """Makes mutants in a folder where Yosys has the original."""

    unit: UnitSpec
    folder: Path
    session: yosys.Session
    top: str
    lines: list[str]
    rng: np.random.Generator

    def around(self) -> Iterator[Mutant]:
        inner = _tidy(self.folder / "inner.v")
        for name, kind in around.KINDS.items():
            made = kind(self.unit, self.rng)
            if made is not None:
                text = around.text(self.unit, self.top, made) + inner
                yield Mutant(self.unit, name, made.change, "", text)

    def within(self) -> Iterator[Mutant]:
        flat = Flat.read(self.folder / "unit.json", self.top)
        for name, kind in within.KINDS.items():
            found = [*kind(flat, self.rng)]
            if not found:
                continue
            fault = found[int(self.rng.integers(len(found)))]
            copy = flat.copy()
            fault.apply(copy)
            copy.write(self.folder / "mutant.json")
            text = self._written("design -reset", "read_json mutant.json")
            source = flat.cells[fault.cell]["attributes"].get("src", "")
            yield Mutant(self.unit, name, fault.change, self._place(source), text)

    def by_yosys(self) -> Iterator[Mutant]:
        path = self.folder / "list.txt"
        for command in path.read_text().splitlines() if path.exists() else []:
            words = shlex.split(command.replace("\\", "\\\\"))
            options = dict(zip(words[1::2], words[2::2], strict=True))
            how = _YOSYS[options["-mode"]].format(ctrlbit=options.get("-ctrlbit"))
            signal = options.get("-wire", "").removeprefix("\\")
            where = f"{signal}[{options.get('-wirebit')}]" if signal else "an unnamed net"
            cell = options["-cell"].rpartition("$")[0].rpartition("$")[-1] or options["-cell"]
            change = f"{where}, {options['-port']} of {cell}, is {how}"
            text = self._written("design -load original", command)
            place = self._place(command.rpartition("-src")[2])
            yield Mutant(self.unit, f"yosys_{options['-mode']}", change, place, text)

    def _written(self, *steps: str) -> str:
        self.session.run([*steps, "opt_clean", "write_verilog -noattr mutant.v"])
        return _tidy(self.folder / "mutant.v")

    def _place(self, source: str) -> str:
        """Return the line that a ``src`` attribute names."""
        found = _SRC.search(source)
        if not found:
            return ""
        line = int(found[1])
        return f"line {line}: {' '.join(self.lines[line - 1].split())}"


def _tidy(path: Path) -> str:
    """Return what Yosys wrote, without its header."""
    text = path.read_text()
    return text[text.index("\n\n") :].lstrip("\n")
