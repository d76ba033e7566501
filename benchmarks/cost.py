"""How long a cost takes: by unit and method, and for a design space of a thousand units.

    python benchmarks/cost.py [--units N] [--count N] [--workers N]
                              [--technology T] [--liberty FILE...]

The first table has N units of ``cost_models/screening_set.py``, one process, in ms: elaboration to
RTLIL, which every method starts with; what the screen adds to it; an estimate with an empty cache
and with a full one; synthesis, if OpenSTA and the library are there. Ratios are of figures that
were taken one after the other. The operands are in memory, as in a sweep.

Then the design space: ``--count`` units (default: 1000; 0 leaves it out) estimated by ``--workers``
processes (default: 2), with an empty cache and again with a full one. On a machine that does
other things, the processor time says more than the seconds: divide it by the workers.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from cost_models import screening_set, words
from cost_models.estimate import estimate
from cost_models.netlist import netlist, rtlil_text
from cost_models.operands import default_operands
from cost_models.synthesis import measure
from cost_models.synthesis.liberty import Library, opened
from hwsim import cache
from hwsim.errors import InputError, MissingToolError
from hwsim.pool import each
from hwsim.progress import say
from hwsim.tables import number, plain
from hwsim.units import UnitSpec, make

HEADER = (
    "unit", "gates", "elaborate ms", "screen ms", "/ elaborate", "estimate ms", "/ elaborate",
    "cached ms", "/ estimate", "synthesis ms", "/ estimate",
)  # fmt: skip


def milliseconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def row(unit: UnitSpec, technology: str, library: Library | None) -> list[object]:
    """Return a row of the first table."""
    operands = default_operands(unit)
    text = rtlil_text(unit)
    elaborate = milliseconds(lambda: rtlil_text(unit))
    counting = milliseconds(lambda: words.features(text, unit.name))
    cold = milliseconds(lambda: estimate(unit, technology, operands))
    netlist.cache_clear()
    cached = milliseconds(lambda: estimate(unit, technology, operands))
    cells: list[object] = [
        unit.name, len(netlist(unit).types), elaborate, counting, counting / elaborate,
        cold, cold / elaborate, cached, cached / cold,
    ]  # fmt: skip
    if library is None:
        return [*cells, "-", "-"]
    mapped = milliseconds(lambda: measure(unit, technology, library, operands))
    return [*cells, mapped, mapped / cold]


def table(units: list[UnitSpec], technology: str, library: Library | None) -> None:
    """Print the first table, and the medians of its columns."""
    rows = []
    for unit in units:
        rows.append(row(unit, technology, library))
        say(f"{len(rows)} of {len(units)}: {unit.name}")
    columns = list(zip(*rows, strict=True))[1:]
    rows.append(["median", *("-" if "-" in c else float(np.median(c)) for c in columns)])
    print(plain(HEADER, [[_text(cell) for cell in cells] for cells in rows]), end="", flush=True)


def _text(cell: object) -> str:
    return number(cell) if isinstance(cell, float) else str(cell)


def cost(unit: UnitSpec) -> int:
    """Estimate a unit in a worker, and return its number of gates."""
    counted = estimate(unit, "sky130").provenance["gates"]
    return sum(counted.values())


def processor_seconds() -> float:
    """Return the processor time of this process and of all that it has started and seen end."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def space(count: int, workers: int) -> None:
    """Estimate the design space with an empty cache, and again with a full one."""
    units = screening_set.units(count)
    for label in ("empty", "full"):
        start, before = time.perf_counter(), processor_seconds()
        gates = []
        for _, result in each(cost, units, workers):
            if isinstance(result, Exception):
                raise result
            gates.append(result)
        seconds, processor = time.perf_counter() - start, processor_seconds() - before
        print(
            f"{len(units)} distinct units, {workers} workers, {label} cache: {seconds:.1f} s, "
            f"{processor:.1f} s of processor time, {1e3 * processor / len(units):.0f} ms a unit, "
            f"{np.mean(gates):.0f} gates on average",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=12, metavar="N")
    parser.add_argument("--count", type=int, default=1000, metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--technology", default="osu018", metavar="T")
    parser.add_argument("--liberty", nargs="+", type=Path, metavar="FILE")
    options = parser.parse_args()
    # What numba compiles and what is imported on first use is no part of a unit's time.
    warm = make("integer", lanes=1, weight="int2", activation="int2")
    with tempfile.TemporaryDirectory() as folder:
        os.environ[cache.VARIABLE] = folder
        estimate(warm, options.technology)
        chosen = screening_set.units(options.units)
        with ExitStack() as stack:
            library = None
            try:
                library = stack.enter_context(opened(options.technology, options.liberty))
                measure(warm, options.technology, library)
            except (InputError, MissingToolError) as error:
                print(f"without synthesis: {error}")
                library = None
            if chosen:
                table(chosen, options.technology, library)
        if options.count:
            os.environ[cache.VARIABLE] = str(Path(folder) / "space")
            space(options.count, options.workers)


if __name__ == "__main__":
    main()
