"""Formats for the tensors of a network, by what they are to it.

*Weights* are the matrices of layers, in blocks along their inputs; *activations* are what these
matrices multiply. *Keys* (after the rotation) and *values* are what a cache holds, along the
numbers of a head. *Scores* are the softmax' results, along the keys. The *head* and the *embedding*
stay in float32 unless they are asked for; so do queries, norms, biases, and all sums: what is
measured is the formats.

A block format has scales of its own. A scalar format gets one scale a group, and the *granularity*
says of what: the whole ``tensor``; a ``channel``, all inputs of an output of weights, or all tokens
of a number of keys and values; a ``token``, in keys and values of one head; or so many neighbours.
The scale follows the format's rule (:mod:`hwsim.formats.scaling`). It is fp16 for weights, as
:func:`hwsim.units.layers.per_group` says, and fp32 for the rest. A group that the inputs do not
fill is shorter. Where a block format has a scale for the tensor, as NVFP4 does, it is one for all
tokens of a window.

Weights are rounded to nearest, or *calibrated* to the inputs that a text shows
(:mod:`hwsim.tensors.calibrate`): by ``clipping``, where an error counts as much as its input's mean
square, or by error ``feedback``. Inputs are those of the network in float32; that activations are
quantised, or weights before, is not regarded. Head and embedding are always rounded to nearest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from math import prod

import numpy as np

from hwsim.errors import InputError, check_known
from hwsim.formats import BlockFormat, Format, parse
from hwsim.formats.base import Float64
from hwsim.formats.block import QuantizedTensor
from hwsim.formats.group import GroupScale
from hwsim.networks import backend
from hwsim.networks.backend import Array
from hwsim.networks.decoder import EMBEDDING, HEAD, Decoder
from hwsim.networks.moments import Inputs
from hwsim.numbers import whole
from hwsim.tensors.calibrate import clipped, with_feedback
from hwsim.units.layers import GROUP, near_one, octave_of, per_group, per_token

AnyFormat = Format | BlockFormat
Granularity = str | int

ROLES = ("weight", "activation", "kv", "scores", "head", "embedding")
#: What a tensor without a format is in, as a name.
FLOAT32 = "float32"
#: What scales may be of, by role, beside a number of neighbours; the first is the default.
GRANULARITIES: dict[str, tuple[Granularity, ...]] = {
    "weight": (GROUP, "channel", "tensor"),
    "activation": ("token", "tensor"),
    "kv": ("token", "channel", "tensor"),
}
#: Damping of error feedback, see :func:`hwsim.tensors.calibrate.with_feedback`. A hundred times
#: GPTQ's, which sees 262 144 tokens: moments of a few hundred are not of full rank, and with 0.01
#: feedback fits them at the cost of all other texts.
FEEDBACK_DAMPING = 1.0
#: How weights are calibrated, from the second moments of their inputs.
CALIBRATIONS: dict[str, Callable[[BlockFormat, Array, Float64], QuantizedTensor]] = {
    "clipping": lambda fmt, weight, moments: clipped(fmt, weight, np.diagonal(moments)),
    "feedback": partial(with_feedback, damping=FEEDBACK_DAMPING),
}
#: Operands that are no inputs of a matrix, by the ends of their names, and their roles.
_HELD = {"keys": "kv", "values": "kv", "scores": "scores"}


@dataclass(frozen=True, eq=False, kw_only=True)
class RoleFormats:
    """The formats of a network.

    Attributes
    ----------
    weight, activation, kv, scores, head, embedding
        A format, or its name; None and ``float32`` leave it in float32. Only scores, which are
        from 0 to 1, may be in a format without negative numbers. A head in a format multiplies
        activations in theirs.
    weight_scale, activation_scale, kv_scale
        Granularity of a scalar format's scales, see the module: ``tensor``, ``channel``,
        ``token``, or a number of neighbours. None is a group of 128 for weights and a token for
        the rest.
    overrides
        Other formats by pattern of matrices' names, such as ``layers.0.*`` or ``*.down_proj``:
        ``{"layers.0.*": {"weight": "int8_g64", "activation": None}}``. Of several that match, the
        last one counts.
    calibrate
        How weights of matrices are calibrated, ``clipping`` or ``feedback``; None rounds them to
        nearest.

    Raises
    ------
    InputError
        For an unknown format, role, granularity or calibration, a complex format, a granularity
        without a scalar format that it could be of, and a calibration without a format of weights
        or with one scale for a matrix.
    """

    weight: AnyFormat | str | None = None
    activation: AnyFormat | str | None = None
    kv: AnyFormat | str | None = None
    scores: AnyFormat | str | None = None
    head: AnyFormat | str | None = None
    embedding: AnyFormat | str | None = None
    weight_scale: Granularity | None = None
    activation_scale: Granularity | None = None
    kv_scale: Granularity | None = None
    overrides: Mapping[str, Mapping[str, AnyFormat | str | None]] = field(default_factory=dict)
    calibrate: str | None = None

    def __post_init__(self) -> None:
        for role in ROLES:
            object.__setattr__(self, role, _format(role, getattr(self, role), role != "scores"))
        overrides: dict[str, dict[str, AnyFormat | None]] = {}
        for pattern, formats in self.overrides.items():
            for role in formats:
                check_known(f"role of {pattern!r}", role, ("weight", "activation"))
            overrides[pattern] = {r: _format(f"{pattern}: {r}", f) for r, f in formats.items()}
        object.__setattr__(self, "overrides", overrides)
        for role in GRANULARITIES:
            object.__setattr__(self, f"{role}_scale", self._granularity(role))
        if self.calibrate is not None:
            self._check_calibrate(self.calibrate)

    def _check_calibrate(self, method: str) -> None:
        check_known("calibrate", method, CALIBRATIONS)
        weights = [self.weight, *(formats.get("weight") for formats in self.overrides.values())]
        if all(fmt is None for fmt in weights):
            raise InputError(f"calibrate={method!r}: weights have no format")
        if self.weight_scale == "tensor":
            raise InputError(
                f"calibrate={method!r} with weight_scale='tensor': allowed: channel, or a number "
                "of neighbours"
            )

    def _granularity(self, role: str) -> Granularity:
        key, allowed = f"{role}_scale", GRANULARITIES[role]
        value = getattr(self, key)
        if value is None:
            return allowed[0]
        formats = [getattr(self, role), *(f.get(role) for f in self.overrides.values())]
        if role == "weight":
            formats += [self.head, self.embedding]
        if not any(isinstance(fmt, Format) for fmt in formats):
            raise InputError(f"{key}={value!r}: {role} has no scalar format that it could be of")
        names = [str(name) for name in allowed if isinstance(name, str)]
        if value in names:
            return value
        try:
            return whole(key, value, 1)
        except InputError:
            raise InputError(
                f"{key}={value!r}: allowed: {', '.join(names)}, or a number of neighbours"
            ) from None

    def weight_of(self, matrix: str) -> AnyFormat | None:
        """Return the format of a matrix' weights by its name, ``layers.0.q_proj`` or ``lm_head``.

        The name ``embedding`` is that of the embedding.
        """
        role = {HEAD: "head", EMBEDDING: "embedding"}.get(matrix, "weight")
        return self._chosen(role, "weight", matrix)

    def operand(self, name: str) -> "Operand | None":
        """Return the quantiser of an operand by its name, see :mod:`hwsim.networks.decoder`."""
        role = _HELD.get(name.rpartition(".")[2])
        if role:
            fmt = getattr(self, role)
            scale = (role == "kv" and self.kv_scale) or "token"
            return None if fmt is None else Operand(fmt, scale)
        if name == HEAD and self.weight_of(name) is None:
            return None
        fmt = self._chosen("activation", "activation", name)
        return None if fmt is None else Operand(fmt, self.activation_scale or "token")

    def _chosen(self, role: str, key: str, matrix: str) -> AnyFormat | None:
        chosen: AnyFormat | None = getattr(self, role)
        for pattern, formats in self.overrides.items():
            if key in formats and fnmatchcase(matrix, pattern):
                chosen = _format(role, formats[key])
        return chosen


def _format(role: str, value: object, signed: bool = True) -> AnyFormat | None:
    """Return a format; numbers of the role have signs if ``signed``."""
    if value is None or value == FLOAT32:
        return None
    fmt = parse(value) if isinstance(value, str) else value
    if not isinstance(fmt, Format | BlockFormat):
        if isinstance(value, str):
            raise InputError(f"{role}={value!r}: complex formats are no formats of real tensors")
        raise InputError(f"{role}={value!r}: allowed: a format or its name")
    if signed and isinstance(fmt, Format) and fmt.min >= 0:
        raise InputError(f"{role}={fmt.name!r} has no negative numbers: allowed: signed formats")
    return fmt


@dataclass(frozen=True)
class Operand:
    """Makes arrays what they are in a format; the last axis is that of the sum.

    Parameters
    ----------
    format
        A block format, in blocks along the last axis, or a scalar one.
    granularity
        What an fp32 scale of a scalar format is of, see the module.
    """

    format: AnyFormat
    granularity: Granularity = "token"

    def __call__(self, x: Array) -> Array:
        if self.granularity == "tensor" and isinstance(self.format, Format):
            flat = x.reshape(1, -1)
            return self._quantised(flat, -1).reshape(x.shape)
        axis = -2 if self.granularity == "channel" and isinstance(self.format, Format) else -1
        return self._quantised(x, axis)

    def _quantised(self, x: Array, axis: int) -> Array:
        done: Array = backend.of(x).quantised(self.blocks(x.shape[axis]), x, axis)
        return done

    def blocks(self, length: int) -> BlockFormat:
        """Return the block format of an axis of ``length``."""
        return _blocks(self.format, self.granularity, length)

    def bits_per_element(self, length: int) -> float:
        """Return the bits of an element where the last axis has ``length``, scales included.

        Those of a tensor or a channel are not: they are of however many tokens there are.
        """
        if isinstance(self.format, BlockFormat) or isinstance(self.granularity, int):
            blocks = self.blocks(length)
            bits = stored_bits(blocks.quantize(np.ones((1, length), np.float32)))
            shared = sum(blocks.metadata_bits.values()) if blocks.spans_tensor else 0
            return (bits - shared) / length
        scales = 32 / length if self.granularity == "token" else 0.0
        return self.format.bits + scales


def mean_bits(operands: Sequence[tuple[Operand | None, int]]) -> float:
    """Return the bits of an element of operands whose last axes have these lengths."""
    bits = [length * (one.bits_per_element(length) if one else 32) for one, length in operands]
    return sum(bits) / sum(length for _, length in operands)


@lru_cache(maxsize=64)
def _blocks(fmt: AnyFormat, granularity: Granularity, length: int) -> BlockFormat:
    if isinstance(fmt, BlockFormat):
        return _filled_up(fmt)
    blocks: GroupScale = per_token(fmt, granularity if isinstance(granularity, int) else length)
    return blocks.with_options(partial="pad")


def _filled_up(fmt: BlockFormat) -> BlockFormat:
    """Return the format with groups that are filled up, where it has groups."""
    return fmt.with_options(partial="pad") if "partial" in fmt.OPTIONS else fmt


def stored_bits(tensor: QuantizedTensor) -> float:
    """Return the bits of a quantised tensor, metadata included, without those that fill groups."""
    missing = tensor.codes.size - prod(tensor.shape)
    return tensor.format.storage_bits(tensor) - missing * tensor.format.element.bits


def quantised_matrix(
    fmt: AnyFormat,
    matrix: Array,
    granularity: Granularity = GROUP,
    calibrate: str | None = None,
    moments: Array | None = None,
) -> tuple[Array, float]:
    """Return weights [outputs, inputs] as they are in a format, and the bits that they take.

    The matrix is scaled by a power of two before, to be near 1: the codes are the same, but no
    scale leaves its format.

    Parameters
    ----------
    granularity
        Of a scalar format's scales, see the module.
    calibrate, moments
        A name of :data:`CALIBRATIONS`, and second moments of the inputs, [inputs, inputs]. Torch
        tensors are calibrated by the processor, as arrays.

    Raises
    ------
    InputError
        For a calibration without moments, and as :meth:`hwsim.formats.block.BlockFormat.quantize`
        and :func:`hwsim.tensors.calibrate.with_feedback` do.
    """
    outputs, inputs = matrix.shape
    if isinstance(fmt, BlockFormat):
        blocks = _filled_up(fmt)
    else:
        sizes = {"channel": inputs, "tensor": outputs * inputs}
        size = granularity if isinstance(granularity, int) else sizes[granularity]
        blocks = per_group(fmt, size).with_options(partial="pad")
    if calibrate is not None:
        if moments is None:
            raise InputError(
                f"calibrate={calibrate!r}: what the weights multiply is not known; allowed: "
                "decoders with a text for calibration"
            )
        values, tensor = _calibrated(blocks, matrix, calibrate, moments)
        return values, stored_bits(tensor)
    whole_tensor = isinstance(fmt, Format) and granularity == "tensor"
    values, tensor = backend.of(matrix).quantised_near_one(
        blocks, matrix.reshape(1, -1) if whole_tensor else matrix
    )
    return values.reshape(matrix.shape), stored_bits(tensor)


def _calibrated(
    blocks: BlockFormat, matrix: Array, calibrate: str, moments: Array
) -> tuple[Array, QuantizedTensor]:
    arrays = backend.of(matrix)
    weight = arrays.to_float64(matrix).astype(np.float32)
    octave = octave_of(weight)
    # A factor on all weights leaves the choice of codes as it is, and so the moments.
    tensor = CALIBRATIONS[calibrate](blocks, near_one(weight, octave), arrays.to_float64(moments))
    return arrays.array(np.ldexp(tensor.dequantize(), octave), matrix), tensor


def quantised_matrices(
    matrices: Mapping[str, Array],
    formats: RoleFormats,
    inputs: Mapping[str, Inputs] | None = None,
) -> tuple[dict[str, Array], float]:
    """Return those matrices that have a format as they are in it, and the bits of an element.

    Bits are of all ``matrices`` of layers, with 32 for one in float32, and of a head or embedding
    only if it has a format.

    Parameters
    ----------
    inputs
        What calibration needs to know of the inputs of the layers' matrices, by name.

    Raises
    ------
    InputError
        For an override that holds for no matrix, and as :func:`quantised_matrix` does, naming the
        matrix.
    """
    for pattern in formats.overrides:
        if not any(fnmatchcase(name, pattern) for name in matrices):
            known = next(iter(matrices))
            raise InputError(f"formats of {pattern!r}: no matrix matches; there is {known}, ...")
    done: dict[str, Array] = {}
    bits = elements = 0.0
    for name, matrix in matrices.items():
        fmt = formats.weight_of(name)
        if fmt is None and name in (HEAD, EMBEDDING):
            continue
        elements += prod(matrix.shape)
        if fmt is None:
            bits += 32 * prod(matrix.shape)
            continue
        calibrate = None if name in (HEAD, EMBEDDING) else formats.calibrate
        moments = inputs[name].moments if calibrate and inputs else None
        try:
            done[name], taken = quantised_matrix(
                fmt, matrix, formats.weight_scale or GROUP, calibrate, moments
            )
        except InputError as error:
            raise InputError(f"weights {name}: {error}") from None
        bits += taken
    return done, bits / elements


def quantised_decoder(
    decoder: Decoder, formats: RoleFormats, inputs: Mapping[str, Inputs] | None = None
) -> tuple[Decoder, float]:
    """Return a decoder with weights in their formats; see :func:`quantised_matrices`."""
    matrices = {
        name: decoder.tensors[f"{name}.weight"]
        for name in (*(name for name, _, _ in decoder.architecture.matrices()), EMBEDDING)
    }
    done, bits = quantised_matrices({**matrices, HEAD: decoder.head}, formats, inputs)
    if EMBEDDING in done:
        # A head that is the embedding does not change with it.
        done.setdefault(HEAD, decoder.head)
    return decoder.replaced({f"{name}.weight": matrix for name, matrix in done.items()}), bits
