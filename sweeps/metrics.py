"""What a sweep can be judged by: the metrics of costs and units, of quality, and of accelerators.

Each is a column of the results, and by its name an objective or a constraint.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cost_models import metrics
from cost_models.metric import Metric
from hwsim.errors import check_known


def _sqnr_db(of: str) -> Callable[[Any], float | None]:
    """Return what gives the SQNR of ``of``, a field of a point's quality."""

    def value(point: Any) -> float | None:
        # Imports NumPy, which the specification's text is checked without.
        from hwsim.tensors.quantise import to_db

        noise = None if point.quality is None else getattr(point.quality, of)
        return None if noise is None else to_db(noise)

    return value


def _sqnr_error_db(point: Any) -> float | None:
    """Return by how much the SQNR changes if the noise is one standard error more."""
    quality = point.quality
    if quality is None or quality.output is None:
        return None
    from hwsim.tensors.quantise import to_db

    if quality.output == 0:
        return 0.0
    return to_db(quality.output) - to_db(quality.output + quality.output_error)


def _accuracy(name: str) -> Callable[[Any], float | None]:
    """Return what gives an attribute of the accuracy of a point's network."""

    def value(point: Any) -> float | None:
        # A decoder has no embeddings, and an encoder no perplexity.
        return None if point.accuracy is None else getattr(point.accuracy, name, None)

    return value


def _simulated(
    name: str, label: str, maximise: bool = False, log: bool = True, quantity: str = ""
) -> Metric:
    """Return a metric that is an attribute of :class:`sweeps.simulated.Simulated`."""

    def value(point: Any) -> float | None:
        return None if point.simulated is None else getattr(point.simulated, name)

    return Metric(name, label, value, "accelerator", "", maximise, log, quantity=quantity)


#: All metrics by name. Labels of accelerators speak of items, which are tokens or images.
METRICS: Mapping[str, Metric] = {
    **metrics.METRICS,
    **{
        metric.name: metric
        for metric in (
            _simulated("time_s", "time (s)"),
            _simulated("items_per_s", "items per second", maximise=True),
            _simulated(
                "items_per_s_per_mm2", "items per second and mm² of the accelerator",
                maximise=True, quantity="area",
            ),
            _simulated("energy_j_per_item", "energy per item (J)", quantity="energy"),
            _simulated("power_w", "power (W)", quantity="energy"),
            _simulated("energy_delay_js", "energy × delay (J s)", quantity="energy"),
            _simulated("area_mm2", "area of the accelerator (mm²)", quantity="area"),
            _simulated("utilisation", "utilisation of the array", maximise=True, log=False),
            _simulated("dram_bytes_per_item", "DRAM bytes per item"),
            Metric(
                "weight_sqnr_db", "SQNR of weights (dB)", _sqnr_db("weight"),
                needs="weights", maximise=True, log=False,
            ),
            Metric(
                "quantisation_sqnr_db", "SQNR of outputs, exact sums (dB)",
                _sqnr_db("quantisation"), needs="activations", maximise=True, log=False,
            ),
            Metric(
                "output_sqnr_db", "SQNR of outputs (dB)", _sqnr_db("output"),
                needs="activations", maximise=True, log=False,
            ),
            Metric(
                "output_sqnr_error_db", "standard error of the SQNR of outputs (dB)",
                _sqnr_error_db, needs="activations", log=False,
            ),
            Metric("perplexity", "perplexity", _accuracy("perplexity"), needs="decoder"),
            Metric("kl", "KL divergence (nats per token)", _accuracy("kl"), needs="decoder"),
            Metric(
                "top1_agreement", "top-1 agreement", _accuracy("top1_agreement"),
                needs="decoder", maximise=True, log=False,
            ),
            Metric(
                "embedding_cosine", "cosine of embeddings", _accuracy("embedding_cosine"),
                needs="encoder", maximise=True, log=False,
            ),
        )
    },
}  # fmt: skip

#: Quality of the formats alone: what a unit's own arithmetic adds is not in it.
OF_FORMATS = frozenset({"weight_sqnr_db", "quantisation_sqnr_db"}) | {
    name for name, metric in METRICS.items() if metric.needs in ("decoder", "encoder")
}

#: What a specification has to have for what metrics need.
KEYS = {
    "weights": "tensors", "activations": "tensors", "decoder": "network", "encoder": "network",
    "accelerator": "accelerators",
}  # fmt: skip

#: What metrics were called before their names had units, which specifications may still say.
FORMER = {
    "area": "area_um2",
    "area_per_mac": "area_um2_per_mac_per_cycle",
    "energy_per_mac": "energy_pj_per_mac",
    "settled_energy_per_mac": "settled_energy_pj_per_mac",
    "data_per_mac": "data_energy_pj_per_mac",
    "clock_per_mac": "clock_energy_pj_per_mac",
    "glitch_per_mac": "glitch_energy_pj_per_mac",
}


def name_of(given: str) -> str:
    """Return the name of the metric that is, or once was, called ``given``.

    Raises InputError, with the nearest name, if there is none.
    """
    name = FORMER.get(given, given)
    check_known("metric", name, METRICS)
    return name
