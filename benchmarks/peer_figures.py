"""Area and period of public RTL of others, measured before in the flow of :mod:`mapping`.

``peers.csv`` has a row per unit, technology and goal, with repository and commit. Goal ``speed`` is
the faster of two ABC scripts, both with buffers and sizes. What the units do and do not do is in
docs/peers.md.
"""

import csv
from pathlib import Path

from mapping import Figures, Goal

TECHNOLOGIES = ("asap7", "sky130", "osu018")


def peer(unit: str, technology: str, goal: Goal = "area") -> Figures:
    """Return what was measured of ``unit``."""
    with Path(__file__).with_name("peers.csv").open() as file:
        (row,) = (
            row
            for row in csv.DictReader(file)
            if (row["unit"], row["technology"], row["goal"]) == (unit, technology, goal)
        )
    return Figures(float(row["area_um2"]), float(row["period_ns"]))
