"""BitMoD's speed-ups: published, by its published assumptions, and by hwsim's own model.

The first are constants, the second those of :mod:`hwsim.accelerator.bitmod_artifact`. From there
one assumption after the other is replaced by what :mod:`hwsim.accelerator.simulation` does, to the
point where arrays have the area that hwsim estimates. Cycles are of a clock of 1 ns throughout, so
DRAM of 32 GB/s moves 256 bits a cycle.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache, partial
from statistics import fmean
from typing import NamedTuple

import numpy as np

from cost_models.accelerator import Prices, array_area_um2
from cost_models.array_size import Within, fit
from hwsim.accelerator.bitmod_artifact import (
    ACCELERATORS,
    ACTIVATION_BITS,
    BUFFER_BYTES,
    DRAM_BITS_PER_CYCLE,
    GENERATED,
    MODELS,
    PROMPT,
    TASKS,
    energy_saving,
    run_phase,
)
from hwsim.accelerator.cycles import Convention
from hwsim.accelerator.layer_formats import LayerFormats
from hwsim.accelerator.memory import Dram, Memories, Sram
from hwsim.accelerator.simulation import BOUNDS, Accelerator, Layers, layers, simulate, times
from hwsim.accelerator.specification import load
from hwsim.accelerator.workload import DECODE, PREFILL, Workload, workload
from hwsim.tables import number, percent
from hwsim.units import UnitSpec, make
from hwsim.units.layers import GROUP
from sweeps.studies.page import Cell, Page, Piece, Table, paragraph

PHASES = (PREFILL, DECODE)
TECHNOLOGY = "asap7"
#: Rows and columns of BitMoD's tiles; the paper's have 8.
TILE = 4
PERIOD_NS = 1.0
#: Which model stands for all where one is taken apart.
SHOWN = "llama-2-7b"


class Ratio(NamedTuple):
    """Two accelerators that are compared."""

    faster: str
    slower: str

    def __str__(self) -> str:
        return f"{TITLES[self.faster]} / {TITLES[self.slower]}"


TITLES = {
    "fp16": "FP16", "ant": "ANT", "olive": "OliVe", "bitmod_lossless": "BitMoD lossless",
    "bitmod_lossy": "BitMoD lossy",
}  # fmt: skip
LOSSLESS, ANT, OLIVE = (
    Ratio("bitmod_lossless", "fp16"), Ratio("bitmod_lossy", "ant"), Ratio("bitmod_lossy", "olive"),
)  # fmt: skip
RATIOS = (LOSSLESS, ANT, OLIVE)
#: Section V-C of the paper, by task.
PUBLISHED_SPEED = {
    LOSSLESS: dict(zip(TASKS, (1.99, 2.41), strict=True)),
    ANT: dict(zip(TASKS, (1.72, 1.66), strict=True)),
    OLIVE: dict(zip(TASKS, (1.56, 1.39), strict=True)),
}
#: The same, means of both tasks.
PUBLISHED_ENERGY = {LOSSLESS: 2.31, ANT: 1.48, OLIVE: 1.31}


class Step(IntEnum):
    """What is assumed; each step keeps what the ones before it replaced."""

    PUBLISHED = 0
    ATTENTION = 1
    TRANSFERS = 2
    HALVES = 3
    KEYS_AND_VALUES = 4
    METADATA = 5
    FILL = 6
    SHAPE = 7
    AREA = 8


WHAT_CHANGES = {
    Step.PUBLISHED: "the published assumptions",
    Step.ATTENTION: "attention has the products that the models have",
    Step.TRANSFERS: "operands are fetched by strips, the first and the last exposed",
    Step.HALVES: "one half of a buffer is filled while the array uses the other",
    Step.KEYS_AND_VALUES: "BitMoD's keys and values are INT8 in DRAM and take 4 cycles",
    Step.METADATA: "scales and selectors of groups are read, too",
    Step.FILL: "arrays are filled and drained as `array` is; groups that are cut short are padded",
    Step.SHAPE: "tokens are generated on the array of the prompt",
    Step.AREA: "arrays are the fastest in the FP16 array's area by our estimates",
}


INTRODUCTION = """
BitMoD (Chen et al., HPCA 2025) compares accelerators of about the same area on six language models,
at batch 1, with DRAM of 32 GB/s: a prompt of 256 tokens (*discriminative*), or the prompt and 20
tokens after it (*generative*). *Lossless* has 6-bit weights, *lossy* 4-bit ones for the prompt and
3-bit ones for the tokens after it. `hwsim.accelerator.bitmod_artifact` computes it as the authors'
simulator does; `hwsim simulate` does not, and this page says what that changes. Published figures
are those of the paper's section V-C; all others are computed, no measurement of a chip among them.
"""

REPRODUCED = """
Speed-ups are arithmetic means of six models over FP16, one divided by the other, as the authors'
notebooks have them, where they are called geometric. The cycles of every single pass are those of
the notebooks, digit by digit (`tests/accelerator/test_bitmod_artifact.py`).
"""

STEPS = """
From one row to the next one assumption is replaced, and stays so. Arrays, buffers, bandwidth and
means are the published ones up to the last two rows. ANT and OliVe are as they are in that
evaluation, which is not as their authors built them: FP16 activations, a product a cycle an
element, and bits of weights that are means over layers. hwsim has no unit for the pairs of OliVe;
an FP16 by INT4 multiply-add stands for it, and an FP16 multiplier behind ANT's decoder for ANT.
Both are smaller than what they stand for, and 16-bit keys and values, which the evaluation lets
them have, would not go through them.
"""

WHY = """
**Attention.** The published simulator gives every head the whole hidden size as its inner
dimension, so the scores of a prompt cost 31 times too much on Llama-2-7B, and it reads one token's
keys of all heads for each row of the result, at 16 bits on all accelerators. There BitMoD waits for
DRAM and gains little. With the products that there are it gains more, on prompts at least.

**Transfers** are what changes most, to BitMoD's disadvantage where it is compared with narrow
weights. Published, operands are cut anywhere: what does not fit is fetched again as often as the
other operand exceeds its buffer. An output-stationary array finishes an output before it goes on,
so hwsim keeps strips: the inputs of all rows of the array, or the weights of all its columns, in
full length. Few strips of 4096 or 11008 inputs in FP16 fit into 512 KB, fewer into the half that a
double buffer has, and each time that the next ones come all of the other operand passes by again.
That makes a prompt wait for DRAM, where faster elements buy idle time, and BitMoD's bits are hardly
fewer than ANT's and OliVe's. FP16 waits as well, so the ratio to FP16 stays. An array that cut
along the inputs, too, and kept sums in SRAM would lie between both rows; hwsim does not model it.

**Keys and values, metadata, fill and drain** move little. At batch 1 and a context of 256 attention
is one or two per cent of the products. Selectors add 2 bits to a group of BitMoD's 128 weights; the
scales of ANT and OliVe, which were not counted, add 16, which is 2 or 3 %. A fold is hundreds to
thousands of beats, and filling 32 x 32 elements is 62 of them at most, once a product, as folds
follow each other without a gap. Weights take the cycles that were published, 3 with INT6 and 2 with
FP4 and FP3, which verification measures beat by beat. Group sums that wait for their scale, which
the published simulator leaves out, cost nothing: that is hidden behind the next group.

**One array for both phases.** The published arrays are 64 outputs wide for tokens and 32 for
prompts. On the prompt's array a token takes twice as many folds, and elements with one lane no
longer keep up with DRAM: ANT and OliVe fall behind, and BitMoD gains what its four lanes are good
for. Against these two the own model then says more for the generative task than was published.

**Area** takes much of it back. The paper has BitMoD's element a quarter smaller than an FP16 one;
our verified one is larger, as the table below says and [bitmod.md](bitmod.md) explains, although it
is in a tile that shares what can be shared. Against FP16 a gain remains, the larger part of it from
the bits of weights. Against the stand-ins of ANT and OliVe, which are smaller than what they stand
for, nothing remains on prompts, and some on tokens.
"""

TAKES = """
Millions of cycles of one pass, on the published arrays of the prompt, all assumptions but the area
being ours. Where DRAM is busy longer than the array, faster elements save nothing.
"""

AREAS = f"""
Estimates with what links elements, mapped for the clock that the technology states;
[bitmod.md](bitmod.md) and [cost-model.md](cost-model.md) have their errors. Elements of BitMoD have
four lanes and take two cycles a beat with 3 or 4 bits, so an element does two products a cycle
where the others do one. Arrays of equal area are those that are fastest on the prompt of {SHOWN}.
"""

BY_MODEL = """
Each accelerator's time over the other's: by the published assumptions, by the own model on the
published array of the prompt, and by the own model at equal area. A jump between neighbours is a
strip that just fits into its half of a buffer, or just does not.
"""

SHIPPED = f"""
`fp16`, `ant`, `bitmod_lossless` and `bitmod_lossy` of `hwsim simulate`, memories and formats as
they come, each with the rows and columns that are fastest on the prompt of {SHOWN} in the area of
the `fp16` array ({TECHNOLOGY}), and each at its clock: the technology's, or what the unit reaches.
Here ANT is as its authors have it, with 4 bits on both sides, so it is another trade than the one
above, and `bitmod_lossy` has 4-bit weights in both phases. Speed over `fp16`:
"""


@dataclass(frozen=True)
class Design:
    """An accelerator as hwsim has it.

    Attributes
    ----------
    unit
        Of the array.
    weights
        Format of weights by phase; None for the mean of bits that was published.
    kv_cache
        Format of keys and values; None for 16 bits.
    """

    unit: UnitSpec
    weights: dict[str, str] | None = None
    kv_cache: str | None = None


def _tile(weight: str) -> UnitSpec:
    return make(
        "bitmod_tile", lanes=4, weight=weight, activation="fp16", row_count=TILE, column_count=TILE
    )


_FP16 = {"lanes": 1, "activation": "fp16", "accumulator": "fp16"}
DESIGNS = {
    "fp16": Design(make("fma", weight="fp16", **_FP16)),
    "ant": Design(make("codebook", weight="flint4", **_FP16)),
    "olive": Design(make("fma", weight="int4", **_FP16)),
    "bitmod_lossless": Design(_tile("int6_g128"), dict.fromkeys(PHASES, "int6_g128"), "int8_g128"),
    "bitmod_lossy": Design(
        _tile("bitmod4"), {PREFILL: "bitmod4", DECODE: "bitmod3"}, "int8_g128"
    ),
}  # fmt: skip


def _memories(step: Step) -> Memories:
    """Return the published buffers and DRAM; ports of SRAM bound nothing, as there."""
    # Before halves count, a half has the published capacity.
    halves = 1 if step >= Step.HALVES else 2
    buffer = Sram(capacity=BUFFER_BYTES * halves, width=1 << 16, banks=8)
    dram = Dram(kind="lpddr5", bandwidth=DRAM_BITS_PER_CYCLE / 8 / PERIOD_NS)
    return Memories(
        weights=buffer, inputs=buffer, outputs=buffer, dram=dram, table="cacti7-hp", node=22
    )


# Cycles.


@cache
def _work(model: str, phase: str) -> Workload:
    if phase == PREFILL:
        return workload(model, phase, tokens=PROMPT, lm_head="all")
    return workload(model, phase, context=PROMPT)


@cache
def accelerator(name: str, phase: str, step: Step) -> Accelerator:
    """Return an accelerator of the evaluation, from ``Step.TRANSFERS`` on."""
    design, published = DESIGNS[name], ACCELERATORS[name]
    first = phase == PREFILL or step >= Step.SHAPE
    outputs, tokens = published.prefill_array if first else published.decode_array
    rows, cols = design.unit.tile_shape
    one = Accelerator(
        name=name,
        unit=design.unit,
        rows=tokens // rows,
        cols=outputs // cols,
        memories=_memories(step),
        convention=Convention.RTL if step >= Step.FILL else Convention.NO_SKEW,
        formats=_formats(design, phase),
    )
    if step < Step.AREA:
        return one
    fast_rows, fast_cols = _fastest(name)
    return replace(one, rows=fast_rows, cols=fast_cols)


def _formats(design: Design, phase: str) -> LayerFormats | None:
    if design.weights is None:
        return None
    return LayerFormats(design.weights[phase], "fp16", design.kv_cache)


@cache
def _fastest(name: str) -> tuple[int, int]:
    """Return rows and columns that are fastest in the area of the FP16 array."""
    one, given = accelerator(name, PREFILL, Step.SHAPE), products(name, SHOWN, PREFILL, Step.SHAPE)
    within = Within(one, _prices(), "area", fp16_mm2())
    rows, cols = within.sizes()
    found = times(one, given, PERIOD_NS, rows[:, np.newaxis], cols[:, np.newaxis])
    cycles = (found.cycles * given.count).sum(axis=1)
    best_first = np.lexsort((rows * cols, cycles)).tolist()
    return next((int(rows[k]), int(cols[k])) for k in best_first if within.keeps(rows[k], cols[k]))


@cache
def _prices() -> Prices:
    return Prices(TECHNOLOGY)


@cache
def fp16_mm2() -> float:
    """Return the area of the FP16 array, which all others of ``Step.AREA`` keep."""
    one = accelerator("fp16", PREFILL, Step.SHAPE)
    return array_area_um2(one, _prices(), one.rows, one.cols) * 1e-6


def products(name: str, model: str, phase: str, step: Step) -> Layers:
    """Return the products of a pass as the accelerator has them in a step."""
    design = DESIGNS[name]
    given = layers(accelerator(name, phase, step), _work(model, phase))
    attention = np.array([one.gemm.stationary != "weights" for one in given.gemms])
    cached = np.array([one.gemm.result != "activations" for one in given.gemms])
    own, interval = given.product.weight_bits, given.interval
    kv_bits = np.full(len(own), float(ACTIVATION_BITS))
    if step >= Step.KEYS_AND_VALUES and design.kv_cache:
        kv_bits = np.where(attention, own, kv_bits)
        kv_bits = np.where(cached, given.product.output_bits, kv_bits)
    else:
        interval = np.full(len(own), interval[~attention][0])
    bits = _weight_bits(name, model, phase, float(own[~attention][0]), step)
    product = replace(
        given.product,
        weight_bits=np.where(attention, kv_bits, bits),
        output_bits=np.where(cached, kv_bits, float(ACTIVATION_BITS)),
    )
    part_length = given.part_length if step >= Step.FILL else product.k
    return replace(given, product=product, interval=interval, part_length=part_length)


def _weight_bits(name: str, model: str, phase: str, own: float, step: Step) -> float:
    """Return the bits of a weight: published until metadata count, then those of the format."""
    one, design = ACCELERATORS[name], DESIGNS[name]
    published = (one.prefill_bits if phase == PREFILL else one.decode_bits)[MODELS.index(model)]
    if step < Step.METADATA or name == "fp16":
        return published
    if design.weights is not None:
        return own
    # The published mean of a mixture has no scales.
    quantiser = design.unit.weight_quantiser(GROUP)
    return published + quantiser.bits_per_element - quantiser.element.bits


@cache
def cycles(name: str, model: str, phase: str, step: Step) -> float:
    """Return the cycles of the prompt, or of one token."""
    if step <= Step.ATTENTION:
        attention = "published" if step is Step.PUBLISHED else "counted"
        return run_phase(name, model, phase, attention).cycles  # type: ignore[arg-type]
    given = products(name, model, phase, step)
    found = times(accelerator(name, phase, step), given, PERIOD_NS)
    return float((found.cycles * given.count).sum())


def speedup(ratio: Ratio, model: str, phase: str, step: Step) -> float:
    """Return how much faster one accelerator is in a phase."""
    slower, faster = (cycles(name, model, phase, step) for name in (ratio.slower, ratio.faster))
    return slower / faster


def mean_speedup(ratio: Ratio, task: str, step: Step) -> float:
    """Return how much faster over all models, by the published kind of mean."""

    def over_fp16(name: str) -> float:
        return fmean(of_task("fp16", m, task, step) / of_task(name, m, task, step) for m in MODELS)

    return over_fp16(ratio.faster) / over_fp16(ratio.slower)


def of_task(name: str, model: str, task: str, step: Step) -> float:
    """Return the cycles of a task: the prompt, or the prompt and the tokens after it."""
    tokens = GENERATED if task == "generative" else 0
    prompt, token = (cycles(name, model, phase, step) for phase in PHASES)
    return prompt + tokens * token


# The page.


def page() -> Page:
    """Return the page."""
    pieces: list[Piece] = [
        paragraph(INTRODUCTION),
        "## Published, and by the published assumptions",
        _reproduced(),
        paragraph(REPRODUCED),
        "## Step by step",
        paragraph(STEPS),
        _steps(),
        *(paragraph(text) for text in WHY.strip().split("\n\n")),
        f"## What takes the time of {SHOWN}",
        paragraph(TAKES),
        _bounds(),
        f"## Area by our estimates, {TECHNOLOGY}",
        paragraph(AREAS),
        _areas(),
        "## By model and phase",
        paragraph(BY_MODEL),
        *(_by_model(phase) for phase in PHASES),
        "## The accelerators that come with hwsim",
        paragraph(SHIPPED),
        _shipped_sizes(),
        _shipped_speeds(),
    ]
    return Page("BitMoD's speed-ups", pieces)


def unit_um2(name: str) -> float:
    """Return the area of an element of the array, its share of what links units included."""
    one = accelerator(name, PREFILL, Step.SHAPE)
    rows, cols = one.unit.tile_shape
    area = array_area_um2(one, _prices(), one.rows, one.cols)
    return area / (one.rows * one.cols * rows * cols)


def _reproduced() -> Table:
    rows: list[list[Cell]] = []
    for ratio in RATIOS:
        for task in TASKS:
            found = partial(mean_speedup, ratio, task, Step.PUBLISHED)
            rows.append(
                _compared(str(ratio), f"speed, {task}", PUBLISHED_SPEED[ratio][task], found)
            )
    for ratio in RATIOS:
        found = partial(_energy, ratio)
        rows.append(_compared(str(ratio), "energy, both", PUBLISHED_ENERGY[ratio], found))
    return Table(["", "task", "published", "by its assumptions", "difference"], rows)


def _energy(ratio: Ratio) -> float:
    return fmean(energy_saving(*ratio, task) for task in TASKS)


def _compared(ratio: str, task: str, published: float, found: Callable[[], float]) -> list[Cell]:
    return [
        ratio, task, number(published), lambda: number(found()),
        lambda: percent(found(), published, 1),
    ]  # fmt: skip


def _steps() -> Table:
    header = ["", *(f"{ratio}, {task}" for task in TASKS for ratio in RATIOS)]
    rows: list[list[Cell]] = [
        [
            text,
            *(
                partial(_number, mean_speedup, ratio, task, step)
                for task in TASKS
                for ratio in RATIOS
            ),
        ]
        for step, text in WHAT_CHANGES.items()
    ]
    return Table(header, rows)


def _number(function: Callable[..., float], *arguments: object) -> str:
    return number(function(*arguments))


def _bounds() -> Table:
    rows: list[list[Cell]] = []
    for phase in PHASES:
        for name in DESIGNS:
            found = partial(_taken, name, phase)
            rows.append([phase, TITLES[name], *(partial(_item, found, k) for k in range(4))])
    header = ["phase", "", "most time is bound by", "array", "DRAM", "all"]
    return Table(header, rows)


def _item(found: Callable[[], list[str]], k: int) -> str:
    return found()[k]


@cache
def _taken(name: str, phase: str) -> list[str]:
    """Return what bounds most cycles, and millions of them of array, DRAM and all."""
    given = products(name, SHOWN, phase, Step.SHAPE)
    found = times(accelerator(name, phase, Step.SHAPE), given, PERIOD_NS)
    sums = [(v * given.count).sum() / 1e6 for v in (found.array, found.dram, found.cycles)]
    bound = np.bincount(found.bound, found.cycles * given.count, len(BOUNDS)).argmax()
    return [BOUNDS[int(bound)], *map(number, map(float, sums))]


def _areas() -> Table:
    rows: list[list[Cell]] = []
    for name, design in DESIGNS.items():
        published = ACCELERATORS[name].prefill_array

        def elements(name: str = name) -> str:
            one = accelerator(name, PREFILL, Step.AREA)
            rows, cols = one.unit.tile_shape
            return f"{one.cols * cols} x {one.rows * rows}"

        rows.append(
            [
                TITLES[name], f"`{design.unit.family}`", partial(_number, unit_um2, name),
                f"{published[0]} x {published[1]}", elements,
            ]
        )  # fmt: skip
    header = ["", "unit", "um^2 of an element", "published array", "array of equal area"]
    return Table(header, rows)


def _by_model(phase: str) -> Table:
    kinds = {
        "published assumptions": Step.PUBLISHED,
        "own model": Step.SHAPE,
        "equal area": Step.AREA,
    }
    header = [phase, *(f"{ratio}: {kind}" for ratio in RATIOS for kind in kinds)]
    rows: list[list[Cell]] = [
        [
            model,
            *(
                partial(_number, speedup, ratio, model, phase, step)
                for ratio in RATIOS
                for step in kinds.values()
            ),
        ]
        for model in MODELS
    ]
    return Table(header, rows)


# The accelerators of ``hwsim simulate``.

SHIPPED_NAMES = ("fp16", "ant", "bitmod_lossless", "bitmod_lossy")


@cache
def shipped(name: str) -> tuple[Accelerator, float]:
    """Return one that comes with hwsim, in the area of ``fp16``, and its period in ns."""
    first, one, prices = load("fp16"), load(name), _prices()
    most = array_area_um2(first, prices, first.rows, first.cols) * 1e-6
    found = fit(one, [_work(SHOWN, PREFILL)], prices, "area", most)
    clock = one.clock_ns or prices.technology.clock_ns
    return found, prices.unit(one.unit, clock).cost.period_ns


@cache
def shipped_seconds(name: str, model: str, phase: str) -> float:
    """Return the time of the prompt or of a token on an accelerator that comes with hwsim."""
    return simulate(shipped(name)[0], _work(model, phase), shipped(name)[1]).time_s


def _shipped_sizes() -> Table:
    rows: list[list[Cell]] = []
    for name in SHIPPED_NAMES:

        def size(name: str = name) -> str:
            one = shipped(name)[0]
            return f"{one.rows} x {one.cols}"

        def period(name: str = name) -> str:
            return number(shipped(name)[1])

        rows.append([f"`{name}`", f"`{load(name).unit.name}`", size, period])
    return Table(["", "unit", "rows x columns", "period ns"], rows)


def _shipped_speeds() -> Table:
    def ratio(name: str, model: str, phase: str) -> str:
        return number(shipped_seconds("fp16", model, phase) / shipped_seconds(name, model, phase))

    rows: list[list[Cell]] = [
        [model, phase, *(partial(ratio, name, model, phase) for name in SHIPPED_NAMES[1:])]
        for model in MODELS
        for phase in PHASES
    ]
    return Table(["model", "phase", *(f"`{name}`" for name in SHIPPED_NAMES[1:])], rows)
