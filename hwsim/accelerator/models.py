"""Sizes of networks, from the configuration files that are published with them.

``config.json`` in the layout of Hugging Face names a ``model_type`` and the sizes that matrices
have; a null is a key that is not there. Files of some models come with the package, with the sizes
that are public and nothing else. Only types in ``MODEL_TYPES`` are read, because the shape of a
layer is in the code of a type and not in its file.

Tables are no matrix products: embeddings are read and not multiplied. Biases, norms, softmax and
activation functions are no part of any product either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from hwsim.errors import InputError, suggestion
from hwsim.files import as_path, read_json, reason

#: Largest number of each kind that is read, far above those of known models.
LARGEST_SIZE = 1 << 22
LARGEST_DEPTH = 1 << 12
LARGEST_IMAGE = 1 << 14
LARGEST_POSITION = 1 << 31

CONFIG = "config.json"
_SHIPPED = Path(__file__).parent / "models"


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A two-dimensional convolution of square kernels, with the size of its input.

    Attributes
    ----------
    name
        Its name in its network.
    in_channels, out_channels
        Both are multiples of ``groups``.
    kernel_size, stride, padding
        In both directions; padding is on every side.
    groups
        Inputs and outputs in as many independent parts; ``in_channels`` of them is depthwise.
    height, width
        Of the input, without padding.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    height: int
    width: int

    def __post_init__(self) -> None:
        for key in ("in_channels", "out_channels", "kernel_size", "stride", "groups"):
            self._check(key, getattr(self, key) >= 1, "integers from 1")
        self._check("padding", self.padding >= 0, "integers from 0")
        for key in ("in_channels", "out_channels"):
            whole = getattr(self, key) % self.groups == 0
            self._check(key, whole, f"multiples of groups={self.groups}")
        for key in ("height", "width"):
            least = self.kernel_size - 2 * self.padding
            self._check(key, getattr(self, key) >= max(least, 1), f"integers from {max(least, 1)}")

    def _check(self, key: str, allowed: bool, what: str) -> None:
        if not allowed:
            raise InputError(
                f"convolution {self.name}: {key}={getattr(self, key)}: allowed: {what}"
            )

    @property
    def output_height(self) -> int:
        """Rows of the output."""
        return self._outputs(self.height)

    @property
    def output_width(self) -> int:
        """Columns of the output."""
        return self._outputs(self.width)

    @property
    def reached(self) -> int:
        """Elements of one channel of the input that some output needs; padding is not stored."""
        return self._reached(self.height) * self._reached(self.width)

    def _outputs(self, size: int) -> int:
        return (size + 2 * self.padding - self.kernel_size) // self.stride + 1

    def _reached(self, size: int) -> int:
        starts = range(-self.padding, self._outputs(size) * self.stride - self.padding, self.stride)
        places = {start + offset for start in starts for offset in range(self.kernel_size)}
        return len(places & set(range(size)))


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """A transformer; attributes have the names of the keys in ``config.json``.

    Attributes
    ----------
    name
        Of the file, or of its folder.
    causal
        Whether it is a decoder, which predicts the next token and keeps keys and values.
    gated
        Whether two matrices lead into the middle of the MLP, one as the gate of the other.
    num_attention_heads, num_key_value_heads
        Heads of queries, and of keys and values, each shared by as many of the first.
    vocab_size
        Outputs of a decoder's language-model head.
    max_position_embeddings
        Most tokens of a sequence; None where an image says how many there are.
    sliding_window
        Most tokens that a token attends to; None for all of them.
    num_local_experts, num_experts_per_tok
        MLPs of a layer and how many of them a token goes through; 0 where there is one MLP.
    patches
        The convolution that makes tokens of an image; None for text.
    num_labels
        Outputs of an image's classifier; 0 without one.
    """

    name: str
    causal: bool
    gated: bool
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int = 0
    max_position_embeddings: int | None = None
    sliding_window: int | None = None
    num_local_experts: int = 0
    num_experts_per_tok: int = 0
    patches: Convolution | None = None
    num_labels: int = 0


@dataclass(frozen=True, kw_only=True)
class ConvolutionalNetwork:
    """Convolutions in a row, with shortcuts, and a classifier over their averaged outputs.

    Attributes
    ----------
    name
        Of the file, or of its folder.
    convolutions
        In the order of the network, those of shortcuts first in their blocks.
    num_labels
        Outputs of the classifier; 0 without one.
    """

    name: str
    convolutions: tuple[Convolution, ...]
    num_labels: int = 0


Model = Transformer | ConvolutionalNetwork


def model_names() -> list[str]:
    """Return the names of the models that come with the package."""
    return sorted(path.stem for path in _SHIPPED.glob("*.json"))


def load_model(model: str | PathLike[str]) -> Model:
    """Return the sizes of a network.

    Parameters
    ----------
    model
        The name of a model that comes with the package, or the path of a configuration file or of
        a folder with ``config.json``. Text that is such a name is no path, and ``./phi-2`` is one.

    Raises
    ------
    InputError
        For an unknown name, a file that cannot be read, and one with a ``model_type`` or a value
        that is not supported; the message names file, key, value and what is allowed.
    """
    path = as_path("model", model)
    names = model_names()
    if model in names:
        return _read(_SHIPPED / f"{path}.json", path.name)
    try:
        found, folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"model={str(path)!r}: cannot be read: {reason(error)}") from None
    if not found:
        hint = suggestion(str(path), names) or f"; allowed: a path, {', '.join(names)}"
        raise InputError(f"model={str(path)!r}: no such file or model{hint}")
    file = path / CONFIG if folder else path
    return _read(file, file.resolve().parent.name if file.name == CONFIG else file.stem)


@dataclass(frozen=True)
class Config:
    """A configuration file; whatever is asked for is there and of the right kind."""

    path: Path
    values: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def wrong(self, key: str, allowed: str) -> InputError:
        if key not in self.values:
            return InputError(f"{self.path}: {key} is missing; allowed: {allowed}")
        return InputError(f"{self.path}: {key}={self.values[key]!r}: allowed: {allowed}")

    def size(self, key: str, default: int | None = None, most: int = LARGEST_SIZE) -> int:
        if key not in self and default is not None:
            return default
        value = self.values.get(key)
        if type(value) is not int or not 1 <= value <= most:
            raise self.wrong(key, f"integers from 1 to {most}")
        return value

    def sizes(self, key: str, most: int) -> list[int]:
        value = self.values.get(key)
        items = value if isinstance(value, list) else []
        if not items or not all(type(item) is int and 1 <= item <= most for item in items):
            raise self.wrong(key, f"a list of integers from 1 to {most}")
        return items

    def number(self, key: str, default: float | None = None) -> float:
        value = self.values[key] if key in self else default
        # A NaN compares with nothing.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
            raise self.wrong(key, "positive numbers")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.values[key] if key in self else default
        if type(value) is not bool:
            raise self.wrong(key, "true or false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.values[key] if key in self else default
        if value not in allowed:
            hint = suggestion(value, allowed)
            raise self.wrong(key, ", ".join(allowed) + hint)
        return str(value)

    def labels(self) -> int:
        """Outputs of a classifier, 0 if the file speaks of none."""
        names = self.values.get("id2label")
        if names is not None and not isinstance(names, dict):
            raise self.wrong("id2label", "an object with the name of every label")
        return self.size("num_labels", len(names or ()))


@dataclass(frozen=True)
class _Type:
    """What the code of a ``model_type`` says of its layers, and how its file spells it."""

    causal: bool = True
    gated: bool = True
    feed_forward: str = "intermediate_size"
    #: Whether the file says how many heads keys and values have; "optional": all, if it does not.
    grouped: Literal["no", "optional", "yes"] = "yes"
    #: Whether attention has a window where ``use_sliding_window`` is not there; None: never.
    window: bool | None = None
    experts: bool = False
    image: bool = False


_TRANSFORMERS = {
    "bert": _Type(causal=False, gated=False, grouped="no"),
    "llama": _Type(grouped="optional"),
    "mistral": _Type(window=True),
    "mixtral": _Type(window=True, experts=True),
    "opt": _Type(gated=False, feed_forward="ffn_dim", grouped="no"),
    "phi": _Type(gated=False, grouped="optional"),
    "qwen2": _Type(window=False),
    "qwen3": _Type(window=False),
    "vit": _Type(causal=False, gated=False, grouped="no", image=True),
}
#: The values of ``model_type`` that are read.
MODEL_TYPES = tuple(sorted([*_TRANSFORMERS, "resnet"]))


def _read(path: Path, name: str) -> Model:
    config = Config(path, read_json(path))
    kind = config.values.get("model_type")
    if kind not in MODEL_TYPES:
        # The nearest name would be another network.
        raise config.wrong("model_type", ", ".join(MODEL_TYPES))
    if kind == "resnet":
        return _resnet(config, name)
    return _transformer(config, name, _TRANSFORMERS[kind])


def _transformer(config: Config, name: str, kind: _Type) -> Transformer:
    hidden = config.size("hidden_size")
    heads = config.size("num_attention_heads")
    if "head_dim" not in config and hidden % heads:
        raise config.wrong("num_attention_heads", f"divisors of hidden_size={hidden}")
    # OPT-350m projects its embeddings, by matrices that no other model of its type has.
    if config.size("word_embed_proj_dim", hidden) != hidden:
        raise config.wrong("word_embed_proj_dim", f"hidden_size={hidden}")
    most = LARGEST_POSITION
    return Transformer(
        name=name,
        causal=kind.causal,
        gated=kind.gated,
        hidden_size=hidden,
        intermediate_size=config.size(kind.feed_forward),
        num_hidden_layers=config.size("num_hidden_layers", most=LARGEST_DEPTH),
        num_attention_heads=heads,
        num_key_value_heads=_key_value_heads(config, kind, heads),
        head_dim=config.size("head_dim", hidden // heads),
        vocab_size=0 if kind.image else config.size("vocab_size"),
        max_position_embeddings=(
            None if kind.image else config.size("max_position_embeddings", most=most)
        ),
        sliding_window=_window(config, kind),
        num_local_experts=config.size("num_local_experts") if kind.experts else 0,
        num_experts_per_tok=_experts_per_token(config) if kind.experts else 0,
        patches=_patches(config, hidden) if kind.image else None,
        num_labels=config.labels() if kind.image else 0,
    )


def _key_value_heads(config: Config, kind: _Type, heads: int) -> int:
    if kind.grouped == "no":
        return heads
    key = "num_key_value_heads"
    shared = config.size(key, heads if kind.grouped == "optional" else None)
    if heads % shared:
        raise config.wrong(key, f"divisors of num_attention_heads={heads}")
    return shared


def _window(config: Config, kind: _Type) -> int | None:
    if kind.window is None or "sliding_window" not in config:
        return None
    size = config.size("sliding_window", most=LARGEST_POSITION)
    return size if config.flag("use_sliding_window", kind.window) else None


def _experts_per_token(config: Config) -> int:
    most = config.size("num_local_experts")
    return config.size("num_experts_per_tok", most=most)


def _patches(config: Config, hidden: int) -> Convolution:
    size, image = config.size("patch_size"), config.size("image_size", most=LARGEST_IMAGE)
    if size > image:
        raise config.wrong("patch_size", f"integers from 1 to image_size={image}")
    return Convolution(
        name="patch_embedding",
        in_channels=config.size("num_channels", 3),
        out_channels=hidden,
        kernel_size=size,
        stride=size,
        height=image,
        width=image,
    )


def _resnet(config: Config, name: str) -> ConvolutionalNetwork:
    """Return a residual network (He et al., 2016), whose file must have the key ``image_size``."""
    image = config.size("image_size", most=LARGEST_IMAGE)
    stem = Convolution(
        name="stem", in_channels=config.size("num_channels", 3),
        out_channels=config.size("embedding_size"), kernel_size=7, stride=2, padding=3,
        height=image, width=image,
    )  # fmt: skip
    depths, widths = (
        config.sizes("depths", LARGEST_DEPTH),
        config.sizes("hidden_sizes", LARGEST_SIZE),
    )
    if len(depths) != len(widths):
        raise config.wrong("depths", f"as many integers as hidden_sizes has, {len(widths)}")
    # Pooling over 3 x 3 with stride 2 and padding 1 halves the sides once more.
    side, channels = (stem.output_height - 1) // 2 + 1, stem.out_channels
    found = [stem]
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        halves = stage > 0 or config.flag("downsample_in_first_stage", False)
        for block in range(depth):
            stride = 2 if halves and block == 0 else 1
            at = f"stages.{stage}.{block}"
            found += _block(config, at, channels, width, stride, side)
            side, channels = found[-1].output_height, width
    return ConvolutionalNetwork(name=name, convolutions=tuple(found), num_labels=config.labels())


def _block(
    config: Config, name: str, channels: int, width: int, stride: int, side: int
) -> Iterator[Convolution]:
    """Yield a shortcut, where there is a convolution on it, and two or three more."""
    sizes: tuple[tuple[int, int, int], ...]
    if config.choice("layer_type", ("basic", "bottleneck"), "bottleneck") == "basic":
        sizes = ((width, 3, stride), (width, 3, 1))
    else:
        early = config.flag("downsample_in_bottleneck", False)
        first, second = (stride, 1) if early else (1, stride)
        if width % 4:
            raise config.wrong("hidden_sizes", "multiples of 4 in bottleneck layers")
        sizes = ((width // 4, 1, first), (width // 4, 3, second), (width, 1, 1))
    if channels != width or stride != 1:
        yield _square(f"{name}.shortcut", channels, (width, 1, stride), side)
    for index, size in enumerate(sizes):
        made = _square(f"{name}.conv{index}", channels, size, side)
        yield made
        channels, side = made.out_channels, made.output_height


def _square(name: str, channels: int, size: tuple[int, int, int], side: int) -> Convolution:
    """Return a convolution of a square input; ``size`` is outputs, kernel and stride."""
    outputs, kernel, stride = size
    return Convolution(
        name=name, in_channels=channels, out_channels=outputs, kernel_size=kernel, stride=stride,
        padding=kernel // 2, height=side, width=side,
    )  # fmt: skip
