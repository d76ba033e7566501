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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import spearmanr

from cost_models import cache, fitting_set, screen, synthesis
from cost_models.bands import LEVELS, QUANTITIES, UNSEEN_FAMILIES, error_key
from cost_models.components import COMPONENTS
from cost_models.conformal import Scales, bounds, rounded_up, within
from cost_models.cost import Cost
from cost_models.estimate import Features, PathDelays, critical_path, features, price
from cost_models.netlist import GATES, NAND2_EQUIVALENTS, TYPES, rtlil_text
from cost_models.operands import default_operands
from cost_models.synthesis import liberty, opensta
from cost_models.synthesis.liberty import Library
from cost_models.technology import Coefficients, Technology
from hwsim.errors import InputError
from hwsim.files import make_folder
from hwsim.pool import each
from hwsim.progress import Countdown, say
from hwsim.units import UnitSpec
from rtl import icarus
from rtl.yosys import version

Floats = NDArray[np.float64]

#: What figures of a unit are kept: fields and properties of :class:`~cost_models.cost.Cost`.
FIGURES = ("area_um2", "delay_ns", "settled_pj", "energy_pj")

_FLOW = (
    "synth -flatten -noabc; dfflegalize; dfflibmap; abc with buffers and sizing, for area; of the "
    "smallest multiplier style, mapped from three starts, the netlist of median delay; OpenSTA "
    "without wires; energy of that netlist, simulated with the operands"
)

#: A load, as a share of the NAND2 that drives it.
_LOAD_SIZE = 0.5
#: What a shared gate, or a doubling of a critical one's fan-out, adds, as a share of a NAND2.
_EXTRA_SIZE = 0.3

#: Weight of the pull towards transistor counts, relative to that of one unit of the fitting set.
_PULL = 0.02
_ROUNDS = 20
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Sample:
    """A unit with what the estimate starts from and what synthesis measured."""

    unit: UnitSpec
    features: Features
    synthesis: Cost


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
    return replace(technology, screen=screen.fitted(technology, workers, progress))


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
    icarus.find()
    if folder:
        make_folder(folder)
    sample = partial(_sample, technology=technology, library=library, folder=folder)
    samples = {}
    countdown = Countdown(len(units))
    for unit, result in each(sample, units, workers):
        if isinstance(result, Exception):
            raise result
        samples[unit] = result
        cost = result.synthesis
        report(
            f"{countdown.step()} {cost.unit} {technology}: {cost.area_um2:.4g} um^2, "
            f"{cost.delay_ns:.3g} ns, {cost.settled_pj:.3g} + {cost.glitch_pj:.3g} pJ"
        )
    return [samples[unit] for unit in units]


def _tools() -> dict[str, str]:
    return {"yosys": version(), "opensta": opensta.version(), "icarus": icarus.version()}


def _sample(unit: UnitSpec, technology: str, library: Library, folder: Path | None) -> Sample:
    file = folder / f"{unit.name}.json" if folder else None
    digest = _digest(unit)
    cost = _kept(file, library, digest) if file else None
    if cost is None:
        cost = synthesis.measure(unit, technology, library)
        if file:
            # In place at once: an interruption leaves no half of a file.
            half = file.with_suffix(".part")
            half.write_text(json.dumps({"digest": digest, **asdict(cost)}))
            half.replace(file)
    return Sample(unit, features(unit), cost)


def _digest(unit: UnitSpec) -> str:
    """Return a hash of what is measured and kept: hardware, operands, flow and names of fields."""
    operands = default_operands(unit)
    arrays = [operands.activations, operands.weights, *operands.metadata.values()]
    codes = [np.ascontiguousarray(array).tobytes().hex() for array in arrays]
    kept = Cost.__dataclass_fields__
    return cache.key(rtlil_text(unit), _FLOW, *kept, *operands.metadata, *codes)


def _kept(file: Path, library: Library, digest: str) -> Cost | None:
    """Return the cost in ``file`` if it is there, of the same, and by this library and tools."""
    if not file.exists():
        return None
    try:
        kept = json.loads(file.read_text())
        if kept.pop("digest") != digest:
            return None
        cost = Cost(**kept)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file} is no result of synthesis, remove it: {error}") from None
    provenance = cost.provenance
    same = provenance["libraries"] == library.digests and provenance["tools"] == _tools()
    return cost if same else None


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
    alone = coefficients(name, components)
    technology = coefficients(name, [*components, *fitting], alone)
    generators = [fitting_set.generator(sample.unit) for sample in units]
    without = {}
    for left_out in dict.fromkeys(generators):
        seen = [
            sample
            for sample, generator in zip(units, generators, strict=True)
            if generator != left_out
        ]
        without[left_out] = coefficients(name, [*components, *seen], alone)
    rows = [
        {
            "family": sample.unit.family,
            "parameters": _given(sample.unit),
            "held_out": k >= len(fitting),
            "styles": {
                "synthesis": sample.synthesis.provenance["style"],
                "estimate": sample.features.netlist.style,
            },
            "noise_percent": noise(sample.synthesis),
            **compare(sample, technology),
            "unseen_families": _estimated(sample, without[generators[k]]),
            "components_only": _estimated(sample, alone),
        }
        for k, sample in enumerate(units)
    ]
    return replace(
        technology,
        provenance=provenance,
        errors=all_errors(rows),
        bands=all_bands(rows),
        units=rows,
    )


def coefficients(name: str, samples: list[Sample], start: Technology | None = None) -> Technology:
    """Return the technology fitted to ``samples``, without errors.

    Delays are searched from those of ``start``, or from equal ones.
    """
    counts = np.array([sample.features.counts for sample in samples])
    clock_fj = _targets(samples, "clock_pj") * 1e3
    flip_flops = counts[:, TYPES.index("DFF")]
    size = np.array([NAND2_EQUIVALENTS[cell] for cell in TYPES])
    dynamic_fj = _targets(samples, "settled_pj") * 1e3 - clock_fj
    toggles = np.array([[*s.features.toggles, s.features.loaded_toggles] for s in samples])
    energy = non_negative(toggles, dynamic_fj, np.append(size, _LOAD_SIZE))
    glitch_fj = _targets(samples, "glitch_pj") * 1e3
    glitches = np.array([[*s.features.glitches, s.features.loaded_glitches] for s in samples])
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
    area = non_negative(
        cells, _targets(samples, "area_um2"), np.append(size, [_EXTRA_SIZE, _EXTRA_SIZE])
    )
    delay = fit_delay(samples, None if start is None else PathDelays.of(start))
    return Technology(
        name=name,
        area_um2=_named(area[:-2], TYPES),
        area_um2_per_shared_gate=rounded(area[-2]),
        area_um2_per_critical_doubling=rounded(area[-1]),
        leakage_nw=_named(non_negative(counts, _targets(samples, "leakage_nw"), size), TYPES),
        delay_ns=_named(delay.gates, GATES),
        delay_ns_per_doubling=rounded(delay.per_doubling),
        clock_to_output_ns=rounded(delay.clock_to_output),
        setup_ns=rounded(delay.setup),
        energy_fj_per_toggle=_named(energy[:-1], TYPES),
        energy_fj_per_toggle_and_load=rounded(energy[-1]),
        glitch_fj_per_toggle=_named(glitch[:-1], GATES),
        glitch_fj_per_toggle_and_load=rounded(glitch[-1]),
        clock_fj_per_cycle=rounded(float(np.median(clock_fj / flip_flops))),
        provenance={},
        errors={},
        screen=None,
        bands={},
        units=[],
    )


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


def fit_delay(samples: list[Sample], start: PathDelays | None = None) -> PathDelays:
    """Return the delays whose longest paths are nearest to the measured periods."""
    target = _targets(samples, "delay_ns")
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


def compare(sample: Sample, technology: Technology) -> dict[str, dict[str, float]]:
    """Return the figures of ``synthesis`` and ``estimate``."""
    return {"synthesis": figures(sample.synthesis), "estimate": _estimated(sample, technology)}


def _estimated(sample: Sample, technology: Technology) -> dict[str, float]:
    return figures(price(sample.unit, sample.features, technology))


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
    }


def errors_of(rows: Sequence[dict[str, Any]], method: str) -> dict[str, dict[str, float | None]]:
    """Return the errors of estimates by quantity out of ``QUANTITIES``.

    ``method`` is the key of the rows that is compared with ``synthesis``.

    Returns
    -------
    dict
        ``mean_percent``, ``max_percent``: absolute error, relative to synthesis. ``rank``:
        Spearman's correlation. ``error_68_percent``, ``error_95_percent``:
        :func:`~cost_models.conformal.within` of the :func:`distances`, rounded up; None if there
        are too few units. ``units``: their number.
    """
    errors: dict[str, dict[str, float | None]] = {}
    for quantity in QUANTITIES:
        measured = quantities(rows, "synthesis", quantity)
        estimated = quantities(rows, method, quantity)
        percent = relative_errors(rows, method, quantity)
        between = distances(rows, method, quantity)
        errors[quantity] = {
            "mean_percent": round(float(percent.mean()), 2),
            "max_percent": round(float(percent.max()), 2),
            "rank": round(float(spearmanr(measured, estimated).statistic), 4),
            **{error_key(level): rounded_up(within(between, level)) for level in LEVELS},
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


def _targets(samples: list[Sample], field: str) -> Floats:
    return np.array([getattr(sample.synthesis, field) for sample in samples])


def _named(values: Floats, types: tuple[str, ...]) -> Coefficients:
    return {name: rounded(value) for name, value in zip(types, values, strict=True)}


def rounded(value: float) -> float:
    """Return ``value`` with the digits that technology files hold."""
    return float(f"{value:.{_DIGITS}g}")
