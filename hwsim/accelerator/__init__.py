"""Accelerators in closed form: an array of units, the memories that feed it, layers of a model.

Nothing here knows what hardware costs; energy and area are in :mod:`cost_models.accelerator`.
"""
