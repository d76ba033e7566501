"""What a sweep can be judged by: the figures of costs, and the quality of formats.

Each is a column of the results, and by its name an objective or a constraint.
"""

from dataclasses import dataclass

from cost_models.figures import FIGURES


@dataclass(frozen=True)
class Metric:
    """A figure of a point.

    Attributes
    ----------
    column
        Column of the results table, unit included.
    label
        Axis label.
    maximise
        Whether more is better.
    log
        Whether charts show it on a logarithmic axis.
    tensors
        What it needs of the tensor source: nothing, ``weights`` or ``activations``.
    """

    column: str
    label: str
    maximise: bool = False
    log: bool = True
    tensors: str = ""


METRICS = {
    name: Metric(figure.column, figure.label, figure.maximise, figure.log)
    for name, figure in FIGURES.items()
} | {
    "weight_sqnr_db": Metric(
        "weight_sqnr_db", "SQNR of weights (dB)", maximise=True, log=False, tensors="weights"
    ),
    "output_sqnr_db": Metric(
        "output_sqnr_db", "SQNR of outputs (dB)", maximise=True, log=False, tensors="activations"
    ),
}
