"""What decides a result of a sweep: the keys that finished work is kept under.

A point is kept under a hash of its unit and of the technology's coefficients in values, the
tensors' content, the versions of tools, and the source that computes it (:mod:`sweeps.sources`).
What does not decide it is not in it, so that an edit elsewhere leaves finished points where they
are.
"""

from dataclasses import asdict, replace
from functools import cache, cached_property
from typing import Any

from cost_models import technology as technologies
from cost_models.synthesis import opensta
from hwsim.formats import Format
from hwsim.formats.block import BlockFormat
from hwsim.registration import sources_digest
from hwsim.tensors.quality import arithmetic, formats_of
from hwsim.tensors.quantise import Pair
from hwsim.units import UnitSpec
from hwsim.units.sources import source_digest as unit_source_digest
from rtl.verilog import HandMade
from sweeps import sources
from sweeps.designs import Design
from sweeps.spec import Sweep
from sweeps.store import digest, source_digest, versions
from sweeps.targets import Target

#: Where the computation of points starts, by method; of their quality; of accelerators.
_COSTS = {"estimate": "sweeps.costs", "synthesis": "sweeps.syntheses"}
_QUALITIES, _ACCELERATORS = "sweeps.qualities", "sweeps.simulated"
#: Tables of memories.
_DATA = ("cost_models/data",)


class Identity:
    """What decides the results of one sweep.

    Attributes
    ----------
    context
        What decides all of them: the method, the tensors, and the versions of tools.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.context: dict[str, Any] = {
            "method": sweep.method,
            "tensors": sweep.tensors
            and {"sha256": sweep.tensors.source.digest(), "group": sweep.tensors.group},
            "versions": _versions(sweep),
        }
        self._formats: dict[tuple[Any, ...], Pair] = {}

    def formats_of(self, unit: UnitSpec) -> Pair:
        """Return how a unit's tensors are quantised; units that compute alike share it."""
        assert self.sweep.tensors is not None
        alike = type(unit), *arithmetic(unit, 1).items()
        if alike not in self._formats:
            self._formats[alike] = formats_of(unit, self.sweep.tensors.group)
        return self._formats[alike]

    def described(self, design: Design, target: Target) -> dict[str, Any]:
        """Return what a point is of, as plain values."""
        described = self.described_unit(design.unit) | {
            "technology": target.technology,
            "technology_sha256": target.sha256 or _content(target.technology),
            "clock_ns": target.clock_ns,
        }
        if target.objective != "area":
            described["objective"] = target.objective
        if target.clock_gating:
            described["clock_gating"] = True
        if design.plan is not None and target.workload is not None:
            described["accelerator"] = design.plan.described()
            described["workload_sha256"] = target.workload.sha256
            if design.plan.limit is not None:
                described["sized_by_sha256"] = self._workloads
        return described

    @cached_property
    def _workloads(self) -> list[str]:
        """Digests of all workloads, which decide the size of arrays with a limit."""
        found = (target.workload for target in self.sweep.targets)
        return sorted({one.sha256 for one in found if one is not None})

    def described_arithmetic(self, unit: UnitSpec) -> dict[str, Any]:
        """Return what decides a unit's outputs on the layers."""
        given = arithmetic(unit, self._inputs)
        return {k: v for k, v in self.described_unit(unit).items() if k in given or k == "unit"
                or k not in unit.parameters()}  # fmt: skip

    @cached_property
    def _inputs(self) -> int:
        """The longest dot product of the layers."""
        assert self.sweep.tensors is not None
        return max(layer.weight.shape[1] for layer in self.sweep.tensors.source.load())

    def described_unit(self, unit: UnitSpec) -> dict[str, Any]:
        """Return a unit as plain values, with what it is made of outside of this project."""
        described: dict[str, Any] = {"unit": unit.family, **unit.parameters()}
        if others := unit_source_digest(unit):
            described["unit_source_sha256"] = others
        if isinstance(unit, HandMade):
            described["verilog_sha256"] = unit.verilog.sha256
        return described

    def key(self, design: Design, target: Target) -> str:
        """Return the key of a point."""
        return digest([self.described(design, target), self.context, self.source_of(design)])

    def error_key(self, weight: BlockFormat, activation: Format | BlockFormat) -> str:
        """Return the key of the error of tensors that are quantised to two formats."""
        own = sources.of_format(weight) | sources.of_format(activation)
        others = sources_digest(cls.__module__ for one in (weight, activation)
                                for cls in type(one).__mro__)  # fmt: skip
        return digest([
            weight.name, activation.name, self.context["tensors"], self.context["versions"],
            sources.digest({_QUALITIES, *own}), others,
        ])  # fmt: skip

    def unit_key(self, unit: UnitSpec) -> str:
        """Return the key of the error of a unit on the tensors."""
        return digest([
            self.described_arithmetic(unit), self.context["tensors"], self.context["versions"],
            sources.digest({_QUALITIES, *self._modules(unit)}),
        ])  # fmt: skip

    def anchor_key(self, unit: UnitSpec, target: Target) -> str:
        """Return the key of the estimate of a unit that others are interpolated from."""
        technology = target.sha256 or _content(target.technology)
        return digest([
            self.described_unit(unit), technology, target.clock_gating, self.context,
            self.source_of(Design(unit)),
        ])  # fmt: skip

    def source_of(self, design: Design) -> str:
        """Return the SHA-256 of the source that decides a point of a design."""
        modules = {_COSTS[self.sweep.method], *self._modules(design.unit)}
        if self.sweep.tensors is not None:
            modules.add(_QUALITIES)
        if design.plan is None:
            return sources.digest(modules)
        attention = design.plan.accelerator.attention
        if attention is not None:
            modules |= sources.of_unit(attention.unit)
        return digest([sources.digest({*modules, _ACCELERATORS}), source_digest(_DATA)])

    def _modules(self, unit: UnitSpec) -> frozenset[str]:
        """Return the modules of a unit, and of the formats of its tensors."""
        found = sources.of_unit(unit)
        if self.sweep.tensors is not None:
            for fmt in self.formats_of(unit):
                found |= sources.of_format(fmt)
        return found


def _versions(sweep: Sweep) -> dict[str, str]:
    """Return the versions of tools; what hwsim is, its sources say."""
    tools = {name: version for name, version in versions().items() if name != "hwsim"}
    return tools if sweep.method == "estimate" else {**tools, "opensta": opensta.version()}


@cache
def _content(technology: str) -> str:
    """Return the SHA-256 of a known technology, but for the units that it was fitted to."""
    return digest(asdict(replace(technologies.load(technology), units=[])))
