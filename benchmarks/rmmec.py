"""RMMEC: brick utilisation, area and energy per mode against fixed units, as a page of Markdown.

    python benchmarks/rmmec.py [--liberty sky130.lib] > docs/rmmec.md

Everything is an estimate from generic gates and toggles counted in simulation, unless a Liberty
file of sky130_fd_sc_hd is given: then the areas are synthesised, too, in tables of their own.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cost_models import estimate, technology
from cost_models.cost import Cost
from cost_models.synthesis import synthesize
from hwsim import __version__
from hwsim.units import make
from hwsim.units.operands import Operands
from hwsim.units.rmmec import FORMATS, FP4, Isolation, Mode, RmmecUnit
from rtl import yosys

STREAMS = 64
BEATS = 64
#: Neighbours that share a scale in FP4.
GROUP = 128

INTRODUCTION = """\
# RMMEC, measured

`rmmec` multiplies and accumulates four E2M1 (`fp4`), four posit(4,1), two posit(8,0) or one
posit(16,1) a beat on one datapath; `hwsim verify rmmec` proves it bit for bit. What the modes share
and how a mode switch works is in the docstring of `hwsim/units/rmmec.py`. A *fixed* unit is the
same generator with one mode: plain multipliers, and nothing of the others.

This page is the output of

```sh
python benchmarks/rmmec.py --liberty sky130_fd_sc_hd__tt_025C_1v80.lib > docs/rmmec.md
```

with the library of [libraries.md](libraries.md).

Estimates price generic gates (no library needed) and count toggles in a gate-level simulation
without glitches, so all energy here is settled energy. Synthesis is Yosys and ABC with buffers and
sizes, timed by OpenSTA. No wires, no clock tree, no clock gating. Operands are standard normal
numbers rounded to the mode's format, for E2M1 in groups of 128 scaled to its largest value.
"""

UTILISATION = """
## Use of the brick array

Bricks of 2 x 2 bits that work in a mode, of the 49 that a 14-bit significand takes. `lanes=4` reads
64 bits an operand in the 4-bit modes. posit4 significands are one bit: a brick multiplies 1 by 1.
"""

AREA = """
## Area against the four fixed units

The sum is what four separate units take, each with its own register (flip-flops: {flip_flops}).
`isolation=operands` puts AND gates before idle bricks and decoders, `results` masks what comes out
of them. Some gate is needed in any case, because bricks between two lanes must add nothing.
"""

ENERGY = """
## Energy per multiply-accumulate

Dynamic energy in pJ per MAC with the mode held, clock pins included; in parentheses those alone,
which have nothing to do with the operands. The fixed unit is the mode's own, alone. Toggles are
counted net by net, so that a gated part is told from a busy one.
"""

SHARE = """
## Power against fixed units

Energy per cycle in a mode, `isolation=operands`, against that of the mode's fixed unit alone and of
four fixed units side by side. Of these, three have constant operands and a constant register, which
is clocked all the same.
"""

PUBLISHED = """
## Published figures

XR-NPE (arXiv:2508.13049, abstract) gives, in 28 nm, 0.016 mm^2, 1.72 GHz and 14 pJ, and 42 % less
area and 38 % less power than its best earlier multiply-accumulate unit. The earlier unit's absolute
figures are not in the abstract, it is not said per what the 14 pJ are, and the public repository
has no RTL; so neither percentage can be checked here. The percentages above compare with something
else: the fixed units of this generator.

| | published, 28 nm | against |
|---|---|---|
| area | -42 % | the best earlier SIMD multiply-accumulate unit, not named with figures |
| power | -38 % | the same |
| area | 0.016 mm^2 | a whole engine, pipelined |
| clock | 1.72 GHz | the same; this unit does a beat in one cycle and is not pipelined |
"""


def unit(**parameters: int | str) -> RmmecUnit:
    """Return the unit with these parameters."""
    made = make("rmmec", **parameters)
    assert isinstance(made, RmmecUnit)
    return made


def normal_codes(mode: Mode, shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return codes of normal numbers in the mode's format."""
    x = np.random.default_rng(seed).standard_normal(shape)
    if mode is Mode.FP4:
        groups = x.reshape(len(x), -1, GROUP)
        groups *= FP4.max / np.abs(groups).max(axis=2, keepdims=True)
    return FORMATS[mode].encode(x)


def mode_operands(spec: RmmecUnit, mode: Mode) -> Operands:
    """Return normal operands that keep the unit in one mode."""
    shape = (STREAMS, BEATS * spec.lane_count(mode))
    a, w = (spec.pack_words(normal_codes(mode, shape, seed), mode) for seed in (0, 1))
    modes = np.full((STREAMS, BEATS), spec.mode_list.index(mode), np.uint8)
    return Operands(a, w, {"mode": modes} if len(spec.mode_list) > 1 else {})


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; the first column is text."""
    print("|" + "|".join(f" {cell} " for cell in header) + "|")
    print("|---|" + "---:|" * (len(header) - 1))
    for row in rows:
        print("|" + "|".join(f" {cell} " for cell in row) + "|")


def percent(value: float, reference: float) -> str:
    """Return by how much ``value`` is above or below ``reference``."""
    return f"{100 * (value / reference - 1):+.0f} %"


FULL = {"shared, isolation=operands": unit(), "shared, isolation=results": unit(
    isolation=Isolation.RESULTS)}  # fmt: skip
FIXED = {mode: unit(modes=mode) for mode in Mode}


def report_utilisation() -> None:
    """Print bricks per mode, of one and of four words."""
    print(UTILISATION)
    rows = []
    for lanes in (1, 4):
        spec = unit(lanes=lanes)
        for mode in spec.mode_list:
            used, total = len(spec.bricks(mode)), len(spec.all_bricks)
            per_lane = used // spec.lane_count(mode)
            share = f"{100 * used / total:.0f} %"
            rows.append((f"{mode}, lanes={lanes}", spec.lane_count(mode), per_lane, used, share))
    table(("mode", "products a beat", "bricks each", "bricks", "of 49"), rows)


Price = Callable[[RmmecUnit, Mode], Cost]


def report_area(title: str, price: Price) -> None:
    """Print the area and delay of the shared units and of the fixed ones."""
    print(f"\n{title}\n")
    fixed = {mode: price(spec, mode) for mode, spec in FIXED.items()}
    total = sum(cost.area_um2 for cost in fixed.values())
    slowest = max(cost.delay_ns for cost in fixed.values())
    rows = [(f"fixed {m}", f"{c.area_um2:.1f}", f"{c.delay_ns:.2f}", "") for m, c in fixed.items()]
    rows.append(("four fixed units", f"{total:.1f}", f"{slowest:.2f}", ""))
    shared = {**FULL, "shared, lanes=4": unit(lanes=4)}
    for label, spec in shared.items():
        cost = price(spec, Mode.POSIT16)
        area = cost.area_um2
        rows.append((label, f"{area:.1f}", f"{cost.delay_ns:.2f}", percent(area, total)))
    table(("unit", "area um^2", "period ns", "area against the four"), rows)


def report_energy(title: str, price: Price) -> None:
    """Print energy per MAC by mode, with and without isolation, and of the fixed units."""
    print(f"\n{title}\n")
    rows = []
    for mode in Mode:
        costs = [price(spec, mode) for spec in (*FULL.values(), FIXED[mode])]
        cells = [
            f"{c.settled_energy_pj_per_mac:.4f} ({c.clock_energy_pj_per_mac:.4f})" for c in costs
        ]
        isolated, masked, fixed = (cost.settled_energy_pj_per_mac for cost in costs)
        wide = price(unit(lanes=4), mode).settled_energy_pj_per_mac
        saving = percent(isolated, masked)
        rows.append((mode, *cells, saving, percent(isolated, fixed), f"{wide:.4f}"))
    table(
        (
            "mode",
            *FULL,
            "fixed",
            "operands against results",
            "shared against fixed",
            "shared, lanes=4",
        ),
        rows,
    )


def report_power(title: str, price: Price) -> None:
    """Print energy per cycle against one and four fixed units."""
    print(f"\n{title}\n")
    rows = []
    (shared, _) = FULL.values()
    clocks = {mode: price(spec, mode).clock_pj for mode, spec in FIXED.items()}
    for mode in Mode:
        energy, fixed = price(shared, mode).settled_pj, price(FIXED[mode], mode).settled_pj
        four = fixed + sum(clock for other, clock in clocks.items() if other is not mode)
        rows.append((mode, f"{energy:.3f}", percent(energy, fixed), percent(energy, four)))
    table(("mode", "shared, pJ a cycle", "against its fixed unit", "against four"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="RMMEC measured")
    parser.add_argument("--liberty", type=Path, help="sky130_fd_sc_hd, unpacked")
    options = parser.parse_args()
    names = technology.names()
    measured: dict[tuple[str, Mode], estimate.Features] = {}

    def estimated(name: str) -> Price:
        loaded = technology.load(name)

        def price(spec: RmmecUnit, mode: Mode) -> Cost:
            key = (spec.name, mode)
            if key not in measured:
                measured[key] = estimate.features(spec, mode_operands(spec, mode))
            return estimate.price(spec, measured[key], loaded)

        return price

    print(INTRODUCTION)
    print(f"hwsim {__version__}, Yosys {yosys.version()}.")
    report_utilisation()
    registers = {
        label: int(estimated(names[0])(spec, spec.mode_list[-1]).provenance["gates"]["DFF"])
        for label, spec in [*FIXED.items(), ("shared", unit())]
    }
    shared = registers.pop("shared")
    print(AREA.format(flip_flops=f"{sum(registers.values())} against {shared}"), end="")
    for name in names:
        report_area(f"{name}, estimate:", estimated(name))
    if options.liberty:
        library = [options.liberty.resolve()]
        report_area(
            "sky130, synthesis:",
            lambda spec, mode: synthesize(spec, "sky130", library, mode_operands(spec, mode)),
        )
    print(ENERGY, end="")
    for name in names:
        report_energy(f"{name}, estimate:", estimated(name))
    print(SHARE, end="")
    for name in names:
        report_power(f"{name}, estimate:", estimated(name))
    print(PUBLISHED, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
