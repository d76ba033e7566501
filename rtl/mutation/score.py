"""Runs the verification on every mutant of a unit, and says which ones it cannot tell apart.

The scripts of the verification are made once for all mutants and played by the simulator alone, up
to the first thing that is wrong; what passes goes through the verification itself, too. A mutant
that still passes is compared with the unit by induction (:mod:`rtl.induction`): what is proved
equivalent is no fault, and does not count. What every mutant came to is kept in the user's cache
folder by what it depends on, so a run that was interrupted goes on where it was.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from hwsim import cache as store
from hwsim.errors import InputError, ToolError
from hwsim.files import temporary_folder
from hwsim.numbers import whole
from hwsim.pool import each
from hwsim.processes import processor_seconds
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from rtl import emit, verilog, yosys
from rtl.icarus import IcarusError
from rtl.induction import equivalent
from rtl.mutation.mutants import Mutant, draw
from rtl.reachability import Outcome
from rtl.verification import verify
from rtl.verification.run import MAX_SEED, first_failure, simulator_version, uninitialised

#: Mutants that Yosys makes, unless told otherwise.
MUTANTS = 40
MAX_MUTANTS = 10_000
#: Processor time of a simulation of a mutant: so many times that of verifying the unit, and more.
LIMIT_FACTOR, LIMIT_SECONDS = 4.0, 30.0
#: Processor time of Yosys that a proof of equivalence may take.
PROOF_SECONDS = 120.0
#: The kind of files in the cache.
_KIND = "mutants"
#: Packages whose source decides what a mutant comes to.
_SOURCES = (
    "hwsim/formats", "hwsim/units", "rtl/verification", "rtl/player.py", "rtl/induction.py",
    "rtl/reachability.py", "rtl/flat.py",
)  # fmt: skip


class Fate(StrEnum):
    """What a mutant came to."""

    #: Verification fails, as it should.
    KILLED = "killed"
    #: It passes, and is proved equal to the unit at its ports.
    EQUIVALENT = "equivalent"
    #: It passes, and there are inputs that tell it apart, or no proof was found.
    LEFT = "left"


@dataclass(frozen=True)
class Trial:
    """What one mutant came to.

    Attributes
    ----------
    mutant
        The mutant.
    fate
        What it came to.
    said
        What the verification said, or what came of the proof.
    verify_seconds
        Processor time of the verification when it ran.
    proof_seconds
        Wall-clock time of the proof when it ran.
    """

    mutant: Mutant
    fate: Fate
    said: str
    verify_seconds: float
    proof_seconds: float

    def __str__(self) -> str:
        return f"{self.fate}: {self.mutant}: {self.said}"


@dataclass(frozen=True)
class Score:
    """What the verification of a unit is worth.

    Attributes
    ----------
    unit
        The unit.
    trials
        Its mutants, in the order in which they were drawn.
    """

    unit: UnitSpec
    trials: tuple[Trial, ...]

    def of(self, fate: Fate) -> list[Trial]:
        """Return the mutants that came to this."""
        return [trial for trial in self.trials if trial.fate is fate]

    @property
    def score(self) -> float:
        """Share of the mutants killed, of those that are not proved equivalent; 1 without any."""
        count = Counter(trial.fate for trial in self.trials)
        faults = len(self.trials) - count[Fate.EQUIVALENT]
        return count[Fate.KILLED] / faults if faults else 1.0

    def __str__(self) -> str:
        killed, equivalent, left = (len(self.of(fate)) for fate in Fate)
        return (
            f"{self.unit.name}: {len(self.trials)} mutants, {killed} killed, {equivalent} proved "
            f"equivalent, {left} left; score {self.score:.3f}"
        )


def mutate(
    unit: UnitSpec,
    mutants: int = MUTANTS,
    seed: int = 1,
    workers: int | None = None,
    watch: Callable[[Trial], None] = lambda trial: None,
) -> Score:
    """Return what the verification says of mutants of a unit.

    Parameters
    ----------
    unit
        The unit.
    mutants
        How many Yosys makes, 0 to 10000, besides one of every hand-made kind.
    seed
        Of what is drawn: mutants, and the vectors of the verification.
    workers
        Processes, by default one a core.
    watch
        Is called with every mutant when it is finished.

    Raises
    ------
    InputError
        For a ``unit`` that is none, and numbers out of range.
    MissingToolError, ToolError
        If Icarus Verilog is not installed, a tool fails, or the unit itself does not pass.
    """
    check_unit(unit)
    whole("mutants", mutants, 0, MAX_MUTANTS)
    whole("seed", seed, 0, MAX_SEED)
    simulator_version()
    drawn = draw(unit, mutants, seed)
    plain = Mutant(unit, "none", "nothing", "", drawn.original)
    first = _kept(_Task(plain, drawn.original, seed))
    if first.fate is Fate.KILLED:
        raise ToolError(f"{unit.name} does not pass as it is: {first.said}")
    limit = LIMIT_FACTOR * first.verify_seconds + LIMIT_SECONDS
    tasks = [_Task(mutant, drawn.original, seed, limit) for mutant in drawn.mutants]
    done: dict[Mutant, Trial] = {}
    for task, trial in each(_kept, tasks, workers):
        if isinstance(trial, Exception):
            raise trial
        done[task.mutant] = trial
        watch(trial)
    return Score(unit, tuple(done[mutant] for mutant in drawn.mutants))


@dataclass(frozen=True)
class _Task:
    """A mutant, the original, the seed, and the processor time of a simulation, 0 for any."""

    mutant: Mutant
    original: str
    seed: int
    limit: float = 0


def _kept(task: _Task) -> Trial:
    """Return what a mutant came to, from the cache if it is known."""
    unit = task.mutant.unit
    key = store.key(
        json.dumps([type(unit).__name__, unit.parameters()]),
        task.mutant.text,
        task.original,
        str(task.seed),
        simulator_version(),
        yosys.version(),
        _source_digest(),
    )
    known = store.load(_KIND, key, lambda arrays: (*map(str, arrays["text"]), *arrays["seconds"]))
    if known is None:
        trial = attempt(task.mutant, task.original, task.seed, task.limit)
        store.store(
            _KIND,
            key,
            {
                "text": np.array([trial.fate, trial.said]),
                "seconds": np.array([trial.verify_seconds, trial.proof_seconds]),
            },
        )
        return trial
    fate, said, *seconds = known
    return Trial(task.mutant, Fate(fate), said, *map(float, seconds))


def attempt(mutant: Mutant, original: str, seed: int, limit: float = 0) -> Trial:
    """Verify a mutant, and compare it with the unit's own Verilog if it passes.

    A simulation that takes more than ``limit`` seconds of processor time fails; 0 is no limit.
    """
    started = processor_seconds()
    failure = _failure(mutant, seed, limit)
    took = processor_seconds() - started
    if failure or mutant.text == original:
        return Trial(mutant, Fate.KILLED if failure else Fate.LEFT, failure, took, 0.0)
    top = emit.top_module(mutant.unit)
    proof = equivalent(mutant.unit, (original, mutant.text), top, PROOF_SECONDS)
    said = {
        Outcome.PROVED: "proved equivalent by "
        + (f"induction over {proof.depth}" if proof.depth else "reachability"),
        Outcome.REFUTED: f"passes, but differs in cycle {proof.depth} after a reset",
        Outcome.OPEN: "passes, and is not proved equivalent",
    }[proof.outcome]
    fate = Fate.EQUIVALENT if proof.outcome is Outcome.PROVED else Fate.LEFT
    return Trial(mutant, fate, said, took, proof.seconds)


def _failure(mutant: Mutant, seed: int, limit: float) -> str:
    """Return what the verification finds wrong, or an empty string."""
    try:
        if failure := first_failure(mutant.unit, mutant.text, seed, limit):
            return failure
    except IcarusError:
        # What is no Verilog says so below.
        pass
    with temporary_folder() as folder:
        path = folder / "mutant.v"
        path.write_text(uninitialised(mutant.text))
        try:
            unit = verilog.with_verilog(
                verilog.plain(mutant.unit), [path], emit.top_module(mutant.unit)
            )
        except InputError as error:
            # What cannot be a unit's Verilog, as it has a loop of gates, does not pass.
            return str(error)
        return verify(unit, seed, seconds=limit).failure


@cache
def _source_digest() -> str:
    root = Path(__file__).parents[2]
    files: Sequence[Path] = [
        file
        for source in _SOURCES
        for file in ([root / source] if source.endswith(".py") else (root / source).rglob("*.py"))
    ]
    return store.key(*(file.read_text() for file in sorted(files)))
