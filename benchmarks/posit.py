"""Posit multipliers: area and delay beside those of PACoGen, by one command.

    python benchmarks/posit.py --liberty sky130.lib

Two codes in, one code out, combinational, as PACoGen's, and mapped as they were: Yosys'
`synth -flatten` in its best multiplier style, ABC's default script, no buffers and no sizing. Ours
round correctly; `hwsim verify posit` compares all pairs of posit8_1 with exact products,
`tests/rtl/blocks` those of other sizes. PACoGen drops the rounding increment where the regime is
long, which makes 1,896 of 32,640 products of posit8_1 wrong by one code.
"""

import argparse
import sys
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from mapping import mapped
from peer_figures import peer

from cost_models.synthesis.liberty import opened
from hwsim.formats import parse_scalar
from hwsim.formats.posit import Posit
from rtl.blocks import posit

#: Multipliers of PACoGen (5f6572c) in `peers.csv`, by the format of operands and result.
PACOGEN = {"posit8_1": "pacogen_mult_p8e1", "posit8_2": "pacogen_mult_p8e2",
           "posit16_1": "pacogen_mult_p16e1", "posit16_2": "pacogen_mult_p16e2"}  # fmt: skip


class Multiplier(wiring.Component):
    """A posit multiplier: ``o`` is the product of ``a`` and ``b``, rounded once.

    Parameters
    ----------
    fmt : Posit
        Format of both operands and of the result.
    """

    def __init__(self, fmt: Posit) -> None:
        self.fmt = fmt
        super().__init__({"a": In(fmt.width), "b": In(fmt.width), "o": Out(fmt.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a = posit.decode(m, self.fmt, self.a, "a")
        b = posit.decode(m, self.fmt, self.b, "b")
        m.d.comb += self.o.eq(posit.multiply(m, self.fmt, a, b, "product"))
        return m


def main() -> int:
    parser = argparse.ArgumentParser(description="Posit multipliers measured")
    parser.add_argument("--liberty", type=Path, required=True, help="sky130_fd_sc_hd")
    liberty = parser.parse_args().liberty
    print("sky130, default ABC script       ours, rounding right     PACoGen, measured before")
    print("  combinational multiplier       area um^2   delay ns     area um^2   delay ns")
    with opened("sky130", [liberty]) as library:
        for name, theirs in PACOGEN.items():
            area, delay = peer(theirs, "sky130")
            fmt = parse_scalar(name)
            assert isinstance(fmt, Posit)
            ours = mapped(Multiplier(fmt), library)
            print(f"  {name:28} {ours.area:12.0f} {ours.delay:10.2f} {area:13.0f} {delay:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
