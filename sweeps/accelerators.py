"""Accelerators as specifications have them: those of files, changed, in every combination.

::

    accelerators:                   # every entry is the product of its lists
      - {accelerator: [int8, mxfp4, my.yaml], array: {size: [16x16, 32x32]}}
      - accelerator: int8           # a name, or a file beside this one
        parameters: {lanes: [4, 8]}
        dram: {bandwidth: [16, 32, 64]}
        sram: {weights: {capacity: [262144, 524288]}}
      - {accelerator: [int8, mxfp4], array: {fit: {area: 0.2}}}   # mm²; fastest rows and columns

An entry has the keys of an accelerator's file (:mod:`hwsim.accelerator.specification`) in which it
differs from ``accelerator``, which is valid by itself, or all of them in place of that; each may be
a list. A ``unit`` of its own leaves out the file's ``parameters`` and ``formats``. ``array`` takes
``size`` in place of ``rows`` and ``cols``, or ``fit``: a limit of :mod:`cost_models.array_size`,
within which the array has the rows and columns that are fastest on all workloads of the sweep, each
once. So every point of an accelerator in a technology is one and the same hardware.

A point is called as its accelerator with what the entry changes; ``name`` gives another name, with
what is a list behind it. The clock is that of the sweep.
"""

import re
from collections.abc import Mapping
from functools import partial

from hwsim.decode import Keys, Value, joined, load
from hwsim.errors import InputError
from sweeps import conditions
from sweeps.designs import Design, Plan
from sweeps.keys import ANYTHING, TEXT, Key, axis, record
from sweeps.space import Entry, Space, written

#: Keys of an accelerator's file; its clock is the sweep's.
_KEYS = ("unit", "parameters", "array", "formats", "attention", "sram", "dram")
#: Keys of an entry. What is below those of a file, the reader of such files knows.
KEYS = {
    "accelerator": Key("names or files, in which the entry differs", axis(TEXT)),
    "name": Key("what it is called", TEXT),
    "where": Key("conditions between the axes", axis(TEXT)),
    "clock": Key("is an axis of the sweep, and refused here", {"not": {}}),
    **{key: Key("as in an accelerator's file; lists are axes", ANYTHING) for key in _KEYS},
}
_SIZE = ("array", "size")
_SIDES = (("array", "rows"), ("array", "cols"))
_FIT = ("array", "fit")

Leaves = dict[Keys, Value]


def read(value: Value, has_clock: bool) -> Space:
    """Return the accelerators that a list names, each checked as far as one can be by itself.

    ``has_clock`` says whether the sweep states its clocks. Raises InputError with file, line and
    key.
    """
    entries = [_Entry(entry, has_clock).space() for entry in value.sequence()]
    return Space(
        value,
        tuple(entries),
        lambda design, place: (
            f"the accelerator {design.name!r} stands twice; also at {place}; give an entry the "
            "key 'name'"
        ),
    )


class _Entry:
    """One entry: what accelerators it changes, and what it changes, with all choices."""

    def __init__(self, value: Value, has_clock: bool) -> None:
        given = record(value, KEYS)
        if "clock" in given:
            given["clock"].fail("is an axis of the sweep: give its key 'clock' beside this list")
        self.value, self.has_clock = value, has_clock
        self.name = given["name"].text() if "name" in given else None
        self.bases = given["accelerator"].scalars() if "accelerator" in given else []
        changes = {p: leaf for p, leaf in value.leaves().items() if p[0] in _KEYS}
        self._check_sides(changes)
        self.options = {path: leaf.scalars() for path, leaf in changes.items()}
        self.axes = {".".join(path): items for path, items in self.options.items()}
        if self.bases:
            self.axes = {"accelerator": self.bases, **self.axes}
        self.where = conditions.read(given["where"], self.axes, written) if "where" in given else ()
        self.files: dict[Value, tuple[str, Leaves]] = {}

    def space(self) -> Entry:
        """Return the combinations of the entry."""
        return Entry(self.value, self.axes, self.where, self._made, written)

    @staticmethod
    def _check_sides(changes: Leaves) -> None:
        fits = [path for path in changes if path[:2] == _FIT]
        ways: list[list[Keys]] = [
            [path for path in _SIDES if path in changes],
            [_SIZE] if _SIZE in changes else [],
            fits,
        ]
        chosen = [way for way in ways if way]
        if len(chosen) > 1:
            changes[chosen[1][0]].fail(
                "says how large the array is, and so does "
                f"{'.'.join(chosen[0][0])}; give rows and cols, or size, or fit"
            )
        if fits:
            from cost_models.array_size import LIMITS

            limit = changes[fits[0]]
            if len(fits) > 1 or len(fits[0]) != 3:
                limit.fail(f"must be one limit and its value; known: {', '.join(LIMITS)}")

    def _made(self, choice: Mapping[str, Value]) -> Design:
        base, leaves = self._base(choice["accelerator"]) if self.bases else (None, {})
        return self._design(base, leaves, {path: choice[".".join(path)] for path in self.options})

    def _base(self, item: Value) -> tuple[str, Leaves]:
        if item not in self.files:
            self.files[item] = _of_file(item, self.has_clock)
        return self.files[item]

    def _design(self, base: str | None, leaves: Leaves, chosen: Leaves) -> Design:
        from cost_models.accelerator import check_memories
        from hwsim.accelerator.specification import build

        changes = self._changes(chosen)
        limit = None
        if fit := next((path for path in chosen if path[:2] == _FIT), None):
            limit = fit[2], _limit(chosen.pop(fit), fit[2])
            chosen |= {path: self.value.as_integer("1") for path in _SIDES}
        if _SIZE in chosen:
            chosen |= dict(zip(_SIDES, _sides(chosen.pop(_SIZE)), strict=True))
        value = joined(self.value, _merged(leaves, chosen))
        title = self.name or base
        if title is None:
            title = value.record(("unit",), _KEYS)["unit"].text()
        name = " ".join([title, *(f"{key}={text}" for key, text in changes)])
        try:
            made = build(value, name)
        except InputError as error:
            if str(error).startswith(f"{self.value.path}:"):
                raise
            self.value.fail(str(error))  # A value of the file that does not go with the changes.
        self.value.refine(partial(check_memories, made.memories))
        return Design(made.unit, Plan(name, title, changes, made, limit))

    def _changes(self, chosen: Leaves) -> tuple[tuple[str, str], ...]:
        """Return what tells a design from others: the lists, of a known accelerator all changes."""
        everything = self.name is None and bool(self.bases)
        return tuple(
            (_short(path), item.written)
            for path, item in chosen.items()
            if everything or len(self.options[path]) > 1
        )


def _short(path: Keys) -> str:
    """Return a key as names have it, without the part of the file that it is in."""
    return ".".join(path if path[0] == "attention" else path[1:] or path)


def _of_file(item: Value, has_clock: bool) -> tuple[str, Leaves]:
    """Return what an accelerator is called, and what its file says."""
    from cost_models.accelerator import read as read_accelerator
    from hwsim.accelerator.specification import SUFFIX, shipped

    text = item.text()
    path = item.existing_path() if text.endswith(SUFFIX) else item.refine(partial(shipped, text))
    read_accelerator(path)  # What is wrong in the file by itself is told with its own line.
    leaves = load(path).leaves()
    clock = leaves.pop(("clock",), None)
    if clock is not None and not has_clock:
        item.fail(
            f"states a clock of its own, {clock.written} ns; give the sweep's key 'clock', at "
            "which all its accelerators run"
        )
    return path.stem, leaves


def _merged(base: Leaves, chosen: Leaves) -> Leaves:
    """Return ``chosen`` and what it leaves of ``base``."""
    replaced = list(chosen)
    if ("unit",) in chosen:
        replaced += [("parameters",), ("formats",)]
    if ("attention", "unit") in chosen:
        replaced.append(("attention", "parameters"))

    def stays(path: Keys) -> bool:
        return not any(
            path[: len(other)] == other or other[: len(path)] == path for other in replaced
        )

    return chosen | {path: leaf for path, leaf in base.items() if stays(path)}


def _sides(item: Value) -> tuple[Value, Value]:
    """Return rows and columns of a size, RxC."""
    found = re.fullmatch(r"([0-9]+)x([0-9]+)", item.text(), re.ASCII)
    if found is None:
        item.fail(f"must be rows and columns, such as 32x32, not {item.text()!r}")
    return item.as_integer(found[1]), item.as_integer(found[2])


def _limit(item: Value, name: str) -> float:
    from cost_models.array_size import LIMITS
    from hwsim.errors import check_known

    item.refine(partial(check_known, "limit", name, LIMITS))
    most = item.number()
    if most <= 0:
        item.fail(f"must be positive {LIMITS[name]}, not {most:g}")
    return most
