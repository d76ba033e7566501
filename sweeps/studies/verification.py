"""What verification is worth: mutants of a small unit of every family, and what is proved of it.

Mutants take some seconds each, which are kept (:mod:`rtl.mutation.score`): a page that was
interrupted goes on where it was.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from hwsim.tables import number
from hwsim.units import FAMILIES
from rtl.formal import Finding, Property, prove, small
from rtl.mutation import Fate, Score, Trial, mutate
from sweeps.studies.page import Cell, Measured, Page, Table, paragraph

#: Mutants that Yosys makes of a unit; with the hand-made kinds there are more than 40.
MUTANTS, SEED = 24, 1

INTRODUCTION = """
`hwsim verify` is as good as the faults that it finds. So faults are made on purpose: *mutants*,
each the emitted Verilog of a unit with one thing wrong. Some are single bits of cells that Yosys'
`mutate` inverts or fixes, spread evenly over the netlist; the others are of hand-made kinds, such
as a register that is one bit short, a beat that is taken during reset, or a result that is dropped
after 32 stalled cycles. A mutant that passes is compared with the unit by induction and by
reachability: what is proved equal at the ports is no fault. The score is the share of the mutants
killed, of those that are not proved equivalent. `hwsim mutate UNIT key=value...` does this for any
unit, and prints what is left.
"""
UNITS = """
Units are small, and their accumulators overflow within some dozens of beats: of 32 bits that hold
products of 10, the top one says something after a million, which no simulation plays.
"""
PROOFS = """
What holds for all inputs and for all time, by temporal induction with the SAT solver of Yosys, or
where that does not do by ABC's property directed reachability, from any state of the registers and
a reset of one cycle (`hwsim prove`). What is *open* is neither proved nor refuted: no invariant was
found.

- *independent*: `o.valid` does not depend on `o.ready` in the same cycle;
- *stable*: a result that is not taken stays as it is;
- *conserved*: every beat with `last` that is taken gives one result, within the latency; none is
  lost, doubled or invented;
- *reset*: two copies of the unit that hold anything, each something else, cannot be told apart
  after a reset of one cycle. So no register needs an initial value, and what is offered during a
  reset leaves no trace;
- *reference*: an `integer` unit is equal to a sum of products that is written plainly.
"""


def _only(families: Sequence[str]) -> str:
    """Return which families the page has."""
    names = ", ".join(f"`{name}`" for name in families)
    return paragraph(
        f"Of {len(FAMILIES)} families, this page has {names}; `hwsim study verification` makes it "
        "of all."
    )


def _score(family: str) -> Score:
    return mutate(small(family), MUTANTS, SEED, workers=1)


def _proofs(family: str) -> dict[Property, Finding]:
    return {finding.property: finding for finding in prove(small(family))}


def _count(scores: Mapping[str, Score], family: str, fate: Fate) -> str:
    return str(len(scores[family].of(fate)))


def _outcome(proofs: Mapping[str, Mapping[Property, Finding]], family: str, one: Property) -> str:
    found = proofs[family].get(one)
    return found.outcome if found else "-"


def page(families: Sequence[str] = ()) -> Page:
    """Return the page, of these families or of all."""
    chosen = [*(families or FAMILIES)]
    scores: Measured[str, Score] = Measured(_score)
    proofs: Measured[str, dict[Property, Finding]] = Measured(_proofs)

    def measure(workers: int | None) -> None:
        proofs.measure(chosen, workers)
        scores.measure(chosen, workers)

    def trials() -> list[Trial]:
        return [trial for family in chosen for trial in scores[family].trials]

    def counts(family: str) -> list[Cell]:
        fates: list[Cell] = [partial(_count, scores, family, fate) for fate in Fate]
        return [lambda: str(len(scores[family].trials)), *fates]

    def score(family: str) -> Cell:
        return lambda: number(scores[family].score)

    def outcomes(family: str) -> list[Cell]:
        return [partial(_outcome, proofs, family, one) for one in Property]

    mutants: list[list[Cell]] = [
        [family, f"`{small(family).name}`", *counts(family), score(family)] for family in chosen
    ]
    proved: list[list[Cell]] = [[family, *outcomes(family)] for family in chosen]
    return Page(
        "What verification is worth",
        [
            INTRODUCTION,
            UNITS,
            *([_only(families)] if families else []),
            Table(["family", "unit", "mutants", *map(str, Fate), "score"], mutants),
            lambda: _kinds(trials()),
            lambda: _left(trials()),
            "## Proofs",
            PROOFS,
            Table(["family", *map(str, Property)], proved),
        ],
        measure,
    )


def _kinds(trials: Sequence[Trial]) -> str:
    """Return how many mutants of every kind were killed."""
    kinds = sorted({trial.mutant.kind for trial in trials})
    lines = ["By kind, killed of those that are not proved equivalent:"]
    for kind in kinds:
        fates = [trial.fate for trial in trials if trial.mutant.kind == kind]
        faults = len(fates) - fates.count(Fate.EQUIVALENT)
        lines.append(f"`{kind}` {fates.count(Fate.KILLED)}/{faults}")
    return paragraph(f"{lines[0]} {', '.join(lines[1:])}.")


def _left(trials: Sequence[Trial]) -> str:
    """Return the mutants that are left, as a list."""
    left = [trial for trial in trials if trial.fate is Fate.LEFT]
    if not left:
        return "No mutant is left."
    items = [
        paragraph(f"`{trial.mutant.unit.family}`: {trial.mutant.name}: {trial.said}", "- ")
        for trial in left
    ]
    return "\n".join(["Left are:\n", *items])
