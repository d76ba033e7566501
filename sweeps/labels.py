"""Labels of a chart's points: what they say, and where there is room for them.

A label has the formats, the lanes, those of the family's own parameters in which its points in the
chart differ, and the Verilog files of a point that has its own, so that no two points of a family
have the same. Where a family has formats of its
own, as RMMEC its containers, its name stands in their place. The label of an accelerator has its
name, and what points of that name differ in.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from cost_models.array_size import LIMITS
from hwsim.drawing import printable
from hwsim.units import FAMILIES
from hwsim.units.naming import plain
from sweeps.table import COMMON, Row

#: Of labels of the front, and of those behind it, in typographic points.
LABEL_SIZE, SMALL_SIZE = 6.0, 5.0
#: Behind labels of approximate units.
DAGGER = "†"
#: Longest name of a format or value in a label; of longer ones the two ends are shown.
LONGEST, HEAD, TAIL = 28, 15, 10

#: Parameters that follow from the weights' format where it is one of blocks.
OF_BLOCKS = frozenset({"group_size", "block_size", "special_values"})

Points = NDArray[np.float64]


def texts(table: Sequence[Row], daggers: Sequence[bool]) -> list[str]:
    """Return the label of every row, which no other row of its family has.

    ``daggers`` says which rows get one.
    """
    if table and "accelerator" in table[0]:
        return _of_accelerators(table)
    parameters = [_parameters(row) for row in table]
    differing = _differing(table, parameters)
    names = dict.fromkeys(
        str(name)
        for row, own in zip(table, parameters, strict=True)
        for name in (row["weight"], row["activation"], *own.values(), row.get("verilog"))
        if name
    )
    short = _shortened(names)
    return [
        " · ".join(
            [
                _operands(row, short),
                str(row["lanes"]),
                *(f"{k}={short[v]}" for k, v in own.items() if k in differing[row["family"]]),
                *([short[row["verilog"]]] if row.get("verilog") else []),
            ]
        )
        + (f" {DAGGER}" if approximate else "")
        for row, own, approximate in zip(table, parameters, daggers, strict=True)
    ]


def _of_accelerators(table: Sequence[Row]) -> list[str]:
    changes = [_pairs(row["changes"]) for row in table]
    names = _shortened(dict.fromkeys(row["accelerator"] for row in table))
    values: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for row, own in zip(table, changes, strict=True):
        for key in {key for one in changes for key in one}:
            values[row["accelerator"], key].add(own.get(key))
    return [
        " · ".join(
            [
                names[row["accelerator"]],
                *dict.fromkeys(
                    _change(row, key, value, len(values[row["accelerator"], key]) > 1)
                    for key, value in own.items()
                    if len(values[row["accelerator"], key]) > 1 or key.startswith("fit.")
                ),
            ]
        )
        for row, own in zip(table, changes, strict=True)
    ]


def _change(row: Row, key: str, value: str, differs: bool) -> str:
    """Return what is said of a key of an accelerator's file; of rows and columns both at once.

    A limit that is the same for all says nothing, and what was made of it does.
    """
    if key.startswith("fit.") and differs:
        return f"{value} {LIMITS[key.removeprefix('fit.')]}"
    if key in ("size", "rows", "cols") or key.startswith("fit."):
        return f"{row['rows']}×{row['cols']}"
    return f"{value} GB/s" if key == "bandwidth" else f"{key}={value}"


def told_apart(table: Sequence[Row], labels: Sequence[str], labelled: Iterable[int]) -> list[str]:
    """Return ``labels`` with the family where rows of two families, both labelled, share one."""
    families = defaultdict(set)
    for index in labelled:
        families[labels[index]].add(table[index]["family"])
    return [
        f"{row['family']} {label}" if len(families[label]) > 1 else label
        for row, label in zip(table, labels, strict=True)
    ]


def _parameters(row: Row) -> dict[str, str]:
    """The family's own parameters that have a value; None is what the unit chooses itself."""
    own = _pairs(row.get("parameters") or "")
    return {key: value for key, value in own.items() if value != "None"}


def _pairs(text: str) -> dict[str, str]:
    """Return what ``key=value key=value`` says; values may have spaces."""
    pairs = (pair.partition("=")[::2] for pair in re.split(r" (?=[a-z_.]+=)", text) if pair)
    return dict(pairs)


def _differing(table: Sequence[Row], parameters: Sequence[dict[str, str]]) -> dict[str, set[str]]:
    """By family, the parameters in which its points differ.

    Of a family whose formats are both its own, also from what it takes by itself: its label says
    nothing else. What units choose is left out where the others tell all points apart.
    """
    by_family: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row, own in zip(table, parameters, strict=True):
        by_family[row["family"]].append(own)
    for family, all_own in by_family.items():
        if len(_own_formats(family)) == 2:
            all_own.append(
                {
                    field.name: str(plain(field.default))
                    for field in fields(FAMILIES[family])
                    if field.default not in (MISSING, None)
                }
            )
    differing = {
        family: {
            key
            for key in {key for own in all_own for key in own}
            if key not in COMMON and len({one.get(key) for one in all_own}) > 1
        }
        for family, all_own in by_family.items()
    }
    for family, keys in differing.items():
        for key in sorted(_chosen(family) & keys, key=lambda key: (key in OF_BLOCKS, key)):
            if _distinct(table, parameters, family, keys - {key}) == _distinct(
                table, parameters, family, keys
            ):
                keys.discard(key)
    return differing


def _chosen(family: str) -> set[str]:
    """The parameters of a family that a unit chooses: widths, adders, what block formats imply."""
    return {*OF_BLOCKS} | {
        field.name
        for field in fields(FAMILIES[family])
        if field.default is None and (field.name.endswith("_bits") or field.name == "adders")
    }


def _distinct(
    table: Sequence[Row], parameters: Sequence[dict[str, str]], family: str, keys: set[str]
) -> int:
    """How many points of a family its formats, lanes and these parameters tell apart."""
    points = (
        (*(row[key] for key in COMMON), *(own.get(key) for key in keys))
        for row, own in zip(table, parameters, strict=True)
        if row["family"] == family
    )
    return len(set(points))


@cache
def _own_formats(family: str) -> dict[str, str]:
    """Names of the formats, by parameter, that a family has of its own: those with a default."""
    return {
        field.name: field.default.name
        for field in fields(FAMILIES[family])
        if field.name in ("weight", "activation") and field.default is not MISSING
    }


def _operands(row: Row, short: dict[str, str]) -> str:
    """Weight and activation; the family's name in the place of formats of its own."""
    family, own = row["family"], _own_formats(row["family"])
    weight, activation = (
        family if own.get(key) == row[key] else short[row[key]] for key in ("weight", "activation")
    )
    return family if weight == activation == family else f"{weight} × {activation}"


def _shortened(names: Iterable[str]) -> dict[str, str]:
    """Return names of at most ``LONGEST`` characters and a number, different for different ones."""
    short: dict[str, str] = {}
    alike: dict[str, int] = defaultdict(int)
    for name in names:
        text = printable(name)
        if len(text) > LONGEST:
            text = f"{text[:HEAD]}…{text[-TAIL:]}"
            alike[text] += 1
            text += f"#{alike[text]}" if alike[text] > 1 else ""
        short[name] = text
    return short


@dataclass(frozen=True, order=True)
class Spot:
    """A point of a panel's front, in the panel's coordinates."""

    x: float
    y: float
    label: str
    colour: str


class Placement:
    """Puts labels beside points where nothing else is: the nearest free place, or none.

    Works in pixels. Taken are the strong marks, the front's line, and labels placed before, which
    leaders do not cross either; faint marks only as long as there is room beside them.

    Parameters
    ----------
    panel
        In its final place in the figure.
    line
        Corners of the front's line, in the panel's coordinates as all points are; (corners, 2).
    strong, faint
        Centres of the marks, (marks, 2).
    mark
        Size of a mark in typographic points.
    empty
        Where the panel is empty, as the signs of x and y: where better points would be.
    """

    #: Distances from the point in typographic points, and directions in degrees: first to where a
    #: front leaves the panel empty, here up and to the right.
    RADII = (4, 8, 13, 19, 26, 34, 44, 56)
    ANGLES = (0, 45, 30, 60, 90, 120, 150, 180, -150, -120, -90, -60, -30)
    #: Beyond this distance, or where another mark is nearer, a thin line leads to the point.
    LEADER = 7
    #: Most labels of points that lie on each other.
    AT_ONE_PLACE = 4

    def __init__(
        self, panel: Axes, line: Points, strong: Points, faint: Points, mark: float,
        empty: Sequence[int],
    ) -> None:  # fmt: skip
        self.panel = panel
        self.pixels = panel.figure.dpi / 72
        self.frame = panel.get_window_extent()
        radians = np.radians(self.ANGLES)
        self.directions = np.transpose([empty[0] * np.cos(radians), empty[1] * np.sin(radians)])
        corners = self._in_pixels(line)
        ends = np.stack([corners[:-1], corners[1:]])
        self.marks = self._in_pixels(strong)
        self.half = mark * self.pixels / 2
        self.taken = [*_around(self.marks, self.half)]
        self.taken += [*np.hstack([ends.min(axis=0) - 1, ends.max(axis=0) + 1])]
        self.avoided = _around(self._in_pixels(faint), self.half)
        self.labels: list[Bbox] = []
        self.leaders: list[Path] = []

    def place(self, spots: Sequence[Spot], nearby: bool = False) -> int:
        """Label every spot that has room; return how many have none.

        With ``nearby`` labels are small, close to their points, and cover no mark.
        """
        placed: Counter[tuple[float, float]] = Counter()
        for spot in sorted(spots, key=lambda spot: (-spot.y, spot.x, spot.label)):
            at = spot.x, spot.y
            if placed[at] < self.AT_ONE_PLACE:
                placed[at] += self._place(spot, nearby)
        return len(spots) - placed.total()

    def _place(self, spot: Spot, nearby: bool) -> bool:
        point = self._in_pixels(np.array([spot.x, spot.y]))[0]
        font = SMALL_SIZE if nearby else LABEL_SIZE
        size = self._size(spot.label, font)
        if size[0] > self.frame.width:
            return False
        taken = np.reshape(self.taken, (-1, 4))
        avoiding = np.vstack([taken, self.avoided])
        for obstacles in (avoiding,) if nearby else (avoiding, taken):
            for offset in self._offsets(size, self.RADII[:2] if nearby else self.RADII):
                extents = np.hstack([point + offset - size / 2, point + offset + size / 2])
                if self._is_free(extents, obstacles) and self._write(
                    spot, font, point, offset, extents
                ):
                    return True
        return False

    def _offsets(self, size: Points, radii: Iterable[float]) -> Iterator[Points]:
        """Offsets of the label's centre: its edge is at the radius in the given direction."""
        for radius in radii:
            for direction in self.directions:
                yield direction * radius * self.pixels + (
                    np.sign(direction[0].round(3)) * size[0] / 2,
                    direction[1] * size[1] / 2,
                )

    def _is_free(self, extents: Points, obstacles: Points) -> bool:
        low, high = extents[:2], extents[2:]
        inside = (low >= self.frame.min).all() and (high <= self.frame.max).all()
        apart = (obstacles[:, :2] >= high).any(axis=1) | (obstacles[:, 2:] <= low).any(axis=1)
        return bool(inside and apart.all())

    def _write(
        self, spot: Spot, font: float, point: Points, offset: Points, extents: Points
    ) -> bool:
        """Write the label unless its leader or another one would cross a label."""
        box = Bbox.from_extents(*extents)
        own = _distances(box, point[None])[0]
        nearest = _distances(box, self.marks).min(initial=np.inf)
        far = own > self.LEADER * self.pixels or nearest < 0.8 * own
        if any(leader.intersects_bbox(box, filled=False) for leader in self.leaders):
            return False
        if far:
            nearest = np.clip(point, extents[:2], extents[2:])
            leader = Path([point, nearest])
            others = self.marks[(self.marks != point).any(axis=1)]
            if (_from_segment(others, point, nearest) < self.half).any():
                return False
            if any(leader.intersects_bbox(label, filled=False) for label in self.labels):
                return False
            self.leaders.append(leader)
        self.labels.append(box)
        self.taken.append(extents)
        self.panel.annotate(
            spot.label,
            (spot.x, spot.y),
            xytext=tuple(offset / self.pixels),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=font,
            color=spot.colour,
            zorder=4,
            # Faint marks may lie below.
            bbox={"boxstyle": "square,pad=0", "facecolor": "white", "alpha": 0.7, "linewidth": 0},
            arrowprops=self._leader(point, extents) if far else None,
        )
        return True

    @staticmethod
    def _leader(point: Points, extents: Points) -> dict[str, Any]:
        """A thin line from the nearest point of the label's edge."""
        low, high = extents[:2], extents[2:]
        return {
            "arrowstyle": "-", "linewidth": 0.4, "color": "0.5", "shrinkA": 0, "shrinkB": 2,
            "relpos": tuple((np.clip(point, low, high) - low) / (high - low)),
        }  # fmt: skip

    def _size(self, label: str, font: float) -> Points:
        text = self.panel.text(0, 0, label, fontsize=font)
        extent = text.get_window_extent()
        text.remove()
        return np.array([extent.width + 2 * self.pixels, extent.height + self.pixels])

    def _in_pixels(self, points: Points) -> Points:
        return np.asarray(self.panel.transData.transform(points.reshape(-1, 2)), np.float64)


def _around(centres: Points, half: float) -> Points:
    """Extents of squares around points, (points, 4)."""
    return np.hstack([centres - half, centres + half])


def _from_segment(points: Points, start: Points, end: Points) -> Points:
    """The distances of points from the segment between two others."""
    along = end - start
    part = np.clip((points - start) @ along / (along @ along + 1e-9), 0, 1)
    return np.asarray(np.linalg.norm(points - start - part[:, None] * along, axis=1), np.float64)


def _distances(box: Bbox, points: Points) -> Points:
    """The distances of points from a box."""
    outside = np.maximum(np.maximum(box.min - points, points - box.max), 0)
    return np.asarray(np.hypot(*outside.T), np.float64)
