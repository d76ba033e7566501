"""What docs/peers.md says around its tables, and what its units do and do not do."""

INTRODUCTION = """\
Our arithmetic beside open RTL of others, all through one flow: Yosys 0.70, ABC, OpenSTA 2.0.17, no
wires, inputs and outputs without delay. *Area* is ABC's default script, without buffers; *speed*
has buffers and sizes. Of Yosys' multiplier styles, ours is the one with the least product of area
and delay; the others' figures were measured with the default style before and are in
`sweeps/studies/peers/peers.csv`, with their commits. ABC's result moves by some per
cent with irrelevant changes of its input.
"""

EVERYTHING = """\
Rows in bold are ours, measured now, the others were measured before. For each goal: area, shortest
period, area for a MAC a cycle, and throughput per area at that period. Libraries are those of
[libraries.md](libraries.md).
"""

DIFFERENCES = """\
Area mapping inserts no buffers, so that periods of units whose selects drive many multiplexers say
little; speed mapping is fairer there. No two rows do the same:
"""

DIFFERENCES_HEADER = ("unit", "what it does", "what it does not do")

DIFFERENCES_ROWS = (
    (
        "plain `acc + a*b`",
        "sums products in a 32-bit register, clear",
        "handshake, stall, saturation, operand registers; wraps",
    ),
    (
        "**integer**",
        (
            "the same modulo 2^32; valid and ready on both sides, a result register that "
            "stalls the input; verified against the golden model"
        ),
        "saturation, operand registers; wraps, and says after how many beats",
    ),
    (
        ("FPnew multiply-add (openhwgroup/cvfpu 0ad2cd7; e4m3: pulp-platform/cvfpu e5aa6a0)"),
        (
            "`a*b + c` with one rounding, subnormals, infinity and NaN; tied to nearest even; "
            "right on 1,437 to 2,874 random vectors a format"
        ),
        "registers; a wider sum than the operands; e4m3 of OCP (1111 is infinity or NaN)",
    ),
    (
        "**multiply-add**",
        "the same function; right on exhaustive and random vectors (`tests/rtl/blocks`)",
        "registers; flags, other roundings and operations",
    ),
    (
        "ExSdotp (pulp-platform/cvfpu e5aa6a0)",
        (
            "`a*b + c*d + e`, sum twice as wide; run-time modes and flags on; equal to one "
            "rounding on 1,500 vectors of middle exponents"
        ),
        "registers; stochastic rounding is off",
    ),
    (
        "**float, 2 x e5m2, fp16 sums**",
        "two products, one rounding each, in lane order; register and handshake",
        "one rounding of both",
    ),
    (
        "**float, aligned25**",
        (
            "two products and the sum aligned to the largest exponent, truncated below 25 "
            "bits, added once"
        ),
        "correct rounding",
    ),
    (
        "PACoGen (5f6572c)",
        "posit multiplier, posit adder, combinational; zero and NaR right",
        (
            "multiply-add with one rounding, quire; rounds wrongly where the regime is long "
            "(1,896 of 32,640 products and 1,791 sums of posit8_1 by one code)"
        ),
    ),
    (
        "**posit multiplier**",
        "the same function, rounded correctly",
        "a sum",
    ),
    (
        "**posit, quire**",
        "exact sum of products, register and handshake",
        "rounding: the quire is the result",
    ),
    (
        "BitMoD element (yc2367/BitMoD b18cacb)",
        (
            "area and period of four published blocks with registers, 4 lanes, 2 cycles a "
            "4-bit weight"
        ),
        (
            "decode FP4 (1 of 16 codes is right), align the product with the accumulator, "
            "restart dequantisation; handshake; term generators not in the sum"
        ),
    ),
    (
        "**bitmod element with aligner**",
        "the element as the paper has it, verified as part of `bitmod`",
        (
            "term generators, column accumulator and control, which are not in the sum "
            "([bitmod.md](bitmod.md))"
        ),
    ),
    (
        "BitMoD's FP16 x INT8 + FP16",
        "three register ranks",
        "the right result: 0 of 6 directed vectors; subnormals are flushed",
    ),
    (
        "**fma, int8 x fp16 + fp16**",
        "one rounding, subnormals, infinity and NaN; register and handshake",
        "pipeline registers",
    ),
    (
        (
            "LUT array (microsoft/T-MAC, branch LUTTensorCore_ISCA25, c3319db, stage 1, "
            "reduced to 2 x 8, K = 4, 2-bit weights)"
        ),
        (
            "16 elements that select an entry, negate it, and add; psum registers; a bit of "
            "the weight a cycle"
        ),
        (
            "tables, weight registers, handshake. Its vendor's fp adder was replaced. *int16 "
            "additions*: the increment of the entry's exponent for the bit's weight stays as "
            "it was, so this is area, and no integer function. *fp16 additions*: FPnew's "
            "adder; a zero entry becomes non-zero in the higher bit, unless that is handled "
            "before. The published stage 2 scales multi-bit weights twice, which corrupts "
            "them"
        ),
    ),
    (
        "**lut_array**",
        (
            "the same tile with a shift for the bit's weight; right for weights of 1 to 8 "
            "bits; handshake, a result register; verified"
        ),
        "tables, which come with the beat",
    ),
    (
        "**lut_tensor_core**",
        "the same with tables of int8 sums built in the unit",
        "-",
    ),
)

ARRAYS = """\
With fp16 additions our array takes 0.70 to 0.71 of the area of the other and has more throughput
per area for both goals, at a period 12 % longer mapped for speed. With integers the nearest is that
of int10 entries (what sums of four int8 need) and 16-bit sums: smaller, but mapped for speed its
path is 2.5 times as long, with the shift for the bit's weight and a stalling register in it, so
that the other has twice its throughput per area there, for a function that is no integer sum.
"""

INTEGER = """\
Plain is one line of Verilog, `acc <= (clr ? 0 : acc) + a*b`, in Yosys' default style, and in the
best of its styles (least area times period, the rule for all our figures). *Measured before* is the
figure in `peers.csv`, which area mapping reproduces to the last digit.
"""

INTEGER_FOUND = """\
On sky130 the INT8 MAC with handshake takes 0.70 of plain's area mapped for area and 0.66 for speed,
and is 2 to 4 % faster; on asap7 0.68 in as much time. On osu018 it takes 0.62 and 0.67, and 17 and
7 % more time. Most of that is the multiplier's style, which whoever synthesises can choose: plain
in its best style is 6 to 10 % smaller than ours on sky130, which is the price of the handshake and
of the stall. Sixteen lanes take 0.68 (int8) and 0.81 (int4) mapped for area on sky130, and 25 and
15 % more time, since the style is chosen by area times period; mapped for speed they are denser
than plain in every style of it, but on osu018 with int4.
"""

MULTIPLY_ADD = """\
`a * b + c` in one format, rounded once to nearest even, with subnormals, infinity and NaN, without
registers. FPnew is `fpnew_fma` tied to multiply-add and nearest even (openhwgroup/cvfpu 0ad2cd7;
e4m3 is FP8ALT of pulp-platform/cvfpu e5aa6a0, which has infinity where e4m3 has none).
"""

MULTIPLY_ADD_FOUND = """\
Smaller and faster on sky130 for every format and goal. The exceptions elsewhere, both mapped
without buffers: fp16 on asap7 has 6 % more delay, e4m3 on osu018 7 % more area.
"""

POSIT = """\
Two codes in, one code out, without registers (PACoGen 5f6572c). Ours rounds correctly, PACoGen's
drops the rounding increment where the regime is long: 1,896 of 32,640 products of posit8_1 differ
by one code.
"""

BITMOD = """\
[A page of its own](bitmod.md). Two numbers of it: the element with its aligner is 7 % smaller than
the original's four blocks (17,793 against 19,205 um^2, sky130) with a 15 % shorter period; and an
element's share of an 8 x 8 tile is 52 % larger than an fp16 multiply-accumulate, where the paper
has it 24 % smaller. That page has both.
"""
