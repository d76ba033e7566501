"""What units cost by estimates, as tasks of worker processes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cost_models.cost import Cost
from cost_models.estimate import CostCurve, cost_curves, estimate_each
from cost_models.operands import STREAMS, of_layers, stream_beats
from hwsim.tensors.sources import have_activations
from hwsim.units import UnitSpec
from hwsim.units.operands import Operands

if TYPE_CHECKING:
    from sweeps.spec import Tensors
    from sweeps.targets import Target


@dataclass(frozen=True)
class Costing:
    """A unit in targets of one kind: of estimates, or one of synthesis."""

    unit: UnitSpec
    targets: "tuple[Target, ...]"
    tensors: "Tensors | None"

    def operands(self) -> Operands | None:
        """Return rows and tokens of the layers, if there are layers with activations."""
        if self.tensors is None:
            return None
        layers = self.tensors.source.load()
        if not have_activations(layers):
            return None
        beats, group = stream_beats(self.unit), self.tensors.group
        return of_layers(self.unit, layers, STREAMS, beats, seed=0, group=group)


def estimated(task: Costing) -> list[Cost]:
    """Return the cost of a unit for each target, switched by the layers' own operands if known."""
    wanted = [
        (target.coefficients or target.technology, target.objective, target.clock_ns)
        for target in task.targets
    ]
    # One sweep has gates or has none.
    gating = task.targets[0].clock_gating
    return estimate_each(task.unit, wanted, task.operands(), clock_gating=gating)


def curves(task: Costing) -> list[CostCurve]:
    """Return the curve of a unit for each target, which are of different technologies."""
    names = [target.coefficients or target.technology for target in task.targets]
    return cost_curves(task.unit, names, task.operands(), task.targets[0].clock_gating)
