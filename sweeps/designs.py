"""What the points of a sweep are of: units, alone or as the elements of accelerators.

Costs and quality are those of the unit in both cases. An accelerator has more: rows and columns,
memories, and the time and energy that a workload takes on it.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwsim.accelerator.simulation import Accelerator, Attention
    from hwsim.units import UnitSpec


@dataclass(frozen=True)
class Plan:
    """An accelerator of a sweep, whose array may have yet to be sized.

    Attributes
    ----------
    name
        What no other one of the sweep is called.
    base
        What it is called without ``changes``.
    changes
        What it differs in from others of the same entry, or from ``base``: keys with their values.
    accelerator
        With one row and one column where there is a limit.
    limit
        Of what its array is to have as much as makes it fastest, and how much: see
        :func:`cost_models.array_size.fit`.
    """

    name: str
    base: str
    changes: tuple[tuple[str, str], ...]
    accelerator: "Accelerator" = field(compare=False)
    limit: tuple[str, float] | None = None

    def described(self) -> dict[str, Any]:
        """Return plain values that everything but the name is made from."""
        from dataclasses import asdict

        one = self.accelerator
        formats = one.operand_formats
        return {
            "rows": one.rows,
            "cols": one.cols,
            "fit": self.limit and [*self.limit],
            "dataflow": one.dataflow.value,
            "links": one.links.value,
            "double_buffered": one.double_buffered,
            "convention": one.convention.value,
            "formats": {
                "weight": _name(formats.weight),
                "activation": _name(formats.activation),
                "kv_cache": _name(formats.kv_cache),
                "overrides": {
                    pattern: {tensor: _name(fmt) for tensor, fmt in of.items()}
                    for pattern, of in formats.overrides.items()
                },
            },
            "attention": None if one.attention is None else _attention(one.attention),
            "memories": asdict(one.memories),
        }


def _attention(one: "Attention") -> dict[str, Any]:
    return {
        "unit": one.unit.family,
        "parameters": one.unit.parameters(),
        "rows": one.rows,
        "cols": one.cols,
        "dataflow": str(one.dataflow),
        "links": str(one.links),
        "double_buffered": one.double_buffered,
    }


def _name(fmt: Any) -> str | None:
    name: str | None = getattr(fmt, "name", None)
    return name


@dataclass(frozen=True)
class Design:
    """What a sweep computes a point of, in every target.

    Attributes
    ----------
    unit
        The unit, or every element of the accelerator.
    plan
        The accelerator; None for a unit alone.
    """

    unit: "UnitSpec"
    plan: Plan | None = None

    @property
    def name(self) -> str:
        """That of the accelerator, or of the unit."""
        return self.unit.name if self.plan is None else self.plan.name
