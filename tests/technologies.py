"""A technology of round numbers, so that tests need neither a fit nor one that is shipped."""

from dataclasses import replace
from typing import Any

from cost_models.bands import BAND, LEVELS, QUANTITIES, RATIO_ERROR, UNSEEN_FAMILIES, error_key
from cost_models.netlist import GATES, TYPES
from cost_models.technology import Curve, Delays, Sizing, Technology
from cost_models.words import FEATURES


def errors(percent: float) -> dict[str, dict[str, float | None]]:
    """Return errors: 68 % of units stay within ``percent``, 95 % within twice that.

    The part in the error of a ratio is 1.5 times that. Those of each of ``QUANTITIES`` are one more
    than those of the one before.
    """
    return {
        quantity: {
            "mean_percent": 1.0, "max_percent": 9.0, "rank": 0.9, "units": 50,
            **{error_key(level): k * (percent + n) for k, level in enumerate(LEVELS, 1)},
            RATIO_ERROR: 1.5 * (percent + n),
        }
        for n, quantity in enumerate(QUANTITIES)
    }  # fmt: skip


def _sizing(area_um2: float, delay_ns: float) -> Sizing:
    """Return coefficients that are in proportion to the area and the delay of a gate."""
    return Sizing(
        area_um2=dict.fromkeys(TYPES, area_um2),
        area_um2_per_shared_gate=0.0,
        area_um2_per_critical_doubling=0.0,
        leakage_nw=dict.fromkeys(TYPES, 0.1 * area_um2),
        delay_ns=dict.fromkeys(GATES, delay_ns),
        delay_ns_per_doubling=0.0,
        clock_to_output_ns=delay_ns,
        setup_ns=delay_ns,
        energy_fj_per_toggle=dict.fromkeys(TYPES, area_um2),
        energy_fj_per_toggle_and_load=0.0,
        glitch_fj_per_toggle=dict.fromkeys(GATES, area_um2),
        glitch_fj_per_toggle_and_load=0.0,
        clock_fj_per_cycle=area_um2,
    )


def simple(name: str = "simple", **changes: Any) -> Technology:
    """Return a technology whose fastest units are half as slow and twice as large as its smallest.

    A gate of the smallest has 1 um^2 and 0.2 ns.
    """
    technology = Technology(
        name=name,
        least_area=_sizing(1.0, 0.2),
        least_delay=_sizing(2.0, 0.1),
        curve=Curve(area=2.0, energy=1.0),
        hazards=Delays(
            delay_ns=dict.fromkeys(GATES, 0.2),
            delay_ns_per_doubling=0.0,
            clock_to_output_ns=0.2,
            setup_ns=0.0,
        ),
        clock_ns=5.0,
        clock_gates=None,
        provenance={"corner": {}},
        errors={
            "unseen_units": errors(1.0),
            "unseen_units_speed": errors(10.0),
            "unseen_units_clock": errors(20.0),
        },
        screen={
            "um2": dict.fromkeys(FEATURES, 1.0),
            "unseen_units": {"mean_percent": 1.0, "max_percent": 9.0, "rank": 0.9},
            "unseen_families": {"mean_percent": 2.0, "max_percent": 9.0, "rank": 0.9},
        },
        bands={
            quantity: {
                "families": {},
                UNSEEN_FAMILIES: {key: found[key] for key in BAND},
            }
            for quantity, found in errors(1.0).items()
        },
        units=[],
    )
    return replace(technology, **changes)
