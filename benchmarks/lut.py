"""Tables, adders and multipliers: area and settled energy by weight bits, table size and share.

    python benchmarks/lut.py --output docs/lut.md [--technology asap7]
    python benchmarks/lut.py --output out.md --synthesis --liberty sky130.lib

It writes the document, and beside it a table (CSV) and a chart (PNG) of the same name; what is
compared and how is in `lut_designs.py`. Everything is an estimate of one technology;
`--synthesis` measures the decisive points with a cell library, too, in a table of their own.
With an empty cache of netlists it takes more than an hour, most of it for the largest tables of
floating-point sums.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import lut_report
from lut_designs import (
    Amount,
    Design,
    K,
    Tile,
    adder_design,
    designs,
    lane_jobs,
    measure,
    multiplier_design,
    operands_of,
    shares,
    table_design,
)
from lut_results import Check, Results, Synthesised

from cost_models.cost import Cost
from cost_models.estimate import estimate
from cost_models.synthesis import synthesize

WORKERS = 2

#: Tiles that are built as they are: design, lanes, columns.
CHECKED = (
    (table_design(2, "int8"), 12, 1),
    (table_design(2, "int8"), 12, 4),
    (table_design(2, "int8"), 12, 16),
    (table_design(2, "int8", 5), 15, 4),
    (table_design(2, "fp16", 2), 4, 1),
    (table_design(2, "fp16", 2), 2, 4),
    (adder_design(2, "fp16"), 3, 1),
    (multiplier_design(2, "fp16"), 3, 1),
)
#: Columns of the tiles that are synthesised; with one, optimisation dissolves its table.
SYNTHESISED_COLUMNS = (4, 8)
SYNTHESISED_BITS = (1, 2, 4)


def run(calls: Sequence[tuple[Callable[..., Any], tuple[Any, ...], str]]) -> list[Any]:
    """Run labelled calls on ``WORKERS`` processes, print progress, return results in order."""
    started = time.monotonic()
    results: dict[int, Any] = {}
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        futures = {pool.submit(work, *args): k for k, (work, args, _) in enumerate(calls)}
        try:
            for done in as_completed(futures):
                k = futures[done]
                results[k] = done.result()
                seconds = time.monotonic() - started
                print(f"[{len(results)}/{len(calls)}] {seconds:4.0f} s  {calls[k][2]}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [results[k] for k in range(len(calls))]


def whole(design: Design, lanes: int, columns: int, technology: str) -> Cost:
    """Return the estimate of a tile that is optimised as a whole."""
    unit = design.build(lanes, columns)
    return estimate(unit, technology, operands_of(design, unit))


def synthesised(design: Design, lanes: int, columns: int, technology: str, liberty: Path) -> Cost:
    """Return the synthesis of a tile."""
    unit = design.build(lanes, columns)
    return synthesize(unit, technology, [liberty], operands_of(design, unit))


def measure_all(technology: str, listed: Sequence[Design]) -> Results:
    """Measure every design, and the tiles that check the method."""
    # The slowest first, so that no process ends alone.
    needed = dict.fromkeys(job for design in listed for job in design.jobs)
    needed |= dict.fromkeys(lane_jobs())
    jobs = sorted(needed, key=lambda job: job[0].exact * 1000 - job[0].table_lanes)
    calls: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
        (measure, (*job, technology), f"{job[0].label}, {job[1]} lanes") for job in jobs
    ]
    calls += [
        (whole, (*check, technology), f"whole tile: {check[0].label}, {check[1]} lanes, "
         f"{check[2]} columns")
        for check in CHECKED
    ]  # fmt: skip
    results = run(calls)
    tiles = dict(zip(jobs, results[: len(jobs)], strict=True))
    found = {design: [tiles[job] for job in design.jobs] for design in listed}
    return Results(
        technology=technology,
        shares={design: shares(design, parts) for design, parts in found.items()},
        tiles={design: parts[0] for design, parts in found.items() if not design.split},
        by_lanes={job: tiles[job] for job in lane_jobs()},
        checks=[
            check_of(*case, found[case[0]], cost)
            for case, cost in zip(CHECKED, results[len(jobs) :], strict=True)
        ],
    )


def check_of(design: Design, lanes: int, columns: int, tiles: Sequence[Tile], cost: Cost) -> Check:
    """Compare the prediction of a tile's cost from the nearest measured one with its estimate."""
    nearest = min(tiles, key=lambda tile: abs(tile.lanes - lanes))
    predicted = nearest.at(lanes, columns)
    return Check(design, lanes, columns, predicted, Amount(cost.area_um2, cost.settled_pj))


def synthesise_decisive(technology: str, liberty: Path) -> list[Synthesised]:
    """Synthesise tables, adders and multipliers of few weight bits, at one lane count."""
    listed = [
        make(bits, activation)
        for activation in ("int8", "fp16")
        for bits in SYNTHESISED_BITS
        for make in (table_design, adder_design, multiplier_design)
    ]
    jobs = [
        (design, columns)
        for design in listed
        for columns in (SYNTHESISED_COLUMNS if design.table_lanes > 1 else (1,))
    ]
    costs = run([
        (synthesised, (design, K, columns, technology, liberty),
         f"synthesis: {design.label}, {columns} columns")
        for design, columns in jobs
    ])  # fmt: skip
    by_design: dict[Design, list[Cost]] = {}
    for (design, _), cost in zip(jobs, costs, strict=True):
        by_design.setdefault(design, []).append(cost)
    return [
        Synthesised.of(design, found, SYNTHESISED_COLUMNS) for design, found in by_design.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Tables, adders and multipliers compared")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.md")
    parser.add_argument("--technology", default="sky130", metavar="T")
    parser.add_argument("--synthesis", action="store_true", help="of the decisive points, too")
    parser.add_argument("--liberty", type=Path, metavar="FILE", help="cell library for it")
    options = parser.parse_args()
    if options.synthesis != bool(options.liberty):
        parser.error("--synthesis and --liberty go together")
    results = measure_all(options.technology, designs())
    measured = []
    if options.synthesis:
        measured = synthesise_decisive(options.technology, options.liberty.resolve())
    for path in lut_report.write(results, measured, options.output):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
