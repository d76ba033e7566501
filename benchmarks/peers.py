"""Our arithmetic beside public RTL of others, per throughput, as Markdown, by one flow.

    python benchmarks/peers.py [--technology sky130 --liberty FILE...]

Prints area and period, um^2 for a MAC a cycle, and GMAC/s/mm^2 at the shortest period, mapped for
area and for speed. Rows of others were measured before in the same flow (`peers.csv` and
`benchmarks/fma.py`, with commits); ours are measured now. What the units do and do not do is in
docs/peers.md: no two of them do quite the same. Without arguments the cell library is osu018,
which is found where ``apt-get install qflow-tech-osu018`` puts it.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

from amaranth.lib.wiring import Component
from bitmod import ORIGINAL, PE
from fma import FPNEW, MultiplyAdd
from mapping import Figures, Goal, mapped
from peer_figures import TECHNOLOGIES, peer
from posit import Multiplier

import rtl
from cost_models.synthesis.liberty import Library, opened
from hwsim.formats import parse_scalar
from hwsim.formats.minifloat import Minifloat
from hwsim.formats.posit import Posit
from hwsim.units import make
from hwsim.units.bitmod import BitmodUnit
from rtl.bitmod import Aligner, ProcessingElement

#: As the LUT array of others was reduced to: 2 rows, 8 columns, tables of 4, 2-bit weights.
LUT = {"row_count": 2, "column_count": 8, "lanes": 4, "table_lanes": 4, "weight": "bipolar2"}
#: A beat of the LUT array has 2 x 8 x 4 products and takes 2 cycles, one a bit of the weight.
LUT_MACS = 32
#: Four lanes in the two cycles of a 4-bit weight.
BITMOD_MACS = 2


class Row(NamedTuple):
    """A unit, its MAC per cycle, and its figures by goal."""

    name: str
    macs: float
    figures: Callable[[Goal], Figures]


def main() -> int:
    parser = argparse.ArgumentParser(description="Our arithmetic beside public RTL")
    parser.add_argument("--technology", default="osu018", choices=TECHNOLOGIES)
    parser.add_argument("--liberty", type=Path, nargs="+", metavar="FILE")
    options = parser.parse_args()
    print("| mapped for area, then speed | MAC/cycle | area um^2 | period ns | um^2 per MAC/cycle "
          "| GMAC/s/mm^2 | area um^2 | period ns | um^2 per MAC/cycle | GMAC/s/mm^2 |")  # fmt: skip
    print("|---" + "|---:" * 9 + "|")
    with opened(options.technology, options.liberty) as library:
        for row in rows(options.technology, library):
            line = f"| {row.name} | {row.macs:g}"
            for goal in get_args(Goal):
                line += f" | {cells(row.macs, row.figures(goal))}"
            print(f"{line} |", flush=True)
    return 0


def cells(macs: float, figures: Figures) -> str:
    """Return area, period and what they are worth."""
    area, delay = figures
    return (
        f"{rounded(area)} | {delay:.3g} | {rounded(area / macs)} | {macs / delay / area * 1e6:.3g}"
    )


def rounded(value: float) -> str:
    """Return four digits, without an exponent."""
    return f"{float(f'{value:.4g}'):.9g}"


def rows(technology: str, library: Library) -> Iterator[Row]:
    """Yield all rows, those of a kind of unit together."""

    def ours(name: str, macs: float, component: Component) -> Row:
        return Row(f"**{name}**", macs, lambda goal: mapped(component, library, goal=goal))

    def unit(name: str, macs: float, family: str, **parameters: Any) -> Row:
        return ours(name, macs, rtl.create(make(family, **parameters)))

    def theirs(name: str, macs: float, *parts: str, chained: bool = False) -> Row:
        def figures(goal: Goal) -> Figures:
            return total([peer(part, technology, goal) for part in parts], chained)

        return Row(name, macs, figures)

    for lanes, weight, name in (
        (1, "int8", "base_mac_s8xs8_acc32"),
        (16, "int8", "base_dot16_s8xs8_acc32"),
        (16, "int4", "base_dot16_s4xs8_acc32"),
    ):
        what = f"{lanes} x {weight} x int8"
        yield theirs(f"plain acc + a*b, {what}", lanes, name)
        yield unit(
            f"integer, {what}", lanes, "integer", lanes=lanes, weight=weight, activation="int8"
        )
    for name, peers in FPNEW.items():
        fmt = parse_scalar(name)
        assert isinstance(fmt, Minifloat)
        figures = dict(zip(get_args(Goal), peers[technology], strict=True))
        yield Row(f"FPnew multiply-add, {name}", 1, figures.__getitem__)
        yield ours(f"multiply-add, {name}", 1, MultiplyAdd(fmt))
    e5m2 = {"lanes": 2, "weight": "e5m2", "activation": "e5m2"}
    yield theirs("ExSdotp, 2 x e5m2 + fp16", 2, "fpnewpulp_sdotp_fp8_to_fp16_p0")
    yield unit("float, 2 x e5m2, fp16 sums", 2, "float", accumulator="fp16", **e5m2)
    yield unit("float, 2 x e5m2, aligned25, fp16 sums", 2, "float", accumulation="aligned25",
               accumulator="fp16", **e5m2)  # fmt: skip
    for name, code in (("posit8_1", "p8e1"), ("posit16_1", "p16e1")):
        posit = parse_scalar(name)
        assert isinstance(posit, Posit)
        yield theirs(f"PACoGen multiplier, {name}", 1, f"pacogen_mult_{code}")
        yield ours(f"posit multiplier, {name}", 1, Multiplier(posit))
        parts = (f"pacogen_mult_{code}", f"pacogen_add_{code}")
        yield theirs(f"PACoGen multiplier and adder, {name}", 1, *parts, chained=True)
        yield unit(f"posit, quire, {name}", 1, "posit", lanes=1, weight=name, activation=name)
    element = make("bitmod", **PE)
    assert isinstance(element, BitmodUnit)
    components = (Aligner(element), ProcessingElement(element))
    yield theirs("BitMoD element, FP4", BITMOD_MACS, *(f"bitmod_{part}" for part in ORIGINAL))
    yield Row(
        "**bitmod element with aligner, FP4**",
        BITMOD_MACS,
        lambda goal: total([mapped(part, library, goal=goal) for part in components]),
    )
    yield theirs("BitMoD's FP16 x INT8 + FP16", 1, "bitmod_fma_fp16_int8")
    yield unit("fma, int8 x fp16 + fp16", 1, "fma", lanes=1, weight="int8", activation="fp16",
               accumulator="fp16")  # fmt: skip
    yield theirs("LUT array, int16 additions", LUT_MACS, "tmac_lut_m2n8k4_int16add")
    yield unit("lut_array, int16 entries, 32-bit sums", LUT_MACS, "lut_array", activation="int16",
               **LUT)  # fmt: skip
    yield unit("lut_array, int10 entries, 16-bit sums", LUT_MACS, "lut_array", activation="int10",
               accumulator_bits=16, **LUT)  # fmt: skip
    yield unit("lut_tensor_core, int8, tables included", LUT_MACS, "lut_tensor_core",
               activation="int8", **LUT)  # fmt: skip
    yield theirs("LUT array, fp16 additions", LUT_MACS, "tmac_lut_m2n8k4_fp16add")
    yield unit("lut_array, fp16 entries, fp16 sums", LUT_MACS, "lut_array", activation="fp16",
               accumulator="fp16", **LUT)  # fmt: skip


def total(parts: list[Figures], chained: bool = False) -> Figures:
    """Return the sum of areas, and the period of the slowest part or of all one after another."""
    delays = [part.delay for part in parts]
    return Figures(sum(part.area for part in parts), sum(delays) if chained else max(delays))


if __name__ == "__main__":
    sys.exit(main())
