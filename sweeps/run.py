"""Compute the points of a sweep, each saved as soon as it is finished.

First the quantisation error, which depends on the two formats alone and is shared by many points,
and what the units' own arithmetic adds to it, and what the formats cost a whole network; then the
screen, if the sweep has one, which leaves candidates out; then the cost, one task a unit, because
one mapping to gates serves all technologies and clocks. The operands that switch a unit's gates are
rows and tokens of the same layers.

Accelerators have the same steps, and :mod:`sweeps.simulated` in place of the last. A search that
breeds designs takes these steps for every generation.

All of it is kept under what decides it (:mod:`sweeps.identity`).
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cost_models import technology as technologies
from cost_models.anchors import Interpolation
from cost_models.cost import Cost
from cost_models.estimate import CostCurve, End, price_on_curve
from cost_models.synthesis import opensta
from hwsim.errors import InputError
from hwsim.formats import Format
from hwsim.formats.block import BlockFormat
from hwsim.tensors.quality import Quality, UnitError
from hwsim.tensors.quantise import Pair, QuantisationError, check_group
from hwsim.tensors.sources import Layer, have_activations
from hwsim.units import UnitSpec
from sweeps import accuracies, interpolate, search
from sweeps.accuracies import Combination, Measured, combination
from sweeps.cluster import Each, opened
from sweeps.costs import Costing, curves, estimated
from sweeps.designs import Design
from sweeps.identity import Identity
from sweeps.interpolate import Compared
from sweeps.metrics import METRICS
from sweeps.networks import Network
from sweeps.pareto import pareto
from sweeps.plain import told
from sweeps.progress import Progress
from sweeps.qualities import Measurement, UnitMeasurement, measure, measure_unit
from sweeps.screen import Candidate, Pruned, Screening, goodness, prune, screened
from sweeps.simulated import Simulated, Source, simulations
from sweeps.spec import Sweep, Tensors
from sweeps.store import Store, locked
from sweeps.syntheses import synthesised
from sweeps.targets import Target

#: More worker processes than that are a slip of the keyboard.
WORKERS_PER_CORE = 8


class SweepInterruptedError(KeyboardInterrupt):
    """Ctrl-C during a sweep; the message says what is kept and how to go on."""


@dataclass(frozen=True)
class Point:
    """A design in a target, with what was computed for it.

    Attributes
    ----------
    design, target
        A unit or an accelerator; in a technology at a clock, with a workload or without.
    cost, quality
        Of the unit.
    group
        Group size of weights, None without tensors and network.
    simulated
        What the accelerator takes; None for a unit alone.
    accuracy
        Of the network in the design's formats; None without one.
    """

    design: Design
    target: Target
    cost: Cost
    quality: Quality | None
    group: int | None
    simulated: Simulated | None = None
    accuracy: Measured | None = None

    @property
    def unit(self) -> UnitSpec:
        """The unit of the design."""
        return self.design.unit


@dataclass(frozen=True)
class Failure:
    """A design in a target that could not be computed, and why."""

    design: Design
    target: Target
    message: str

    @property
    def unit(self) -> UnitSpec:
        """The unit of the design."""
        return self.design.unit


@dataclass(frozen=True)
class Outcome:
    """What a run delivers, in the order of the specification.

    Attributes
    ----------
    points, failures, pruned
        Together one for every design and target; ``pruned`` are those that the screen left out.
    computed
        How many of the points were computed by this run; the others were found, or interpolated.
    compared
        Points that were estimated to see how far interpolation is from it.
    """

    points: tuple[Point, ...]
    failures: tuple[Failure, ...]
    pruned: tuple[Pruned, ...]
    computed: int
    compared: tuple[Compared, ...] = ()

    @property
    def interpolated(self) -> int:
        """How many of the points are interpolated."""
        return sum(point.cost.method == "interpolated" for point in self.points)

    def __repr__(self) -> str:
        return (
            f"<Outcome: {len(self.points)} points, {self.computed} of them computed now, "
            f"{len(self.failures)} failures, {len(self.pruned)} left out>"
        )


def run(
    sweep: Sweep,
    folder: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> Outcome:
    """Compute every point of ``sweep`` that ``folder`` does not hold yet.

    Parameters
    ----------
    sweep
        See :func:`sweeps.spec.read`.
    folder
        Made if missing. ``points/``, ``errors/``, ``unit_errors/`` and ``accuracies/`` in it get
        one JSON file a point, a pair of formats, a unit, and a combination of formats of the
        network, and points of other specifications stay there. A point
        that fails is saved with its error and tried again by the next run, as is one whose file is
        damaged, which stderr says.
    workers
        Number of processes, by default one a core, and at most eight a core.
    scheduler
        A Dask cluster in place of processes, see :func:`sweeps.cluster.opened`.
    quiet
        Say nothing on stderr but what went wrong.

    Raises
    ------
    InputError
        If another process works in the folder, if it holds other files or cannot be written, or
        for tensors that cannot be used, or for a scheduler that does not answer or whose workers
        have other source or tensors. Points that were finished before are kept.
    MissingToolError
        If the package that holds the tensors is not installed, or a tool that synthesis needs, or
        Dask where there is a scheduler.
    SweepInterruptedError
        On Ctrl-C; every finished point is kept.
    WorkerDiedError
        If a worker process ends by itself, or the scheduler; every finished point is kept.
    """
    check(sweep, workers)
    files = [one.source for one in (*sweep.tensor_sets, sweep.network) if one is not None]
    with (
        locked(folder) as store,
        opened(scheduler, workers, files) as each,
        Progress(quiet) as progress,
    ):
        # Sets of tensors have nothing in common but the designs.
        parts = [sweep] if sweep.tensors else [sweep.of(one) for one in sweep.tensor_sets]
        engines = [_Engine(part, store, each, progress) for part in parts or [sweep]]
        try:
            return _joined(sweep, [engine.run() for engine in engines])
        except KeyboardInterrupt:
            kept = sum(
                point.cost.method != "interpolated"
                for engine in engines
                for point in engine.points.values()
            )
            raise SweepInterruptedError(
                f"interrupted: {kept} of {sum(engine.total for engine in engines)} points are kept "
                f"in {folder}; run the same command again to continue"
            ) from None


def _joined(sweep: Sweep, parts: Sequence[Outcome]) -> Outcome:
    """Return the outcome of a sweep whose targets were computed in parts."""
    if len(parts) == 1:
        return parts[0]
    designs, targets = (
        {one: place for place, one in enumerate(several)}
        for several in (sweep.designs, sweep.targets)
    )
    points, failures, pruned = (
        tuple(
            sorted(
                (one for part in parts for one in getattr(part, name)),
                key=lambda one: (designs[one.design], targets[one.target]),
            )
        )
        for name in ("points", "failures", "pruned")
    )
    compared = tuple(one for part in parts for one in part.compared)
    return Outcome(points, failures, pruned, sum(part.computed for part in parts), compared)


def check(sweep: Sweep, workers: int | None) -> None:
    """Raise what :func:`run` raises of what it needs, before it has a folder."""
    most = WORKERS_PER_CORE * (os.cpu_count() or 1)
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    if workers is not None and workers > most:
        raise InputError(f"workers must be at most {most} on this machine, not {workers}")
    if sweep.method == "synthesis":
        opensta.find()
    for tensors in sweep.tensor_sets:
        _check_tensors(sweep, tensors)


def _check_tensors(sweep: Sweep, tensors: Tensors) -> None:
    of = "path" if tensors.source.package is None else "package"
    places = sweep.tensor_places.get(tensors.name, {})
    with _named(places, of):
        tensors.source.location()
    with _named(places, "match", of):
        layers = tensors.source.load()
    with _named(places, "group", "tensors"):
        check_group(layers, tensors.group)
    with _named(places, "tensors"):
        for name in (*sweep.objectives, *(constraint.metric for constraint in sweep.constraints)):
            if METRICS[name].needs == "activations":
                _check_activations(name, tensors.source.label, layers)


def _check_activations(metric: str, label: str, layers: Sequence[Layer]) -> None:
    for layer in layers:
        if layer.activations is None:
            raise InputError(f"{metric} needs activations, and {label} has none for {layer.name!r}")


@contextmanager
def _named(places: Mapping[str, str], *keys: str) -> Iterator[None]:
    """Raise an InputError with file, line and key of the first of these that is given."""
    try:
        yield
    except InputError as error:
        found = [places[key] for key in keys if key in places]
        raise InputError(": ".join([*found[:1], str(error)])) from None


class _Engine:
    """One run: what is known so far, and how to get the rest."""

    def __init__(self, sweep: Sweep, store: Store, each: Each, progress: Progress) -> None:
        self.sweep, self.store, self.each, self.progress = sweep, store, each, progress
        #: All designs so far, and those that are at hand.
        self.designs: list[Design] = []
        self.current: Sequence[Design] = ()
        chosen = len(sweep.designs) or (sweep.search.points if sweep.search else 0)
        self.total = chosen * len(sweep.targets)
        self.identity = Identity(sweep)
        self.errors: dict[Pair, QuantisationError] = {}
        self.unit_errors: dict[UnitSpec, UnitError] = {}
        self.accuracies: dict[Design, Measured] = {}
        self.points: dict[tuple[Design, Target], Point] = {}
        self.failures: dict[tuple[Design, Target], Failure] = {}
        self.pruned: dict[tuple[Design, Target], Pruned] = {}
        self.best: dict[tuple[Target, str], float] = {}
        self.computed = 0
        self.compared: list[Compared] = []

    def run(self) -> Outcome:
        if self.sweep.designs:
            self.compute(self.sweep.designs)
        elif self.sweep.search is not None:
            search.explore(self.sweep, self.sweep.search, self.compute)
            if len(self.designs) < self.sweep.search.points:
                self.progress.note(
                    f"the search ended with {len(self.designs)} designs, not "
                    f"{self.sweep.search.points}: {search.IDLE} generations had no other one"
                )
        order = [(one, target) for one in self.designs for target in self.sweep.targets]
        return Outcome(
            tuple(self._point(place) for place in order if place in self.points),
            tuple(self.failures[place] for place in order if place in self.failures),
            tuple(self.pruned[place] for place in order if place in self.pruned),
            self.computed,
            tuple(self.compared),
        )

    def compute(self, designs: Sequence[Design]) -> dict[Design, Point]:
        """Fill ``points``, ``failures`` and ``pruned`` for designs; return points of one target."""
        self.designs += designs
        # Those that take longest come first.
        self.current = sorted(designs, key=lambda d: -d.unit.beat_bits * d.unit.result.bits)
        self._find_points()
        if self.sweep.tensors:
            self._measure(self.sweep.tensors)
            self._measure_units(self.sweep.tensors)
        if self.sweep.network:
            self._measure_network(self.sweep.network)
        if self.store.damaged:
            self.progress.note(
                f"damaged files, computed again: {len(self.store.damaged)}, such as "
                f"{self.store.damaged[0]}"
            )
            self.store.damaged.clear()
        if self.sweep.screen:
            self._screen(self.sweep.screen)
        if self.sweep.has_accelerators:
            self._simulate()
        else:
            self._cost()
        places = [(design, self.sweep.targets[0]) for design in designs]
        return {place[0]: self._point(place) for place in places if place in self.points}

    def _point(self, place: tuple[Design, Target]) -> Point:
        return replace(self.points[place], accuracy=self.accuracies.get(place[0]))

    def _find_points(self) -> None:
        for design, target in list(self._missing()):
            content = self.store.load("points", self.identity.key(design, target))
            if content is not None and "failure" not in content:
                quality, simulated = content["quality"], content.get("simulated")
                self.points[design, target] = Point(
                    design,
                    target,
                    Cost(**content["cost"]),
                    None if quality is None else Quality(**quality),
                    self.sweep.group,
                    None if simulated is None else Simulated(**simulated),
                )
        found = sum(one in self.points for one in list(self._wanted()))
        if found:
            self.progress.note(f"{found} of {self.total} points are there already")

    def _wanted(self) -> Iterator[tuple[Design, Target]]:
        """Designs and targets at hand, those that take longest first."""
        for design in self.current:
            for target in self.sweep.targets:
                yield design, target

    def _missing(self) -> Iterator[tuple[Design, Target]]:
        """Those without a result."""
        for place in self._wanted():
            if not any(place in done for done in (self.points, self.failures, self.pruned)):
                yield place

    def _measure(self, tensors: Tensors) -> None:
        """Fill ``errors`` for the formats of all missing points."""
        wanted: dict[BlockFormat, list[Format | BlockFormat]] = defaultdict(list)
        for weight, activation in dict.fromkeys(
            self.identity.formats_of(design.unit) for design, _ in self._missing()
        ):
            content = self.store.load("errors", self.identity.error_key(weight, activation))
            if content is None:
                wanted[weight].append(activation)
            else:
                self.errors[weight, activation] = QuantisationError(**content["noise_to_signal"])
        tasks = [Measurement(tensors, weight, tuple(a)) for weight, a in wanted.items()]
        self.progress.start("error", len(tasks))
        for task, result in self.each(measure, tasks):
            if isinstance(result, Exception):
                self._fail_formats(task, result)
                continue
            for activation, error in result.items():
                self.errors[task.weight, activation] = error
                self.store.save(
                    "errors",
                    self.identity.error_key(task.weight, activation),
                    {
                        "weight": task.weight.name,
                        "activation": activation.name,
                        "noise_to_signal": asdict(error),
                    },
                )
            self.progress.finish(f"weights {task.weight.name}")

    def _fail_formats(self, task: Measurement, error: Exception) -> None:
        for design, target in list(self._missing()):
            weight, activation = self.identity.formats_of(design.unit)
            if weight == task.weight and activation in task.activations:
                self._fail(design, target, error)

    def _measure_units(self, tensors: Tensors) -> None:
        """Fill ``unit_errors`` for the units of all missing points."""
        if not have_activations(tensors.source.load()):
            return
        # Units that compute alike have one error.
        alike: dict[str, list[UnitSpec]] = defaultdict(list)
        for unit in dict.fromkeys(design.unit for design, _ in self._missing()):
            alike[self.identity.unit_key(unit)].append(unit)
        names: dict[UnitSpec, str] = {}
        for name, units in alike.items():
            content = self.store.load("unit_errors", name)
            if content is None:
                names[units[0]] = name
            else:
                found = UnitError(**content["noise_to_signal"])
                self.unit_errors |= dict.fromkeys(units, found)
        tasks = [UnitMeasurement(tensors, unit) for unit in names]
        self.progress.start("unit error", len(tasks))
        for task, result in self.each(measure_unit, tasks):
            name = names[task.unit]
            if isinstance(result, Exception):
                failed = {*alike[name]}
                for design, target in list(self._missing()):
                    if design.unit in failed:
                        self._fail(design, target, result)
                continue
            self.unit_errors |= dict.fromkeys(alike[name], result)
            self.store.save(
                "unit_errors",
                name,
                self.identity.described_arithmetic(task.unit) | {"noise_to_signal": asdict(result)},
            )
            self.progress.finish(task.unit.name)

    def _measure_network(self, network: Network) -> None:
        """Fill ``accuracies`` for all designs, also of points that are there: they do not hold it.

        Designs without one fail, whatever else is known of them.
        """
        designs: dict[Combination, list[Design]] = defaultdict(list)
        for design in self.current:
            try:
                designs[combination(design, network.group)].append(design)
            except InputError as error:
                self._fail_accuracy([design], error)
        names = {formats: accuracies.key(network, formats) for formats in designs}
        tasks = []
        for formats, name in names.items():
            content = self.store.load("accuracies", name)
            found = content and accuracies.made(network, content["accuracy"])
            found = found or accuracies.kept(network, name)
            if found is None:
                tasks.append(accuracies.Measurement(network, formats))
                continue
            self.accuracies |= dict.fromkeys(designs[formats], found)
            if content is None:
                self._save_accuracy(name, network, formats, found)
        self.progress.start("accuracy", len(tasks))
        for task, result in self.each(accuracies.measure, tasks):
            name = names[task.formats]
            if isinstance(result, Exception):
                self._fail_accuracy(designs[task.formats], result)
                continue
            self.accuracies |= dict.fromkeys(designs[task.formats], result)
            accuracies.keep(name, result)
            self._save_accuracy(name, network, task.formats, result)
            self.progress.finish(task.formats.name)

    def _save_accuracy(
        self, name: str, network: Network, formats: Combination, found: Measured
    ) -> None:
        content = {"network": network.label, "formats": formats.name, "accuracy": asdict(found)}
        self.store.save("accuracies", name, content)

    def _fail_accuracy(self, designs: Sequence[Design], error: Exception) -> None:
        """Fail designs, and leave their points where they are: these are right without it."""
        for design in designs:
            for target in self.sweep.targets:
                place = design, target
                self.points.pop(place, None)
                if place not in self.failures:
                    self.failures[place] = Failure(design, target, f"accuracy: {told(error)}")

    def _quality(self, unit: UnitSpec) -> Quality | None:
        """Return what is known of the quality of a unit that was measured in this run."""
        if self.sweep.tensors is None:
            return None
        formats = self.errors[self.identity.formats_of(unit)]
        if unit in self.unit_errors:
            return self.unit_errors[unit].quality(formats)
        return Quality(formats.weight, None, None, None)

    def _screen(self, factor: float) -> None:
        """Fill ``pruned``, whether a point is there or not: the same sweep leaves the same out."""
        failed = {design.unit for design, _ in self.failures}
        units = [unit for unit in self.sweep.units if unit not in failed]
        # Words know no clock.
        technologies = {target.technology: target for target in self.sweep.targets}
        areas: dict[str, dict[UnitSpec, float]] = {name: {} for name in technologies}
        tasks = [Screening(unit, tuple(technologies.values())) for unit in units]
        self.progress.start("screen", len(tasks))
        for task, result in self.each(screened, tasks):
            if isinstance(result, Exception):
                for target in self.sweep.targets:
                    self._fail(Design(task.unit), target, result)
            else:
                for technology, area in result.items():
                    areas[technology][task.unit] = area
            self.progress.finish(task.unit.name)
        known = {point.unit: point.quality for point in self.points.values()}
        good = {
            unit: goodness(
                Candidate(
                    unit,
                    known[unit] if unit in known else self._quality(unit),
                    self.sweep.group,
                    self.accuracies.get(Design(unit)),
                ),
                self.sweep.objectives,
            )
            for unit in units
        }
        for target in self.sweep.targets:
            for one in prune(areas[target.technology], target, factor, good):
                self.points.pop((Design(one.unit), target), None)
                self.pruned[Design(one.unit), target] = one
        self.total -= len(self.pruned)

    def _cost(self) -> None:
        """Fill ``points`` and ``failures`` for all missing points."""
        known = self._interpolate() if self.sweep.families else {}
        self._start_points()
        self._cost_of(list(self._missing()))
        if known:
            self._compare(known)
            self._settle_fronts()

    def _interpolate(self) -> dict[tuple[Design, Target], Cost]:
        """Fill ``points`` that are no anchors, where none is known; return all interpolated costs.

        Families of which an anchor fails are left out.
        """
        found = self._anchor_curves()
        technologies = {target.technology for target in self.sweep.targets}
        costs: dict[tuple[Design, Target], Cost] = {}
        for family in self.sweep.families:
            designs = [design for design, _ in family.anchors]
            if any((one.unit, name) not in found for one in designs for name in technologies):
                continue
            names = [design.name for design in designs]
            places = tuple(place for _, place in family.anchors)
            lines = {
                name: Interpolation(places, tuple(found[one.unit, name] for one in designs))
                for name in technologies
            }
            for design, place in family.others:
                for target in self.sweep.targets:
                    curve = lines[target.technology].curve(place)
                    cost = interpolate.interpolated(self._priced(design, curve, target), names)
                    costs[design, target] = cost
        for one in list(self._missing()):
            if one in costs:
                self._set(*one, costs[one])
        return costs

    def _anchor_curves(self) -> dict[tuple[UnitSpec, str], CostCurve]:
        """Return the curves of anchors by unit and technology, and finish their own points."""
        by_technology = {target.technology: target for target in self.sweep.targets}
        units = dict.fromkeys(
            one.unit for family in self.sweep.families for one, _ in family.anchors
        )
        found: dict[tuple[UnitSpec, str], CostCurve] = {}
        tasks = []
        for unit in sorted(units, key=lambda one: -one.beat_bits * one.result.bits):
            missing = []
            for name, target in by_technology.items():
                content = self.store.load("anchors", self.identity.anchor_key(unit, target))
                if content is None:
                    missing.append(target)
                else:
                    found[unit, name] = _curve(content["curve"])
            if missing:
                tasks.append(Costing(unit, tuple(missing), self.sweep.tensors))
        self.progress.start("anchor", len(units), len(units) - len(tasks))
        for task, result in self.each(curves, tasks):
            if isinstance(result, Exception):
                self.progress.warn(f"anchor {task.unit.name}: FAILED: {told(result)}")
                continue
            for target, curve in zip(task.targets, result, strict=True):
                found[task.unit, target.technology] = curve
                content = self.identity.described_unit(task.unit) | {"curve": asdict(curve)}
                self.store.save("anchors", self.identity.anchor_key(task.unit, target), content)
            self.progress.finish(task.unit.name)
        self._start_points()
        for design, target in list(self._missing()):
            if (design.unit, target.technology) in found and design.unit in units:
                curve = found[design.unit, target.technology]
                self._finish(design, target, self._priced(design, curve, target))
        return found

    def _priced(self, design: Design, curve: CostCurve, target: Target) -> Cost:
        technology = target.coefficients or technologies.load(target.technology)
        return price_on_curve(design.unit, curve, technology, target.objective, target.clock_ns)

    def _compare(self, known: dict[tuple[Design, Target], Cost]) -> None:
        """Estimate a sample of what is interpolated, and say in all costs how far they are off."""
        drawn = set(
            interpolate.sample(dict.fromkeys(place[0] for place in known if place in self.points))
        )
        chosen = [place for place in known if place[0] in drawn]
        self._estimate_interpolated(chosen, "sample")
        for place in chosen:
            if place in self.points:
                self.compared.append(Compared(*place, known[place], self.points[place].cost))
        for target in self.sweep.targets:
            errors = interpolate.bands([one for one in self.compared if one.target == target])
            for place, cost in known.items():
                point = self.points.get(place)
                if place[1] == target and point and point.cost.method == "interpolated":
                    said = cost.provenance | {"interpolation_errors": errors}
                    self.points[place] = replace(point, cost=replace(cost, provenance=said))

    def _settle_fronts(self) -> None:
        """Estimate what is interpolated on a front, until nothing there is."""
        while places := [
            place
            for target in self.sweep.targets
            for place in self._on_fronts(target)
            if self.points[place].cost.method == "interpolated"
        ]:
            self._estimate_interpolated(places, "front")

    def _on_fronts(self, target: Target) -> list[tuple[Design, Target]]:
        """Return the feasible points on the front of all objectives, or of two in a chart."""
        places = [
            place
            for place in self.points
            if place[1] == target
            and not any(
                limit.violation(limit.value(self._point(place))) for limit in self.sweep.constraints
            )
        ]
        metrics = self.sweep.metrics
        values = np.array(
            [[metric.value(self._point(place)) for metric in metrics] for place in places],
            np.float64,
        ).reshape(-1, len(metrics))
        on_front = np.zeros(len(places), bool)
        last = len(metrics) - 1
        for chosen in [[*range(len(metrics))], *([one, last] for one in range(last))]:
            on_front |= pareto(values[:, chosen], [metrics[k].maximise for k in chosen])
        return [place for place, is_on in zip(places, on_front, strict=True) if is_on]

    def _estimate_interpolated(self, places: list[tuple[Design, Target]], step: str) -> None:
        """Estimate what is interpolated of these points."""
        wanted = [
            place
            for place in places
            if place in self.points and self.points[place].cost.method == "interpolated"
        ]
        self.progress.start(step, len(wanted))
        for place in wanted:
            del self.points[place]
        self._cost_of(wanted)

    def _cost_of(self, places: Sequence[tuple[Design, Target]]) -> None:
        """Fill ``points`` and ``failures`` for these."""
        missing: dict[UnitSpec, list[Target]] = defaultdict(list)
        for design, target in places:
            missing[design.unit].append(target)
        tasks = [
            Costing(unit, targets, self.sweep.tensors)
            for unit, wanted in missing.items()
            for targets in self._batches(wanted)
        ]
        compute = estimated if self.sweep.method == "estimate" else synthesised
        for task, result in self.each(compute, tasks):
            design = Design(task.unit)
            if isinstance(result, Exception):
                for target in task.targets:
                    self._fail(design, target, result)
            else:
                for target, found in zip(task.targets, result, strict=True):
                    self._finish(design, target, found)

    def _batches(self, targets: list[Target]) -> list[tuple[Target, ...]]:
        """An estimate serves all targets at once; a synthesis run is for one."""
        if self.sweep.method == "estimate":
            return [tuple(targets)]
        return [(target,) for target in targets]

    def _simulate(self) -> None:
        """Fill ``points`` and ``failures`` for all missing points of accelerators."""
        works = dict.fromkeys(target.workload for target in self.sweep.targets if target.workload)
        self._start_points()
        found = simulations(
            list(self._missing()), [one.work for one in works], self._source, self.each
        )
        for design, target, result in found:
            if isinstance(result, Exception):
                self._fail(design, target, result)
            else:
                self._finish(design, target, *result)

    @property
    def _source(self) -> Source:
        """What the energy of units of accelerators is of."""
        tensors = self.sweep.tensors
        if tensors is None or not have_activations(tensors.source.load()):
            return Source()
        place = tensors.source.package or str(tensors.source.path)
        return Source(place, tensors.source.match, tensors.group)

    def _finish(
        self, design: Design, target: Target, cost: Cost, simulated: Simulated | None = None
    ) -> None:
        quality = self._quality(design.unit)
        content = {"cost": asdict(cost), "quality": quality and asdict(quality)}
        if simulated is not None:
            content["simulated"] = asdict(simulated)
        self._save(design, target, content)
        self._set(design, target, cost, simulated)
        self.computed += 1
        self.progress.finish(
            f"{design.name} {target.name}: {_found(cost, simulated)}",
            self._best(self.points[design, target]),
        )

    def _set(
        self, design: Design, target: Target, cost: Cost, simulated: Simulated | None = None
    ) -> None:
        self.points[design, target] = Point(
            design, target, cost, self._quality(design.unit), self.sweep.group, simulated
        )

    def _start_points(self) -> None:
        self.progress.start("point", self.total, len(self.points) + len(self.failures))

    def _best(self, point: Point) -> str:
        """Return the best values so far of a point's target, in words."""
        words = []
        for metric in self.sweep.metrics:
            place, value = (point.target, metric.name), metric.value(point)
            if value is not None:
                known = self.best.get(place, value)
                self.best[place] = max(known, value) if metric.maximise else min(known, value)
            if place in self.best:
                words.append(f"{metric.name} {self.best[place]:.4g}")
        return f"best {', '.join(words)}"

    def _fail(self, design: Design, target: Target, error: Exception) -> None:
        message = told(error)
        self.failures[design, target] = Failure(design, target, message)
        self._save(design, target, {"failure": message})
        self.progress.finish(f"{design.name} {target.name}: FAILED: {message}")

    def _save(self, design: Design, target: Target, content: dict[str, Any]) -> None:
        source = self.identity.source_of(design)
        self.store.save(
            "points",
            self.identity.key(design, target),
            self.identity.described(design, target)
            | content
            | {"made_by": self.identity.context | {"source_sha256": source}},
        )


def _curve(content: dict[str, Any]) -> CostCurve:
    ends = {name: End(**content[name]) for name in ("smallest", "fastest")}
    return CostCurve(**content | ends)


def _found(cost: Cost, simulated: Simulated | None) -> str:
    """Return what progress says of a point."""
    if simulated is None:
        return (
            f"{cost.area_um2_per_mac_per_cycle:.4g} um2 per MAC/cycle, "
            f"{cost.energy_pj_per_mac:.4g} pJ per MAC"
        )
    return (
        f"{simulated.time_s:.4g} s, {simulated.energy_j_per_item:.4g} J each, "
        f"{simulated.area_mm2:.4g} mm2"
    )
