"""Names to what they stand for: hwsim's own, those of installed packages, and those of a script.

hwsim's own are references, ``module:object``. A package adds its own by entry points, such as ::

    [project.entry-points."hwsim.units"]
    my_unit = "my_package.my_unit:MyUnit"

and a script or a notebook by a decorator. What a name stands for is imported when it is first asked
for; names alone import nothing. A name stands for one thing: a second one is refused, never hidden.

Work in another process needs the classes again. :class:`Place` says where a class is, so that a
process which has imported nothing yet finds it: by its module, or by the file of a script.
"""

import hashlib
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from hwsim.errors import InputError, check_known

Item = TypeVar("Item")

#: Names of the module of a script, in its own process and in those that import it again.
_MAIN = ("__main__", "__mp_main__")
#: Its name where it is run again for its classes alone.
_SCRIPT = "__hwsim_script__"
#: Packages whose source belongs to hwsim.
OWN_PACKAGES = ("hwsim", "rtl", "cost_models", "sweeps")


def resolve(reference: str) -> Any:
    """Return the object that ``module:object`` names; errors are those of importing it."""
    module, _, path = reference.partition(":")
    found = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _reference(item: Any) -> str:
    """Return ``module:object`` of a class, ``module`` of a module, else what it looks like."""
    if isinstance(item, ModuleType):
        return item.__name__
    return f"{item.__module__}:{item.__qualname__}" if isinstance(item, type) else repr(item)


@dataclass
class _Entry:
    """What a name stands for: whose it is, where it is, and the object once it is loaded."""

    owner: str
    reference: str
    load: Callable[[], Any]
    item: Any = None


class Registry(Mapping[str, Item], Generic[Item]):
    """What names stand for, in the order: hwsim's own, entry points by name, registered ones.

    Parameters
    ----------
    kind
        What the names are of, for messages: ``unit``.
    group
        The group of the entry points.
    own
        hwsim's names, and the reference of each.
    check
        Returns what an object of others stands for, given its name, or raises InputError.
    load_own
        Returns what a reference of hwsim's stands for.

    Raises
    ------
    InputError
        From every use: if an entry point has a name that is taken. From asking for a name: if it is
        unknown, or its entry point cannot be loaded. The message names the entry point.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        own: Mapping[str, str],
        check: Callable[[str, Any], Item],
        load_own: Callable[[str], Item] = resolve,
    ) -> None:
        self.kind, self.group, self.own, self.check = kind, group, own, check
        self.load_own = load_own
        self._registered: dict[str, _Entry] = {}
        self._found: dict[str, _Entry] | None = None

    def __getitem__(self, name: str) -> Item:
        check_known(self.kind, name, self)
        entry = self._entries()[name]
        if entry.item is None:
            entry.item = entry.load()
        item: Item = entry.item
        return item

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def __contains__(self, name: object) -> bool:
        return name in self._entries()

    @property
    def others(self) -> list[str]:
        """The names that are not hwsim's own."""
        return [name for name in self if name not in self.own]

    def owner(self, name: str) -> str:
        """Return whose a name is: hwsim, an entry point with its package, or a module."""
        return self._entries()[name].owner

    def register(self, name: str, item: Any) -> None:
        """Let ``name`` stand for an object; the same class again, as of a notebook, replaces it.

        Raises
        ------
        InputError
            If the name is taken, or the object is none of this kind.
        """
        where = _reference(item)
        made = self.check(name, item)
        taken = self._entries().get(name)
        if taken is not None and taken.reference != where:
            raise InputError(f"the {self.kind} {name!r} is taken by {taken.owner}; choose another")
        if name in self.own:
            return
        self._registered[name] = _Entry(f"{where}, which is registered", where, lambda: made, made)
        self._found = None

    def _entries(self) -> dict[str, _Entry]:
        if self._found is None:
            self._found = {**self._installed(), **self._registered}
        return self._found

    def _installed(self) -> dict[str, _Entry]:
        """Return hwsim's own entries and those of entry points."""
        entries = {
            name: _Entry("hwsim", where, partial(self.load_own, where))
            for name, where in self.own.items()
        }
        for point in sorted(entry_points(group=self.group), key=lambda p: (p.name, _package(p))):
            owner = f"the entry point {point.name!r} of {_package(point)}"
            if point.name in entries:
                raise InputError(
                    f"{owner} (group {self.group}): the {self.kind} {point.name!r} is taken by "
                    f"{entries[point.name].owner}; uninstall one of them"
                )
            entries[point.name] = _Entry(owner, point.value, partial(self._load, point))
        return entries

    def _load(self, point: EntryPoint) -> Item:
        where = f"the entry point {point.name!r} of {_package(point)} ({point.value})"
        try:
            item = point.load()
        except Exception as error:
            raise InputError(
                f"{where} cannot be loaded: {type(error).__name__}: {error}; "
                "correct or uninstall the package"
            ) from error
        try:
            return self.check(point.name, item)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


@dataclass(frozen=True)
class Place:
    """Where a process that has not imported it finds a class.

    Attributes
    ----------
    module, name
        Its module, and its name in there.
    script
        The file that is run again if the module is a script, else None.
    """

    module: str
    name: str
    script: str | None = None

    @classmethod
    def of(cls, item: type) -> "Place":
        """Return where a class is.

        Raises
        ------
        InputError
            If no other process can find it: a class of a function, or of an interactive session.
        """
        if "<locals>" in item.__qualname__:
            raise InputError(
                f"{item.__qualname__} of {item.__module__} is defined inside a function, where "
                "another process cannot find it; define it in a module"
            )
        if item.__module__ not in _MAIN:
            return cls(item.__module__, item.__qualname__)
        main = sys.modules["__main__"]
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        if spec is not None:
            return cls(spec.name, item.__qualname__)
        if file is None or not Path(file).is_file():
            raise InputError(
                f"{item.__qualname__} is defined in an interactive session, where another process "
                "cannot find it; put it into a module"
            )
        return cls(_SCRIPT, item.__qualname__, str(Path(file).resolve()))

    def find(self) -> Any:
        """Return the class; InputError if it is not there."""
        try:
            if self.script is not None:
                _run_again(self.script)
            return resolve(f"{self.module}:{self.name}")
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"another process cannot find {self.name} of {self.script or self.module}: {error}"
            ) from error

    def plain(self) -> dict[str, str | None]:
        """Return it as plain values, which ``Place(**values)`` reads."""
        return asdict(self)


def _run_again(script: str) -> None:
    """Make a script's classes known, as multiprocessing does: not as ``__main__``."""
    if _SCRIPT not in sys.modules:
        module = ModuleType(_SCRIPT)
        module.__dict__.update(runpy.run_path(script, run_name=_SCRIPT))
        sys.modules[_SCRIPT] = module


def sources_digest(modules: Iterable[str]) -> str:
    """Return the SHA-256 of the source of the packages of others that modules are in.

    As hexadecimal text; empty if all are hwsim's, whose source every result depends on anyway.
    """
    roots = sorted(
        {name.partition(".")[0] for name in modules} - {*OWN_PACKAGES, *sys.stdlib_module_names}
    )
    if not roots:
        return ""
    return hashlib.sha256("".join(map(_source, roots)).encode()).hexdigest()


@cache
def _source(root: str) -> str:
    """Return the SHA-256 of the Python files of a package or module."""
    if root in _MAIN:
        origin = getattr(sys.modules["__main__"], "__file__", None)
    else:
        spec = find_spec(root)
        origin = spec.origin if spec else None
    if origin is None or not Path(origin).is_file():
        raise InputError(f"{root} is in no file, and results depend on its source; put it into one")
    path = Path(origin)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    state = hashlib.sha256()
    for one in files:
        state.update(one.relative_to(path.parent).as_posix().encode() + b"\0")
        state.update(one.read_bytes() + b"\0")
    return state.hexdigest()
