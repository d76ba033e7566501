"""What the formats of points cost a whole network.

A combination of formats is measured once, however many points have it. Weights and activations are
in those of the unit, as its tensors are quantised; keys and values of an accelerator in that of its
cache, of a unit alone in float32. Other formats that an accelerator has for single matrices count
as far as the network has matrices of these names. Embedding and head stay in float32 where no such
name is theirs, and sums are exact: what a unit's own arithmetic adds is not measured.

A result is kept under the SHA-256 of what it depends on, in the folder of the sweep and in the
user's cache, so that other sweeps, and this one after a change of costs, find it again.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np

from hwsim import cache
from hwsim.accelerator.layer_formats import AnyFormat
from hwsim.accelerator.simulation import Accelerator
from hwsim.errors import InputError
from hwsim.networks.accuracy import Accuracy, PerplexityMeter
from hwsim.networks.embeddings import EmbeddingAccuracy, EmbeddingMeter
from hwsim.networks.quantise import RoleFormats
from hwsim.registration import sources_digest
from hwsim.tensors.quality import formats_of
from sweeps.designs import Design
from sweeps.networks import Network
from sweeps.store import digest, source_digest

#: The folder of the user's cache.
ACCURACIES = "accuracies"
#: Source that computes results.
SOURCES = (
    "hwsim/formats", "hwsim/networks", "hwsim/tensors", "hwsim/units/layers.py",
    "sweeps/accuracies.py",
)  # fmt: skip
#: Patterns of a network's matrices, by the group of products of an accelerator.
_GROUPS = {"attention_projections": "*.[qkvo]_proj", "mlp": "*.[gud]*_proj", "lm_head": "lm_head"}

#: What was measured of a decoder, or of an encoder.
Measured = Accuracy | EmbeddingAccuracy
_Overrides = tuple[tuple[str, tuple[tuple[str, AnyFormat], ...]], ...]


@dataclass(frozen=True)
class Combination:
    """The formats of a network, in which designs may be alike.

    Attributes
    ----------
    weight, activation
        Of all matrices, and of what they multiply.
    kv
        Of keys and values; None is float32.
    overrides
        Other formats by pattern of matrices' names, ``weight`` and ``activation``.
    """

    weight: AnyFormat
    activation: AnyFormat
    kv: AnyFormat | None = None
    overrides: _Overrides = ()

    @property
    def name(self) -> str:
        """All formats in words."""
        others = [
            f"{pattern} {role} {fmt.name}" for pattern, of in self.overrides for role, fmt in of
        ]
        kv = [] if self.kv is None else [f"kv {self.kv.name}"]
        return ", ".join(
            [f"weight {self.weight.name}", f"activation {self.activation.name}", *kv, *others]
        )

    @property
    def formats(self) -> list[AnyFormat]:
        """All formats."""
        others = [fmt for _, of in self.overrides for _, fmt in of]
        return [self.weight, self.activation, *([] if self.kv is None else [self.kv]), *others]

    def by_role(self) -> RoleFormats:
        """Return them as networks take them."""
        overrides = {pattern: dict(of) for pattern, of in self.overrides}
        return RoleFormats(
            weight=self.weight, activation=self.activation, kv=self.kv, overrides=overrides
        )


def combination(design: Design, group: int) -> Combination:
    """Return the formats of a design.

    Raises
    ------
    InputError
        For formats of an accelerator's single matrix products that networks do not have apart, and
        ones that its unit has no hardware for.
    """
    weight, activation = formats_of(design.unit, group)
    if design.plan is None:
        return Combination(weight, activation)
    formats = design.plan.accelerator.operand_formats
    kv = formats.kv_cache
    assert not isinstance(kv, str)
    overrides = tuple(
        _override(design.plan.accelerator, pattern, of, group)
        for pattern, of in formats.overrides.items()
    )
    return Combination(weight, activation, kv, overrides)


def _override(
    accelerator: Accelerator, pattern: str, formats: Mapping[str, AnyFormat | str], group: int
) -> tuple[str, tuple[tuple[str, AnyFormat], ...]]:
    """Return the pattern of matrices' names, and their formats as the unit quantises them."""
    if "kv_cache" in formats:
        raise InputError(
            f"formats of {pattern!r}: kv_cache: a network is measured with one format of all keys "
            "and values"
        )
    unit = accelerator.unit.with_formats(formats.get("weight"), formats.get("activation"))
    of = dict(zip(("weight", "activation"), formats_of(unit, group), strict=True))
    return _GROUPS.get(pattern, pattern), tuple((role, of[role]) for role in formats)


def key(network: Network, formats: Combination) -> str:
    """Return the SHA-256 of everything that a result depends on, as hexadecimal text."""
    return digest(
        [
            _digest(network),
            formats.name,
            sources_digest(_modules(formats)),
            source_digest(SOURCES),
            version("numpy"),
        ]
    )


@lru_cache(maxsize=1)
def _digest(network: Network) -> str:
    numbers = [network.tokens, network.window, network.rotate] if network.source.is_decoder else []
    return digest([network.source.digest(), network.text, *numbers])


def _modules(formats: Combination) -> list[str]:
    """Return the modules that formats and their elements are of."""
    parts = [(fmt, getattr(fmt, "element", fmt)) for fmt in formats.formats]
    return [cls.__module__ for pair in parts for one in pair for cls in type(one).__mro__]


@dataclass(frozen=True)
class Measurement:
    """The task of one worker."""

    network: Network
    formats: Combination


def measure(task: Measurement) -> Measured:
    """Return what formats cost a network; it is kept in memory for the next ones.

    Raises
    ------
    InputError
        Where a tensor cannot be quantised, and for outputs that are no numbers.
    """
    found = _meter(task.network).measure(task.formats.by_role())
    if wrong := [name for name, value in asdict(found).items() if math.isnan(value)]:
        raise InputError(f"{task.network.source.name}: {', '.join(wrong)}: not a number")
    return found


@lru_cache(maxsize=1)
def _meter(network: Network) -> PerplexityMeter | EmbeddingMeter:
    return network.meter()


def made(network: Network, values: Mapping[str, Any]) -> Measured:
    """Return the result of plain values, those of its attributes."""
    return (Accuracy if network.source.is_decoder else EmbeddingAccuracy)(**values)


def kept(network: Network, name: str) -> Measured | None:
    """Return the result that the user's cache has under a name, or None."""

    def build(arrays: cache.Arrays) -> Measured:
        return made(network, {key: array.item() for key, array in arrays.items()})

    return cache.load(ACCURACIES, name, build)


def keep(name: str, found: Measured) -> None:
    """Keep a result in the user's cache."""
    cache.store(ACCURACIES, name, {key: np.array(value) for key, value in asdict(found).items()})
