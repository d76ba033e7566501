"""What quantisation and a unit's own arithmetic cost, as tasks of worker processes."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hwsim.formats import Format
from hwsim.formats.block import BlockFormat
from hwsim.tensors.quality import UnitError, UnitMeter
from hwsim.tensors.quantise import ErrorMeter, QuantisationError
from hwsim.units import UnitSpec

if TYPE_CHECKING:
    from sweeps.spec import Tensors


@dataclass(frozen=True)
class Measurement:
    """A weight format with several activation formats."""

    tensors: "Tensors"
    weight: BlockFormat
    activations: tuple[Format | BlockFormat, ...]


def measure(task: Measurement) -> dict[Format | BlockFormat, QuantisationError]:
    """Return the quantisation error of a weight format with several activation formats."""
    return _meter(task.tensors).measure(task.weight, task.activations)


@dataclass(frozen=True)
class UnitMeasurement:
    """A unit on the layers of a sweep."""

    tensors: "Tensors"
    unit: UnitSpec


def measure_unit(task: UnitMeasurement) -> UnitError:
    """Return the error of a unit's own arithmetic."""
    return _unit_meter(task.tensors).measure(task.unit)


@lru_cache(maxsize=1)
def _unit_meter(tensors: "Tensors") -> UnitMeter:
    return UnitMeter(tensors.source.load(), tensors.group)


@lru_cache(maxsize=1)
def _meter(tensors: "Tensors") -> ErrorMeter:
    return ErrorMeter(tensors.source.load(), tensors.group)
