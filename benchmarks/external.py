"""Our estimates beside published numbers, as Markdown, by one command.

    python benchmarks/external.py [--liberty sky130.lib] > docs/external.md

Costs are estimates, scaled to a band at 45 or 28 nm by :mod:`cost_models.scaling` where the
published number, from :mod:`cost_models.published`, has another node than the library. The two
kinds of number stand beside each other and never in one column. With a Liberty file of
sky130_fd_sc_hd the parts of `bitmod` are mapped as the original RTL was, for the table of BitMoD's
modules; everything else needs none.
"""

import argparse
import sys
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from bitmod import ORIGINAL, PE
from mapping import mapped
from peer_figures import peer
from scipy.stats import spearmanr

import rtl
from cost_models import published
from cost_models.cost import Cost
from cost_models.estimate import estimate_all
from cost_models.published import Published
from cost_models.scaling import QUANTITIES, SOURCES, factor, scale
from cost_models.synthesis.liberty import Library, opened
from cost_models.technology import load
from hwsim.units import UnitSpec, make
from hwsim.units.bitmod import BitmodUnit
from rtl.bitmod import Aligner, ProcessingElement

ANCHORS = ("asap7", "sky130")
BITS = (2, 4, 8, 16)
LANES = (1, 4, 16)

#: Parameters of ``float`` by what stands in the table.
SUMS: dict[str, dict[str, str]] = {
    "exact": {},
    "aligned13": {"accumulation": "aligned13"},
    "fp16": {"accumulator": "fp16"},
    "fp32": {"accumulator": "fp32"},
}

#: FP8 over INT8 in dedicated hardware: ratios without a node, so no rows of `published.csv`.
FP8_OVER_INT8 = (1.5, 2.8)
FP8_SOURCE = (
    "van Baalen et al., FP8 versus INT8 for efficient deep learning inference, arXiv:2303.17951, "
    "abstract, read: 50 to 180 % less efficient in dedicated hardware"
)

MODULES = {
    "exp match": "exp_match",
    "bit-serial multiplier": "bs_mul",
    "group accumulator": "grp_accum",
    "dequantiser": "dequant",
}
#: The multiply-adds that BitMoD's authors compare with, and their names in `peers.csv`.
BASELINES = {
    "FP16 x INT8 + FP16": "fma_fp16_int8",
    "FP16 x (INT8 or 2 FP4) + FP16": "fma_dual",
}

#: Filters of :func:`cost_models.published.select`, each for one number.
Filters = tuple[dict[str, str], ...]


# Units.


@cache
def costs(spec: UnitSpec) -> dict[str, Cost]:
    """Return the estimates of a unit by technology."""
    return estimate_all(spec, ANCHORS)


def integer(lanes: int, bits: int = 8) -> UnitSpec:
    """Return an integer unit with equal operands."""
    name = f"int{bits}"
    return make("integer", lanes=lanes, weight=name, activation=name)


def minifloat(name: str, accumulation: str, lanes: int) -> UnitSpec:
    """Return a floating-point unit with equal operands."""
    return make("float", lanes=lanes, weight=name, activation=name, **SUMS[accumulation])


def fp16_mac() -> UnitSpec:
    """Return a multiply-accumulate with one rounding."""
    return make("fma", lanes=1, weight="fp16", activation="fp16", accumulator="fp16")


def per_mac(cost: Cost, quantity: str) -> float:
    """Return area in um^2 for a MAC a cycle, or a MAC a ns, or settled energy in pJ a MAC."""
    match quantity:
        case "area":
            return cost.area_per_mac
        case "area x period":
            return cost.area_per_mac * cost.delay_ns
        case _:
            return cost.settled_energy_per_mac


def bare(cost: Cost, quantity: str) -> float:
    """Return a figure per MAC without flip-flops: without their area, or their clock pins."""
    if quantity == "energy":
        return (cost.settled_pj - cost.clock_pj) / cost.macs_per_cycle
    flip_flops: int = cost.provenance["gates"]["DFF"]
    area = cost.area_um2 - flip_flops * load(cost.technology).area_um2["DFF"]
    return area / cost.macs_per_cycle


# Published numbers.


def chosen(filters: Filters) -> list[Published]:
    """Return the numbers that the filters choose, one each."""
    rows = []
    for each in filters:
        (one,) = published.select(each)
        rows.append(one)
    return rows


def total(filters: Filters) -> float:
    """Return the sum of the numbers that the filters choose."""
    return sum(one.value for one in chosen(filters))


def evidence(filters: Filters) -> str:
    """Return how good the evidence for the numbers is."""
    kinds = (one.evidence + (", derived" if one.derived else "") for one in chosen(filters))
    return " + ".join(dict.fromkeys(kinds))


def operations(system: str, mul: str, add: str, metric: str) -> Filters:
    """Return filters of a multiplication and an addition in a table of operations."""
    shared = {"system": system, "metric": metric}
    return ({**shared, "unit": "mul", "weight": mul}, {**shared, "unit": "add", "weight": add})


def horowitz(mul: str, add: str) -> dict[str, Filters]:
    """Return filters of a MAC at 45 nm by quantity."""
    return {name: operations("Horowitz", mul, add, name) for name in ("area", "energy")}


def tensor_core(unit: str, *quantities: str) -> dict[str, Filters]:
    """Return filters of a tensor core without tables, by quantity, per MAC."""
    shared = {"system": "LUT Tensor Core", "unit": unit}
    return {name: ({**shared, "metric": f"{name}_per_mac"},) for name in quantities}


# Markdown.


def table(header: str) -> None:
    """Print the head of a table."""
    print(f"\n| {header} |")
    print("|---" + "|---:" * header.count("|") + "|")


def row(*cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def say(text: str, bullet: str = "") -> None:
    """Print a paragraph, or an item of a list, as lines of at most 100 characters."""
    indent = " " * len(bullet)
    words = " ".join(text.split())
    lines = fill(words, 100, initial_indent=bullet, subsequent_indent=indent,
                 break_long_words=False, break_on_hyphens=False)  # fmt: skip
    print(lines if bullet else f"\n{lines}")


def number(value: float) -> str:
    """Return three digits, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def verdict(low: float, high: float, value: float) -> str:
    """Return where ``value`` lies."""
    if value < low:
        return f"below: {value / low:.2f} of the lower end"
    if value > high:
        return f"above: {value / high:.2f} of the upper end"
    return "inside"


# Absolute numbers.


class Comparison(NamedTuple):
    """A unit of ours, and by quantity what the published number is the sum of."""

    name: str
    spec: UnitSpec
    node: int
    parts: dict[str, Filters]


def comparisons() -> list[Comparison]:
    """Return what is compared at 45 and 28 nm."""
    both = ("area", "energy")
    fp16 = minifloat("fp16", "aligned24", 4)
    fp8 = minifloat("e4m3", "aligned13", 16)
    return [
        Comparison("INT8 MAC, 32-bit sum", integer(1), 45, horowitz("INT8", "INT32")),
        Comparison("FP16 MAC, fp16 sum", fp16_mac(), 45, horowitz("FP16", "FP16")),
        Comparison("INT8, 16 lanes", integer(16), 28, tensor_core("A100 INT8 TC", *both)),
        Comparison("FP16, 4 lanes, aligned24", fp16, 28, tensor_core("A100 FP16 TC", *both)),
        Comparison("e4m3, 16 lanes, aligned13", fp8, 28, tensor_core("H100 FP8 TC", "area")),
    ]


def report_scaled() -> None:
    """Print the scaled bands beside the published numbers."""
    print("\n## MACs, scaled to 45 and 28 nm")
    say("""Area in um^2 for a MAC a cycle, energy in pJ a MAC, ours settled. *Unscaled* is the
        estimate at the library's own node. At 45 nm: Horowitz, ISSCC 2014, figure 1.1.9, a
        multiplication plus an addition. These have no registers, so *bare* is our unit without
        the area of its flip-flops, or without the energy of their clock pins. At 28 nm: tensor
        cores, LUT Tensor Core, arXiv:2408.06003, table 1, normalised to 28 nm and 1.41 GHz. The
        energy of sky130 cannot be scaled.""")
    table(
        "unit | quantity | from | unscaled | to nm | scaled | published | evidence | published is"
    )
    for name, spec, node, parts in comparisons():
        for quantity, filters in parts.items():
            for anchor in ANCHORS if quantity == "area" else ("asap7",):
                cost = costs(spec)[anchor]
                scaled_row(name, quantity, cost, node, filters, per_mac(cost, quantity))
                if node == 45:
                    own = bare(cost, quantity)
                    scaled_row(f"{name}, bare", quantity, cost, node, filters, own)


def scaled_row(
    name: str, quantity: str, cost: Cost, node: int, filters: Filters, unscaled: float
) -> None:
    """Print a figure of ``cost``, scaled as the cost is, beside the published one."""
    value = total(filters)
    band = scale(cost, quantity, node)
    attribute, _ = QUANTITIES[quantity]
    share = unscaled / getattr(cost, attribute)
    low, high = band.low * share, band.high * share
    row(name, quantity, cost.technology, number(unscaled), str(node),
        f"{number(low)} to {number(high)}", f"{value:.4g}", evidence(filters),
        verdict(low, high, value))  # fmt: skip


def report_factors() -> None:
    """Print what the bands are made of, beside what two libraries and two tables of pJ say."""
    say("""The factors, by source. *Between libraries* is a unit's area in sky130 over that in
        asap7; *between tables* the energy of one operation at 45 nm (Horowitz) over that at 7 nm
        (TPUv4i, ISCA 2021, table 2, recalled).""")
    table(
        f"quantity | from nm | to nm | {' | '.join(SOURCES)} | between libraries | between tables"
    )
    for quantity, start, node in (
        ("area", 7, 45), ("area", 7, 28), ("area", 130, 45), ("area", 130, 28),
        ("energy", 7, 45), ("energy", 7, 28),
    ):  # fmt: skip
        factors = [str(factor(source, quantity, start, node)) for source in SOURCES]
        measured = between_tables() if (quantity, node) == ("energy", 45) else "-"
        row(quantity, str(start), str(node), *factors, "-", measured)
    factors = [f"{value:.0f}" for value in area_from_7_to_130()]
    row("area", "7", "130", *factors, between_libraries(), "-")


def area_from_7_to_130() -> list[float]:
    """Return the factor of each source."""
    return [factor(name, "area", 7, 45).low / factor(name, "area", 130, 45).low for name in SOURCES]


def between_libraries() -> str:
    """Return the range of areas in sky130 over those in asap7, by unit."""
    units = [costs(spec) for spec in (integer(1), integer(16), fp16_mac())]
    ratios = [cost["sky130"].area_um2 / cost["asap7"].area_um2 for cost in units]
    return f"{min(ratios):.0f} to {max(ratios):.0f}"


def between_tables() -> str:
    """Return the range of energies at 45 nm over those at 7 nm, by operation."""
    ratios = []
    for unit, fmt in (("mul", "INT8"), ("add", "INT8"), ("add", "INT32"), ("mul", "FP16"),
                      ("add", "FP16")):  # fmt: skip
        shared = {"unit": unit, "weight": fmt, "metric": "energy"}
        old, new = chosen(({"system": "Horowitz", **shared}, {"system": "TPUv4i", **shared}))
        ratios.append(old.value / new.value)
    return f"{min(ratios):.2g} to {max(ratios):.2g}"


def report_unscaled() -> None:
    """Print energies at 7 nm, where both kinds of number exist."""
    say("""Energy at 7 nm, nothing scaled: asap7 at 0.70 V beside TPUv4i's table, a multiplication
        plus an addition. *Of it clock* is what the clock pins of our flip-flops take.""")
    table(
        "unit | estimate, settled pJ | of it clock | published, pJ | evidence | "
        "estimate / published"
    )
    for name, spec, mul, add in (
        ("INT8 MAC, 32-bit sum", integer(1), "INT8", "INT32"),
        ("FP16 MAC, fp16 sum", fp16_mac(), "FP16", "FP16"),
    ):
        filters = operations("TPUv4i", mul, add, "energy")
        value = total(filters)
        cost = costs(spec)["asap7"]
        row(name, f"{cost.settled_pj:.3f}", f"{cost.clock_pj:.3f}", f"{value:.3f}",
            evidence(filters), f"{cost.settled_pj / value:.2f}")  # fmt: skip


def report_meaning() -> None:
    """Print what the tables say, with the numbers as they are now."""
    core = tensor_core("A100 INT8 TC", "energy")["energy"]
    own = costs(integer(16))["asap7"].settled_energy_per_mac
    stillmaker, deepscale = (factor(name, "energy", 7, 45) for name in SOURCES)
    areas = " and ".join(f"{value:.0f}" for value in area_from_7_to_130())
    print("\n### What is not inside, and why\n")
    say(
        """**Suspecting the estimate first.** It is within a few per cent of synthesis in the same
        library ([cost-model.md](cost-model.md)), and its gates compute what the golden model says.
        What differs is the unit (register, handshake), the operands, and the scaling.""",
        "- ",
    )
    say(
        f"""**Area from asap7: the scaling.** The same units take {between_libraries()} times the
        area in sky130, while the scalings say that 130 nm takes {areas} times that of 7 nm.
        asap7, a predictive kit, is less dense than the 7 nm of either source, so bands from it are
        too high. Read the bands from sky130.""",
        "- ",
    )
    say(
        """**Area from sky130: INT8 agrees, bare and in a tensor core, while FP16 and FP8 come out
        smaller than published.** Horowitz' FP16 is a multiplier and an adder, with two roundings
        and two normalisers, and its areas are recalled; FPnew's multiply-add with one rounding
        takes as much as ours in the same flow ([peers.md](peers.md)). The tensor cores run at
        1.41 GHz, with pipeline and operand registers; ours have one stage and a fraction of that
        clock.""",
        "- ",
    )
    say(
        f"""**Energy from 7 to 45 nm: the scaling.** The sources say {stillmaker} and {deepscale},
        two published tables of the same operations {between_tables()}. With the latter Horowitz'
        FP16 MAC would be met; the table above compares with TPUv4i, nothing scaled.""",
        "- ",
    )
    say(
        f"""**INT8 energy is high**, at 7 nm with nothing scaled, too, and not only for the clock.
        Our operands are normal and scaled to the full range; the published tables do not state
        theirs. The INT8 tensor core is published with
        {total(core):.2f} pJ a MAC at 28 nm ({evidence(core)}), where ours takes {own:.2f} in
        asap7, unscaled; neither its operands nor their toggles are stated.""",
        "- ",
    )


# Ratios.


def report_fp8() -> None:
    """Print what FP8 takes next to INT8 at equal lanes."""
    low, high = FP8_OVER_INT8
    fp8, int8 = (total(tensor_core(name, "area")["area"]) for name in
                 ("H100 FP8 TC", "A100 INT8 TC"))  # fmt: skip
    quantities = ("area", "area x period", "energy")
    print("\n## FP8 over INT8")
    say(f"""The `float` unit over the `integer` unit (32-bit sum) at equal lanes, per MAC.
        Published: {low} to {high} ({FP8_SOURCE}); and {fp8 / int8:.2f} in area, LUT Tensor Core's
        H100 FP8 over its A100 INT8 tensor core.""")
    libraries = " | ".join(f"{name} {q}" for name in ANCHORS for q in quantities)
    table(
        f"unit | lanes | {libraries} | published | {' | '.join(f'{q} inside' for q in quantities)}"
    )
    inside = dict.fromkeys(quantities, 0)
    units = 0
    for name in ("e4m3", "e5m2"):
        for accumulation in SUMS:
            # Lanes that round one after another make a large netlist for what a small one says.
            for lanes in LANES if accumulation in ("exact", "aligned13") else LANES[:2]:
                ours, base = costs(minifloat(name, accumulation, lanes)), costs(integer(lanes))
                ratios = {
                    (anchor, q): per_mac(ours[anchor], q) / per_mac(base[anchor], q)
                    for anchor in ANCHORS
                    for q in quantities
                }
                within = [
                    all(low <= ratios[anchor, q] <= high for anchor in ANCHORS) for q in quantities
                ]
                for q, yes in zip(quantities, within, strict=True):
                    inside[q] += yes
                units += 1
                row(f"{name}, {accumulation}", str(lanes),
                    *(f"{value:.2f}" for value in ratios.values()), f"{low} to {high}",
                    *("yes" if yes else "no" for yes in within))  # fmt: skip
    counts = ", ".join(f"{q} {count}" for q, count in inside.items())
    say(f"""Inside in both libraries, of {units}: {counts}. There is no one ratio: it follows
        the accumulation. A multiplier of 4 x 4 or 3 x 3 bits in the place of 8 x 8 pays for
        decoders and shifters where sums are exact or aligned; one rounding a product to fp32
        costs more than the published range. Aligned units have the area of INT8 and up to twice
        its period, and area x period is nearer to what hardware for one clock rate would pay;
        lanes that round one after another would be pipelined instead. Energy is below the range
        in most rows, which contradicts it. Likely causes: it is without glitches, which shifters
        have more of, and INT8 operands at full scale toggle all of a larger multiplier. The
        abstract that we read states neither accumulation nor operands.""")


def bit_fusion(unit: str, weight: str, metric: str) -> float:
    """Return a number of Bit Fusion's table."""
    return total(({"system": "Bit Fusion", "unit": unit, "weight": weight, "metric": metric},))


def report_bit_fusion() -> None:
    """Print area and energy against precision."""
    print("\n## Bit Fusion's table of precisions")
    say("""Area and energy a cycle over those of INT8 with as many lanes. Ours: `integer`, estimated
        in asap7, sums of 32 bits and more. Published: systolic arrays of one column with fixed
        precision at 45 nm, 500 MHz (github.com/hsharma35/bitfusion,
        results/systolic_array_synth.csv, read; their node is inferred, which does not matter for
        ratios).""")
    table("lanes | bits | area, estimate | area, published | energy, estimate | energy, published")
    metrics = {"area": "area", "energy": "energy_per_cycle"}
    estimates = {
        (q, lanes, bits): per_mac(costs(integer(lanes, bits))["asap7"], q) * lanes
        for q in metrics
        for lanes in LANES
        for bits in BITS
    }
    figures = {
        (q, lanes, bits): bit_fusion(f"systolic {lanes}x1 fixed", f"INT{bits}", metrics[q])
        for q, lanes, bits in estimates
    }
    for lanes in LANES:
        for bits in BITS:
            ratios = [
                f"{values[q, lanes, bits] / values[q, lanes, 8]:.2f}"
                for q in metrics
                for values in (estimates, figures)
            ]
            row(str(lanes), str(bits), *ratios)
    ranks = [
        spearmanr([estimates[key] for key in keys], [figures[key] for key in keys]).statistic
        for keys in ([key for key in estimates if key[0] == q] for q in metrics)
    ]
    fused = [
        bit_fusion("systolic 1x1 fusible 2..8", "INT2-8", metric)
        / bit_fusion("systolic 1x1 fixed", "INT8", metric)
        for metric in metrics.values()
    ]
    say(f"""Rank correlation over all {len(figures) // 2} points: area {ranks[0]:.3f}, energy
        {ranks[1]:.3f}. With one lane our low precisions fall less in area, as the sum has 32 bits
        whatever the operands; at many lanes INT2 takes less than published. A fusible element of
        2 to 8 bits takes {fused[0]:.2f} times the area and {fused[1]:.2f} times the energy of the
        fixed INT8 one there. It has no counterpart here: `bit_serial` composes precision in time,
        `rmmec` ([rmmec.md](rmmec.md)) fuses other formats.""")


def report_bitmod(liberty: Path | None) -> None:
    """Print areas of BitMoD's modules over their sum: published, their RTL here, ours here."""
    assert tuple(MODULES.values()) == ORIGINAL
    print("\n## BitMoD's modules")
    say("""Area over that of the sum of the four modules. Published: TSMC 28 nm, 1 GHz, registers
        included (github.com/yc2367/BitMoD, b18cacb, hardware/PE_Area_Power.xlsx, read). Their RTL,
        measured before, and ours are mapped in one open flow: sky130, ABC's default script, no
        wires, no target.""")
    names = MODULES | BASELINES
    shared = {"system": "BitMoD", "metric": "area"}
    areas = {name: total(({**shared, "unit": name},)) for name in names}
    here = {name: peer(f"bitmod_{part}", "sky130").area for name, part in names.items()}
    element, original = (sum(values[name] for name in MODULES) for values in (areas, here))
    table("module | published, um^2 | over the sum | their RTL, sky130, um^2 | over the sum")
    row("element, the sum", f"{element:.1f}", "1", f"{original:.0f}", "1")
    for name, area in areas.items():
        row(name, f"{area:.1f}", f"{area / element:.3f}", f"{here[name]:.0f}",
            f"{here[name] / original:.3f}")  # fmt: skip
    separate = total(
        ({**shared, "unit": "FP16 multiplier"}, {**shared, "unit": "FP16 adder"}),
    )
    row("FP16 multiplier and adder", f"{separate:.1f}", f"{separate / element:.3f}", "-", "-")
    baseline = "FP16 x (INT8 or 2 FP4) + FP16"
    say(f"""The shares of the modules agree, the element next to a multiply-add does not: it takes
        {element / areas[baseline]:.2f} of the *{baseline}* there and
        {original / here[baseline]:.2f} here. Their clock target of 1 GHz is a likely cause, as the
        deeper multiply-add pays more for it, and this flow has no target; it is not proven.""")
    if liberty is None:
        say("Our own modules need `--liberty` of sky130_fd_sc_hd.")
        return
    with opened("sky130", [liberty]) as library:
        report_our_bitmod(library)


def report_our_bitmod(library: Library) -> None:
    """Print the areas of our parts of an element, and of our multiply-adds."""
    spec = make("bitmod", **PE)
    assert isinstance(spec, BitmodUnit)
    floats = {"activation": "fp16", "accumulator": "fp16"}
    parts = {
        "aligner (exp match, and the shifters of the multiplier)": Aligner(spec),
        "processing element (the rest)": ProcessingElement(spec),
    }
    baselines = {
        "fma int8 x fp16 + fp16": make("fma", lanes=1, weight="int8", **floats),
        "fma (int8 or 2 e2m1) x fp16 + fp16": make(
            "fma", lanes=2, weight="e2m1", wide="int8", **floats
        ),
        "fma fp16 x fp16 + fp16": fp16_mac(),
    }
    areas = {name: mapped(part, library).area for name, part in parts.items()}
    element = sum(areas.values())
    areas |= {name: mapped(rtl.create(unit), library).area for name, unit in baselines.items()}
    table("our module, mapped now | sky130, um^2 | over the sum")
    row("element with aligner, the sum", f"{element:.0f}", "1")
    for name, area in areas.items():
        row(name, f"{area:.0f}", f"{area / element:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Estimates beside published numbers")
    parser.add_argument("--liberty", type=Path, help="sky130_fd_sc_hd, for BitMoD's modules")
    options = parser.parse_args()
    print("# Estimates beside published numbers\n\nPrinted by\n")
    print("```sh\npython benchmarks/external.py --liberty sky130_fd_sc_hd__tt_025C_1v80.lib.gz")
    print("```")
    say("""with the library of [libraries.md](libraries.md). Ours are estimates (normal operands, no
        wires, settled energy: no glitches, handshake and result register included); published
        numbers are those of `hwsim published`, with their evidence: *read* in the source,
        *secondary* in a text that quotes it, *recalled* from neither. Scaled numbers are bands
        between two sources ([memory.md](memory.md)), no confidence intervals.""")
    report_scaled()
    report_factors()
    report_unscaled()
    report_meaning()
    report_fp8()
    report_bit_fusion()
    report_bitmod(options.liberty)
    return 0


if __name__ == "__main__":
    sys.exit(main())
