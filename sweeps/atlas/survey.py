"""What there is: formats and families of units by the registries, and which unit takes which."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from typing import Any

from hwsim.errors import InputError
from hwsim.formats import BlockFormat, Format, block_names, parse, scalar_names
from hwsim.formats.ifairy import IFairy
from hwsim.formats.registry import COMPLEX, SCALARS, complex_names
from hwsim.units import FAMILIES, UnitSpec, make, manual
from hwsim.units.layer_operands import OPERANDS
from sweeps.atlas.prose import doc

AnyFormat = Format | BlockFormat | IFairy

#: Letters that file systems tell apart, and take.
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_.]{0,79}")


def file_name(name: str, ending: str = ".html") -> str:
    """Return the name of a file for a name, the name itself where file systems take it as it is.

    Others have the digits of a hash, so different names have different files, inside of a folder.
    """
    if _PLAIN.fullmatch(name):
        return name + ending
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())[:80]
    return f"{plain}_x{sha256(name.encode()).hexdigest()[:12]}{ending}"


@dataclass(frozen=True)
class Survey:
    """The formats and families that have a page.

    Attributes
    ----------
    scalars, blocks, complexes
        Formats, in the order of the registry.
    families
        Names of families of units, in the order of the registry.
    """

    scalars: tuple[Format, ...]
    blocks: tuple[BlockFormat, ...]
    complexes: tuple[IFairy, ...]
    families: tuple[str, ...]
    _pages: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pages = {fmt.name: f"formats/{file_name(fmt.name)}" for fmt in self.formats}
        object.__setattr__(self, "_pages", pages)

    @property
    def formats(self) -> tuple[AnyFormat, ...]:
        """All formats."""
        return (*self.scalars, *self.blocks, *self.complexes)

    def format_page(self, name: str) -> str | None:
        """Return the path of a format's page in the atlas, or None if it has none."""
        return self._pages.get(name)

    def unit_page(self, family: str) -> str | None:
        """Return the path of a family's page in the atlas, or None if it has none."""
        return f"units/{family}.html" if family in self.families else None

    def address(self, role: str, root: str) -> str | None:
        """Return the address of what a role of a docstring names: units have a page."""
        place = self._unit_names.get(role) or self._unit_names.get(role.rpartition(".")[2])
        return root + place if place else None

    @cached_property
    def _unit_names(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in self.families:
            for key in (FAMILIES[name].__module__, FAMILIES[name].__name__):
                found.setdefault(key, f"units/{name}.html")
        return found

    @cached_property
    def taken(self) -> dict[str, dict[str, list[str]]]:
        """The formats that a parameter of a family takes, by family and parameter.

        As in one of the family's configurations, with this format in the place of its own; operands
        also with both of this format.
        """
        return {name: _taken(name, self.formats) for name in self.families}

    def users(self, fmt: AnyFormat) -> dict[str, list[str]]:
        """Return the parameters that take a format, by family."""
        found = {
            family: [key for key, names in by_key.items() if fmt.name in names]
            for family, by_key in self.taken.items()
        }
        return {family: keys for family, keys in found.items() if keys}


def survey(formats: Iterable[str] | None = None, families: Iterable[str] | None = None) -> Survey:
    """Return everything in the registries, or these formats and families.

    Raises
    ------
    InputError
        For unknown names, and for a package of others that cannot be loaded.
    """
    # Some formats go by several names; each is there once.
    names = formats or [*scalar_names(), *block_names(), *complex_names()]
    found = list(dict.fromkeys(parse(name) for name in names))
    return Survey(
        scalars=tuple(fmt for fmt in found if isinstance(fmt, Format)),
        blocks=tuple(fmt for fmt in found if isinstance(fmt, BlockFormat)),
        complexes=tuple(fmt for fmt in found if isinstance(fmt, IFairy)),
        families=tuple(families or FAMILIES),
    )


def home(fmt: AnyFormat) -> str:
    """Return the docstring that explains a format: that of the module that gives it its name."""
    for name in (*SCALARS, *COMPLEX):
        module = import_module(f"hwsim.formats.{name}")
        if fmt.name in module.NAMES and module.__doc__:
            return module.__doc__
    return doc(type(fmt))


def example(family: str) -> UnitSpec:
    """Return the unit that stands for a family."""
    return make(family, **FAMILIES[family].configurations[0])


def small(family: str, count: int) -> list[UnitSpec]:
    """Return some small units of a family: of those that coefficients are fitted to, or others."""
    cls = FAMILIES[family]
    return [make(family, **one) for one in (cls.fitting or cls.configurations[1:])[:count]]


def _taken(family: str, formats: Sequence[AnyFormat]) -> dict[str, list[str]]:
    cls = FAMILIES[family]
    keys = [one.name for one in manual.parameters(family) if one.type == "format"]
    both = [key for key in OPERANDS if key in keys]
    found: dict[str, list[str]] = {}
    for key in keys:
        ways = [[key], both] if key in both else [[key]]
        bases = [(own, one) for own in ways for one in _without(cls, own)]
        found[key] = [
            fmt.name
            for fmt in formats
            if any(_makes(family, {**one, **dict.fromkeys(own, fmt)}) for own, one in bases)
        ]
    return found


def _without(cls: type[UnitSpec], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the different configurations of a family if these parameters are left out."""
    rest = [{k: v for k, v in one.items() if k not in keys} for one in cls.configurations]
    return [one for place, one in enumerate(rest) if one not in rest[:place]]


def _makes(family: str, parameters: Mapping[str, Any]) -> bool:
    try:
        make(family, **parameters)
    except InputError:
        return False
    return True
