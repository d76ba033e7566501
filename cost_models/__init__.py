"""What a unit costs in silicon: area, delay, energy, leakage.

Two methods, never mixed. :mod:`cost_models.estimate` prices a generic-gate netlist of the unit with
coefficients that were fitted to synthesis, and needs no cell library.
:mod:`cost_models.synthesis` maps the unit to a cell library and measures the result with OpenSTA.

Beside them are numbers that others published, each with its source: memories
(:mod:`cost_models.memory`), bands at nodes without a library (:mod:`cost_models.scaling`), and
costs of units (:mod:`cost_models.published`).
"""
