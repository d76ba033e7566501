"""What a cost is quoted as: figures with units, each with the error that is known of it.

Tables, JSON, results of sweeps, objectives and constraints all take their figures from ``FIGURES``.

The error of an estimate is what 68 % and 95 % of units stay within, by units that the fit did not
see (:func:`cost_models.fit.errors_of`): of products and quotients by themselves, not by adding the
errors of factors. A reciprocal has the error of what it is the reciprocal of. A synthesised netlist
has no error, but a spread: how far the other netlists that were made of the unit lie from it, which
is the noise of the flow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cost_models.bands import LEVELS, UNSEEN, error_key
from cost_models.cost import Cost


@dataclass(frozen=True)
class Figure:
    """One number of a cost.

    Attributes
    ----------
    column
        Column of a table of results, unit included.
    label
        Label of an axis, unit included.
    heading
        Column of ``hwsim cost``; none if empty.
    value
        Returns the number for a cost.
    maximise
        Whether more is better.
    log
        Whether charts show it on a logarithmic axis; not what may be zero.
    quantity
        Whose error it has, see :data:`cost_models.bands.QUANTITIES`; unknown if empty.
    """

    column: str
    label: str
    heading: str
    value: Callable[[Cost], float]
    maximise: bool = False
    log: bool = True
    quantity: str = ""


def _gmacs_per_s(cost: Cost) -> float:
    return cost.macs_per_cycle * cost.fmax_mhz * 1e-3


#: All figures by name. Throughput per joule counts the energy with glitches, without leakage.
FIGURES = {
    "area": Figure(
        "area_um2", "area (µm²)", "area µm²", lambda cost: cost.area_um2, quantity="area"
    ),
    "area_per_mac": Figure(
        "area_um2_per_mac_per_cycle", "area per MAC/cycle (µm²)", "",
        lambda cost: cost.area_per_mac, quantity="area",
    ),
    "delay_ns": Figure(
        "delay_ns", "delay (ns)", "delay ns", lambda cost: cost.delay_ns, quantity="delay"
    ),
    "fmax_mhz": Figure(
        "fmax_mhz", "fmax (MHz)", "fmax MHz",
        lambda cost: cost.fmax_mhz, maximise=True, quantity="delay",
    ),
    "energy_per_mac": Figure(
        "energy_pj_per_mac", "energy per MAC (pJ)", "energy pJ/MAC",
        lambda cost: cost.energy_per_mac, quantity="energy",
    ),
    "settled_energy_per_mac": Figure(
        "settled_energy_pj_per_mac", "settled energy per MAC (pJ)", "settled",
        lambda cost: cost.settled_energy_per_mac, quantity="settled_energy",
    ),
    "data_per_mac": Figure(
        "data_pj_per_mac", "data energy per MAC (pJ)", "data",
        lambda cost: (cost.settled_pj - cost.clock_pj) / cost.macs_per_cycle, log=False,
    ),
    "clock_per_mac": Figure(
        "clock_pj_per_mac", "clock energy per MAC (pJ)", "clock",
        lambda cost: cost.clock_pj / cost.macs_per_cycle,
    ),
    "glitch_per_mac": Figure(
        "glitch_pj_per_mac", "glitch energy per MAC, at most (pJ)", "glitches at most",
        lambda cost: cost.glitch_pj / cost.macs_per_cycle, log=False,
    ),
    "leakage_nw": Figure(
        "leakage_nw", "leakage (nW)", "leakage nW", lambda cost: cost.leakage_nw
    ),
    "macs_per_cycle": Figure(
        "macs_per_cycle", "MACs per cycle", "MAC/cycle",
        lambda cost: cost.macs_per_cycle, maximise=True,
    ),
    "gmacs_per_s": Figure(
        "gmacs_per_s", "throughput (GMAC/s)", "GMAC/s",
        _gmacs_per_s, maximise=True, quantity="delay",
    ),
    "gmacs_per_s_per_mm2": Figure(
        "gmacs_per_s_per_mm2", "throughput per area (GMAC/s/mm²)", "GMAC/s/mm²",
        lambda cost: _gmacs_per_s(cost) / (cost.area_um2 * 1e-6),
        maximise=True, quantity="area_times_delay",
    ),
    "gmacs_per_j": Figure(
        "gmacs_per_j", "MACs per energy (GMAC/J)", "GMAC/J",
        lambda cost: 1e3 / cost.energy_per_mac, maximise=True, quantity="energy",
    ),
}  # fmt: skip


def values(cost: Cost) -> dict[str, float]:
    """Return the figures of a cost by name."""
    return {name: figure.value(cost) for name, figure in FIGURES.items()}


def errors(cost: Cost) -> Mapping[str, Mapping[str, float | None]]:
    """Return the errors of an estimate's technology on unseen units, by quantity."""
    found: Mapping[str, Mapping[str, float | None]] = cost.provenance.get("errors", {}).get(
        UNSEEN, {}
    )
    return found


def percents(cost: Cost) -> dict[str, dict[int, float]]:
    """Return the errors of an estimate in percent, by figure and by ``LEVELS``.

    Estimate and synthesis are within it of each other, whichever of them it is taken of, for that
    percentage of units. Figures whose error is unknown are left out.
    """
    if cost.method != "estimate":
        return {}
    known = errors(cost)
    found = {
        name: {
            level: percent
            for level in LEVELS
            if (percent := known.get(figure.quantity, {}).get(error_key(level))) is not None
        }
        for name, figure in FIGURES.items()
    }
    return {name: levels for name, levels in found.items() if levels}


def spreads(cost: Cost) -> dict[str, float]:
    """Return how far other netlists lie from a synthesised one, in percent by figure, at most."""
    if cost.method != "synthesis":
        return {}
    ratios = {
        "area": [row["area_um2"] / cost.area_um2 for row in cost.provenance["candidates"]],
        "delay": [row["delay_ns"] / cost.delay_ns for row in cost.provenance["candidates"]],
    }
    ratios["area_times_delay"] = [
        area * delay for area, delay in zip(ratios["area"], ratios["delay"], strict=True)
    ]
    return {
        name: 100 * max(abs(ratio - 1) for ratio in ratios[figure.quantity])
        for name, figure in FIGURES.items()
        if figure.quantity in ratios
    }


def plain(cost: Cost) -> dict[str, Any]:
    """Return a cost with all its figures and their errors as plain values for JSON.

    ``error_percent`` of an estimate and ``spread_percent`` of synthesis have those figures that
    something is known of.
    """
    error = (
        {"error_percent": percents(cost)}
        if cost.method == "estimate"
        else {"spread_percent": spreads(cost)}
    )
    return cost.to_dict() | values(cost) | error
