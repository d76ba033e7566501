"""Our arithmetic beside public RTL of others, per throughput, by one flow.

Area and period, um^2 for a MAC a cycle, and GMAC/s/mm^2 at the shortest period, mapped for area and
for speed. Rows of others were measured before in the same flow (``peers.csv``, with commits); ours
are mapped to the libraries that are given. The large table is of sky130, the others of every one.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hwsim.errors import InputError
from hwsim.tables import number
from sweeps.studies.page import Cell, Page, Piece, Table
from sweeps.studies.peers import prose
from sweeps.studies.peers.designs import FORMATS, POSITS, SHAPES, Shape
from sweeps.studies.peers.mapping import GOALS, Figures, Goal, Mapped, Task, mapped, peer

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

#: A beat of the LUT array has 2 x 8 x 4 products and takes 2 cycles, one a bit of the weight.
LUT_MACS = 32
#: Four lanes in the two cycles of a 4-bit weight.
BITMOD_MACS = 2
#: Blocks of the RTL of yc2367/BitMoD (b18cacb), in ``peers.csv``. It does not compute BitMoD: FP4
#: decodes right for 1 of 16 codes, and the accumulator does not align its operand.
ORIGINAL = ("exp_match", "bs_mul", "grp_accum", "dequant")


class Row(NamedTuple):
    """A unit and its MAC per cycle: designs of ours, or units of others in ``peers.csv``.

    Several parts stand beside each other, or, ``chained``, one after another in one cycle.
    """

    name: str
    macs: int
    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()
    chained: bool = False

    def figures(self, figures: Mapped, technology: str, goal: Goal) -> Figures:
        """Return the sum of areas, and the period of the slowest part or of all parts."""
        parts = [figures[Task(design, technology, goal)] for design in self.ours]
        parts += [peer(unit, technology, goal) for unit in self.theirs]
        delays = [part.delay for part in parts]
        return Figures(
            sum(part.area for part in parts), sum(delays) if self.chained else max(delays)
        )


def page(libraries: "Mapping[str, Library]") -> Page:
    """Return the page, of the libraries that are given."""
    if not libraries:
        raise InputError("the study peers maps our units: --liberty is missing; see libraries.md")
    first = "sky130" if "sky130" in libraries else next(iter(libraries))
    figures = mapped(libraries)
    pieces: list[Piece] = [
        prose.INTRODUCTION,
        "## Everything, per throughput",
        prose.EVERYTHING,
        f"{first}, mapped for area, then for speed:",
        _everything(figures, first),
        prose.DIFFERENCES,
        Table(prose.DIFFERENCES_HEADER, prose.DIFFERENCES_ROWS),
        prose.ARRAYS,
        "## Integer multiply-accumulate",
        prose.INTEGER,
    ]
    for technology in libraries:
        pieces += [f"{technology}:", _integers(figures, technology)]
    pieces += [prose.INTEGER_FOUND, "## Multiply-add with one rounding: FPnew", prose.MULTIPLY_ADD]
    for technology in libraries:
        pieces += [f"{technology}:", _multiply_adds(figures, technology)]
    pieces += [prose.MULTIPLY_ADD_FOUND, "## Posit multiplier: PACoGen", prose.POSIT]
    pieces += [f"{first}, mapped for area:", _posits(figures, first), "## BitMoD", prose.BITMOD]
    return Page(
        "Beside public RTL", pieces, partial(figures.measure, _tasks(first, list(libraries)))
    )


def rows() -> list[Row]:
    """Return the rows of the large table, those of a kind of unit together."""
    found = []
    for shape in SHAPES:
        found += [
            Row(f"plain acc + a*b, {shape}", shape.lanes, theirs=(shape.peer,)),
            Row(f"integer, {shape}", shape.lanes, ours=(f"integer, {shape}",)),
        ]
    for name in FORMATS:
        found += [
            Row(f"FPnew multiply-add, {name}", 1, theirs=(f"fpnew_fma_{name}",)),
            Row(f"multiply-add, {name}", 1, ours=(f"multiply-add, {name}",)),
        ]
    found.append(Row("ExSdotp, 2 x e5m2 + fp16", 2, theirs=("fpnewpulp_sdotp_fp8_to_fp16_p0",)))
    for name in ("float, 2 x e5m2, fp16 sums", "float, 2 x e5m2, aligned25, fp16 sums"):
        found.append(Row(name, 2, ours=(name,)))
    for name, code in (("posit8_1", "p8e1"), ("posit16_1", "p16e1")):
        parts = (f"pacogen_mult_{code}", f"pacogen_add_{code}")
        found += [
            Row(f"PACoGen multiplier, {name}", 1, theirs=parts[:1]),
            Row(f"posit multiplier, {name}", 1, ours=(f"posit multiplier, {name}",)),
            Row(f"PACoGen multiplier and adder, {name}", 1, theirs=parts, chained=True),
            Row(f"posit, quire, {name}", 1, ours=(f"posit, quire, {name}",)),
        ]
    fused = "fma, int8 x fp16 + fp16"
    found += [
        Row("BitMoD element, FP4", BITMOD_MACS, theirs=tuple(f"bitmod_{p}" for p in ORIGINAL)),
        Row("bitmod element with aligner, FP4", BITMOD_MACS,
            ours=("bitmod aligner", "bitmod processing element")),
        Row("BitMoD's FP16 x INT8 + FP16", 1, theirs=("bitmod_fma_fp16_int8",)),
        Row(fused, 1, ours=(fused,)),
        Row("LUT array, int16 additions", LUT_MACS, theirs=("tmac_lut_m2n8k4_int16add",)),
    ]  # fmt: skip
    for name in ("lut_array, int16 entries, 32-bit sums", "lut_array, int10 entries, 16-bit sums",
                 "lut_tensor_core, int8, tables included"):  # fmt: skip
        found.append(Row(name, LUT_MACS, ours=(name,)))
    name = "lut_array, fp16 entries, fp16 sums"
    found += [
        Row("LUT array, fp16 additions", LUT_MACS, theirs=("tmac_lut_m2n8k4_fp16add",)),
        Row(name, LUT_MACS, ours=(name,)),
    ]
    return found


def _tasks(first: str, technologies: list[str]) -> list[Task]:
    """Return everything that is mapped."""
    designs = [design for row in rows() for design in row.ours]
    return [
        *(Task(design, first, goal) for design in designs for goal in GOALS),
        *(Task(f"posit multiplier, {name}", first) for name in POSITS),
        *(
            Task(f"multiply-add, {name}", technology, goal)
            for technology in technologies
            for name in FORMATS
            for goal in GOALS
        ),
        *(
            task
            for technology in technologies
            for shape in SHAPES
            for goal in GOALS
            for task in _integer_tasks(shape, technology, goal)
        ),
    ]


def _everything(figures: Mapped, technology: str) -> Table:
    """Return the large table: area, shortest period, and what they are worth, for both goals."""

    def cells(row: Row, goal: Goal) -> list[Cell]:
        def found() -> Figures:
            return row.figures(figures, technology, goal)

        return [
            lambda: number(found().area),
            lambda: number(found().delay),
            lambda: number(found().area / row.macs),
            lambda: number(row.macs / found().delay / found().area * 1e6),
        ]

    return Table(
        [
            "unit",
            "MAC/cycle",
            *(
                heading
                for goal in GOALS
                for heading in (
                    f"for {goal}: area um^2",
                    "period ns",
                    "um^2 per MAC/cycle",
                    "GMAC/s/mm^2",
                )
            ),
        ],
        [
            [
                f"**{row.name}**" if row.ours else row.name,
                str(row.macs),
                *(cell for goal in GOALS for cell in cells(row, goal)),
            ]
            for row in rows()
        ],
    )


def _integer_tasks(shape: Shape, technology: str, goal: Goal) -> tuple[Task, Task, Task]:
    """Return plain in the default style, plain in the best one, and ours."""
    plain = Task(f"plain acc + a*b, {shape}", technology, goal)
    return (
        plain._replace(style="default"),
        plain,
        Task(f"integer, {shape}", technology, goal),
    )


def _integers(figures: Mapped, technology: str) -> Table:
    """Return integer units beside plain Verilog."""

    def row(shape: Shape, goal: Goal) -> list[Cell]:
        default, best, ours = _integer_tasks(shape, technology, goal)

        def density(task: Task) -> float:
            return shape.lanes / figures[task].delay / figures[task].area * 1e6

        def all_three(task: Task) -> list[Cell]:
            return [*_two(figures, task), lambda: number(density(task))]

        before = peer(shape.peer, technology, goal)
        return [
            str(shape), goal, *all_three(default), number(before.area), number(before.delay),
            *all_three(best), *all_three(ours),
            lambda: f"{figures[ours].area / figures[default].area:.3f}",
            lambda: f"{figures[ours].delay / figures[default].delay:.3f}",
            lambda: f"{density(ours) / density(default):.2f}",
        ]  # fmt: skip

    three = ["area um^2", "period ns", "GMAC/s/mm^2"]
    return Table(
        [
            "dot product", "mapped for",
            *(f"plain, default style: {three[0]}", *three[1:]),
            *("measured before: area um^2", "period ns"),
            *(f"plain, best style: {three[0]}", *three[1:]),
            *(f"ours, with handshake: {three[0]}", *three[1:]),
            *("ours / plain default: area", "period", "GMAC/s/mm^2"),
        ],
        [row(shape, goal) for shape in SHAPES for goal in GOALS],
    )  # fmt: skip


def _two(figures: Mapped, task: Task) -> list[Cell]:
    return [lambda: number(figures[task].area), lambda: number(figures[task].delay)]


def _beside(figures: Mapped, task: Task, theirs: Figures) -> list[Cell]:
    """Return our figures, those of others, and the quotients."""
    return [
        *_two(figures, task),
        number(theirs.area),
        number(theirs.delay),
        lambda: f"{figures[task].area / theirs.area:.2f}",
        lambda: f"{figures[task].delay / theirs.delay:.2f}",
    ]


def _multiply_adds(figures: Mapped, technology: str) -> Table:
    """Return multiply-adds beside FPnew's."""
    return Table(
        ["format", "mapped for", "ours: area um^2", "delay ns", "FPnew: area um^2", "delay ns",
         "ours / FPnew: area", "delay"],
        [
            [name, goal, *_beside(figures, Task(f"multiply-add, {name}", technology, goal),
                                  peer(f"fpnew_fma_{name}", technology, goal))]
            for name in FORMATS
            for goal in GOALS
        ],
    )  # fmt: skip


def _posits(figures: Mapped, technology: str) -> Table:
    """Return posit multipliers beside those of PACoGen."""

    def theirs(name: str) -> Figures:
        size, exponent = name.removeprefix("posit").split("_")
        return peer(f"pacogen_mult_p{size}e{exponent}", technology)

    return Table(
        ["multiplier", "ours, rounding right: area um^2", "delay ns",
         "PACoGen, measured before: area um^2", "delay ns", "ours / PACoGen: area", "delay"],
        [
            [name, *_beside(figures, Task(f"posit multiplier, {name}", technology), theirs(name))]
            for name in POSITS
        ],
    )  # fmt: skip
