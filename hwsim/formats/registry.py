"""From names to formats. A new family is one module and one entry in ``SCALARS`` or ``BLOCKS``.

Formats are fields of other formats and may be given there by name, so the modules of the families
need what is here, and this module needs none of them: it finds them by their names when first
asked.

Packages add families by entry points of the groups ``hwsim.formats`` and ``hwsim.block_formats``,
scripts by :func:`register` (:mod:`hwsim.registration`). A family is a module, or a class, that has
``NAMES``, names of some or all of its formats, and ``parse``, which returns the format that a name
stands for, or None; that of block formats also takes the function that parses elements. hwsim's own
families are asked first, and the others imported only for names that these do not know.
"""

from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from hwsim.errors import InputError
from hwsim.formats.names import no_format, spellings
from hwsim.registration import Registry

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

Family = TypeVar("Family", bound=type)


def scalar_names() -> list[str]:
    """Return the names of the scalar formats that have a name of their own."""
    return [name for module in _every(SCALARS, _SCALARS) for name in module.NAMES]


def complex_names() -> list[str]:
    """Return the names of the formats of complex numbers."""
    return [name for module in _modules(COMPLEX) for name in module.NAMES]


def block_names() -> list[str]:
    """Return examples of the names of block formats; any group size is accepted."""
    return [name for module in _every(BLOCKS, _BLOCKS) for name in module.NAMES]


def parse_scalar(name: str) -> "Format":
    """Return the scalar format called ``name``; :mod:`hwsim.formats.names` has other names.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known one, or an impossible definition.
    """
    fmt = _scalar(_checked(name)) or _other_scalar(name)
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
    fmt = _block(_checked(name)) or _other_block(name)
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
    own = _block(_checked(name)) or _scalar(name) or _complex(name)
    fmt = own or _other_block(name) or _other_scalar(name)
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


@cache
def _modules(names: tuple[str, ...]) -> tuple[ModuleType, ...]:
    return tuple(import_module(f"hwsim.formats.{name}") for name in names)


def _every(names: tuple[str, ...], others: Registry[Any]) -> list[Any]:
    """Return the families of hwsim and those of others."""
    return [*_modules(names), *_families(others)]


@lru_cache(maxsize=1024)
def _block(name: str) -> "BlockFormat | None":
    return _with_options(name, _modules(BLOCKS))


@lru_cache(maxsize=1024)
def _other_scalar(name: str) -> "Format | None":
    return _first(name, _families(_SCALARS))


@lru_cache(maxsize=1024)
def _other_block(name: str) -> "BlockFormat | None":
    return _with_options(name, _families(_BLOCKS))


def _with_options(name: str, families: Iterable[Any]) -> "BlockFormat | None":
    base, bracket, options = name.partition("[")
    if bracket and not options.endswith("]"):
        return None
    fmt: BlockFormat | None = _first(base, families, parse_scalar)
    return fmt.read_options(options[:-1].lower()) if fmt and bracket else fmt


def _first(name: str, families: Iterable[Any], *more: Any) -> Any:
    """Return what the first of ``families`` that knows a spelling of the name makes, or None."""
    found = (family.parse(spelling, *more) for spelling in spellings(name) for family in families)
    return next((fmt for fmt in found if fmt is not None), None)


def _check_scalar(name: str, family: Any) -> Any:
    return _checked_family(family, _kind("base", "Format"))


def _check_block(name: str, family: Any) -> Any:
    return _checked_family(family, _kind("block", "BlockFormat"), parse_scalar)


def _kind(module: str, name: str) -> type:
    """Return a base class of formats; its module needs this one."""
    found: type = getattr(import_module(f"hwsim.formats.{module}"), name)
    return found


def _checked_family(family: Any, kind: type, *more: Any) -> Any:
    """Return a family of others, or raise InputError for what it lacks or has too much."""
    names = getattr(family, "NAMES", None)
    if not isinstance(names, tuple) or not names or not callable(getattr(family, "parse", None)):
        raise InputError(
            f"{family!r} is no family of formats; allowed: a module or class that has NAMES, a "
            "tuple of names, and parse, a function of a name"
        )
    for name in map(_checked, names):
        if _block(name) or _scalar(name) or _complex(name):
            raise InputError(f"the format {name!r} is one of hwsim; choose another name")
        fmt = family.parse(name, *more)
        if not isinstance(fmt, kind) or getattr(fmt, "name", None) != name:
            raise InputError(
                f"{family!r}: parse({name!r}) is {fmt!r}; allowed: the {kind.__name__} of that name"
            )
    return family


#: Families of packages and scripts.
_SCALARS: Registry[Any] = Registry("format", "hwsim.formats", {}, _check_scalar)
_BLOCKS: Registry[Any] = Registry("block format", "hwsim.block_formats", {}, _check_block)


def _families(registry: Registry[Any]) -> list[Any]:
    """Return the families of others, or raise InputError where two have a format of one name."""
    first: dict[str, str] = {}
    for key, family in registry.items():
        for name in family.NAMES:
            if first.setdefault(name, key) != key:
                raise InputError(
                    f"the format {name!r} is of {registry.owner(first[name])} and of "
                    f"{registry.owner(key)}; leave out one of them"
                )
    return list(registry.values())


def register(cls: Family) -> Family:
    """Make a family of formats known, as a decorator of its class, above ``@dataclass``.

    The class has ``NAMES`` and the class method ``parse``.

    Raises
    ------
    InputError
        If a name is taken, or the class is no family of formats.
    """
    blocks = isinstance(cls, type) and issubclass(cls, _kind("block", "BlockFormat"))
    families = _BLOCKS if blocks else _SCALARS
    names = getattr(cls, "NAMES", None)
    families.register(names[0] if names else "", cls)
    for known in (_scalar, _block, _other_scalar, _other_block):
        known.cache_clear()
    return cls
