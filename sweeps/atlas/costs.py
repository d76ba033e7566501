"""What takes long of an atlas: estimates, parts and files of units, computed on all cores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cost_models.breakdown import Breakdown, breakdown_all
from cost_models.cost import Cost
from cost_models.estimate import estimate_all
from hwsim import pool
from hwsim.errors import HwsimError
from hwsim.units import UnitSpec
from rtl import emit
from sweeps.atlas.survey import example, small
from sweeps.progress import Progress

#: Technologies that estimates are made for.
TECHNOLOGIES = ("sky130", "asap7")
#: Bits of a beat up to which the parts of an example are told apart, which is not kept from run to
#: run and would take a minute for the largest.
PARTS_BITS = 512
#: Small units a family, beside its example.
SMALL = 3


@dataclass(frozen=True)
class Task:
    """What to compute of a unit; the example of a family has files, and parts if it has costs."""

    family: str
    unit: UnitSpec
    is_example: bool
    has_costs: bool


@dataclass(frozen=True)
class Examined:
    """What was computed of a unit.

    Attributes
    ----------
    unit
        The unit.
    costs
        Estimates by technology.
    breakdowns
        Parts of these, by technology; of the example, unless it is large.
    files
        Texts of its Verilog, description and testbench by name; of the example.
    failure
        Why there are no costs, or empty text.
    """

    unit: UnitSpec
    costs: Mapping[str, Cost] = field(default_factory=dict)
    breakdowns: Mapping[str, Breakdown] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


def examine_all(
    families: Iterable[str], costs: bool, workers: int | None, quiet: bool
) -> dict[str, list[Examined]]:
    """Return what was computed of each family: its example first, then small units if ``costs``.

    A unit that fails has its reason in the place of costs, and stderr says so.

    Raises
    ------
    WorkerDiedError
        If a worker process ends without a result.
    """
    tasks = [task for family in families for task in _tasks(family, costs)]
    found: dict[str, Examined] = {}
    with Progress(quiet) as progress:
        progress.start("unit", len(tasks))
        for task, result in pool.each(_examine, tasks, workers):
            if isinstance(result, Exception):
                if not isinstance(result, HwsimError):
                    raise result
                result = Examined(task.unit, failure=str(result))
            if result.failure:
                progress.warn(f"{task.unit.name}: {result.failure}")
            found[task.unit.name] = result
            progress.finish(task.unit.name)
    ordered: dict[str, list[Examined]] = {task.family: [] for task in tasks}
    for task in tasks:
        ordered[task.family].append(found[task.unit.name])
    return ordered


def _tasks(family: str, costs: bool) -> Sequence[Task]:
    first = example(family)
    others = [unit for unit in small(family, SMALL) if unit != first] if costs else []
    return [Task(family, first, True, costs), *(Task(family, one, False, True) for one in others)]


def _examine(task: Task) -> Examined:
    unit = task.unit
    files = emit.texts(unit) if task.is_example else {}
    if not task.has_costs:
        return Examined(unit, files=files)
    try:
        if not task.is_example or unit.beat_bits > PARTS_BITS:
            return Examined(unit, estimate_all(unit, TECHNOLOGIES), files=files)
        parts = breakdown_all(unit, TECHNOLOGIES)
    except HwsimError as error:
        return Examined(unit, files=files, failure=str(error))
    return Examined(unit, {name: one.whole for name, one in parts.items()}, parts, files)
