"""Memories, other nodes, published costs: what hwsim's commands print of them.

The page shows commands with their output, so they are run as a user runs them, in processes of
their own; it takes about half a minute.
"""

from sweeps.studies.page import Console, Page, Piece, Table


def page() -> Page:
    """Return the page."""
    return Page("Memories, other nodes, published costs", PIECES)


PIECES: list[Piece] = [
    """\
Numbers that hwsim did not measure. Each comes with its source and the evidence for it, and below
each command is what it prints.
""",
    Table(
        ["evidence", "meaning"],
        [
            ["computed", "the source's program was run with the settings that the source names"],
            ["read", "taken from the source itself"],
            ["secondary", "taken from a text or program that quotes the source"],
            ["recalled", "generally known, but found in no text; look it up before relying on it"],
        ],
    ),
    "## SRAM",
    Console(
        [
            "hwsim memory sram capacity=32768 node=45",
            "hwsim memory sram capacity=65536 node=22 table=cacti7-lop width=128 banks=2",
            "hwsim memory sram capacity=65536 node=7 table=jouppi2021",
        ]
    ),
    """\
`hwsim memory sram` lists the tables, their nodes and capacities. Capacities between two of a table
are interpolated with a power law, and the evidence is that of the weaker neighbour. Outside the
table, and at nodes that it does not have, there is an error and no number.

How far off is the interpolation? Leaving out each inner capacity of the CACTI tables in turn, and
interpolating between its neighbours, which are then twice as far apart, gives errors of at most:
read energy 24 %, write energy 16 %, area 20 %, leakage 8 %, access time 21 %, cycle time 40 %.
CACTI organises each capacity anew, so its numbers are not smooth.

The macros have one bank and one 64-bit port. A width of 128 is two macros side by side, so an
access costs twice as much; banks add area, leakage and bandwidth. Nothing is counted between
macros. Widths that are no multiple of 64 are refused: a narrower access costs a whole one.

The tables disagree. At 45 nm, Horowitz's read energies are 1.2 to 1.7 times CACTI's; and Jouppi's
7.5 pJ for 8 KiB at 7 nm is more than CACTI says for 22 nm (1.7 pJ):
""",
    Console(
        [
            "hwsim memory sram capacity=8192 node=45 table=horowitz2014",
            "hwsim memory sram capacity=8192 node=22",
        ]
    ),
    "## Register file",
    Console(["hwsim memory regfile words=32 width=64"]),
    """\
The table has one flip-flop at 40 nm: no decoder, no read multiplexers, no clock power of the words
that are not accessed. Above 1024 bytes, where SRAM begins, it is an error.

## DRAM
""",
    Console(["hwsim memory dram", "hwsim memory dram kind=hbm2 boundary=device"]),
    """\
The boundary says what is counted, which changes the number by a factor of two to three; a kind with
several boundaries needs one. No source separates reads from writes. The sources contradict each
other here, too: one has for the interface of HBM2 what another has for the whole device. The tables
have neither bandwidth nor area of DRAM.

## Other nodes

45, 28 and 16 nm have no cell library here. A cost at 7 or 130 nm is multiplied with what two
published scalings say, and the result is the range over both:
""",
    Console(["hwsim cost integer lanes=4 weight=int8 activation=int8 --scale-to 28"]),
    Table(
        ["from", "area", "delay, energy"],
        [
            ["`asap7`, 7 nm", "yes", "yes"],
            [
                "`sky130`, 130 nm",
                "yes",
                (
                    "no: it runs at 1.8 V, and the sources scale 130 nm at its nominal "
                    "supply, which is lower"
                ),
            ],
            ["`osu018`, 180 nm", "no", "no: only one of the sources has 180 nm"],
        ],
    ),
    """\
Stillmaker & Baas has no 28 nm and DeepScaleTool no 16 nm; these lie between two of their nodes, on
a power law. Leakage is not scaled: neither source has it.

The bands are what two sources say, no confidence intervals. The two bands for the area above do not
overlap, and of published numbers at 28 nm for INT8,
""",
    Console(['hwsim published unit="A100 INT8 TC" metric=*_per_mac']),
    """\
the area, 609 um^2 for 4 MAC, lies in the band from `sky130` and below the one from `asap7`, and the
energy, 0.40 pJ for 4 MAC, is a fifteenth of the lower end. Part of that is the unit (a tensor core
has more lanes, and its operands are not known), part the glitches, and part the
scaling. Compare units at the node of a
library, and take bands for orders of magnitude.

## Published costs
""",
    Console(["hwsim published node=28 metric=area_per_mac weight=INT8"]),
    """\
`hwsim published` lists all 545 numbers, `key=pattern` chooses by system, unit, weight, activation,
node, metric or evidence, and `--json` prints them for programs. They are of a class of their own
(`cost_models.published.Published`), which nothing converts to a cost. 420 of them are Bit Fusion's
systolic arrays. Units and formats are named as in the source. *Derived* means arithmetic on the
source's numbers, such as power over clock.

Not listed are ratios to another design, whole systems on FPGA and CPU, numbers without unit or
node, numbers whose basis the source leaves unclear, and what only an unnamed third party states.
Numbers marked *recalled* are those of a known table for which no text was at hand, Horowitz' areas
and the energies of TPUv4i at 7 nm: look them up before relying on them. What the estimates are next
to all these is in [external.md](external.md).
""",
]
