"""What the points of a sweep are compared within: technologies, each at its clocks and, for
accelerators, with each workload. Technologies are coefficients for estimates, and cell libraries
for synthesis.

What lies outside the package decides results, so its content is part of a target: a sweep finds
its points again as long as the same text stands in the same file, wherever that is.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cost_models import technology
from cost_models.clock_gating import check_gates
from cost_models.cost import Objective
from cost_models.synthesis.liberty import OSU018, opened
from cost_models.technology import Technology
from hwsim.decode import Value
from sweeps.clocks import BEST, NO_CLOCK, STATED, Clocks
from sweeps.store import digest
from sweeps.workloads import NamedWorkload

if TYPE_CHECKING:
    from sweeps.spec import Tensors


@dataclass(frozen=True)
class Target:
    """A technology that a sweep is in, at a clock, and what accelerators work on.

    Attributes
    ----------
    technology
        Its name in tables and charts.
    coefficients
        Those of a file of one's own; None for those that come with the package, and for synthesis.
    liberty
        The files of the cell library; empty for estimates.
    sha256
        Of what is outside the package, as hexadecimal text; empty if nothing is.
    clock_ns
        The clock period in ns that units are mapped for and run at; without one they are mapped for
        ``objective``, and each runs at its own fmax.
    objective
        What units are mapped for without a clock.
    workload
        What accelerators work on; None for units alone.
    clock_gating
        Whether registers with an enable are behind clock gates.
    tensors
        What quality is measured on where a sweep has several sets of tensors, else None.
    """

    technology: str
    # Those of one digest are the same.
    coefficients: Technology | None = field(default=None, compare=False)
    liberty: tuple[Path, ...] = ()
    sha256: str = ""
    clock_ns: float | None = None
    objective: Objective = "area"
    workload: NamedWorkload | None = None
    clock_gating: bool = False
    tensors: "Tensors | None" = None

    @property
    def name(self) -> str:
        """Technology, clock, workload and tensors, which no other target of a sweep has all of."""
        work = "" if self.workload is None else self.workload.name
        return " ".join(filter(None, [self.technology, self.clock, self.gates, work, self._set]))

    @property
    def _set(self) -> str:
        return "" if self.tensors is None else self.tensors.name

    @property
    def gates(self) -> str:
        """Whether there are clock gates, in words; empty if there are none."""
        return "clock gates" if self.clock_gating else ""

    @property
    def clock(self) -> str:
        """The clock in words, the shortest digits that tell it from others; ``best`` for the best
        density, and empty for the least area."""
        if self.clock_ns is None:
            return BEST if self.objective == "density" else ""
        return f"{str(self.clock_ns).removesuffix('.0')} ns"

    @property
    def mapped_for(self) -> str:
        """``clock``, or the objective of a target without one."""
        return self.objective if self.clock_ns is None else "clock"

    @property
    def stem(self) -> str:
        """The name of its chart as a part of names of files: all workloads of a model share one."""
        model = "" if self.workload is None else self.workload.model
        parts = [self.technology, self.clock, self.gates, model, self._set]
        name = "_".join(filter(None, parts))
        return re.sub(r"[^\w.+-]", "_", name)


def of_estimates(value: Value, clocks: Clocks) -> tuple[Target, ...]:
    """Return the targets that a list of names, and of paths of technologies' files, names."""
    return _at_clocks(_distinct(value, _of_estimates), clocks)


def _of_estimates(item: Value) -> Target:
    if not item.text().endswith(technology.SUFFIX):
        name = item.choice("technology", technology.names())
        if name in technology.shipped():
            return Target(name)
        return _of_coefficients(item.refine(partial(technology.load, name)))
    found = item.refine(partial(technology.read, item.existing_path()))
    if found.name in technology.names():
        item.fail(f"{found.name!r} is the name of a known technology; change it in the file")
    return _of_coefficients(found)


def _of_coefficients(found: Technology) -> Target:
    # The list of units is long, and no estimate needs it.
    return Target(found.name, replace(found, units=[]), sha256=digest(asdict(found)))


def of_synthesis(value: Value, liberty: Value | None, clocks: Clocks) -> tuple[Target, ...]:
    """Return the targets of synthesis, each library opened once to see whether it is one.

    Parameters
    ----------
    value
        A list of names, which are free.
    liberty
        A file or a list of files, or with several names a mapping from names to them. Only the
        library of osu018 need not be there.
    clocks
        Those of each.
    """
    names = [item.text() for item in value.sequence()]
    libraries = {} if liberty is None else _libraries(liberty, names)
    return _at_clocks(_distinct(value, partial(_of_synthesis, libraries)), clocks)


def _libraries(liberty: Value, names: list[str]) -> dict[str, Value]:
    """Return for each technology the value that names the files of its library."""
    if liberty.is_mapping:
        libraries = liberty.mapping()
        for name, entry in libraries.items():
            if name not in names:
                entry.fail(f"{name!r} is no technology of this sweep; those are {', '.join(names)}")
        return libraries
    if len(names) > 1:
        liberty.fail(f"must be a mapping from {', '.join(names)} to files")
    return {names[0]: liberty}


def _of_synthesis(libraries: Mapping[str, Value], item: Value) -> Target:
    name = item.text()
    if name.endswith(technology.SUFFIX):
        item.fail(f"{name} has coefficients for estimates; synthesis takes a name and 'liberty'")
    item.refine(partial(technology.check_name, "the name of a technology", name))
    if name in libraries:
        place = libraries[name]
        files = tuple(entry.existing_path() for entry in place.scalars())
    elif name == "osu018":
        place, files = item, (OSU018,)
    else:
        item.fail(
            f"synthesis for {name} needs its cell library: give the key 'liberty'; only osu018 is "
            "found by itself"
        )

    def read() -> str:
        with opened(name, files if name in libraries else None):
            return digest([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])

    return Target(name, liberty=files, sha256=place.refine(read))


def _distinct(value: Value, target: Callable[[Value], Target]) -> tuple[Target, ...]:
    found: dict[str, Target] = {}
    for item in value.sequence():
        one = target(item)
        if one.name in found:
            item.fail(f"{one.name!r} stands twice")
        found[one.name] = one
    return tuple(found.values())


def _at_clocks(technologies: Sequence[Target], clocks: Clocks) -> tuple[Target, ...]:
    """Return every technology at every clock."""
    found: dict[str, Target] = {}
    for one in technologies:
        for place, clock in clocks:
            objective: Objective = "density" if clock == BEST else "area"
            target = replace(one, clock_ns=_period(one, place, clock), objective=objective)
            if target.stem in found:
                place.fail(f"{target.name!r} stands twice")
            found[target.stem] = target
    return tuple(found.values())


def with_clock_gates(value: Value, targets: Sequence[Target]) -> tuple[Target, ...]:
    """Return every target with clock gates; fail if one of estimates has none."""
    estimates = [one.coefficients or one.technology for one in targets if not one.liberty]
    value.refine(lambda: check_gates(technology.load_all(estimates)))
    return tuple(replace(target, clock_gating=True) for target in targets)


def with_workloads(
    targets: Sequence[Target], workloads: Sequence[NamedWorkload]
) -> tuple[Target, ...]:
    """Return every target with every workload."""
    return tuple(replace(target, workload=one) for target in targets for one in workloads)


def with_tensors(targets: Sequence[Target], sets: "Sequence[Tensors]") -> tuple[Target, ...]:
    """Return every target with every set of tensors."""
    return tuple(replace(target, tensors=one) for one in sets for target in targets)


def _period(target: Target, place: Value, clock: float | str) -> float | None:
    """Return the period in ns of a clock that may be a word."""
    if clock in (NO_CLOCK, BEST):
        return None
    if clock != STATED:
        return float(clock)
    known = technology.names()
    if target.liberty and target.technology not in known:
        place.fail(
            f"no clock is stated for {target.technology}, only for {', '.join(known)}; give the "
            f"key 'clock': periods in ns, {NO_CLOCK}, each unit at its own fmax, or {BEST}, at its "
            "best density"
        )
    return (target.coefficients or technology.load(target.technology)).clock_ns


def check_screen(value: Value, targets: tuple[Target, ...]) -> None:
    """Fail if there is a target that no screen was fitted for."""
    known = technology.names()
    for target in targets:
        own = target.coefficients
        if own.screen is None if own else target.technology not in known:
            value.fail(f"no screen was fitted for {target.technology}, only for {', '.join(known)}")
