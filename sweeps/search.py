"""Searches of spaces that are too large to compute every combination of.

::

    search: {method: random, points: 1000}                     # optional: seed (0)
    search: {method: nsga2, points: 2000, population: 100}     # optional: seed (0)

``random`` draws combinations, all equally likely, before the first point is computed. ``nsga2``
breeds them: a population is computed, and from its best, ranked by dominance in the objectives and
by distance to their neighbours (Deb et al., "A fast and elitist multiobjective genetic algorithm:
NSGA-II", IEEE Trans. Evol. Comput. 6(2), 2002), the next one is crossed and mutated. A gene is the
entry, or an axis by its name, so entries with axes in common exchange what they have found. Points
that break a constraint count behind all that do not. Both give the same points for the same seed,
whoever computes them, and a search that is run again finds its own points in the folder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hwsim.decode import Value
from hwsim.errors import MissingToolError
from sweeps.designs import Design
from sweeps.keys import Key, one_of, record, whole
from sweeps.space import Entry, Space

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

    from sweeps.run import Point
    from sweeps.spec import Sweep

RANDOM, NSGA2 = "random", "nsga2"
#: Combinations of a generation, unless others are asked for.
POPULATION = 50
#: Generations in a row without a new combination after which a search ends.
IDLE = 20
KEYS = {
    "method": Key("how combinations are chosen", one_of((RANDOM, NSGA2)), required=True),
    "points": Key("how many designs are computed", whole(1), required=True),
    "seed": Key("of the random numbers; 0", whole(0)),
    "population": Key(f"nsga2: designs of a generation; {POPULATION}", whole(4)),
}


@dataclass(frozen=True)
class Search:
    """How combinations are chosen; :func:`read` makes it."""

    method: str
    points: int
    seed: int
    population: int


def read(value: Value, most: int) -> Search:
    """Return the search of at most ``most`` designs; InputError with file, line and key."""
    keys = record(value, KEYS)
    method = keys["method"].choice("method", (RANDOM, NSGA2))
    if method == RANDOM and "population" in keys:
        keys["population"].fail(f"goes with method: {NSGA2}")
    points = keys["points"].integer()
    if not 1 <= points <= most:
        keys["points"].fail(f"must be 1 to {most}, not {points}")
    seed = keys["seed"].integer() if "seed" in keys else 0
    if seed < 0:
        keys["seed"].fail(f"must be at least 0, not {seed}")
    population = keys["population"].integer() if "population" in keys else POPULATION
    if not 4 <= population <= most:
        keys["population"].fail(f"must be 4 to {most}, not {population}")
    return Search(method, points, seed, population)


def check_installed() -> None:
    """Raise MissingToolError if the optimiser is not there."""
    if find_spec("optuna") is None:
        raise MissingToolError("search: method: nsga2 needs Optuna; pip install 'hwsim[search]'")


#: Computes designs and returns the points of those that could be.
Compute = Callable[[Sequence[Design]], "dict[Design, Point]"]


def explore(sweep: "Sweep", search: Search, compute: Compute) -> None:
    """Compute ``search.points`` designs of a sweep's space, generation by generation.

    Raises
    ------
    InputError
        If hardly any combination keeps the conditions of its entry.
    """
    assert sweep.space is not None
    study, genes = _study(sweep, search), _Genes(sweep.space)
    known: dict[Design, Point | None] = {}
    idle = 0
    while len(known) < search.points and idle < IDLE:
        trials = [study.ask(genes.distributions) for _ in range(search.population)]
        bred = [genes.design(trial.params) for trial in trials]
        fresh = [one for one in dict.fromkeys(bred) if one is not None and one not in known]
        fresh = fresh[: search.points - len(known)]
        found = compute(fresh) if fresh else {}
        known |= {design: found.get(design) for design in fresh}
        for trial, design in zip(trials, bred, strict=True):
            _tell(study, trial, sweep, None if design is None else known.get(design))
        idle = 0 if fresh else idle + 1
    if not known:
        sweep.space.place.fail(
            f"none of {IDLE * search.population} combinations keeps the conditions of its entry"
        )


def _study(sweep: "Sweep", search: Search) -> "Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directions = ["maximize" if metric.maximise else "minimize" for metric in sweep.metrics]
    sampler = optuna.samplers.NSGAIISampler(population_size=search.population, seed=search.seed)
    return optuna.create_study(directions=directions, sampler=sampler)


def _tell(study: "Study", trial: "Trial", sweep: "Sweep", point: "Point | None") -> None:
    """Tell what a combination is worth; one without a value is no parent."""
    from optuna.trial import TrialState

    values = [] if point is None else [metric.value(point) for metric in sweep.metrics]
    # No number is equal to itself but those that are numbers.
    if point is None or any(value is None or value != value for value in values):
        study.tell(trial, state=TrialState.FAIL)
        return
    for constraint in sweep.constraints:
        trial.set_constraint(constraint.metric, constraint.excess(constraint.value(point)))
    study.tell(trial, values)


class _Genes:
    """Combinations as an optimiser has them: the entry, and a choice of every axis by its name.

    Entries that have an axis in common have one gene for it, of all their choices; of one that an
    entry has not, its place decides.
    """

    def __init__(self, space: Space) -> None:
        from optuna.distributions import CategoricalDistribution

        self.space = space
        choices: dict[str, dict[str, None]] = {}
        for entry in space.entries:
            for name, options in entry.axes.items():
                choices.setdefault(name, {}).update(dict.fromkeys(_texts(entry, options)))
        self.axes = {name: [*texts] for name, texts in choices.items()}
        self.distributions = {
            # Names of axes have no slash.
            "/entry": CategoricalDistribution(tuple(range(len(space.entries)))),
            **{name: CategoricalDistribution(tuple(texts)) for name, texts in self.axes.items()},
        }

    def design(self, genes: dict[str, Any]) -> Design | None:
        """Return the design of genes, or None if a condition leaves it out."""
        entry = self.space.entries[genes["/entry"]]
        choice = {}
        for name, options in entry.axes.items():
            own, gene = _texts(entry, options), genes[name]
            place = own.index(gene) if gene in own else self.axes[name].index(gene) % len(own)
            choice[name] = options[place]
        return entry.design(choice)


def _texts(entry: Entry, options: Sequence[Any]) -> list[str]:
    return [str(entry.plain(option)) for option in options]
