"""Coefficients of a technology, fitted to synthesis with its cell library.

Every component and every unit of the fitting set is synthesised and measured; the coefficients
that reproduce those numbers with the least squared relative error, none of them negative, are the
technology. Gate types that hardly occur are not determined by data alone, so each coefficient is
weakly pulled towards one proportional to its gate's transistor count. For delay the critical path
depends on the coefficients it determines, so the fit alternates between both.

The clock pins are the exception: what one takes is read from the library, through synthesis.

Three questions are asked of the result. How far off are units that it was not fitted to, of
families that it was? How far off is a whole kind of hardware that it was not fitted to? And what do
components alone tell about units? The last two are answered by other fits, to less.
"""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls
from scipy.stats import spearmanr

from cost_models import fitting_set, screen, synthesis
from cost_models.bands import QUANTITIES, UNSEEN_FAMILIES
from cost_models.components import COMPONENTS
from cost_models.conformal import Scales, bounds
from cost_models.cost import Cost, Objective
from cost_models.estimate import (
    Features,
    Hazards,
    PathDelays,
    between,
    critical_path,
    end,
    features,
    hazards,
    price,
)
from cost_models.netlist import GATES, NAND2_EQUIVALENTS, TYPES, rtlil_text
from cost_models.operands import default_operands
from cost_models.synthesis import clock_gating, liberty, opensta
from cost_models.synthesis.liberty import Library
from cost_models.technology import Coefficients, Curve, Delays, Sizing, Technology
from hwsim import cache
from hwsim.errors import InputError
from hwsim.files import make_folder
from hwsim.pool import each
from hwsim.progress import Countdown, say
from hwsim.units import UnitSpec
from rtl.yosys import version

Floats = NDArray[np.float64]

#: What figures of a unit are kept: fields and properties of :class:`~cost_models.cost.Cost`.
FIGURES = ("area_um2", "delay_ns", "settled_pj", "energy_pj")

_FLOW = (
    "synth -flatten -noabc; dfflegalize; dfflibmap; abc with a driving cell and buffers; for the "
    "least area, map -a and the smallest sizes, of the smaller multiplier style from four starts "
    "the fastest netlist at most 2 % larger than the smallest; for speed, the fastest of map and "
    "&nf sized for no period; for a clock, the smallest of these sized for it; OpenSTA between "
    "registers, without wires; energy of that netlist, simulated with the operands and the delays "
    "of its cells"
)

#: What is measured of every unit: its least area, its least delay, and its least area at a clock
#: half way between.
POINTS = ("area", "speed", "clock")

#: A load, as a share of the NAND2 that drives it.
_LOAD_SIZE = 0.5
#: What a shared gate, or a doubling of a critical one's fan-out, adds, as a share of a NAND2.
_EXTRA_SIZE = 0.3

#: Weight of the pull towards transistor counts, relative to that of one unit of the fitting set.
_PULL = 0.02
_ROUNDS = 20
#: Where exponents of the curve are looked for.
_EXPONENTS = (0.3, 6.0)
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Sample:
    """A unit with what the estimate starts from and what synthesis measured, by ``POINTS``."""

    unit: UnitSpec
    features: Features
    synthesis: Mapping[str, Cost]


def characterise(
    files: Sequence[Path] | None,
    name: str,
    folder: Path | None = None,
    workers: int = 2,
    progress: Callable[[str], None] | None = None,
) -> Technology:
    """Fit a technology to a cell library and measure the error on units that the fit did not see.

    To its estimates a screen is fitted (:mod:`cost_models.screen`).

    Parameters
    ----------
    files
        Liberty files that together are the library; None for the installed osu018.
    name
        Name of the technology.
    folder
        Where results of synthesis are kept as they come, one JSON file a unit, and taken from if
        they are there, of the same hardware and operands, library and tools; None for nowhere.
    workers
        Units synthesised at a time.
    progress
        Called with a line of text after every unit; by default it goes to the standard error.

    Raises
    ------
    InputError, MissingToolError
        As :func:`cost_models.synthesis.synthesize`.
    """
    fitting, held_out = fitting_set.split()
    with liberty.opened(name, files) as library:
        measured = measure_units(
            [*COMPONENTS, *fitting, *held_out], name, library, folder, workers, progress
        )
        clock_gates = clock_gating.characterise(library)
    provenance = {
        "date": datetime.date.today().isoformat(),
        "tools": _tools(),
        "libraries_sha256_prefix": library.digests,
        "corner": library.corner,
        "flow": _FLOW,
        "components": len(COMPONENTS),
        "fitting_units": len(fitting),
        "held_out_units": len(held_out),
        "sets": "cost_models/components, cost_models/fitting_set.py",
    }
    samples = iter(measured)
    sets = [[next(samples) for _ in part] for part in (COMPONENTS, fitting, held_out)]
    technology = fit(name, provenance, *sets)
    fitted = screen.fitted(technology, workers, progress)
    return replace(technology, screen=fitted, clock_gates=clock_gates)


def measure_units(
    units: Sequence[UnitSpec],
    technology: str,
    library: Library,
    folder: Path | None = None,
    workers: int = 2,
    progress: Callable[[str], None] | None = None,
) -> list[Sample]:
    """Synthesise ``units``, the same parameters as for :func:`characterise`."""
    report = progress or say
    opensta.find()
    if folder:
        make_folder(folder)
    sample = partial(_sample, technology=technology, library=library, folder=folder)
    samples = {}
    countdown = Countdown(len(units))
    for unit, result in each(sample, units, workers):
        if isinstance(result, Exception):
            raise result
        samples[unit] = result
        small, fast = result.synthesis["area"], result.synthesis["speed"]
        report(
            f"{countdown.step()} {unit.name} {technology}: {small.area_um2:.4g} um^2 at "
            f"{small.delay_ns:.3g} ns to {fast.area_um2:.4g} at {fast.delay_ns:.3g}, "
            f"{small.settled_pj:.3g} + {small.glitch_pj:.3g} pJ"
        )
    return [samples[unit] for unit in units]


def _tools() -> dict[str, str]:
    return {"yosys": version(), "opensta": opensta.version()}


def _sample(unit: UnitSpec, technology: str, library: Library, folder: Path | None) -> Sample:
    file = folder / f"{unit.name}.json" if folder else None
    digest = _digest(unit)
    costs = _kept(file, library, digest) if file else None
    if costs is None:
        costs = [*synthesis.measure_curve(unit, technology, library)]
        if file:
            # In place at once: an interruption leaves no half of a file.
            half = file.with_suffix(".part")
            half.write_text(json.dumps({"digest": digest, "costs": [asdict(c) for c in costs]}))
            half.replace(file)
    return Sample(unit, features(unit), dict(zip(POINTS, costs, strict=True)))


def _digest(unit: UnitSpec) -> str:
    """Return a hash of what is measured and kept: hardware, operands, flow and names of fields."""
    operands = default_operands(unit)
    arrays = [operands.activations, operands.weights, *operands.metadata.values()]
    codes = [np.ascontiguousarray(array).tobytes().hex() for array in arrays]
    kept = Cost.__dataclass_fields__
    return cache.key(rtlil_text(unit), _FLOW, *kept, *operands.metadata, *codes)


def _kept(file: Path, library: Library, digest: str) -> list[Cost] | None:
    """Return the costs in ``file``, if there are any of this by this library and these tools."""
    if not file.exists():
        return None
    try:
        kept = json.loads(file.read_text())
        if kept["digest"] != digest:
            return None
        costs = [Cost(**cost) for cost in kept["costs"]]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file} is no result of synthesis, remove it: {error}") from None
    same = all(
        cost.provenance["libraries"] == library.digests and cost.provenance["tools"] == _tools()
        for cost in costs
    )
    return costs if same else None


def fit(
    name: str,
    provenance: dict[str, Any],
    components: list[Sample],
    fitting: list[Sample],
    held_out: list[Sample],
) -> Technology:
    """Return the technology fitted to components and ``fitting``, with its errors.

    The errors are those of its own coefficients on both sets of units, and on all units those of
    fits to components alone, and to everything but what comes from the same generator.
    """
    units = [*fitting, *held_out]
    delays = hazard_delays(components)
    counted = {sample.unit: hazards(sample.features, delays) for sample in [*components, *units]}
    fitted = partial(coefficients, name, delays=delays, counted=counted)
    alone = fitted(components)
    technology = fitted([*components, *fitting], start=alone)
    generators = [fitting_set.generator(sample.unit) for sample in units]
    without = {}
    for left_out in dict.fromkeys(generators):
        seen = [
            sample
            for sample, generator in zip(units, generators, strict=True)
            if generator != left_out
        ]
        without[left_out] = fitted([*components, *seen], start=alone)
    rows = [
        {
            "family": sample.unit.family,
            "parameters": _given(sample.unit),
            "held_out": k >= len(fitting),
            "styles": {
                "synthesis": sample.synthesis["area"].provenance["style"],
                "estimate": sample.features.netlist.style,
            },
            "noise_percent": noise(sample.synthesis["area"]),
            **compare(sample, technology, counted[sample.unit]),
            "unseen_families": _estimated(
                sample, without[generators[k]], "area", counted[sample.unit]
            ),
            "components_only": _estimated(sample, alone, "area", counted[sample.unit]),
        }
        for k, sample in enumerate(units)
    ]
    clock_ns = stated_clock([sample.synthesis["area"].delay_ns for sample in units])
    return replace(
        technology,
        clock_ns=clock_ns,
        provenance=provenance,
        errors=all_errors(rows),
        bands=all_bands(rows),
        units=rows,
    )


def stated_clock(delays_ns: Sequence[float]) -> float:
    """Return the clock period that sweeps run at: the median of delays, with one digit."""
    return float(f"{float(np.median(delays_ns)):.1g}")


def hazard_delays(components: list[Sample]) -> Delays:
    """Return the delays that hazards are simulated with: those of components at their least area.

    No unit is in them, so hazards are counted once for all fits.
    """
    delay = fit_delay(components, "area")
    return Delays(**_delays(delay))


def coefficients(
    name: str,
    samples: list[Sample],
    delays: Delays,
    counted: Mapping[UnitSpec, Hazards],
    start: Technology | None = None,
) -> Technology:
    """Return the technology fitted to ``samples``, without errors.

    Parameters
    ----------
    delays, counted
        Delays of hazards, and what these add to the toggles of each unit.
    start
        The technology whose delays the search starts from; from equal ones if None.
    """
    technology = Technology(
        name=name,
        least_area=sizing(samples, counted, "area", start.least_area if start else None),
        least_delay=sizing(samples, counted, "speed", start.least_delay if start else None),
        curve=Curve(area=1.0, energy=1.0),
        hazards=delays,
        clock_ns=0.0,
        clock_gates=None,
        provenance={},
        errors={},
        screen=None,
        bands={},
        units=[],
    )
    return replace(technology, curve=fit_curve(samples, counted, technology))


def sizing(
    samples: list[Sample],
    counted: Mapping[UnitSpec, Hazards],
    point: str,
    start: Delays | None = None,
) -> Sizing:
    """Return the coefficients of one end of the curve, out of ``POINTS``."""
    targets = partial(_targets, samples, point=point)
    counts = np.array([sample.features.counts for sample in samples])
    clock_fj = targets("clock_pj") * 1e3
    flip_flops = counts[:, TYPES.index("DFF")]
    size = np.array([NAND2_EQUIVALENTS[cell] for cell in TYPES])
    dynamic_fj = targets("settled_pj") * 1e3 - clock_fj
    toggles = np.array(
        [[*s.features.counted.toggles, s.features.counted.loaded_toggles] for s in samples]
    )
    energy = non_negative(toggles, dynamic_fj, np.append(size, _LOAD_SIZE))
    glitch_fj = targets("glitch_pj") * 1e3
    glitches = np.array([[*counted[s.unit].toggles, counted[s.unit].loaded] for s in samples])
    # Relative to what it is a part of: where hazards are few, their own error does not matter.
    glitch = non_negative(
        glitches,
        glitch_fj,
        np.append(size[: len(GATES)], _LOAD_SIZE),
        glitch_fj + dynamic_fj + clock_fj,
    )
    cells = np.array(
        [[*s.features.counts, s.features.shared, s.features.critical] for s in samples]
    )
    area = non_negative(cells, targets("area_um2"), np.append(size, [_EXTRA_SIZE, _EXTRA_SIZE]))
    delay = fit_delay(samples, point, None if start is None else PathDelays.of(start))
    return Sizing(
        area_um2=_named(area[:-2], TYPES),
        area_um2_per_shared_gate=rounded(area[-2]),
        area_um2_per_critical_doubling=rounded(area[-1]),
        leakage_nw=_named(non_negative(counts, targets("leakage_nw"), size), TYPES),
        **_delays(delay),
        energy_fj_per_toggle=_named(energy[:-1], TYPES),
        energy_fj_per_toggle_and_load=rounded(energy[-1]),
        glitch_fj_per_toggle=_named(glitch[:-1], GATES),
        glitch_fj_per_toggle_and_load=rounded(glitch[-1]),
        clock_fj_per_cycle=rounded(float(np.median(clock_fj / flip_flops))),
    )


def _delays(delay: PathDelays) -> dict[str, Any]:
    return {
        "delay_ns": _named(delay.gates, GATES),
        "delay_ns_per_doubling": rounded(delay.per_doubling),
        "clock_to_output_ns": rounded(delay.clock_to_output),
        "setup_ns": rounded(delay.setup),
    }


def fit_curve(
    samples: list[Sample], counted: Mapping[UnitSpec, Hazards], technology: Technology
) -> Curve:
    """Return the exponents that are nearest to what synthesis gives at a clock."""
    clocks = [sample.synthesis["clock"] for sample in samples]
    ends = [
        [
            end(sample.features, counted[sample.unit], sized)
            for sized in (technology.least_area, technology.least_delay)
        ]
        for sample in samples
    ]

    def error(exponent: float, energy: bool) -> float:
        curve = Curve(area=exponent, energy=exponent)
        ratios = []
        for (smallest, fastest), cost in zip(ends, clocks, strict=True):
            found = between(smallest, fastest, curve, cost.clock_ns or 0.0)
            ratios.append(
                (found.settled_pj + found.glitch_pj) / cost.energy_pj
                if energy
                else found.area_um2 / cost.area_um2
            )
        return float(np.mean((np.array(ratios) - 1) ** 2))

    best = [
        float(minimize_scalar(error, bounds=_EXPONENTS, args=(energy,), method="bounded").x)
        for energy in (False, True)
    ]
    return Curve(area=rounded(best[0]), energy=rounded(best[1]))


def non_negative(
    matrix: Floats, target: Floats, proportions: Floats, scale: Floats | None = None
) -> Floats:
    """Return the non-negative ``x`` for which ``matrix @ x`` has the least error.

    Parameters
    ----------
    matrix
        One row a unit.
    target
        Measured values.
    proportions
        ``x`` is weakly pulled to the multiple of these that fits best by itself.
    scale
        What the error of each unit is relative to, positive; the target if None.
    """
    scale = target if scale is None else scale
    relative, wanted = matrix / scale[:, np.newaxis], target / scale
    by_proportion = relative @ proportions
    reference = proportions * float(by_proportion @ wanted / (by_proportion @ by_proportion))
    pull = np.sqrt(_PULL)
    # In units of the reference, so that coefficients of all sizes are pulled alike.
    rows = np.vstack([relative * reference, pull * np.eye(len(reference))])
    solution, _ = nnls(rows, np.append(wanted, np.full(len(reference), pull)))
    return solution * reference


def fit_delay(samples: list[Sample], point: str, start: PathDelays | None = None) -> PathDelays:
    """Return the delays whose longest paths are nearest to the measured periods."""
    target = _targets(samples, "delay_ns", point)
    proportions = np.ones(len(GATES) + 3)
    if start is None:
        depth = np.array([sample.features.netlist.levels.max() for sample in samples])
        start = PathDelays(proportions * float(np.median(target / depth)) / 2)
    current = start.values
    best, least = current, np.inf
    for _ in range(_ROUNDS):
        paths = [critical_path(s.features.netlist, PathDelays(current)) for s in samples]
        predicted = np.array([path.delay_ns for path in paths])
        error = float(np.mean((predicted / target - 1) ** 2))
        if error < least:
            best, least = current, error
        solution = non_negative(np.array([path.features for path in paths]), target, proportions)
        # Half a step: another path may become the longest.
        current = (current + solution) / 2
    return PathDelays(best)


def figures(cost: Cost) -> dict[str, float]:
    """Return ``FIGURES``, rounded."""
    return {name: rounded(getattr(cost, name)) for name in FIGURES}


def noise(cost: Cost) -> dict[str, float]:
    """Return by how much equivalent starts of ABC move a result of synthesis, in percent.

    That is the largest deviation, in area and in delay, of the netlists that the result was chosen
    from, as far as they are of its multiplier style.
    """
    provenance = cost.provenance
    alike = [row for row in provenance["candidates"] if row["style"] == provenance["style"]]
    return {
        field: round(100 * max(abs(row[field] / getattr(cost, field) - 1) for row in alike), 1)
        for field in ("area_um2", "delay_ns")
    }


def compare(
    sample: Sample, technology: Technology, counted: Hazards | None = None
) -> dict[str, Any]:
    """Return the figures of ``synthesis`` and ``estimate``, at the least area and elsewhere."""

    def both(point: str) -> dict[str, dict[str, float]]:
        return {
            "synthesis": figures(sample.synthesis[point]),
            "estimate": _estimated(sample, technology, point, counted),
        }

    return both("area") | {point: both(point) for point in POINTS if point != "area"}


def _estimated(
    sample: Sample, technology: Technology, point: str, counted: Hazards | None
) -> dict[str, float]:
    objective: Objective = "speed" if point == "speed" else "area"
    clock_ns = sample.synthesis[point].clock_ns
    return figures(price(sample.unit, sample.features, technology, objective, clock_ns, counted))


def _given(unit: UnitSpec) -> dict[str, int | str]:
    """Return the parameters of a unit that have a value."""
    return {key: value for key, value in unit.parameters().items() if value is not None}


def all_errors(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return what :attr:`Technology.errors` holds, from its ``units``."""
    held_out = [row for row in rows if row["held_out"]]
    return {
        "unseen_units": errors_of(held_out, "estimate"),
        "fitting_units": errors_of([row for row in rows if not row["held_out"]], "estimate"),
        "unseen_families": errors_of(held_out, "unseen_families"),
        "unseen_families_all_units": errors_of(rows, "unseen_families"),
        "components_only": errors_of(held_out, "components_only"),
        "components_only_all_units": errors_of(rows, "components_only"),
        **{
            f"unseen_units_{point}": errors_of([row[point] for row in held_out], "estimate")
            for point in POINTS
            if point != "area"
        },
    }


def errors_of(rows: Sequence[dict[str, Any]], method: str) -> dict[str, dict[str, float | None]]:
    """Return the errors of estimates by quantity out of ``QUANTITIES``.

    ``method`` is the key of the rows that is compared with ``synthesis``.

    Returns
    -------
    dict
        ``mean_percent``, ``max_percent``: absolute error, relative to synthesis. ``rank``:
        Spearman's correlation. ``error_68_percent``, ``error_95_percent``,
        ``ratio_error_90_percent``: :func:`~cost_models.conformal.bounds` of all families alike.
        ``units``: their number.
    """
    errors: dict[str, dict[str, float | None]] = {}
    for quantity in QUANTITIES:
        measured = quantities(rows, "synthesis", quantity)
        estimated = quantities(rows, method, quantity)
        percent = relative_errors(rows, method, quantity)
        alike = bounds(logarithms(rows, method, quantity), np.ones(len(rows)), {"all": 1.0})
        errors[quantity] = {
            "mean_percent": round(float(percent.mean()), 2),
            "max_percent": round(float(percent.max()), 2),
            "rank": round(float(spearmanr(measured, estimated).statistic), 4),
            **alike["all"],
            "units": len(rows),
        }
    return errors


def quantities(rows: Sequence[dict[str, Any]], method: str, quantity: str) -> Floats:
    """Return one of ``QUANTITIES`` of all rows, by synthesis or an estimate."""
    fields = QUANTITIES[quantity]
    return np.array([np.prod([row[method][field] for field in fields]) for row in rows])


def relative_errors(rows: Sequence[dict[str, Any]], method: str, quantity: str) -> Floats:
    """Return the absolute errors of estimates relative to synthesis, in percent."""
    ratio = quantities(rows, method, quantity) / quantities(rows, "synthesis", quantity)
    return 100 * np.abs(ratio - 1)


def distances(rows: Sequence[dict[str, Any]], method: str, quantity: str) -> Floats:
    """Return by how much the larger of estimate and synthesis exceeds the smaller, in percent.

    So it is the same of a reciprocal, and at least the difference relative to either of the two:
    an interval of it around the estimate holds what synthesis says.
    """
    ratio = quantities(rows, method, quantity) / quantities(rows, "synthesis", quantity)
    return 100 * (np.maximum(ratio, 1 / ratio) - 1)


def logarithms(rows: Sequence[dict[str, Any]], method: str, quantity: str) -> Floats:
    """Return the natural logarithms of estimate over synthesis."""
    ratios = quantities(rows, method, quantity) / quantities(rows, "synthesis", quantity)
    return np.asarray(np.log(ratios), np.float64)


def scales(rows: Sequence[dict[str, Any]], quantity: str) -> Scales:
    """Return the scales of families' errors, of the rows that were fitted to.

    No held-out unit has a part in them. That errors of units fitted to are smaller than others does
    not matter: scales compare families.
    """
    fitted = [row for row in rows if not row["held_out"]]
    families = [row["family"] for row in fitted]
    return Scales(families, logarithms(fitted, "estimate", quantity))


def all_bands(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what :attr:`Technology.bands` holds, from its ``units``."""
    held_out = [row for row in rows if row["held_out"]]
    families = [row["family"] for row in held_out]
    known = sorted({row["family"] for row in rows if not row["held_out"]})
    alike = np.ones(len(held_out))
    bands: dict[str, dict[str, dict[str, Any]]] = {}
    for quantity in QUANTITIES:
        scale = scales(rows, quantity)
        unseen = logarithms(held_out, UNSEEN_FAMILIES, quantity)
        bands[quantity] = {
            "families": bounds(
                logarithms(held_out, "estimate", quantity), scale.of(families),
                dict(zip(known, scale.of(known).tolist(), strict=True)),
            ),
            **bounds(unseen, alike, {UNSEEN_FAMILIES: 1.0}),
        }  # fmt: skip
    return bands


def _targets(samples: list[Sample], field: str, point: str) -> Floats:
    return np.array([getattr(sample.synthesis[point], field) for sample in samples])


def _named(values: Floats, types: tuple[str, ...]) -> Coefficients:
    return {name: rounded(value) for name, value in zip(types, values, strict=True)}


def rounded(value: float) -> float:
    """Return ``value`` with the digits that technology files hold."""
    return float(f"{value:.{_DIGITS}g}")
