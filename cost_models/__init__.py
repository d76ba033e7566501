"""What a unit costs in silicon: area, delay, energy, leakage.

Two methods, never mixed. ``estimate`` prices a generic-gate netlist of the unit with coefficients
that were fitted to synthesis, and needs no cell library. ``synthesis`` maps the unit to a cell
library and measures the result with OpenSTA.
"""

from cost_models.cost import Cost
from cost_models.estimate import estimate, estimate_all

__all__ = ["Cost", "estimate", "estimate_all"]
