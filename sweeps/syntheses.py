"""What units cost by synthesis, as tasks of worker processes."""

from cost_models.cost import Cost
from cost_models.synthesis import synthesize
from sweeps.costs import Costing


def synthesised(task: Costing) -> list[Cost]:
    """Return the cost of a unit for the one target of its task."""
    (target,) = task.targets
    return [
        synthesize(
            task.unit,
            target.technology,
            target.liberty,
            task.operands(),
            target.objective,
            target.clock_ns,
            target.clock_gating,
        )
    ]
