"""``hwsim simulate``: time, energy and area of a network on accelerators."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cost_models.phrases import errors_phrase
from hwsim.cli.arguments import (
    Commands,
    checked,
    json_option,
    operand_source,
    operands_options,
    output_path,
    positive_number,
    unit_of,
    whole_number,
)
from hwsim.cli.output import print_json, print_table
from hwsim.errors import InputError
from hwsim.numbers import positive
from hwsim.tables import cell

if TYPE_CHECKING:
    from cost_models.accelerator import Prices, Result, Total
    from hwsim.accelerator.layer_formats import LayerFormats
    from hwsim.accelerator.simulation import Accelerator
    from hwsim.accelerator.workload import Workload

#: What the memories and the array of ``--unit`` are those of, unless an accelerator is named.
BASE = "int8"


@checked
def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", text)
    if not found:
        raise InputError(f"--array {text}: allowed: rows and columns, such as 32x32")
    return int(found[1]), int(found[2])


@checked
def _limit(text: str) -> tuple[str, float]:
    name, equals, most = text.partition("=")
    if not equals:
        raise InputError(f"--fit {text}: allowed: area=MM2, multipliers=N or bandwidth=BITS")
    return name, positive(f"--fit {name}", most)


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "simulate", help="time, energy and area of a network on accelerators"
    )
    parser.add_argument(
        "--accelerator",
        action="append",
        metavar="NAME|FILE.yaml",
        help=f"may be repeated; of --unit, whose array and memories it has (default: {BASE})",
    )
    parser.add_argument(
        "--unit",
        nargs="+",
        metavar=("UNIT", "key=value"),
        help="units in place of the accelerator's, whose formats in its file are kept",
    )
    parser.add_argument(
        "--model", required=True, metavar="NAME|config.json", help="the network, see its errors"
    )
    parser.add_argument("--phase", required=True, choices=("prefill", "decode", "forward"))
    parser.add_argument(
        "--tokens", type=whole_number("--tokens", 1), help="of the prompt, or made in decode"
    )
    parser.add_argument(
        "--context", type=whole_number("--context", 1), help="tokens that decode attends to"
    )
    parser.add_argument("--batch", type=whole_number("--batch", 1), default=1)
    parser.add_argument(
        "--lm-head", choices=("last", "all"), default="last", help="tokens of prefill it works on"
    )
    parser.add_argument("--technology", required=True, metavar="T", help="name, or FILE.yaml")
    parser.add_argument(
        "--clock", type=positive_number("--clock"), metavar="NS", help="default: the technology's"
    )
    parser.add_argument("--array", type=_size, metavar="RxC", help="units of the array")
    parser.add_argument(
        "--dataflow", metavar="output_stationary|weight_stationary|input_stationary"
    )
    parser.add_argument("--links", metavar="systolic|broadcast")
    parser.add_argument("--convention", metavar="rtl|no_overlap|no_skew", help="which cycles count")
    parser.add_argument("--kv-cache", metavar="FORMAT", help="of keys and values")
    parser.add_argument(
        "--bandwidth", type=positive_number("--bandwidth"), metavar="GB/S", help="of DRAM"
    )
    parser.add_argument(
        "--sram-node", type=whole_number("--sram-node", 1), metavar="NM", help="of SRAM's costs"
    )
    parser.add_argument(
        "--fit",
        type=_limit,
        metavar="area=MM2|multipliers=N|bandwidth=BITS",
        help="the fastest array within a limit: of the arrays' area without memories, products a "
        "beat, operand bits a cycle",
    )
    operands_options(parser)
    parser.add_argument(
        "--chart", type=output_path, metavar="FILE", help="energy by part, and a roofline"
    )
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print what a network takes on accelerators as tables or JSON."""
    from cost_models.accelerator import Prices, evaluate
    from hwsim.accelerator.workload import workload
    from hwsim.drawing import check_suffix

    source = operand_source(options)
    if options.chart is not None:
        check_suffix(options.chart)
    work = workload(
        options.model, options.phase, tokens=options.tokens, context=options.context,
        batch=options.batch, lm_head=options.lm_head,
    )  # fmt: skip
    prices = Prices(options.technology, *source)
    results = [evaluate(one, work, prices) for one in _accelerators(options, work, prices)]
    if options.chart is not None:
        from cost_models.accelerator_chart import write

        write(results, options.chart)
    if options.json:
        print_json([result.to_dict() for result in results])
        return 0
    for result in results:
        _print_result(result)
    if len(results) > 1:
        _print_totals(results)
    return 0


def _accelerators(
    options: argparse.Namespace, work: "Workload", prices: "Prices"
) -> "list[Accelerator]":
    """Return the accelerators that options name, changed as they say."""
    from cost_models.accelerator import read
    from cost_models.array_size import fit
    from hwsim.accelerator.specification import file_of

    names = options.accelerator or ([BASE] if options.unit else [])
    if not names:
        raise InputError("--accelerator or --unit: name what the network runs on")
    if repeated := [name for k, name in enumerate(names) if name in names[:k]]:
        raise InputError(f"--accelerator {repeated[0]} is given twice")
    if options.unit and len(names) > 1:
        raise InputError("--unit goes with one --accelerator")
    if options.array and options.fit:
        raise InputError("--array and --fit both say how large the array is; give one")
    found = [_changed(read(file_of(name)), options) for name in names]
    if options.fit is None:
        return found
    return [fit(one, [work], prices, *options.fit) for one in found]


def _changed(accelerator: "Accelerator", options: argparse.Namespace) -> "Accelerator":
    """Return an accelerator with what the options say."""
    changes: dict[str, Any] = {
        key: value
        for key, value in (
            ("dataflow", options.dataflow),
            ("links", options.links),
            ("convention", options.convention),
            ("clock_ns", options.clock),
        )
        if value is not None
    }
    if options.array:
        changes |= dict(zip(("rows", "cols"), options.array, strict=True))
    memories = accelerator.memories
    if options.bandwidth is not None:
        memories = replace(memories, dram=replace(memories.dram, bandwidth=options.bandwidth))
    if options.sram_node is not None:
        memories = replace(memories, node=options.sram_node)
    unit = accelerator.unit
    if options.unit:
        unit = unit_of(options.unit)
        changes |= {"name": unit.name, "formats": _formats(unit, accelerator)}
    if options.kv_cache is not None:
        formats = changes.get("formats", accelerator.operand_formats)
        changes["formats"] = replace(formats, kv_cache=options.kv_cache)
    changed = replace(accelerator, unit=unit, memories=memories, **changes)
    if options.unit and accelerator.formats is not None:
        _check_kept(accelerator.name, changed)
    return changed


def _formats(unit: Any, accelerator: "Accelerator") -> "LayerFormats":
    """Return the formats of a unit, and those of keys, values and layers that the file says."""
    from hwsim.accelerator.simulation import formats_of

    own = formats_of(unit, accelerator.attention)
    kept = accelerator.formats
    if kept is None:
        return own
    return replace(own, kv_cache=kept.kv_cache, overrides=kept.overrides)


def _check_kept(name: str, changed: "Accelerator") -> None:
    """Refuse formats of an accelerator's file that the unit in its place has no hardware for."""
    from hwsim.accelerator.layer_formats import TENSORS

    formats = changed.operand_formats
    usual = {tensor: getattr(formats, tensor) for tensor in TENSORS}
    for pattern, chosen in {"": {"kv_cache": usual["kv_cache"]}, **formats.overrides}.items():
        for tensor, fmt in chosen.items():
            array = changed.arrays[-1 if tensor == "kv_cache" else 0]
            of = usual | {tensor: fmt}
            try:
                array.mode(of["kv_cache" if tensor == "kv_cache" else "weight"], of["activation"])
            except InputError as error:
                at = f"{pattern}: " if pattern else ""
                raise InputError(
                    f"--unit keeps the formats of {name}; {at}{tensor} {fmt}: {error}; allowed: "
                    "another --kv-cache, or a file without these formats"
                ) from None


def _print_result(result: "Result") -> None:
    from cost_models.accelerator import groups
    from cost_models.metrics import errors
    from hwsim.accelerator.traffic import Order

    run = result.simulation
    accelerator = run.accelerator
    print(
        f"{run.work.model.name}, {run.work.phase} on {accelerator.name}: {accelerator.rows} x "
        f"{accelerator.cols} {accelerator.unit.name}, {accelerator.dataflow}, "
        f"{accelerator.links}, clock {run.period_ns:.5g} ns, cycles as {accelerator.convention}"
    )
    _print_given(accelerator)
    rows = [
        [
            group.name, group.products, f"{group.macs * 1e-9:.5g}",
            *_times(group.cycles, run.period_ns), f"{100 * group.utilisation:.3g}", group.bound,
            f"{group.dram_bytes * 1e-6:.5g}", f"{100 * group.exposed_cycles / group.cycles:.3g}",
            "/".join(Order(order).name.lower() for order in group.orders), cell(energy * 1e-9),
        ]
        for group, energy in groups(result)
    ]  # fmt: skip
    print_table(
        ["group", "products", "GMAC", "Mcycles", "time ms", "used %", "bound by", "DRAM MB",
         "exposed %", "loop order", "energy mJ"],
        rows,
    )  # fmt: skip
    _print_parts("energy", "mJ", result.energy_pj, 1e-9)
    _print_parts("area", "mm²", result.area_um2, 1e-6)
    print(
        f"{run.time_s * 1e3:.5g} ms, {run.items_per_s:.5g} {_items(run.work)}/s, "
        f"{result.energy_j_per_item * 1e3:.5g} mJ a {_items(run.work)[:-1]}, "
        f"{result.power_w:.4g} W, {result.area_mm2:.5g} mm², used {100 * run.utilisation:.3g} %, "
        f"energy x delay {result.energy_delay_js:.4g} J s"
    )
    for note in result.notes:
        print(note)
    cost = next(iter(result.costs.values()))
    print(f"{result.technology}: {errors_phrase(errors(cost))}\n")


def _print_given(accelerator: "Accelerator") -> None:
    """Print formats and memories, and the array for attention if there is one."""
    if (other := accelerator.attention) is not None:
        print(
            f"attention: {other.rows} x {other.cols} {other.unit.name}, {other.dataflow}, "
            f"{other.links}"
        )
    formats = accelerator.operand_formats.to_dict()
    overrides = formats.pop("overrides")
    named = [f"{tensor} {name}" for tensor, name in formats.items()]
    for pattern, chosen in overrides.items():
        named += [f"{pattern} {tensor} {name}" for tensor, name in chosen.items()]
    print(f"formats: {', '.join(named)}")
    memories = accelerator.memories
    dram = memories.dram
    kept = [
        f"{name} {sram.capacity} bytes in {sram.banks} banks of {sram.width} bits"
        f"{'' if sram.double_buffered else ', single-buffered'}"
        for name, sram in (
            ("weights", memories.weights),
            ("inputs", memories.inputs),
            ("outputs", memories.outputs),
        )
    ]
    print(f"SRAM ({memories.table}, {memories.node} nm): {'; '.join(kept)}")
    boundary = "" if dram.boundary is None else f" ({dram.boundary})"
    print(f"DRAM: {dram.kind}{boundary}, {dram.bandwidth:.5g} GB/s")


def _items(work: "Workload") -> str:
    return "images" if work.tokens is None else "tokens"


def _times(cycles: float, period_ns: float) -> list[str]:
    return [f"{cycles * 1e-6:.5g}", f"{cycles * period_ns * 1e-6:.5g}"]


def _print_parts(quantity: str, unit: str, total: "Total", factor: float) -> None:
    """Print the parts of a quantity and their sum, with the error that is known of each."""
    rows = [
        [
            part.name, f"{part.value * factor:.5g}", f"{100 * part.value / total.value:.3g}",
            *(cell(None if end is None else end * factor) for end in (part.low, part.high)),
        ]
        for part in total.parts
    ]  # fmt: skip
    ends = [f"{end * factor:.5g}" for end in (total.low, total.high)]
    rows.append(["sum", f"{total.value * factor:.5g}", "100", *ends])
    print_table([quantity, unit, "%", "low", "high"], rows)
    print(f"{100 * total.unknown_share:.3g} % of the {quantity} is of parts without a known error")


def _print_totals(results: "Sequence[Result]") -> None:
    """Print a line an accelerator."""
    first = results[0].simulation
    print_table(
        ["accelerator", "array", "time ms", f"{_items(first.work)}/s", "mJ each", "W", "mm²",
         "used %", "faster", "less energy"],
        [
            [
                one.simulation.accelerator.name,
                f"{one.simulation.accelerator.rows}x{one.simulation.accelerator.cols}",
                one.simulation.time_s * 1e3, one.simulation.items_per_s,
                one.energy_j_per_item * 1e3, one.power_w, one.area_mm2,
                f"{100 * one.simulation.utilisation:.3g}",
                f"{results[0].simulation.time_s / one.simulation.time_s:.3g}",
                f"{results[0].energy_j / one.energy_j:.3g}",
            ]
            for one in results
        ],
    )  # fmt: skip
