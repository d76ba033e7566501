"""``hwsim allocate``: a format for every matrix of a decoder, under a budget."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hwsim.cli.accuracy import CALIBRATION_TOKENS, calibration_options
from hwsim.cli.arguments import (
    Commands,
    checked,
    device_option,
    input_path,
    json_option,
    output_path,
    whole_number,
)
from hwsim.cli.output import print_json, print_table
from hwsim.errors import InputError
from hwsim.files import read_text
from hwsim.networks import WINDOW
from hwsim.numbers import positive
from hwsim.progress import mentioned
from hwsim.tables import cell

if TYPE_CHECKING:
    from cost_models.matrix_costs import MatrixCosts
    from hwsim.accelerator.simulation import Accelerator
    from hwsim.formats.base import Float64
    from hwsim.networks.accuracy import Accuracy, PerplexityMeter
    from hwsim.networks.allocation import Allocation
    from hwsim.networks.decoder import Decoder
    from hwsim.networks.quantise import RoleFormats
    from hwsim.networks.sensitivity import Sensitivity

#: Tokens that formats are measured on, unless options say.
TOKENS = 1024
#: Budgets of the chart.
POINTS = 24


class Budget(NamedTuple):
    """What a quantity is called, its unit, and by how much it is divided to have it."""

    axis: str
    unit: str
    size: float

    @property
    def label(self) -> str:
        """The label of an axis."""
        return self.axis if self.axis.startswith(self.unit) else f"{self.axis} ({self.unit})"


BUDGETS = {
    "bits": Budget("bits of an element of the matrices, metadata included", "bits", 1.0),
    "energy": Budget("energy of a token", "mJ", 1e-3),
    "latency": Budget("time of a token", "ms", 1e-3),
    "area_time": Budget("area of the accelerator times time of a token", "mm² ms", 1e-3),
}


@checked
def _budget(text: str) -> tuple[str, str]:
    name, equals, most = text.partition("=")
    if name not in BUDGETS or not equals:
        allowed = ", ".join(
            f"{key}={'BITS' if key == 'bits' else budget.unit.replace(' ', '·')}"
            for key, budget in BUDGETS.items()
        )
        raise InputError(f"--budget {text}: allowed: {allowed}, or a format in place of a number")
    return name, most


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "allocate", help="a format for every matrix of a decoder, under a budget"
    )
    parser.add_argument("model", metavar="MODEL", help="as for hwsim accuracy: a decoder")
    parser.add_argument(
        "--format", action="append", required=True, metavar="FORMAT", dest="formats",
        help="of weights, to choose from; repeat the option",
    )  # fmt: skip
    parser.add_argument(
        "--budget", type=_budget, required=True, metavar="|".join(BUDGETS) + "=NUMBER|FORMAT",
        help="bits of an element, mJ, ms or mm²·ms of a token; a format's name: as much as it "
        "takes in all matrices",
    )  # fmt: skip
    parser.add_argument(
        "--accelerator", metavar="NAME|FILE.yaml",
        help="whose costs count, and in whose formats activations, keys and values are",
    )  # fmt: skip
    parser.add_argument("--technology", metavar="T", help="of the accelerator's units")
    parser.add_argument("--phase", choices=("prefill", "decode"), default="decode")
    parser.add_argument(
        "--context", type=whole_number("--context", 1), default=256,
        help="tokens that a token attends to, or of the prompt (default: 256)",
    )  # fmt: skip
    parser.add_argument(
        "--text", type=input_path, metavar="FILE", help="to measure with (default: one that ships)"
    )
    parser.add_argument(
        "--tokens", type=whole_number("--tokens", 2), default=TOKENS,
        help=f"of it (default: {TOKENS})",
    )  # fmt: skip
    calibration_options(parser, "of the sensitivities, and for --calibrate and --smooth")
    parser.add_argument(
        "--window", type=whole_number("--window", 2), default=WINDOW,
        help=f"tokens at a time, of both texts (default: {WINDOW})",
    )  # fmt: skip
    parser.add_argument(
        "--rotate", type=whole_number("--rotate", 0), metavar="SEED",
        help="fold a random rotation into the weights first",
    )  # fmt: skip
    device_option(parser)
    parser.add_argument("--chart", type=output_path, metavar="FILE", help="loss over cost")
    json_option(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print formats of all matrices, and what they cost and lose beside uniform ones."""
    from hwsim.drawing import check_suffix
    from hwsim.networks.accuracy import PerplexityMeter
    from hwsim.networks.allocation import allocate, curve, uniform
    from hwsim.networks.sensitivity import SensitivityMeter

    if options.chart is not None:
        check_suffix(options.chart)
    accelerator = _accelerator(options)
    meter = _meter(options)
    assert meter.calibration is not None
    calibration = PerplexityMeter(meter.decoder, meter.calibration, meter.digest)
    with mentioned("sensitivity of every matrix"):
        sensitivity = SensitivityMeter(calibration, options.formats, options.calibrate).measure()
    costs = _costs(options, accelerator, meter.decoder, sensitivity)
    kind = options.budget[0]
    table, rest = _table(kind, sensitivity, costs)
    alone = {one.sensitivity.formats[one.choice[0]]: one for one in uniform(sensitivity, table)}
    least = float(table.min(axis=1).sum())
    mixed = allocate(sensitivity, table, _limit(options, alone, least, rest))
    rows: dict[str, tuple[Allocation, Accuracy]] = {}
    for name, one in {"mixed": mixed, **alone}.items():
        with mentioned(f"accuracy of {name}"):
            formats = _role_formats(one, accelerator, options.calibrate)
            rows[name] = one, meter.measure(formats)
    if options.chart is not None:
        from hwsim.networks.allocation_chart import write

        turned = "" if options.rotate is None else f", rotated with seed {options.rotate}"
        place = "" if accelerator is None else f" on {accelerator.name}"
        title, axis = f"{options.model}{turned}{place}", BUDGETS[kind].label
        shown = [(name, _shifted(one, rest), found.kl) for name, (one, found) in rows.items()]
        line = [_shifted(one, rest) for one in curve(sensitivity, table, POINTS)]
        write(options.chart, title, axis, line, shown)
    notes = [] if costs is None else list(costs.notes)
    if options.json:
        print_json(_to_dict(options, mixed, rows, rest, notes))
    else:
        _print(options, mixed, rows, rest, notes)
    return 0


def _accelerator(options: argparse.Namespace) -> "Accelerator | None":
    from hwsim.accelerator.specification import load

    kind = options.budget[0]
    if (options.accelerator is None) != (options.technology is None):
        raise InputError("--accelerator and --technology go together")
    if kind != "bits" and options.accelerator is None:
        raise InputError(f"--budget {kind} needs --accelerator and --technology")
    return None if options.accelerator is None else load(options.accelerator)


def _meter(options: argparse.Namespace) -> "PerplexityMeter":
    from hwsim.networks.accuracy import perplexity_meter

    text = None if options.text is None else read_text(options.text, "text")
    other = None if options.calibration is None else read_text(options.calibration, "calibration")
    return perplexity_meter(
        options.model,
        text,
        tokens=options.tokens,
        window=options.window,
        rotate=options.rotate,
        smooth=options.smooth,
        calibration=other,
        calibration_tokens=_calibration_tokens(options),
        device=options.device,
    )


def _calibration_tokens(options: argparse.Namespace) -> int:
    given: int | None = options.calibration_tokens
    return CALIBRATION_TOKENS if given is None else given


def _costs(
    options: argparse.Namespace,
    accelerator: "Accelerator | None",
    decoder: "Decoder",
    sensitivity: "Sensitivity",
) -> "MatrixCosts | None":
    """Return what matrices cost the accelerator, if there is one."""
    if accelerator is None:
        return None
    from cost_models.accelerator import Prices
    from cost_models.matrix_costs import matrix_costs
    from hwsim.accelerator.workload import workload
    from hwsim.networks.quantise import RoleFormats

    tokens = {"context" if options.phase == "decode" else "tokens": options.context}
    work = workload(decoder.architecture.sizes(options.model), options.phase, **tokens)
    chosen = [RoleFormats(weight=name).weight_of("every") for name in sensitivity.formats]
    formats = [fmt for fmt in chosen if fmt is not None]
    prices = Prices(options.technology)
    return matrix_costs(accelerator, work, prices, sensitivity.matrices, formats)


def _table(
    kind: str, sensitivity: "Sensitivity", costs: "MatrixCosts | None"
) -> "tuple[Float64, float]":
    """Return costs of matrices in formats, and of everything else, in the budget's unit."""
    size = BUDGETS[kind].size
    if kind == "bits":
        return sensitivity.bits / sensitivity.elements.sum(), 0.0
    assert costs is not None
    if kind == "energy":
        return costs.energy_j / size, costs.other_energy_j / size
    area = costs.area_mm2 if kind == "area_time" else 1.0
    return costs.time_s / size * area, costs.other_time_s / size * area


def _limit(
    options: argparse.Namespace, alone: "dict[str, Allocation]", least: float, rest: float
) -> float:
    """Return what all matrices may cost, of which ``least`` is the least that they can."""
    kind, most = options.budget
    if most in alone:
        return alone[most].cost
    try:
        limit = positive(f"--budget {kind}", most) - rest
    except InputError:
        raise InputError(
            f"--budget {kind}={most}: allowed: a positive number, or one of {', '.join(alone)}"
        ) from None
    if limit < least:
        raise InputError(
            f"--budget {kind}={most}: allowed: from {cell(least + rest)} {BUDGETS[kind].unit}, the "
            "least that these formats take"
        )
    return limit


def _role_formats(
    one: "Allocation", accelerator: "Accelerator | None", calibrate: str | None
) -> "RoleFormats":
    if accelerator is None:
        return one.role_formats(calibrate=calibrate)
    formats = accelerator.operand_formats
    return one.role_formats(formats.activation, formats.kv_cache, calibrate)


def _shifted(one: "Allocation", rest: float) -> "Allocation":
    """Return formats with the cost of the whole network."""
    return replace(one, cost=one.cost + rest)


def _to_dict(
    options: argparse.Namespace,
    mixed: "Allocation",
    rows: "dict[str, tuple[Allocation, Accuracy]]",
    rest: float,
    notes: list[str],
) -> dict[str, Any]:
    kind, most = options.budget
    sensitivity = mixed.sensitivity
    return {
        "model": options.model,
        "rotate": options.rotate,
        "smooth": options.smooth,
        "calibrate": options.calibrate,
        "calibration": None if options.calibration is None else str(options.calibration),
        "calibration_tokens": _calibration_tokens(options),
        "accelerator": options.accelerator,
        "technology": options.technology,
        "budget": {"of": kind, "unit": BUDGETS[kind].unit, "value": most},
        "formats": mixed.formats,
        "sensitivity": {
            "reference": sensitivity.reference,
            "rank_correlation": sensitivity.rank_correlation,
            "measured": dict(zip(sensitivity.matrices, sensitivity.measured.tolist(), strict=True)),
        },
        "results": {
            name: {"cost": one.cost + rest, "predicted_kl": one.loss, **found.to_dict()}
            for name, (one, found) in rows.items()
        },
        "notes": notes,
    }


def _print(
    options: argparse.Namespace,
    mixed: "Allocation",
    rows: "dict[str, tuple[Allocation, Accuracy]]",
    rest: float,
    notes: list[str],
) -> None:
    sensitivity = mixed.sensitivity
    kinds: dict[str, dict[str, list[int]]] = {}
    for matrix, fmt in mixed.formats.items():
        _, layer, part = matrix.split(".")
        kinds.setdefault(part, {}).setdefault(fmt, []).append(int(layer))
    print_table(
        ["matrix", *sensitivity.formats],
        [
            [part, *(_ranges(layers.get(fmt, [])) for fmt in sensitivity.formats)]
            for part, layers in kinds.items()
        ],
    )
    kind = options.budget[0]
    priced = [] if kind == "bits" else [f"{kind}, {BUDGETS[kind].unit}"]
    print_table(
        ["formats", *priced, "bits", "KL predicted", "KL measured", "perplexity", "top-1 %"],
        [
            [
                name, *([cell(one.cost + rest)] if priced else []), f"{one.bits_per_element:.3f}",
                cell(one.loss), cell(found.kl), f"{found.perplexity:.3f}",
                f"{100 * found.top1_agreement:.1f}",
            ]
            for name, (one, found) in rows.items()
        ],
    )  # fmt: skip
    best = next(iter(rows.values()))[1]
    print(
        f"perplexity in float32 {best.perplexity_float32:.3f}, of {best.predictions} predictions; "
        f"sensitivities from {sensitivity.reference}, which alone in every matrix has a rank "
        f"correlation of {sensitivity.rank_correlation:.3f} with the second-order error"
    )
    for note in notes:
        print(note)


def _ranges(layers: list[int]) -> str:
    """Return numbers of layers as ranges, ``0-3, 7``."""
    parts: list[list[int]] = []
    for layer in layers:
        if parts and parts[-1][-1] == layer - 1:
            parts[-1] = [parts[-1][0], layer]
        else:
            parts.append([layer])
    return ", ".join("-".join(map(str, part)) for part in parts)
