"""Clock gating: registers that keep their value for a cycle take no clock in it.

A register that is loaded in some cycles only has an enable. Without clock gating the enable is a
multiplexer before every flip-flop, and all of them are clocked in every cycle. With it, one clock
gate makes a clock for all flip-flops of an enable, which has an edge only where the enable was 1
before it. A reset has to reach the flip-flops when the enable is 0, so the gate of a register with
a reset is opened by either, and the reset goes before the data.

A gate takes area, and energy of its own in every cycle, so enables of few flip-flops stay
multiplexers.
"""

from pathlib import Path

#: Flip-flops of an enable from which their clock is gated.
SMALLEST_GROUP = 4

#: File that :data:`COMMANDS` read.
_MAP = "reset_opens.v"
#: Registers whose reset acts without their enable, as such with an enable alone.
RESET_OPENS = r"""module \$_SDFFE_PP0P_ (input C, D, E, R, output Q);
wire e, n, d;
\$_OR_ opens (.A(E), .B(R), .Y(e));
\$_NOT_ inverse (.A(R), .Y(n));
\$_AND_ data (.A(D), .B(n), .Y(d));
\$_DFFE_PP_ register (.C(C), .D(d), .E(e), .Q(Q));
endmodule
module \$_SDFFE_PP1P_ (input C, D, E, R, output Q);
wire e, d;
\$_OR_ opens (.A(E), .B(R), .Y(e));
\$_OR_ data (.A(D), .B(R), .Y(d));
\$_DFFE_PP_ register (.C(C), .D(d), .E(e), .Q(Q));
endmodule
"""

#: Yosys commands that leave plain flip-flops and, in groups, flip-flops with an enable.
COMMANDS = (
    "dfflegalize -cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01 -cell $_SDFF_PP?_ 01 "
    f"-cell $_SDFFE_PP?P_ 01 -mince {SMALLEST_GROUP}",
    f"techmap -map {_MAP}",
    # One net opens a register, not one for each of its bits, and by one name.
    "opt_merge",
    "opt_clean",
    f"dfflegalize -cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01 -mince {SMALLEST_GROUP}",
)


def write_map(folder: Path) -> None:
    """Write the file that ``COMMANDS`` read to the folder that they run in."""
    (folder / _MAP).write_text(RESET_OPENS)
