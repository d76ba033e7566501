"""Proofs that two versions of a unit cannot be told apart at their ports, by induction.

Both versions run side by side on the same inputs. Registers that have the same name in both are
taken to hold the same: there is one for both, and what is to be proved besides is that both would
load the same into it. So logic that is the same in both is the same net, and only what a change
reaches is left to the SAT solver. A register for which this fails has a copy in each version, and
may still be equal while a control register has a certain value, which is tried, too. What is left
over at last is an inductive invariant, or else there is no proof.

What needs an invariant of another form is left to :mod:`rtl.reachability`, with no register taken
to be equal to another.

The environment keeps the stream protocol: a beat that is offered stays until it is taken, and its
operands and metadata are legal. Outputs are compared in all cycles without reset, ``o.payload``
while ``o.valid``.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import cast

import numpy as np

from hwsim.files import temporary_folder
from hwsim.units import UnitSpec
from rtl import yosys
from rtl.flat import PLAIN, WITH_RESETS, Bit, Bits, Flat, commands
from rtl.reachability import Outcome, reach

#: Cycles that induction looks back over, one trial after the other.
DEPTHS = (1, 2, 4)
#: Lets ABC merge gates that are equal for all inputs, so that what is the same but for how it is
#: written is the same net, too. It hides other invariants, so it is what is tried last.
_SWEEP = ("techmap", "abc -g AND,XOR -script +strash;ifraig;map", "opt_clean")
#: How wide control registers are, whose values conditions are made of.
_CONTROL_BITS = 3
#: Weights that a stored word has, as bits, up to which its legal codes are listed.
_STORED_BITS = 12


@dataclass(frozen=True)
class Proof:
    """The outcome of a proof.

    Attributes
    ----------
    outcome
        Whether it was found.
    depth
        Cycles that the induction looks back over, or those from reset to the first difference; 0
        where a proof looks back over none.
    seconds
        Wall-clock time.
    """

    outcome: Outcome
    depth: int
    seconds: float


def read(session: yosys.Session, folder: Path, text: str, top: str) -> Flat:
    """Return Verilog as plain cells."""
    (folder / "read.v").write_text(text)
    session.run(["design -reset", *commands("read.v", top, PLAIN), "write_json read.json"])
    return Flat.read(folder / "read.json", top)


def reset_values(session: yosys.Session, folder: Path, text: str, top: str) -> dict[str, str]:
    """Return the value of every bit of state that a reset sets in Verilog, by its name."""
    (folder / "read.v").write_text(text)
    steps = (*WITH_RESETS[:-1], "opt_clean")
    session.run(["design -reset", *commands("read.v", top, steps), "write_json read.json"])
    flat = Flat.read(folder / "read.json", top)
    names, (rst,) = flat.names(), flat.port("rst")
    values = {}
    for name, cell in flat.registers():
        connections, parameters = cell["connections"], cell["parameters"]
        if connections.get("SRST") != [rst] or int(parameters["SRST_POLARITY"], 2) != 1:
            continue
        if cell["type"] == "$sdffce":
            continue
        for place, q in enumerate(connections["Q"]):
            values[names.get(q, f"{name}[{place}]")] = parameters["SRST_VALUE"][-1 - place]
    return values


def equivalent(unit: UnitSpec, texts: Sequence[str], top: str, seconds: float = 60.0) -> Proof:
    """Prove that two texts of Verilog do the same after a reset.

    Parameters
    ----------
    unit
        Whose operands are legal.
    texts
        Two texts with a module ``top``.
    seconds
        Processor time that the proof may take; it is open then. It is tried as written, with gates
        merged that are equal, and by reachability, each in a third of the time; a difference that
        the last finds is looked for once more, in as much again.
    """
    for way in ("written", "merged", "reached"):
        with temporary_folder() as folder, yosys.session(folder, seconds / 3) as session:
            gold, gate = (read(session, folder, text, top) for text in texts)
            search = Search(session, folder, unit, gold, gate, sweep=way == "merged")
            if way == "reached":
                resets = [reset_values(session, folder, text, top) for text in texts]
                proof = search.reach(seconds / 3, resets)
            else:
                proof = search.run()
        if proof.outcome is not Outcome.OPEN:
            break
    return proof


@dataclass
class _Register:
    """One bit of state: its name, and bits of input and output in one version."""

    name: str
    d: Bit
    q: Bit

    @property
    def word(self) -> str:
        """The name without the place in the word."""
        return self.name.rpartition("[")[0]


def _registers(flat: Flat) -> dict[str, _Register]:
    names = flat.names()
    found = {}
    for cell, contents in flat.registers():
        connections = contents["connections"]
        for place, (d, q) in enumerate(zip(connections["D"], connections["Q"], strict=True)):
            name = names.get(cast(int, q), f"{cell}[{place}]")
            found[name] = _Register(name, d, q)
    return found


def last_model(said: str) -> tuple[int, str]:
    """Return the cycles of the last model that ``sat -show bad`` printed, and its last ``bad``."""
    model = said.rpartition("Signal Name")[2]
    bits = re.findall(r"\\bad +\S+ +\S+ +([01]+)\s*$", model, re.MULTILINE)
    return len(bits), bits[-1]


#: While a control word has a value, the copies of a register are equal.
_Condition = tuple[str, int, str]


class Search:
    """Searches for an invariant that makes two versions equal at their ports.

    Parameters
    ----------
    session, folder
        Yosys, and the folder that it works in. Its processor time is the limit of the search.
    unit
        Whose operands are legal.
    gold, gate
        The versions, as plain cells.
    reset
        Values of registers after a reset. If given, both versions start with these and with
        anything in the others, each its own; else both start with the same, and with a reset.
    sweep
        Whether gates that are equal for all inputs are merged.
    """

    def __init__(
        self,
        session: yosys.Session,
        folder: Path,
        unit: UnitSpec,
        gold: Flat,
        gate: Flat,
        reset: Mapping[str, str] | None = None,
        sweep: bool = False,
    ) -> None:
        self._sweep = _SWEEP if sweep else ()
        self._session, self._folder, self._unit = session, folder, unit
        self._gold, self._gate = gold, gate
        self._started = time.monotonic()
        self._golds, self._gates = _registers(gold), _registers(gate)
        common = self._golds.keys() & self._gates.keys()
        self._shared = [name for name in self._golds if name in common]
        self._cycles = 0
        self._reset = None
        if reset is not None:
            self._reset = {name: value for name, value in reset.items() if name in common}
        self._conditions: list[_Condition] = []
        if reset is not None:
            self._shared = [name for name in self._shared if name in reset]
            self._add_conditions(common - reset.keys())

    def run(self) -> Proof:
        """Return the outcome, open where the time is over."""
        depth = 0
        try:
            for depth in DEPTHS:
                while (outcome := self._step(depth)) is None:
                    pass
                if outcome is Outcome.REFUTED:
                    return self._proof(outcome, self._cycles)
                if outcome is Outcome.PROVED:
                    return self._proof(outcome, depth)
        except yosys.TimeOverError:
            pass
        return self._proof(Outcome.OPEN, depth)

    def reach(self, seconds: float, resets: Sequence[Mapping[str, str]]) -> Proof:
        """Return the outcome of ABC's search, which takes nothing to be equal.

        Parameters
        ----------
        seconds
            Processor time that each of two tries may take.
        resets
            What registers of either version hold after a reset, by their names. Both start with
            that, and with anything in the others, each its own. That is more than a reset leaves:
            where a difference is found, they start with anything in all, and with a reset.
        """
        self._shared, self._conditions = [], []
        both, _ = self._product(after_reset=True)
        start = {
            registers[name].q: value
            for registers, values in zip((self._golds, self._gate_registers), resets, strict=True)
            for name, value in values.items()
            if name in registers
        }
        outcome, cycles = reach(self._session, self._folder, both, seconds, start)
        if outcome is Outcome.REFUTED:
            both, _ = self._product()
            outcome, cycles = reach(self._session, self._folder, both, seconds)
        return self._proof(outcome, cycles)

    def _proof(self, outcome: Outcome, depth: int) -> Proof:
        return Proof(outcome, depth, time.monotonic() - self._started)

    def _step(self, depth: int) -> Outcome | None:
        """Try the candidates that are left; None if some were dropped."""
        both, checks = self._product()
        both.write(self._folder / "both.json")
        self._session.run(
            [
                "design -reset",
                "read_json both.json",
                "opt_expr",
                "opt_merge",
                "opt_clean",
                *self._sweep,
                "tee -q -o sat.txt sat -tempinduct -prove bad 0 -set ok 1 -show bad "
                f"-maxsteps {depth}",
            ]
        )
        said = (self._folder / "sat.txt").read_text()
        if "SUCCESS!" in said:
            return Outcome.PROVED
        # Its last cycle is the first in which a candidate or an output differs.
        self._cycles, bits = last_model(said)
        wrong = [check for check, bit in zip(checks, reversed(bits), strict=True) if bit == "1"]
        outputs = [check for check in wrong if check is None]
        if "model found for base case" in said and outputs:
            return Outcome.REFUTED
        if len(outputs) == len(wrong):
            return Outcome.OPEN
        self._drop([check for check in wrong if check is not None])
        return None

    def _drop(self, wrong: Sequence["str | _Condition"]) -> None:
        gone = set(wrong)
        self._shared = [name for name in self._shared if name not in gone]
        self._conditions = [one for one in self._conditions if one not in gone]
        self._add_conditions({check for check in wrong if isinstance(check, str)})

    def _add_conditions(self, names: Iterable[str]) -> None:
        words = {self._golds[name].word for name in names}
        controls: dict[str, int] = {}
        for register in self._golds.values():
            controls[register.word] = controls.get(register.word, 0) + 1
        atoms = [
            (control, value)
            for control, width in controls.items()
            if width <= _CONTROL_BITS and control not in words
            for value in range(1 << width)
        ]
        for word in sorted(words):
            for control, value in atoms:
                if (one := (control, value, word)) not in self._conditions:
                    self._conditions.append(one)

    def _product(self, after_reset: bool = False) -> tuple[Flat, "list[str | _Condition | None]"]:
        """Return both versions side by side, and what every bit of ``bad`` is about.

        They start as :class:`Search` says, or right after a reset.
        """
        both = self._gold.copy()
        gate = self._copy_of_gate(both)
        clock, rst = both.port("clk"), both.port("rst")
        (first,) = both.add("initstate", 1)
        checks: list[str | _Condition | None] = []
        bad: Bits = []
        if self._shared:
            d = [[flat[name].d for name in self._shared] for flat in (self._golds, gate)]
            bad += both.add("xor", len(self._shared), A=d[0], B=d[1])
            checks += self._shared
        own = [name for name in self._golds if name in gate and name not in set(self._shared)]
        for control, value, word in self._conditions:
            q = [r.q for r in self._golds.values() if r.word == control]
            pairs = [(self._golds[n].q, gate[n].q) for n in own if self._golds[n].word == word]
            if not pairs:
                continue
            unequal = both.add("ne", 1, A=[a for a, _ in pairs], B=[b for _, b in pairs])
            holds = both.add("eq", 1, A=q, B=_constant(value, len(q)))
            failing = both.add("and", 1, A=unequal, B=holds)
            if self._reset is None:
                failing = both.add("and", 1, A=failing, B=both.add("not", 1, A=[first]))
            bad += failing
            checks.append((control, value, word))
        running = both.add("not", 1, A=rst)
        bad += self._outputs(both, running)
        checks += [None] * 3
        ok = _protocol(both, self._unit, clock, rst, running)
        if not after_reset:
            ok += self._start(both, gate, first)
        both.module["netnames"] = {}
        inputs = ("clk", "rst", "i__payload", "i__valid", "o__ready")
        both.module["ports"] = {
            **{name: both.module["ports"][name] for name in inputs},
            "bad": {"direction": "output", "bits": bad},
            "ok": {"direction": "output", "bits": both.add("reduce_and", 1, A=ok)},
        }
        return both, checks

    def _copy_of_gate(self, both: Flat) -> dict[str, _Register]:
        """Add the other version to the first one and return its registers.

        Its inputs and its registers that are shared are the first one's.
        """
        base = both.new(1)[0]
        assert isinstance(base, int)
        same: dict[Bit, Bit] = {}
        for port in ("clk", "rst", "i__payload", "i__valid", "o__ready"):
            same.update(zip(self._gate.port(port), both.port(port), strict=True))
        same.update((self._gates[name].q, self._golds[name].q) for name in self._shared)

        def moved(bit: Bit) -> Bit:
            return bit if isinstance(bit, str) else same.get(bit, base + bit)

        top = 0
        clock = both.port("clk")
        for name, cell in self._gate.cells.items():
            connections = {
                port: [moved(bit) for bit in bits] for port, bits in cell["connections"].items()
            }
            numbers = [bit for bits in connections.values() for bit in bits if isinstance(bit, int)]
            top = max([top, *numbers])
            if "Q" not in connections:
                both.cells[f"gate.{name}"] = {**cell, "connections": connections}
        moved_registers = {
            name: _Register(name, moved(one.d), moved(one.q)) for name, one in self._gates.items()
        }
        self._gate_outputs = {
            port: [moved(bit) for bit in self._gate.port(port)]
            for port in ("i__ready", "o__valid", "o__payload")
        }
        self._gate_registers = moved_registers
        both.reserve(top)
        shared = set(self._shared)
        own = [one for name, one in moved_registers.items() if name not in shared]
        if own:
            both.connect_register(clock, [one.d for one in own], [one.q for one in own])
        return moved_registers

    def _outputs(self, both: Flat, running: Bits) -> Bits:
        """Return three bits: ``i.ready``, ``o.valid``, ``o.payload`` differ."""
        other = self._gate_outputs
        differ = [
            both.add("ne", 1, A=both.port(port), B=other[port])
            for port in ("i__ready", "o__valid", "o__payload")
        ]
        differ[2] = both.add("and", 1, A=differ[2], B=both.port("o__valid"))
        return [both.add("and", 1, A=one, B=running)[0] for one in differ]

    def _start(self, both: Flat, gate: Mapping[str, _Register], first: Bit) -> Bits:
        """Return what holds in the first cycle alone, true in the others."""
        later = both.add("not", 1, A=[first])
        if self._reset is None:
            return both.add("or", 1, A=later, B=both.port("rst"))
        q, values = [], []
        for name, value in self._reset.items():
            q += [self._golds[name].q, gate[name].q]
            values += [value, value]
        if not q:
            return later[:0]
        return both.add("or", 1, A=later, B=both.add("eq", 1, A=q, B=[*values]))


def _protocol(flat: Flat, unit: UnitSpec, clock: Bits, rst: Bits, running: Bits) -> Bits:
    """Return what the environment keeps: a bit for each rule."""
    payload, valid = flat.port("i__payload"), flat.port("i__valid")
    waits = flat.add("not", 1, A=flat.port("i__ready"))
    waits = flat.add("and", 1, A=flat.add("and", 1, A=waits, B=valid), B=running)
    waited = flat.register(clock, waits)
    held = flat.register(clock, payload)
    same = flat.add("and", 1, A=flat.add("eq", 1, A=held, B=payload), B=valid)
    kept = flat.add("or", 1, A=flat.add("not", 1, A=waited), B=same)
    rules = [*kept]
    idle = flat.add("not", 1, A=valid)
    low = 0
    for width, bits, legal in _fields(unit):
        if legal is not None:
            for place in range(low, low + width, bits):
                allowed = _within(flat, payload[place : place + bits], legal)
                rules += flat.add("or", 1, A=idle, B=allowed)
        low += width
    return rules


def _within(flat: Flat, code: Bits, legal: Sequence[int]) -> Bits:
    """Return whether a code is legal."""
    if len(legal) == legal[-1] - legal[0] + 1:
        ends = [
            flat.add(kind, 1, A=code, B=_constant(value, len(code)))[0]
            for kind, value in (("ge", legal[0]), ("le", legal[-1]))
        ]
        return flat.add("reduce_and", 1, A=ends)
    equal = [flat.add("eq", 1, A=code, B=_constant(value, len(code)))[0] for value in legal]
    return flat.add("reduce_or", 1, A=equal)


def _constant(value: int, width: int) -> Bits:
    """Return a number as bits, the lowest first."""
    return [*f"{value:0{width}b}"[::-1]]


def _fields(unit: UnitSpec) -> Iterator[tuple[int, int, Sequence[int] | None]]:
    """Yield width, bits of a code, and legal codes (None: all) of every field of a beat.

    A field of metadata that has one legal code is a command, which the environment may give.
    """
    legal: dict[str, tuple[int, Sequence[int]]] = {
        field.name: (field.format.bits, field.codes)
        for field in unit.metadata
        if len(field.codes) > 1
    }
    if (stored := _stored(unit)) is not None:
        legal["weights"] = unit.stored_weights.bits, stored
    for name, width in unit.beat_fields.items():
        bits, codes = legal.get(name, (0, ()))
        yield width, bits, codes if bits and width and len(codes) < 1 << bits else None


def _stored(unit: UnitSpec) -> Sequence[int] | None:
    """Return the words that weights may be stored as; None if all, or if they are too many."""
    lanes, words = unit.weight_lanes, unit.stored_weights.count
    if not words or lanes % words or unit.weight.bits * (lanes // words) > _STORED_BITS:
        return None
    codes = np.setdiff1d(np.arange(1 << unit.weight.bits), unit.refused_weights)
    group = np.array([*product(codes, repeat=lanes // words)]).astype(unit.weight.code_dtype)
    stored = unit.store_weights(np.tile(group, (1, words)))
    return [int(word) for word in np.unique(stored.reshape(len(group), -1)[:, 0])]
