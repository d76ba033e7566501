"""Which format each operand of each matrix product is stored in.

Three kinds of tensors have formats of their own: weights, activations, and the cache of keys and
values. One choice holds for the whole network; others replace it by layer: for a group of products
(``lm_head``) or for all whose name matches a pattern (``layers.0.*``, ``*.down_proj``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from hwsim.accelerator.workload import GROUPS, Gemm
from hwsim.errors import InputError, check_known, suggestion
from hwsim.formats import BlockFormat, Format, parse

AnyFormat = Format | BlockFormat
#: The kinds of tensors that have a format.
TENSORS = ("weight", "activation", "kv_cache")

#: Of activations, second operand and results.
_Formats = tuple[AnyFormat, AnyFormat, AnyFormat]
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class FormattedGemm:
    """A product with the formats of its operands and of what is stored of its results.

    Attributes
    ----------
    gemm
        The product, in the layers that have these formats.
    activation, stationary, result
        Of the first operand, the second one, and the outputs.
    """

    gemm: Gemm
    activation: AnyFormat
    stationary: AnyFormat
    result: AnyFormat


@dataclass(frozen=True, eq=False)
class LayerFormats:
    """Formats for the tensors of a network.

    Attributes
    ----------
    weight, activation
        A format, or its name.
    kv_cache
        Of keys and values; None is the format of activations.
    overrides
        By group of products, such as ``lm_head``, or by pattern of their names, other formats by
        kind of tensor: ``{"lm_head": {"weight": "int8"}}``. Of several that match, the last one
        counts.

    Raises
    ------
    InputError
        For an unknown format or kind of tensor, and a complex format.
    """

    weight: AnyFormat | str
    activation: AnyFormat | str
    kv_cache: AnyFormat | str | None = None
    overrides: Mapping[str, Mapping[str, AnyFormat | str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tensor in TENSORS:
            value = getattr(self, tensor)
            if value is not None:
                object.__setattr__(self, tensor, _format(tensor, value))
        read: dict[str, dict[str, AnyFormat]] = {}
        for pattern, formats in _mapping("overrides", self.overrides).items():
            for tensor in _mapping(f"overrides of {pattern!r}", formats):
                check_known(f"tensor of {pattern!r}", tensor, TENSORS)
            read[pattern] = {t: _format(f"{pattern}: {t}", v) for t, v in formats.items()}
        object.__setattr__(self, "overrides", read)

    def to_dict(self) -> dict[str, Any]:
        """Return the names of the formats, for JSON."""
        names = {tensor: str(self._default(tensor)) for tensor in TENSORS}
        overrides = {
            pattern: {tensor: str(fmt) for tensor, fmt in formats.items()}
            for pattern, formats in self.overrides.items()
        }
        return {**names, "overrides": overrides}

    def _default(self, tensor: str) -> AnyFormat | str:
        """Return the format of a kind of tensor where no override holds."""
        chosen: AnyFormat | str | None = getattr(self, tensor)
        return self.activation if chosen is None else chosen

    def assign(self, gemms: Iterable[Gemm]) -> tuple[FormattedGemm, ...]:
        """Return the products with their formats, split where layers have different ones.

        Keys and values are written in the format that they are read in by the attention of their
        layer, ``layers.*.qk`` and ``layers.*.av``.

        Raises
        ------
        InputError
            For an override that holds for no product, with the nearest name, or that says nothing
            of any operand of those for which it holds.
        """
        gemms = tuple(gemms)
        # Decoding has a product of every length, all with the formats of their name.
        kinds = {(gemm.name, gemm.layers): gemm for gemm in gemms}
        self._check_overrides(list(kinds.values()))
        chosen = {key: self._by_formats(gemm) for key, gemm in kinds.items()}
        done = []
        for gemm in gemms:
            for formats, layers in chosen[gemm.name, gemm.layers].items():
                part = gemm if len(layers) == len(gemm.layers) else gemm.in_layers(layers)
                done.append(FormattedGemm(part, *formats))
        return tuple(done)

    def _check_overrides(self, gemms: list[Gemm]) -> None:
        for pattern, formats in self.overrides.items():
            found = [g for g in gemms if any(_matches(pattern, g.group, name) for name in g.names)]
            if not found:
                known = list(dict.fromkeys(name for g in gemms for name in (g.group, g.name)))
                hint = suggestion(pattern, known) or f"; there are {', '.join(known)}"
                raise InputError(f"formats of {pattern!r}: no matrix product matches{hint}")
            for tensor in formats:
                if not any(tensor in _tensors(gemm) for gemm in found):
                    raise InputError(
                        f"formats of {pattern!r}: {tensor}: no operand of {found[0].name} is one; "
                        f"allowed: {', '.join(_tensors(found[0]))}"
                    )

    def _by_formats(self, gemm: Gemm) -> dict[_Formats, list[int]]:
        """Return the layers of a product, none outside of layers, by its formats there."""
        if not gemm.layers:
            return {self._of(gemm, gemm.name): []}
        found: dict[_Formats, list[int]] = {}
        for layer, name in zip(gemm.layers, gemm.names, strict=True):
            found.setdefault(self._of(gemm, name), []).append(layer)
        return found

    def _of(self, gemm: Gemm, name: str) -> _Formats:
        """Return the formats of activations, second operand and results in one layer."""
        activation = self._choice("activation", gemm.group, name)
        second = "weight" if gemm.stationary == "weights" else "kv_cache"
        result = activation
        if gemm.result != "activations":
            reader = "qk" if gemm.result == "keys" else "av"
            group = "attention_scores" if gemm.result == "keys" else "attention_values"
            result = self._choice("kv_cache", group, f"{name.rpartition('.')[0]}.{reader}")
        return activation, self._choice(second, gemm.group, name), result

    def _choice(self, tensor: str, group: str, name: str) -> AnyFormat:
        chosen = getattr(self, tensor)
        for pattern, formats in self.overrides.items():
            if tensor in formats and _matches(pattern, group, name):
                chosen = formats[tensor]
        return self._choice("activation", group, name) if chosen is None else chosen


def _mapping(what: str, value: Mapping[str, _Item]) -> Mapping[str, _Item]:
    if not isinstance(value, Mapping):
        raise InputError(f"{what}={value!r}: allowed: a mapping")
    return value


def _format(what: str, value: AnyFormat | str) -> AnyFormat:
    try:
        fmt = parse(value) if isinstance(value, str) else value
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    if not isinstance(fmt, Format | BlockFormat):
        raise InputError(f"{what}={value!r}: allowed: scalar and block formats, or their names")
    return fmt


def _matches(pattern: str, group: str, name: str) -> bool:
    return pattern == group if pattern in GROUPS else fnmatchcase(name, pattern)


def _tensors(gemm: Gemm) -> tuple[str, str]:
    """Return the kinds of tensors that the operands of a product are."""
    return "activation", "weight" if gemm.stationary == "weights" else "kv_cache"
