"""What a sweep can be judged by: every metric once, with its column, axis label and direction."""

from dataclasses import dataclass


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
    "area": Metric("area_um2", "area (µm²)"),
    "area_per_mac": Metric("area_um2_per_mac_per_cycle", "area per MAC/cycle (µm²)"),
    "delay_ns": Metric("delay_ns", "delay (ns)"),
    "energy_per_mac": Metric("energy_pj_per_mac", "energy per MAC (pJ)"),
    "leakage_nw": Metric("leakage_nw", "leakage (nW)"),
    "macs_per_cycle": Metric("macs_per_cycle", "MACs per cycle", maximise=True),
    "weight_sqnr_db": Metric(
        "weight_sqnr_db", "SQNR of weights (dB)", maximise=True, log=False, tensors="weights"
    ),
    "output_sqnr_db": Metric(
        "output_sqnr_db", "SQNR of outputs (dB)", maximise=True, log=False, tensors="activations"
    ),
}
