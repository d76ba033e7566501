"""What a unit is fed: the codes of dot products, and what their results stand for.

One type serves verification, test vectors, estimates, synthesis, sweeps and layers. A unit works on
codes; what the numbers were before, it does not know. So where operands come from tensors, they
carry the scales that the unit does not apply: a result times its scale is in the tensor's units,
and where the scales change along the inputs, an output is the sum of several dot products.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from hwsim.formats.base import Codes, Float64, Int64


@dataclass(frozen=True, eq=False, repr=False)
class Operands:
    """Codes that :meth:`hwsim.units.base.UnitSpec.dot` takes, for many dot products.

    Attributes
    ----------
    activations, weights
        Shape (dot products, length).
    metadata
        Codes by name, of shape (dot products, beats), (dot products, groups) or (dot products,).
    scales
        What the values of results are multiplied with, shape (dot products, rows, columns) of the
        unit's tile; None where operands are no tensor's.
    parts
        Consecutive dot products that make up one output.
    source
        Where the operands come from, for people.
    """

    activations: Codes
    weights: Codes
    metadata: Mapping[str, Codes] = field(default_factory=lambda: MappingProxyType({}))
    scales: Float64 | None = None
    parts: int = 1
    source: str = ""

    def __repr__(self) -> str:
        a, w = self.activations.shape, self.weights.shape
        names = ", ".join(self.metadata)
        extra = f", metadata={names}" if names else ""
        return f"Operands({self.source or 'codes'}, activations={a}, weights={w}{extra})"

    def __iter__(self) -> Iterator[Any]:
        """Yield activations, weights and metadata."""
        yield from (self.activations, self.weights, self.metadata)

    @property
    def count(self) -> int:
        """Dot products."""
        return len(self.activations)

    def take(self, place: slice | int | Int64) -> "Operands":
        """Return some of the dot products, or one of shapes (length,), and (beats,) or ()."""
        return replace(
            self,
            activations=self.activations[place],
            weights=self.weights[place],
            metadata={name: codes[place] for name, codes in self.metadata.items()},
            scales=None if self.scales is None else self.scales[place],
        )

    def rows(self) -> Iterator["Operands"]:
        """Take the dot products apart."""
        for k in range(self.count):
            yield self.take(k)
