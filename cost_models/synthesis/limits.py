"""Whether a mapped netlist keeps what its library allows: loads of outputs and slews of pins.

A library states up to which load and slew its tables and its cells hold. ABC buffers nets, but does
not size flip-flops and does not know these limits, so they are checked afterwards. Outputs of the
unit are nets like others; what is behind them is not known and not counted.
"""

from typing import Any

from cost_models.synthesis.energy import Slews
from cost_models.synthesis.mapped import MappedNetlist

#: Loads and slews are computed in floating point.
_ROUNDING = 1 + 1e-6


def violations(netlist: MappedNetlist, slews: Slews) -> dict[str, Any]:
    """Return how many outputs have too much load and pins too slow a slew, and the worst ratios.

    Returns
    -------
    dict
        ``max_capacitance`` and ``max_transition``, each with ``count``, and ``worst``, the largest
        ratio of what is to what the library allows, with ``pin``, its cell and pin; None if the
        library states no limit for any pin of the netlist.
    """
    loads, transitions = [], []
    for instance in netlist.instances:
        cell = instance.cell
        for pin, limit in cell.most_load.items():
            if pin in instance.nets:
                ratio = float(netlist.load[instance.nets[pin]]) / limit
                loads.append((ratio, f"{cell.name}/{pin}"))
        for pin, limit in cell.most_slew.items():
            if (slew := slews.get((instance.name, pin))) is not None:
                transitions.append((max(slew) / limit, f"{cell.name}/{pin}"))
    return {
        name: {
            "count": sum(ratio > _ROUNDING for ratio, _ in found),
            "worst": round(max(found)[0], 3),
            "pin": max(found)[1],
        }
        if found
        else None
        for name, found in (("max_capacitance", loads), ("max_transition", transitions))
    }
