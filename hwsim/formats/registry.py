"""From names to formats. A new family is one module and one entry in ``SCALARS`` or ``BLOCKS``."""

from functools import lru_cache
from types import ModuleType

from hwsim.errors import unknown
from hwsim.formats import (
    afpq,
    bitmod,
    block_floating_point,
    block_minifloat,
    group,
    integer,
    minifloat,
    mx,
    nvfp,
    outlier,
    qrazor,
    sq_format,
    vs_quant,
)
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat

SCALARS: tuple[ModuleType, ...] = (integer, minifloat)
#: ``group`` reads any ``<element>_g<size>``, so it is asked last.
BLOCKS: tuple[ModuleType, ...] = (
    mx,
    block_floating_point,
    block_minifloat,
    nvfp,
    bitmod,
    vs_quant,
    afpq,
    qrazor,
    sq_format,
    outlier,
    group,
)


def scalar_names() -> list[str]:
    """Return the names of the scalar formats that have a name of their own."""
    return [name for module in SCALARS for name in module.NAMES]


def block_names() -> list[str]:
    """Return examples of the names of block formats; any group size is accepted."""
    return [name for module in BLOCKS for name in module.NAMES]


@lru_cache(maxsize=1024)
def parse_scalar(name: str) -> Format:
    """Return the scalar format called ``name``.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    for module in SCALARS:
        fmt: Format | None = module.parse(name)
        if fmt is not None:
            return fmt
    raise unknown("format", name, scalar_names())


@lru_cache(maxsize=1024)
def parse(name: str) -> Format | BlockFormat:
    """Return the scalar or block format called ``name``, e.g. ``e4m3`` or ``int4_g128``.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    for module in BLOCKS:
        fmt: BlockFormat | None = module.parse(name, parse_scalar)
        if fmt is not None:
            return fmt
    for module in SCALARS:
        scalar: Format | None = module.parse(name)
        if scalar is not None:
            return scalar
    raise unknown("format", name, scalar_names() + block_names())
