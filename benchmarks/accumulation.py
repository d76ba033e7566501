"""What summing costs: area, delay and energy per MAC by element format, accumulation and lanes.

    hwsim sweep sweeps/specs/accumulation.yaml -o out/accumulation
    python benchmarks/accumulation.py out/accumulation > docs/accumulation.md

Reads the results of that sweep and writes Markdown: one table of all points, and how much the
accumulation is worth against a step of element width.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path
from statistics import geometric_mean
from typing import NamedTuple

ACCUMULATIONS = ("exact", "aligned13", "fp16", "fp32")
LANES = (1, 4, 8, 16, 32)


class Point(NamedTuple):
    """Cost of one unit: um^2 for a MAC a cycle, ns, and pJ a MAC."""

    area: float
    delay: float
    energy: float


#: By element format, accumulation and lanes.
Points = dict[str, dict[tuple[str, int], Point]]


def read(folder: Path) -> tuple[Points, dict[str, str]]:
    """Return the points of a finished sweep, and what all of them have in common."""
    points: Points = defaultdict(dict)
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        parameters = dict(item.split("=", 1) for item in row["parameters"].split())
        points[row["weight"]][parameters["accumulation"], int(row["lanes"])] = Point(
            float(row["area_um2_per_mac_per_cycle"]),
            float(row["delay_ns"]),
            float(row["energy_pj_per_mac"]),
        )
    return points, {key: rows[0][key] for key in ("technology", "method")}


def ratio(points: Points, quantity: str, one: tuple[str, str], other: tuple[str, str]) -> float:
    """Return how much more ``one`` takes than ``other``: geometric mean over common lanes.

    Both are an element format and an accumulation.
    """
    lanes = [
        n for n in LANES if (one[1], n) in points[one[0]] and (other[1], n) in points[other[0]]
    ]
    return geometric_mean(
        getattr(points[one[0]][one[1], n], quantity)
        / getattr(points[other[0]][other[1], n], quantity)
        for n in lanes
    )


def print_points(points: Points) -> None:
    """Print all points, a row for an element format and an accumulation."""
    print("| element | accumulation | " + " | ".join(f"{n} lanes" for n in LANES) + " |")
    print("|---|---|" + "---:|" * len(LANES))
    for element, costs in points.items():
        for accumulation in ACCUMULATIONS:
            cells = [
                "-"
                if point is None
                else f"{point.area:.0f} / {point.delay:.1f} / {point.energy:.2f}"
                for point in (costs.get((accumulation, n)) for n in LANES)
            ]
            print(f"| {element} | {accumulation} | " + " | ".join(cells) + " |")


def print_ratios(points: Points) -> None:
    """Print what another accumulation costs, and what another element format costs."""
    print("\n## Another accumulation of the same elements\n")
    print(
        "Relative to `exact`, geometric mean over the lanes: area per MAC/cycle, energy per MAC.\n"
    )
    others = [name for name in ACCUMULATIONS if name != "exact"]
    print("| element | " + " | ".join(others) + " |")
    print("|---|" + "---:|" * len(others))
    for element in points:
        cells = [
            f"{ratio(points, 'area', (element, name), (element, 'exact')):.2f}, "
            f"{ratio(points, 'energy', (element, name), (element, 'exact')):.2f}"
            for name in others
        ]
        print(f"| {element} | " + " | ".join(cells) + " |")
    print("\n## Another element format with the same accumulation\n")
    print("Relative to `e4m3`, likewise.\n")
    print("| element | " + " | ".join(ACCUMULATIONS) + " |")
    print("|---|" + "---:|" * len(ACCUMULATIONS))
    for element in points:
        cells = [
            f"{ratio(points, 'area', (element, name), ('e4m3', name)):.2f}, "
            f"{ratio(points, 'energy', (element, name), ('e4m3', name)):.2f}"
            for name in ACCUMULATIONS
        ]
        print(f"| {element} | " + " | ".join(cells) + " |")


def print_verdict(points: Points) -> None:
    """Print the two effects beside each other, as ranges over what is varied besides."""
    widths = [ratio(points, "area", ("e4m3", name), ("e2m1", name)) for name in ACCUMULATIONS]
    sums = {
        element: [ratio(points, "area", (element, name), (element, "exact")) for name in
                  ACCUMULATIONS]
        for element in points
    }  # fmt: skip
    print("\n## What the accumulation is worth\n")
    for element, ratios in sums.items():
        cheapest = ACCUMULATIONS[ratios.index(min(ratios))]
        dearest = ACCUMULATIONS[ratios.index(max(ratios))]
        print(
            f"- {element}: `{cheapest}` is the smallest; `{dearest}` takes "
            f"{max(ratios) / min(ratios):.1f} times its area."
        )
    print(
        "\nA step of element width, from e2m1 to e4m3, multiplies the area by "
        f"{min(widths):.1f} to {max(widths):.1f}, depending on the accumulation."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="What summing costs")
    parser.add_argument("folder", type=Path, help="output of the sweep accumulation")
    points, common = read(parser.parse_args().folder)
    print("# What summing costs\n")
    print("<!-- Generated by benchmarks/accumulation.py from sweeps/specs/accumulation.yaml. -->\n")
    print(
        "The `float` unit with both operands in one format, by how its products are summed "
        "([what the names mean](../hwsim/units/float_mac.py)). "
        f"All numbers: {common['technology']}, {common['method']}, normally distributed operands; "
        "the estimate's error is in [cost-model.md](cost-model.md). The lanes of `fp16` and `fp32` "
        "add one after another in one cycle, with one rounding each; those of `aligned13` and "
        "`exact` add in a tree.\n"
    )
    print("Area in um^2 per MAC/cycle / delay in ns / energy in pJ per MAC:\n")
    print_points(points)
    print_ratios(points)
    print_verdict(points)
    return 0


if __name__ == "__main__":
    sys.exit(main())
