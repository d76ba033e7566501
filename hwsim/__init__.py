"""What a number format really costs in silicon.

Formats and the golden models of the units live here; the hardware is in :mod:`rtl`, its cost in
:mod:`cost_models`, design-space exploration in :mod:`sweeps`. ``import hwsim`` is enough to use
them: the names below and the packages are here, and each is imported when it is first asked for
(PEP 562), so the import itself loads none of them.
"""

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cost_models.estimate import estimate
    from cost_models.synthesis import synthesize
    from hwsim import accelerator, formats, frames, networks, tensors, units
    from hwsim.accelerator.cycles import gemm_cycles
    from hwsim.accelerator.workload import workload
    from hwsim.errors import HwsimError
    from hwsim.formats import parse
    from hwsim.formats.chart import draw
    from hwsim.networks.accuracy import perplexity_meter
    from hwsim.units import make
    from rtl import create
    from rtl.emit import verilog
    from rtl.verification import verify
    from sweeps import results, run_sweep

__version__ = "0.1.0"

#: When this process imported hwsim, before any of its modules; as :func:`time.time_ns`.
IMPORTED_NS = time.time_ns()

#: Where the names come from.
_HOMES = {
    "HwsimError": "hwsim.errors",
    "create": "rtl",
    "draw": "hwsim.formats.chart",
    "estimate": "cost_models.estimate",
    "gemm_cycles": "hwsim.accelerator.cycles",
    "make": "hwsim.units",
    "parse": "hwsim.formats",
    "perplexity_meter": "hwsim.networks.accuracy",
    "results": "sweeps",
    "run_sweep": "sweeps",
    "synthesize": "cost_models.synthesis",
    "verify": "rtl.verification",
    "verilog": "rtl.emit",
    "workload": "hwsim.accelerator.workload",
}
_PACKAGES = ("accelerator", "formats", "frames", "networks", "tensors", "units")

__all__ = [
    "HwsimError",
    "accelerator",
    "create",
    "draw",
    "estimate",
    "formats",
    "frames",
    "gemm_cycles",
    "make",
    "networks",
    "parse",
    "perplexity_meter",
    "results",
    "run_sweep",
    "synthesize",
    "tensors",
    "units",
    "verify",
    "verilog",
    "workload",
]


# A type checker would take every name for one of it.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        if name in _PACKAGES:
            return import_module(f"hwsim.{name}")
        raise AttributeError(f"module 'hwsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
