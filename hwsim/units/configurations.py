"""How units write down their configurations for verification and for the fit."""

from collections.abc import Mapping
from typing import Any, TypeAlias

#: Parameters of several units, as :func:`hwsim.units.make` takes them.
Configurations: TypeAlias = tuple[Mapping[str, Any], ...]


def dots(*rows: tuple[int, str, str], **others: Any) -> Configurations:
    """Return parameters from rows of lanes, weight and activation, and what all rows have."""
    return tuple(
        {"lanes": lanes, "weight": weight, "activation": activation, **others}
        for lanes, weight, activation in rows
    )
