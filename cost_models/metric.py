"""What one number of a result is called, how it is shown, and what is known of it.

A metric is defined once, where it is computed: those of a cost in :mod:`cost_models.cost`, those of
a unit in :mod:`cost_models.metrics`, those of quality in :mod:`sweeps.metrics`. Its name, which has
its unit of measure in it, is attribute, column, JSON key, objective and constraint alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

#: What has to be known for a metric: the price of a unit in a technology, the unit alone, the
#: weights of layers, or their activations, too, which a unit is judged on, a whole network that
#: predicts tokens, or one that makes embeddings, or a workload on an accelerator.
Need = Literal["cost", "unit", "weights", "activations", "decoder", "encoder", "accelerator"]


@dataclass(frozen=True)
class Metric:
    """One number of a result.

    Attributes
    ----------
    name
        What it is called everywhere, unit of measure included.
    label
        Label of an axis, unit of measure included.
    value
        Returns the number for a result, which has a ``cost``, a ``unit``, the ``quality``, the
        ``accuracy`` of a network, or what an accelerator takes, as ``needs`` says; None for a
        result that has no such number.
    needs
        What it is computed from.
    heading
        Column of ``hwsim cost``; none if empty.
    maximise
        Whether more is better.
    log
        Whether charts show it on a logarithmic axis; not what is often zero.
    additive
        Whether it is the sum of that of the parts of a unit.
    quantity
        Whose error it has, see :data:`cost_models.bands.QUANTITIES`; unknown if empty.
    """

    name: str
    label: str
    value: Callable[[Any], float | None]
    needs: Need = "cost"
    heading: str = ""
    maximise: bool = False
    log: bool = True
    additive: bool = False
    quantity: str = ""

    @property
    def is_quality(self) -> bool:
        """Whether it says how good results are, which takes the tensors of a model."""
        return self.needs in ("weights", "activations", "decoder", "encoder")
