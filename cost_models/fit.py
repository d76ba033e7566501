"""Coefficients of a technology, fitted to synthesis with its cell library.

Every unit of the fitting set is synthesised and measured; the coefficients that reproduce those
numbers with the least squared relative error, none of them negative, are the technology. Gate
types that hardly occur are not determined by data alone, so each coefficient is weakly pulled
towards one proportional to its gate's transistor count. For delay the critical path depends on
the coefficients it determines, so the fit alternates between both.
"""

import datetime
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import spearmanr

from cost_models import fitting_set, synthesis
from cost_models.cost import Cost
from cost_models.estimate import Features, PathDelays, critical_path, features, price
from cost_models.netlist import GATES, NAND2_EQUIVALENTS, TYPES
from cost_models.synthesis import liberty, opensta
from cost_models.synthesis.liberty import Library
from cost_models.technology import Coefficients, Technology
from hwsim.units import UnitSpec
from rtl.yosys import version

Floats = NDArray[np.float64]

#: The quantities that errors are stated for, and the fields of ``Cost`` that hold them.
QUANTITIES = {"area": "area_um2", "delay": "delay_ns", "energy": "energy_pj"}

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
    workers: int = 2,
    progress: Callable[[str], None] | None = None,
) -> Technology:
    """Fit a technology to a cell library and measure the error on the held-out set.

    Parameters
    ----------
    files
        Liberty files that together are the library; None for the installed osu018.
    name
        Name of the technology.
    workers
        Units synthesised at a time.
    progress
        Called with a line of text after every unit; by default it goes to the standard error.

    Raises
    ------
    InputError, MissingToolError
        As :func:`cost_models.synthesis.synthesize`.
    """
    fitting = fitting_set.build(fitting_set.FITTING)
    held_out = fitting_set.build(fitting_set.HELD_OUT)
    with liberty.opened(name, files) as library:
        samples = measure_units([*fitting, *held_out], name, library, workers, progress)
    provenance = {
        "date": datetime.date.today().isoformat(),
        "tools": {"yosys": version(), "opensta": opensta.version()},
        "libraries_sha256_prefix": library.digests,
        "corner": library.corner,
        "flow": "synth -flatten -noabc; dfflegalize; dfflibmap; abc with buffers and sizing; "
        "smallest of the multiplier styles; OpenSTA without wires at the mean toggle rate of the "
        "operands",
        "fitting_units": len(fitting),
        "held_out_units": len(held_out),
        "sets": "cost_models/fitting_set.py",
    }
    return fit(name, provenance, samples[: len(fitting)], samples[len(fitting) :])


def measure_units(
    units: Sequence[UnitSpec],
    technology: str,
    library: Library,
    workers: int = 2,
    progress: Callable[[str], None] | None = None,
) -> list[Sample]:
    """Synthesise ``units``, the same parameters as for :func:`characterise`."""
    report = progress or _print
    opensta.find()
    samples = []
    # Fresh processes: forking a process with threads is not safe.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs = [pool.submit(_sample, unit, technology, library) for unit in units]
        try:
            for number, job in enumerate(jobs, 1):
                samples.append(job.result())
                cost = samples[-1].synthesis
                report(
                    f"[{number}/{len(units)}] {cost.unit} {technology}: {cost.area_um2:.4g} um^2, "
                    f"{cost.delay_ns:.3g} ns, {cost.energy_pj:.3g} pJ"
                )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return samples


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _sample(unit: UnitSpec, technology: str, library: Library) -> Sample:
    return Sample(unit, features(unit), synthesis.measure(unit, technology, library))


def fit(
    name: str, provenance: dict[str, Any], fitting: list[Sample], held_out: list[Sample]
) -> Technology:
    """Return the technology fitted to ``fitting``, with its errors on both sets."""
    counts = np.array([sample.features.counts for sample in fitting])
    clock_fj = _targets(fitting, "clock_pj") * 1e3
    flip_flops = counts[:, TYPES.index("DFF")]
    toggles = np.array(
        [[*s.features.toggles, s.features.loaded_toggles] for s in fitting], np.float64
    )
    size = np.array([NAND2_EQUIVALENTS[cell] for cell in TYPES])
    dynamic_fj = _targets(fitting, "energy_pj") * 1e3 - clock_fj
    energy = non_negative(toggles, dynamic_fj, np.append(size, 0.5))
    delay = fit_delay(fitting)
    technology = Technology(
        name=name,
        area_um2=_named(non_negative(counts, _targets(fitting, "area_um2"), size), TYPES),
        leakage_nw=_named(non_negative(counts, _targets(fitting, "leakage_nw"), size), TYPES),
        delay_ns=_named(delay.gates, GATES),
        delay_ns_per_doubling=rounded(delay.per_doubling),
        clock_to_output_ns=rounded(delay.clock_to_output),
        setup_ns=rounded(delay.setup),
        energy_fj_per_toggle=_named(energy[:-1], TYPES),
        energy_fj_per_toggle_and_load=rounded(energy[-1]),
        clock_fj_per_cycle=rounded(float(np.median(clock_fj / flip_flops))),
        provenance=provenance,
        errors={},
        held_out_units=[],
    )
    rows = table(technology, held_out)
    errors = {"held_out": errors_of(rows), "fitting": errors_of(table(technology, fitting))}
    return replace(technology, errors=errors, held_out_units=rows)


def non_negative(matrix: Floats, target: Floats, proportions: Floats) -> Floats:
    """Return the non-negative ``x`` for which ``matrix @ x`` has the least relative error.

    Parameters
    ----------
    matrix
        One row a unit.
    target
        Measured values, positive.
    proportions
        ``x`` is weakly pulled to the multiple of these that fits best by itself.
    """
    relative = matrix / target[:, np.newaxis]
    reference = proportions * float(np.median(1 / (relative @ proportions)))
    pull = np.sqrt(_PULL)
    # In units of the reference, so that coefficients of all sizes are pulled alike.
    rows = np.vstack([relative * reference, pull * np.eye(len(reference))])
    solution, _ = nnls(rows, np.append(np.ones(len(target)), np.full(len(reference), pull)))
    return solution * reference


def fit_delay(samples: list[Sample]) -> PathDelays:
    """Return the delays whose longest paths are nearest to the measured periods."""
    target = _targets(samples, "delay_ns")
    proportions = np.ones(len(GATES) + 3)
    depth = np.array([sample.features.netlist.levels.max() for sample in samples])
    current = proportions * float(np.median(target / depth)) / 2
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


def table(technology: Technology, samples: list[Sample]) -> list[dict[str, Any]]:
    """Return synthesis and estimate of each sample, a row each, as plain values."""
    rows = []
    for sample in samples:
        estimated = price(sample.unit, sample.features, technology)
        row: dict[str, Any] = {
            "family": sample.unit.family,
            "parameters": sample.unit.parameters(),
        }
        for method, cost in (("synthesis", sample.synthesis), ("estimate", estimated)):
            row[method] = {field: rounded(getattr(cost, field)) for field in QUANTITIES.values()}
        rows.append(row)
    return rows


def errors_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean and largest absolute relative error and rank correlation by quantity."""
    errors = {}
    for quantity, field in QUANTITIES.items():
        measured = np.array([row["synthesis"][field] for row in rows])
        estimated = np.array([row["estimate"][field] for row in rows])
        percent = 100 * np.abs(estimated / measured - 1)
        errors[quantity] = {
            "mean_percent": round(float(percent.mean()), 2),
            "max_percent": round(float(percent.max()), 2),
            "rank": round(float(spearmanr(measured, estimated).statistic), 4),
        }
    return errors


def _targets(samples: list[Sample], field: str) -> Floats:
    return np.array([getattr(sample.synthesis, field) for sample in samples])


def _named(values: Floats, types: tuple[str, ...]) -> Coefficients:
    return {name: rounded(value) for name, value in zip(types, values, strict=True)}


def rounded(value: float) -> float:
    """Return ``value`` with the digits that technology files hold."""
    return float(f"{value:.{_DIGITS}g}")
