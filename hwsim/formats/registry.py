"""From names to formats. A new family is one module and one entry in ``SCALARS`` or ``BLOCKS``.

Formats are fields of other formats and may be given there by name, so the modules of the families
need what is here, and this module needs none of them: it finds them by their names when first
asked.
"""

from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hwsim.errors import InputError
from hwsim.formats.names import no_format, spellings

if TYPE_CHECKING:
    from hwsim.formats.base import Format
    from hwsim.formats.block import BlockFormat
    from hwsim.formats.ifairy import IFairy

#: Modules of :mod:`hwsim.formats`, in the order in which they are asked.
SCALARS = (
    "integer",
    "sign_magnitude",
    "bipolar",
    "fixed",
    "minifloat",
    "p3109",
    "e8m0",
    "hif8",
    "posit",
    "lns",
    "flint",
    "dybit",
    "dint",
    "abfloat",
    "pot",
    "apot",
    "khot",
    "codebook",
)
COMPLEX = ("ifairy",)
#: ``group`` reads any ``<element>_g<size>``, so it is asked last.
BLOCKS = (
    "mx",
    "block_floating_point",
    "block_minifloat",
    "nvfp",
    "bitmod",
    "vs_quant",
    "afpq",
    "qrazor",
    "sq_format",
    "outlier",
    "group",
)


def scalar_names() -> list[str]:
    """Return the names of the scalar formats that have a name of their own."""
    return [name for module in _modules(SCALARS) for name in module.NAMES]


def complex_names() -> list[str]:
    """Return the names of the formats of complex numbers."""
    return [name for module in _modules(COMPLEX) for name in module.NAMES]


def block_names() -> list[str]:
    """Return examples of the names of block formats; any group size is accepted."""
    return [name for module in _modules(BLOCKS) for name in module.NAMES]


def parse_scalar(name: str) -> "Format":
    """Return the scalar format called ``name``; :mod:`hwsim.formats.names` has other names.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    fmt = _scalar(_checked(name))
    if fmt is not None:
        return fmt
    if name in complex_names():
        raise InputError(f"{name} is a format of complex numbers, and a real one is needed here")
    raise no_format("format", name, scalar_names())


def parse_block(name: str) -> "BlockFormat":
    """Return the block format called ``name``, e.g. ``mxfp4``, ``int4_g128[scale=bf16]``.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    fmt = _block(_checked(name))
    if fmt is None:
        raise no_format("block format", name, block_names())
    return fmt


def parse(name: str) -> "Format | BlockFormat | IFairy":
    """Return the scalar, complex or block format called ``name``, e.g. ``e4m3``, ``int4_g128``.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    fmt = _block(_checked(name)) or _scalar(name) or _complex(name)
    if fmt is None:
        raise no_format("format", name, scalar_names() + complex_names() + block_names())
    return fmt


def _checked(name: str) -> str:
    """Return ``name`` if it is one: text without digits of other scripts, which Python would read.

    A line break or a tab belongs to no name either.
    """
    if not isinstance(name, str) or not (name.isascii() and name.isprintable()):
        raise InputError(f"the name of a format must be ASCII text, not {name!r}")
    return name


@lru_cache(maxsize=1024)
def _scalar(name: str) -> "Format | None":
    return _first(name, _modules(SCALARS))


@lru_cache(maxsize=1024)
def _complex(name: str) -> "IFairy | None":
    return _first(name, _modules(COMPLEX))


@lru_cache(maxsize=1024)
def _block(name: str) -> "BlockFormat | None":
    base, bracket, options = name.partition("[")
    if bracket and not options.endswith("]"):
        return None
    fmt: BlockFormat | None = _first(base, _modules(BLOCKS), parse_scalar)
    return fmt.read_options(options[:-1].lower()) if fmt and bracket else fmt


@cache
def _modules(names: tuple[str, ...]) -> tuple[ModuleType, ...]:
    return tuple(import_module(f"hwsim.formats.{name}") for name in names)


def _first(name: str, modules: Iterable[ModuleType], *more: Any) -> Any:
    """Return what the first of ``modules`` that knows a spelling of the name makes, or None."""
    found = (module.parse(spelling, *more) for spelling in spellings(name) for module in modules)
    return next((fmt for fmt in found if fmt is not None), None)
