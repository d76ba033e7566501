"""What a cost is quoted as: figures with units, each with the error that is known of it.

The error of an estimate is the mean distance from synthesis over units that the fit did not see.
A synthesised netlist has none, but a spread: how far the other netlists that were made of the unit
lie from it, which is the noise of the flow. Products and quotients take the sum of the errors of
their factors, as nothing says that these are independent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cost_models.cost import Cost

#: Errors of a technology that estimates are quoted with.
UNSEEN = "unseen_units"


@dataclass(frozen=True)
class Figure:
    """One number of a cost.

    Attributes
    ----------
    value
        In the unit that ``label`` names.
    label
        Heading of a column, unit included.
    percent
        Mean error of an estimate, or spread of synthesis; None where nothing is known.
    """

    value: float
    label: str
    percent: float | None = None


def figures(cost: Cost) -> dict[str, Figure]:
    """Return the figures of a cost by name, in the order of columns.

    Throughput per joule counts the energy of data and clock, neither glitches nor leakage.
    """
    percent = percents(cost)
    area, delay, energy = (percent.get(name) for name in ("area", "delay", "energy"))
    macs = cost.macs_per_cycle
    gmacs_per_s = macs * cost.fmax_mhz * 1e-3
    both = None if area is None or delay is None else area + delay
    return {
        "area_um2": Figure(cost.area_um2, "area um^2", area),
        "delay_ns": Figure(cost.delay_ns, "delay ns", delay),
        "fmax_mhz": Figure(cost.fmax_mhz, "fmax MHz", delay),
        "energy_per_mac": Figure(cost.energy_per_mac, "energy pJ/MAC", energy),
        "data_per_mac": Figure((cost.energy_pj - cost.clock_pj) / macs, "data"),
        "clock_per_mac": Figure(cost.clock_pj / macs, "clock"),
        "glitch_per_mac": Figure(cost.glitch_pj / macs, "glitches"),
        "energy_with_glitches_per_mac": Figure(
            (cost.energy_pj + cost.glitch_pj) / macs,
            "with glitches",
            percent.get("energy_with_glitches"),
        ),
        "leakage_nw": Figure(cost.leakage_nw, "leakage nW"),
        "macs_per_cycle": Figure(macs, "MAC/cycle"),
        "gmacs_per_s_per_mm2": Figure(gmacs_per_s / (cost.area_um2 * 1e-6), "GMAC/s/mm^2", both),
        "gmacs_per_j": Figure(1e3 / cost.energy_per_mac, "GMAC/J", energy),
    }


def percents(cost: Cost) -> dict[str, float]:
    """Return the error or spread in percent by quantity: area, delay, energy, ..."""
    if cost.method == "estimate":
        return {name: error["mean_percent"] for name, error in errors(cost).items()}
    candidates = cost.provenance["candidates"]
    return {
        name: max(100 * abs(row[field] / getattr(cost, field) - 1) for row in candidates)
        for name, field in (("area", "area_um2"), ("delay", "delay_ns"))
    }


def errors(cost: Cost) -> Mapping[str, Mapping[str, float]]:
    """Return the errors of an estimate's technology on unseen units, by quantity."""
    found: Mapping[str, Mapping[str, float]] = cost.provenance["errors"][UNSEEN]
    return found


def plain(cost: Cost) -> dict[str, Any]:
    """Return a cost with all its figures and their errors as plain values for JSON."""
    known = figures(cost)
    kind = "mean_error_percent" if cost.method == "estimate" else "spread_percent"
    return (
        cost.to_dict()
        | {name: figure.value for name, figure in known.items()}
        | {kind: {n: f.percent for n, f in known.items() if f.percent is not None}}
    )
