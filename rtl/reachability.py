"""Proofs that something bad cannot be reached, by ABC.

Induction looks back over some cycles, which does not help where an invariant is missing, such as
that a buffer is empty whenever a counter is low. Property directed reachability finds one clause by
clause: it takes a state one step before a bad one, shows that it is not reached within k cycles,
and generalises the reason, until the reasons hold by themselves. Gates and registers that are
equal in all states are merged first. It is quick where control decides, and slow where sums do.

Source: Bradley, SAT-Based Model Checking without Unrolling, VMCAI 2011; Een, Mishchenko and
Brayton, Efficient Implementation of Property Directed Reachability, FMCAD 2011.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from hwsim import processes
from rtl import yosys
from rtl.flat import Bit, Bits, Flat

#: To what ABC reads, which has no X.
_TO_AIGER = (
    "opt_expr", "opt_merge", "opt_clean", "setundef -zero", "techmap", "opt", "dffunmap",
    "abc -g AND", "opt_clean", "write_aiger -zinit claims.aig",
)  # fmt: skip
_SEARCH = "read_aiger claims.aig; fold; strash; scorr; dc2; pdr"


class Outcome(StrEnum):
    """What came of a proof, whatever found it."""

    PROVED = "proved"
    #: There is a sequence of inputs from the reset on that shows the opposite.
    REFUTED = "refuted"
    #: Neither was found.
    OPEN = "open"


def reach(
    session: yosys.Session,
    folder: Path,
    flat: Flat,
    seconds: float,
    start: Mapping[Bit, str] | None = None,
) -> tuple[Outcome, int]:
    """Search for a way from any state to one of the bits ``bad``, on which ``ok`` holds always.

    Parameters
    ----------
    session, folder
        Yosys, and the folder that it works in; its design is given up.
    flat
        Plain cells with the outputs ``bad`` and ``ok``; it is changed.
    seconds
        Processor time that ABC may take; the outcome is open then.
    start
        Outputs of registers that hold ``0`` or ``1`` in the first cycle; by default, and where a
        register is not among them, it may hold anything. What is equal from the start on is
        found to be equal always, which cannot be where anything may be the start.

    Returns
    -------
    tuple
        The outcome, and the cycles to the first bad one, 0 if there is none.
    """
    _start(flat, start or {})
    _claim(flat, "assert", flat.add("logic_not", 1, A=flat.port("bad")))
    _claim(flat, "assume", flat.port("ok"))
    for port in ("bad", "ok"):
        del flat.module["ports"][port]
    flat.write(folder / "claims.json")
    session.run(["design -reset", "read_json claims.json", *_TO_AIGER])
    said = processes.run([yosys.abc(), "-c", _SEARCH], folder, seconds=seconds).stdout
    if "Property proved." in said:
        return Outcome.PROVED, 0
    found = re.search(r"was asserted in frame (\d+)\.", said)
    return (Outcome.REFUTED, int(found[1]) + 1) if found else (Outcome.OPEN, 0)


def _start(flat: Flat, start: Mapping[Bit, str]) -> None:
    """Let registers hold in the first cycle what is said, or else what a new input ``free`` says.

    To ABC they all hold 0 then; those that hold 1 are stored inverted.
    """
    (first,) = flat.add("initstate", 1)
    free: Bits = []
    for _, cell in [*flat.registers()]:
        d, q = cell["connections"]["D"], cell["connections"]["Q"]
        stored = flat.new(len(q))
        cell["connections"] |= {"D": [*d], "Q": stored}
        for place, bit in enumerate(q):
            held = stored[place : place + 1]
            if start.get(bit) == "0":
                flat.connect("pos", [bit], A=held)
            elif start.get(bit) == "1":
                flat.connect("not", [bit], A=held)
                cell["connections"]["D"][place : place + 1] = flat.add("not", 1, A=[d[place]])
            else:
                anything = flat.new(1)
                free += anything
                flat.connect("mux", [bit], A=held, B=anything, S=[first])
    flat.module["ports"]["free"] = {"direction": "input", "bits": free}


def _claim(flat: Flat, kind: str, holds: Bits) -> None:
    """Say that a bit is 1 always: ``assert`` or ``assume``."""
    flat.cells[f"${kind}"] = {
        "hide_name": 1,
        "type": f"${kind}",
        "parameters": {},
        "attributes": {},
        "port_directions": {"A": "input", "EN": "input"},
        "connections": {"A": holds, "EN": ["1"]},
    }
