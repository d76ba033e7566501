"""Multiply-add with one rounding, beside FPnew's: area and delay by one flow.

    python benchmarks/fma.py [--technology sky130 --liberty FILE...]

Both are combinational: a * b + c in one format, rounded once to nearest even, with subnormals,
infinity and NaN. Without arguments the cell library is osu018, which is found where
``apt-get install qflow-tech-osu018`` puts it.
"""

import argparse
import sys
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from mapping import Figures, Goal, mapped

from cost_models.synthesis.liberty import opened
from hwsim.formats.minifloat import NAMED, Minifloat
from rtl.blocks.fma import FusedAdd, multiply, operand

#: openhwgroup/cvfpu 0ad2cd7 (FP8ALT: pulp-platform/cvfpu e5aa6a0), `fpnew_fma` without pipeline
#: registers, tied to FMADD and nearest even, through Yosys 0.70 and OpenSTA 2.0.17: um^2 and ns,
#: mapped for area and for speed. FP8ALT has infinity, which e4m3 has not.
FPNEW = {
    "e5m2": {
        "asap7": (Figures(50.87, 1.902), Figures(61.53, 1.275)),
        "sky130": (Figures(3468, 14.34), Figures(4208, 7.25)),
        "osu018": (Figures(23694, 9.75), Figures(23699, 8.34)),
    },
    "e4m3": {
        "asap7": (Figures(52.3, 2.03), Figures(66.4, 1.33)),
        "sky130": (Figures(3602, 14.4), Figures(4389, 7.74)),
        "osu018": (Figures(22359, 9.97), Figures(24584, 8.84)),
    },
    "bf16": {
        "asap7": (Figures(118.05, 3.062), Figures(142.37, 1.852)),
        "sky130": (Figures(8343, 21.43), Figures(10235, 10.96)),
        "osu018": (Figures(54034, 15.70), Figures(55132, 12.52)),
    },
    "fp16": {
        "asap7": (Figures(158.89, 3.062), Figures(196.45, 2.040)),
        "sky130": (Figures(11306, 24.91), Figures(13225, 11.46)),
        "osu018": (Figures(77152, 18.07), Figures(74623, 12.78)),
    },
}


GOALS: tuple[Goal, ...] = ("area", "speed")


class MultiplyAdd(wiring.Component):
    """``a * b + c`` in one format, combinational."""

    def __init__(self, fmt: Minifloat) -> None:
        self.fmt = fmt
        super().__init__({name: In(fmt.bits) for name in "abc"} | {"o": Out(fmt.bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = (operand(m, self.fmt, code, name) for code, name in ((self.a, "a"), (self.b, "b")))
        product = multiply(m, a, b, "product")
        m.d.comb += self.o.eq(FusedAdd(self.fmt, product).sum(m, self.c, "sum"))
        return m


def main() -> int:
    parser = argparse.ArgumentParser(description="Multiply-add beside FPnew's")
    parser.add_argument("--technology", default="osu018", choices=("asap7", "sky130", "osu018"))
    parser.add_argument("--liberty", type=Path, nargs="+", metavar="FILE")
    options = parser.parse_args()
    print(f"{options.technology}, synthesis, no wires: area in um^2, delay in ns")
    print("format  mapped for   ours: area   delay   FPnew: area   delay   ratio: area  delay")
    with opened(options.technology, options.liberty) as library:
        for name, peers in FPNEW.items():
            component = MultiplyAdd(NAMED[name])
            for goal, peer in zip(GOALS, peers[options.technology], strict=True):
                ours = mapped(component, library, goal=goal)
                line = f"{name:7} {goal:10} {ours.area:12.1f} {ours.delay:7.2f}"
                line += f" {peer.area:13.1f} {peer.delay:7.2f}"
                line += f" {ours.area / peer.area:13.2f} {ours.delay / peer.delay:6.2f}"
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
