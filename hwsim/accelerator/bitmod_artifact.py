"""The accelerators of BitMoD's evaluation, computed as its published simulator does.

Source: Chen et al., BitMoD: Bit-serial mixture-of-datatype LLM acceleration, HPCA 2025
(arXiv 2411.11745), and its artifact (github abdelfattah-lab/BitMoD-HPCA-25 at 58d7bdb), the
version that figures 7 and 8 were made with. Five accelerators run six models at batch 1: a prompt
of 256 tokens (discriminative), or the prompt and 20 tokens after it, each at context 256
(generative).

This is a model of a model, kept to compare with what was published: none of its numbers is
hwsim's. A layer takes ``ceil(k/lanes) * ceil(n/rows) * ceil(m/columns)`` cycles, times the terms of
a weight in bit-serial units, or the time of its transfers if that is longer. There is no fill or
drain, no dequantisation, no term generator, no leakage, and no bit of a group's selector; keys and
values are 16 bits wide in DRAM and take as many cycles as weights. The shapes of attention are
wrong (:func:`published_attention`), and can be replaced by those that
:mod:`hwsim.accelerator.workload` counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, log
from statistics import fmean
from typing import Literal

from hwsim.accelerator.models import Transformer, load_model
from hwsim.accelerator.workload import DECODE, PREFILL, workload
from hwsim.errors import InputError, check_known

#: In the order of the precisions below.
MODELS = ("opt-1.3b", "phi-2", "yi-6b", "llama-2-7b", "llama-2-13b", "llama-3-8b")
PROMPT = CONTEXT = 256
GENERATED = 20
TASKS = ("discriminative", "generative")

ACTIVATION_BITS = 16
#: Of each buffer, for weights and for activations.
BUFFER_BYTES = 512 * 1024
#: Both edges of a bus of 128 bits at the array's clock of 1 GHz: 32 GB/s.
DRAM_BITS_PER_CYCLE = 256
#: 1200 pJ for 64 bits, of which the artifact does not say what they include.
DRAM_PJ_PER_BIT = 1200 / 64
#: What placement and routing add to the power of synthesis.
LAYOUT_FACTOR = 1.5
SRAM_WRITE_BITS = 64
#: Read energy of one access of the width in bits, and write energy of 64 bits, in pJ: CACTI 7, 512
#: KB in 8 banks with a read and a write port, 28 nm, itrs-hp, 360 K, with ECC, as the artifact
#: calls it.
SRAM_READ_PJ = {
    192: 66.58, 256: 70.09, 288: 72.60, 384: 82.83, 512: 92.79, 768: 125.65, 1024: 138.44,
    1536: 182.82,
}  # fmt: skip
SRAM_WRITE_PJ = {
    192: 14.44, 256: 12.93, 288: 12.03, 384: 10.67, 512: 10.42, 768: 8.92, 1024: 9.76, 1536: 8.34,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """An accelerator of the evaluation; all have about the same area.

    Attributes
    ----------
    lanes
        Products of a processing element at a time.
    bit_serial
        Whether a weight takes a cycle for every two bits.
    pe_pj
        Energy of a processing element in a cycle, before ``LAYOUT_FACTOR``.
    prefill_array, decode_array
        Rows, which are outputs, and columns, which are tokens.
    prefill_bits, decode_bits
        Bits of a weight in memory, for each of ``MODELS``.
    """

    lanes: int
    bit_serial: bool
    pe_pj: float
    prefill_array: tuple[int, int]
    decode_array: tuple[int, int]
    prefill_bits: tuple[float, ...]
    decode_bits: tuple[float, ...]


def _alike(bits: float) -> tuple[float, ...]:
    return (bits,) * len(MODELS)


#: Energies are from synthesis in TSMC 28 nm at 1 GHz; that of ANT is asserted. Bits of ANT and
#: OliVe are means over layers, which the authors chose for about the same accuracy.
ACCELERATORS = {
    "fp16": Accelerator(
        lanes=1, bit_serial=False, pe_pj=0.77, prefill_array=(32, 24), decode_array=(64, 12),
        prefill_bits=_alike(16), decode_bits=_alike(16),
    ),
    "ant": Accelerator(
        lanes=1, bit_serial=False, pe_pj=0.56, prefill_array=(32, 32), decode_array=(64, 16),
        prefill_bits=_alike(5.5), decode_bits=(5, 5, 5.25, 5, 5, 4.5),
    ),
    "olive": Accelerator(
        lanes=1, bit_serial=False, pe_pj=0.613, prefill_array=(36, 32), decode_array=(72, 16),
        prefill_bits=_alike(4.5), decode_bits=(3.875, 4, 4.25, 3.75, 3.75, 3.5),
    ),
    "bitmod_lossless": Accelerator(
        lanes=4, bit_serial=True, pe_pj=0.56, prefill_array=(32, 32), decode_array=(64, 16),
        prefill_bits=_alike(6.0625), decode_bits=_alike(6.0625),
    ),
    "bitmod_lossy": Accelerator(
        lanes=4, bit_serial=True, pe_pj=0.56, prefill_array=(32, 32), decode_array=(64, 16),
        prefill_bits=_alike(4.0625), decode_bits=_alike(3.0625),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """One pass over a model, or several added up.

    Attributes
    ----------
    compute_cycles
        Of the array alone.
    cycles
        With every layer's transfers where these take longer.
    array_pj, sram_read_pj, sram_write_pj, dram_pj
        The parts of the energy.
    """

    compute_cycles: int
    cycles: int
    array_pj: float
    sram_read_pj: float
    sram_write_pj: float
    dram_pj: float

    @property
    def on_chip_pj(self) -> float:
        """Energy without DRAM."""
        return self.array_pj + self.sram_read_pj + self.sram_write_pj

    @property
    def energy_pj(self) -> float:
        """All energy."""
        return self.on_chip_pj + self.dram_pj

    def plus(self, other: "Run", times: int) -> "Run":
        """Return this and ``times`` another."""
        return Run(**{key: value + times * vars(other)[key] for key, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A product as the artifact sees it, ``count`` times.

    ``m`` tokens, ``n`` outputs and ``k`` inputs of a weight; ``inputs`` elements of every token are
    read. ``attention`` moves its second operand in 16 bits.
    """

    m: int
    n: int
    k: int
    inputs: int
    count: int
    attention: bool


Attention = Literal["published", "counted"]


def run(accelerator: str, model: str, task: str, attention: Attention = "published") -> Run:
    """Return cycles and energy of a task.

    Parameters
    ----------
    accelerator
        One of ``ACCELERATORS``.
    model
        One of ``MODELS``.
    task
        ``discriminative`` or ``generative``.
    attention
        ``published`` is as the artifact has it, faults included; ``counted`` takes the products of
        :func:`hwsim.accelerator.workload.workload`, and leaves all else as published.

    Raises
    ------
    InputError
        For an unknown name.
    """
    check_known("task", task, TASKS)
    done = run_phase(accelerator, model, PREFILL, attention)
    if task == "generative":
        done = done.plus(run_phase(accelerator, model, DECODE, attention), GENERATED)
    return done


def run_phase(accelerator: str, model: str, phase: str, attention: Attention = "published") -> Run:
    """Return cycles and energy of the prompt or of one token; see :func:`run`."""
    check_known("accelerator", accelerator, ACCELERATORS)
    check_known("model", model, MODELS)
    check_known("phase", phase, (PREFILL, DECODE))
    check_known("attention", attention, ("published", "counted"))
    unit = ACCELERATORS[accelerator]
    prefill = phase == PREFILL
    rows, columns = unit.prefill_array if prefill else unit.decode_array
    bits = (unit.prefill_bits if prefill else unit.decode_bits)[MODELS.index(model)]
    cycles_per_weight = ceil(floor(bits) / 2) if unit.bit_serial else 1
    # Units that take weights bit by bit need half the width.
    width_factor = Fraction(1, 2) if unit.bit_serial else 1
    weight_width = int(unit.lanes * ceil(bits / 4) * 4 * rows * width_factor)
    input_width = int(unit.lanes * ACTIVATION_BITS * columns * width_factor)
    read_pj = _sram(SRAM_READ_PJ, weight_width) + _sram(SRAM_READ_PJ, input_width)

    tiles = cycles = dram_bits = 0
    write_pj = 0.0
    for layer in layers(model, phase, attention):
        of_layer = ceil(layer.k / unit.lanes) * ceil(layer.n / rows) * ceil(layer.m / columns)
        tiles += of_layer * layer.count
        weights, inputs = _transfers(layer, bits)
        moved = weights.moved + inputs.moved + layer.m * layer.n * ACTIVATION_BITS
        dram_bits += moved * layer.count
        slower = max(of_layer * cycles_per_weight, moved // DRAM_BITS_PER_CYCLE)
        cycles += slower * layer.count
        # Keys and values are written to the buffer in as many bits as weights.
        written = ceil(layer.k * bits / SRAM_WRITE_BITS) * layer.n * weights.times
        write_pj += written * _sram(SRAM_WRITE_PJ, weight_width) * layer.count
        written = ceil(layer.inputs * ACTIVATION_BITS / SRAM_WRITE_BITS) * layer.m * inputs.times
        written += ceil(layer.n * ACTIVATION_BITS / SRAM_WRITE_BITS) * layer.m
        write_pj += written * _sram(SRAM_WRITE_PJ, input_width) * layer.count
    compute = tiles * cycles_per_weight
    return Run(
        compute_cycles=compute,
        cycles=cycles,
        array_pj=unit.pe_pj * LAYOUT_FACTOR * rows * columns * compute,
        sram_read_pj=tiles * read_pj,
        sram_write_pj=write_pj,
        dram_pj=dram_bits * DRAM_PJ_PER_BIT,
    )


def layers(model: str, phase: str, attention: Attention = "published") -> Iterator[Layer]:
    """Yield the products of a model; the language-model head works on all tokens of a prompt."""
    network = load_model(model)
    if not isinstance(network, Transformer):
        raise InputError(f"model={model!r}: allowed: {', '.join(MODELS)}")
    work = (
        workload(network, phase, tokens=PROMPT, lm_head="all")
        if phase == PREFILL
        else workload(network, phase, context=CONTEXT)
    )
    for gemm in work.gemms:
        counted = gemm.stationary != "weights"
        if not counted or attention == "counted":
            yield Layer(
                m=gemm.m, n=gemm.n, k=gemm.k, inputs=gemm.k, count=gemm.count, attention=counted
            )
    if attention == "published":
        yield from published_attention(network, PROMPT if phase == PREFILL else 1)


def published_attention(model: Transformer, queries: int) -> Iterator[Layer]:
    """Yield attention as the artifact has it, once a layer, faults included.

    Queries stand for its weights, and there are as many scores of a query as queries, right for a
    prompt only. In the scores every head has the whole hidden size as its inner dimension, and one
    token's keys of all heads are read for each row of the result, however many there are. In the
    values every head has as many outputs as there are queries, whatever its size.
    """
    heads, count = model.num_attention_heads, model.num_hidden_layers
    keys = model.num_key_value_heads * model.head_dim
    yield Layer(
        m=heads * queries, n=queries, k=model.hidden_size, inputs=keys, count=count, attention=True
    )
    yield Layer(m=queries, n=heads * queries, k=CONTEXT, inputs=keys, count=count, attention=True)


def speedup(faster: str, slower: str, task: str, attention: Attention = "published") -> float:
    """Return how much faster one accelerator is than another, over all ``MODELS``.

    As the artifact has it: the arithmetic mean of speed-ups over ``fp16``, one divided by the
    other.
    """

    def over_fp16(name: str) -> float:
        return fmean(
            run("fp16", model, task, attention).cycles / run(name, model, task, attention).cycles
            for model in MODELS
        )

    return over_fp16(faster) / over_fp16(slower)


def energy_saving(better: str, worse: str, task: str, attention: Attention = "published") -> float:
    """Return how much more energy one accelerator takes than another, over all ``MODELS``.

    As the artifact has it: the arithmetic mean of energies over that of ``fp16``, one divided by
    the other.
    """

    def over_fp16(name: str) -> float:
        return fmean(
            run(name, model, task, attention).energy_pj
            / run("fp16", model, task, attention).energy_pj
            for model in MODELS
        )

    return over_fp16(worse) / over_fp16(better)


@dataclass(frozen=True)
class _Transfer:
    """Bits of an operand that come from DRAM, and how often all of it does."""

    moved: int
    times: int


def _transfers(layer: Layer, bits: float) -> tuple[_Transfer, _Transfer]:
    """Return the transfers of weights and inputs; where neither fits, the cheaper one repeats."""
    weights = ceil(layer.k * (ACTIVATION_BITS if layer.attention else bits) / 8) * layer.n
    inputs = ceil(layer.inputs * ACTIVATION_BITS / 8) * layer.m
    again = 1, 1
    if weights > BUFFER_BYTES and inputs > BUFFER_BYTES:
        of_weights, of_inputs = ceil(inputs / BUFFER_BYTES), ceil(weights / BUFFER_BYTES)
        fewer = of_weights * weights + inputs < of_inputs * inputs + weights
        again = (of_weights, 1) if fewer else (1, of_inputs)
    return (
        _Transfer(weights * 8 * again[0], again[0]),
        _Transfer(inputs * 8 * again[1], again[1]),
    )


def _sram(table: dict[int, float], width: int) -> float:
    """Return an energy of the table; of 576 bits, OliVe's for Yi-6B, a power law between two."""
    if width in table:
        return table[width]
    below, above = max(w for w in table if w < width), min(w for w in table if w > width)
    share = log(width / below) / log(above / below)
    return table[below] * (table[above] / table[below]) ** share
