"""What a number format really costs in silicon.

Formats and the golden models of the units live here; the hardware is in :mod:`rtl`, its cost in
:mod:`cost_models`, design-space exploration in :mod:`sweeps`. Importing this package loads none
of them.
"""

__version__ = "0.1.0"
