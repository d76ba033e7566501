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
from enum import StrEnum
from pathlib import Path

from hwsim import processes
from rtl import yosys
from rtl.flat import Bits, Flat

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


def reach(session: yosys.Session, folder: Path, flat: Flat, seconds: float) -> tuple[Outcome, int]:
    """Search for a way from any state to one of the bits ``bad``, on which ``ok`` holds always.

    Parameters
    ----------
    session, folder
        Yosys, and the folder that it works in; its design is given up.
    flat
        Plain cells with the outputs ``bad`` and ``ok``; it is changed.
    seconds
        Processor time that ABC may take; the outcome is open then.

    Returns
    -------
    tuple
        The outcome, and the cycles to the first bad one, 0 if there is none.
    """
    _start_anywhere(flat)
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


def _start_anywhere(flat: Flat) -> None:
    """Let registers hold in the first cycle what a new input ``free`` says."""
    (first,) = flat.add("initstate", 1)
    free: Bits = []
    for _, cell in [*flat.registers()]:
        q = cell["connections"]["Q"]
        stored, anything = flat.new(len(q)), flat.new(len(q))
        free += anything
        cell["connections"]["Q"] = stored
        flat.connect("mux", q, A=stored, B=anything, S=[first])
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
