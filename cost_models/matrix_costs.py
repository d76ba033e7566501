"""What every matrix of a network costs an accelerator in every format of its weights.

Matrix products follow each other without overlap (:mod:`hwsim.accelerator.simulation`), so time and
energy of a network are the sums of those of its products, whatever formats the others have: what
:func:`hwsim.allocate.choose` needs. Equal products of several layers cost the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cost_models.accelerator import Prices, Result, evaluate
from hwsim.accelerator.simulation import Accelerator
from hwsim.accelerator.workload import Gemm, Workload
from hwsim.errors import InputError
from hwsim.formats import BlockFormat, Format
from hwsim.formats.base import Float64


@dataclass(frozen=True, eq=False)
class MatrixCosts:
    """Costs of matrices in formats, a token or an image.

    Attributes
    ----------
    energy_j, time_s
        Of the products with each matrix, [matrices, formats].
    other_energy_j, other_time_s
        Of all other products.
    area_mm2
        Of the accelerator, which formats do not change.
    notes
        What has to be known of the figures, as :class:`~cost_models.accelerator.Result` has it.
    """

    energy_j: Float64
    time_s: Float64
    other_energy_j: float
    other_time_s: float
    area_mm2: float
    notes: tuple[str, ...]


def matrix_costs(
    accelerator: Accelerator,
    work: Workload,
    prices: Prices,
    matrices: Sequence[str],
    formats: Sequence[Format | BlockFormat],
) -> MatrixCosts:
    """Return what matrices cost in formats.

    Parameters
    ----------
    accelerator
        Its formats are those of activations, keys and values, and of other matrices.
    work
        The network in one phase.
    matrices
        Names such as ``layers.0.q_proj``.
    formats
        Of weights.

    Raises
    ------
    InputError
        For a matrix that the workload has not, a format that the units have no hardware for, and as
        :func:`cost_models.accelerator.evaluate`.
    """
    row_of = {name: row for row, name in enumerate(matrices)}
    energy = np.full((len(matrices), len(formats)), np.nan)
    time = np.full_like(energy, np.nan)
    others: list[Gemm] = []
    results: list[Result] = []
    for gemm in work.gemms:
        rows = [row_of[name] for name in gemm.names if name in row_of]
        if not rows:
            others.append(gemm)
            continue
        if len(rows) < len(gemm.names):
            raise InputError(f"matrices: {gemm.name} of some layers only; allowed: of all")
        for column, fmt in enumerate(formats):
            result = _alone(accelerator, (gemm,), work, prices, fmt)
            results.append(result)
            energy[rows, column] = result.energy_j_per_item / len(rows)
            time[rows, column] = result.simulation.time_s / work.items / len(rows)
    if np.isnan(energy).any():
        missing = matrices[int(np.isnan(energy).any(axis=1).argmax())]
        raise InputError(f"matrices: {work.model.name} has no {missing!r} in {work.phase}")
    other = _alone(accelerator, tuple(others), work, prices, None) if others else None
    notes = {note: None for result in [*results, other] if result for note in result.notes}
    return MatrixCosts(
        energy_j=energy,
        time_s=time,
        other_energy_j=other.energy_j_per_item if other else 0.0,
        other_time_s=other.simulation.time_s / work.items if other else 0.0,
        area_mm2=results[0].area_mm2,
        notes=tuple(notes),
    )


def _alone(
    accelerator: Accelerator,
    gemms: tuple[Gemm, ...],
    work: Workload,
    prices: Prices,
    weight: Format | BlockFormat | None,
) -> Result:
    """Return what some products take, with weights in a format, or the accelerator's own."""
    if weight is not None:
        given = replace(accelerator.operand_formats, weight=weight)
        accelerator = replace(accelerator, formats=given)
    return evaluate(accelerator, replace(work, gemms=gemms), prices)
