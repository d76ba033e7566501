"""Integer multiply-accumulate beside plain ``acc + a * b``: area and period by one flow.

    python benchmarks/integer.py [--technology sky130 --liberty FILE...]

Plain is a line of Verilog, ``acc <= (clr ? 0 : acc) + a0 * b0 + a1 * b1 + ...`` with a 32-bit
register, through Yosys' default synthesis, and once more in the best of its multiplier styles. Ours
is the `integer` unit, with valid and ready on both sides and a result register that can stall.
Without arguments the cell library is osu018, which is found where
``apt-get install qflow-tech-osu018`` puts it.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple, get_args

from mapping import Figures, Goal, mapped
from peer_figures import TECHNOLOGIES, peer

import rtl
from cost_models.synthesis.liberty import opened
from hwsim.units import make


class Shape(NamedTuple):
    """A dot product, and the name of plain Verilog for it in `peers.csv`."""

    lanes: int
    weight: int
    activation: int
    peer: str


SHAPES = (
    Shape(1, 8, 8, "base_mac_s8xs8_acc32"),
    Shape(16, 8, 8, "base_dot16_s8xs8_acc32"),
    Shape(16, 4, 8, "base_dot16_s4xs8_acc32"),
)


def plain(shape: Shape) -> str:
    """Return the sum of products as one would write it."""
    weights = [f"b[{k * shape.weight} +: {shape.weight}]" for k in range(shape.lanes)]
    activations = [f"a[{k * shape.activation} +: {shape.activation}]" for k in range(shape.lanes)]
    products = [f"$signed({a}) * $signed({b})" for a, b in zip(activations, weights, strict=True)]
    return f"""
module top(
  input clk, clr,
  input [{shape.lanes * shape.activation - 1}:0] a, input [{shape.lanes * shape.weight - 1}:0] b,
  output reg signed [31:0] acc
);
  always @(posedge clk) acc <= (clr ? 32'sd0 : acc) + {" + ".join(products)};
endmodule
"""


def density(shape: Shape, figures: Figures) -> float:
    """Return GMAC/s per mm^2 at the shortest period."""
    return shape.lanes / figures.delay / figures.area * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description="Integer units beside plain acc + a * b")
    parser.add_argument("--technology", default="osu018", choices=TECHNOLOGIES)
    parser.add_argument("--liberty", type=Path, nargs="+", metavar="FILE")
    options = parser.parse_args()
    print(f"{options.technology}, synthesis, no wires: um^2, ns, and GMAC/s/mm^2 at that period")
    print(f"{'':20} {'plain, default style':25} {'measured before':16} {'plain, best style':25} "
          f"{'ours, with handshake':25} ours / plain default")  # fmt: skip
    three = "     area period  density"
    print(f"dot product   mapped{three}      area period {three} {three}   area period density")
    with opened(options.technology, options.liberty) as library:
        for shape in SHAPES:
            text = plain(shape)
            unit = make(
                "integer",
                lanes=shape.lanes,
                weight=f"int{shape.weight}",
                activation=f"int{shape.activation}",
            )
            component = rtl.create(unit)
            for goal in get_args(Goal):
                default = mapped(text, library, goal=goal, style="default")
                before = peer(shape.peer, options.technology, goal)
                best = mapped(text, library, goal=goal)
                ours = mapped(component, library, goal=goal)
                line = f"{shape.lanes:2} x i{shape.weight} x i{shape.activation}  {goal:6}"
                for figures in (default, before, best, ours):
                    line += f" {figures.area:9.1f} {figures.delay:6.2f}"
                    if figures is not before:
                        line += f" {density(shape, figures):8.1f}"
                line += f" {ours.area / default.area:6.3f} {ours.delay / default.delay:6.3f}"
                line += f" {density(shape, ours) / density(shape, default):7.2f}"
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
