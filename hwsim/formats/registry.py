"""From names to formats. A new family is one module and one entry in ``SCALARS`` or ``BLOCKS``."""

from functools import lru_cache
from types import ModuleType

from hwsim.errors import InputError
from hwsim.formats import (
    abfloat,
    afpq,
    apot,
    bipolar,
    bitmod,
    block_floating_point,
    block_minifloat,
    codebook,
    dint,
    dybit,
    e8m0,
    fixed,
    flint,
    group,
    hif8,
    ifairy,
    integer,
    khot,
    lns,
    minifloat,
    mx,
    nvfp,
    outlier,
    p3109,
    posit,
    pot,
    qrazor,
    sign_magnitude,
    sq_format,
    vs_quant,
)
from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat
from hwsim.formats.ifairy import IFairy
from hwsim.formats.names import no_format, spellings

SCALARS: tuple[ModuleType, ...] = (
    integer,
    sign_magnitude,
    bipolar,
    fixed,
    minifloat,
    p3109,
    e8m0,
    hif8,
    posit,
    lns,
    flint,
    dybit,
    dint,
    abfloat,
    pot,
    apot,
    khot,
    codebook,
)
COMPLEX: tuple[ModuleType, ...] = (ifairy,)
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


def complex_names() -> list[str]:
    """Return the names of the formats of complex numbers."""
    return [name for module in COMPLEX for name in module.NAMES]


def block_names() -> list[str]:
    """Return examples of the names of block formats; any group size is accepted."""
    return [name for module in BLOCKS for name in module.NAMES]


@lru_cache(maxsize=1024)
def parse_scalar(name: str) -> Format:
    """Return the scalar format called ``name``; :mod:`hwsim.formats.names` has other names.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    fmt = _scalar(name)
    if fmt is not None:
        return fmt
    if name in complex_names():
        raise InputError(f"{name} is a format of complex numbers, and a real one is needed here")
    raise no_format("format", name, scalar_names())


@lru_cache(maxsize=1024)
def parse_block(name: str) -> BlockFormat:
    """Return the block format called ``name``, e.g. ``mxfp4``, ``int4_g128[scale=bf16]``.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    fmt = _block(name)
    if fmt is None:
        raise no_format("block format", name, block_names())
    return fmt


@lru_cache(maxsize=1024)
def parse(name: str) -> Format | BlockFormat | IFairy:
    """Return the scalar, complex or block format called ``name``, e.g. ``e4m3``, ``int4_g128``.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    fmt = _block(name) or _scalar(name)
    if fmt is not None:
        return fmt
    for module in COMPLEX:
        complex_format: IFairy | None = module.parse(name.lower())
        if complex_format is not None:
            return complex_format
    raise no_format("format", name, scalar_names() + complex_names() + block_names())


def _scalar(name: str) -> Format | None:
    for spelling in spellings(name):
        for module in SCALARS:
            fmt: Format | None = module.parse(spelling)
            if fmt is not None:
                return fmt
    return None


def _block(name: str) -> BlockFormat | None:
    base, bracket, options = name.partition("[")
    if bracket and not options.endswith("]"):
        return None
    for spelling in spellings(base):
        for module in BLOCKS:
            fmt: BlockFormat | None = module.parse(spelling, parse_scalar)
            if fmt is not None:
                return fmt.read_options(options[:-1].lower()) if bracket else fmt
    return None
