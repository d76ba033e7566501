"""``hwsim cost``: area, delay and energy of units."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cost_models.phrases import corner_phrase, errors_phrase
from hwsim.cli.arguments import (
    Commands,
    families,
    json_option,
    liberty_option,
    make_unit,
    operand_source,
    operands_options,
    positive_number,
    share,
    verilog_option,
    whole_number,
    with_verilog,
)
from hwsim.cli.output import print_json, print_table
from hwsim.errors import InputError
from hwsim.tables import cell

if TYPE_CHECKING:
    from cost_models.breakdown import Breakdown
    from cost_models.cost import Cost
    from cost_models.metrics import Priced
    from cost_models.scaling import Band
    from hwsim.units import UnitSpec
    from hwsim.units.operands import Operands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("cost", help="area, delay and energy of units")
    parser.add_argument(
        "units", nargs="+", metavar="UNIT", help="families, each with its key=value parameters"
    )
    parser.add_argument(
        "--technology",
        action="append",
        metavar="T",
        help="name, or FILE.yaml of hwsim characterise; may be repeated",
    )
    parser.add_argument("--method", choices=("estimate", "synthesis"), default="estimate")
    operands_options(parser)
    liberty_option(parser, "cell library for synthesis")
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "--objective",
        choices=("area", "speed", "density"),
        help="map for the least area (the default), the least delay or the least area times delay; "
        "units run at their own fmax",
    )
    goal.add_argument(
        "--clock",
        type=positive_number("--clock"),
        metavar="NS",
        help="map for the least area that meets this clock period in ns, and run at it",
    )
    parser.add_argument(
        "--scale-to",
        type=whole_number("--scale-to", 1),
        metavar="NM",
        help="bands at 45, 28 or 16 nm, too; of asap7 and sky130",
    )
    parser.add_argument(
        "--clock-gating", action="store_true", help="registers with an enable behind clock gates"
    )
    parser.add_argument(
        "--wires", action="store_true", help="what wires and a clock tree add, too, by themselves"
    )
    parser.add_argument(
        "--utilisation",
        type=share("--utilisation"),
        metavar="SHARE",
        help="of the core that cells cover in a placed netlist, for synthesis (default: 0.7)",
    )
    parser.add_argument("--breakdown", action="store_true", help="estimate every part of the units")
    verilog_option(parser)
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print costs as a table or JSON."""
    from cost_models import metrics, scaling, technology

    units = [make_unit(family, parameters) for family, parameters in families(options.units)]
    units = with_verilog(options, units)
    if repeated := [unit.name for k, unit in enumerate(units) if unit in units[:k]]:
        raise InputError(f"the unit {repeated[0]} is given twice")
    operand_source(options)
    if options.scale_to is not None:
        scaling.check_node(options.scale_to)
    if options.method == "estimate" and options.liberty:
        raise InputError("--liberty goes with --method synthesis")
    if options.utilisation is not None and not (options.wires and options.method == "synthesis"):
        raise InputError("--utilisation goes with --wires and --method synthesis")
    if options.breakdown:
        if options.wires:
            raise InputError("--wires takes whole units; it does not go with --breakdown")
        if options.scale_to is not None:
            raise InputError("--scale-to takes whole units; it does not go with --breakdown")
        if options.clock_gating:
            raise InputError("--clock-gating takes whole units; it does not go with --breakdown")
        if options.objective or options.clock:
            raise InputError(
                "--breakdown is of the least area; --clock and --objective do not go with it"
            )
        return _breakdown(options, units)
    if options.method == "estimate":
        every = technology.names() if options.scale_to is None else scaling.anchors()
        priced = _estimates(units, options.technology or every, options)
    else:
        priced = _syntheses(units, options)
    costs = [one.cost for one in priced]
    bands: list[list[Band]] = []
    if options.scale_to is not None:
        bands = [scaling.bands(cost, options.scale_to) for cost in costs]
    if options.json:
        rows = [metrics.plain(one) | _energy_of(options) for one in priced]
        for row, several in zip(rows, bands, strict=False):
            row["scaled"] = [*map(asdict, several)]
        print_json(rows)
        return 0
    _print_costs(priced, options.operands)
    if options.wires:
        _print_wires(costs)
    if bands:
        _print_bands(costs, bands)
    return 0


def _estimates(
    units: "Sequence[UnitSpec]", names: Sequence[str], options: argparse.Namespace
) -> "list[Priced]":
    from cost_models.estimate import estimate_all
    from cost_models.metrics import Priced

    gating, group = options.clock_gating, _energy_of(options)["group"]
    return [
        Priced(unit, cost, group)
        for unit in units
        for cost in estimate_all(
            unit,
            names,
            _operands(unit, options),
            options.objective or "area",
            options.clock,
            clock_gating=gating,
            wires=options.wires,
        ).values()
    ]


def _syntheses(units: "Sequence[UnitSpec]", options: argparse.Namespace) -> "list[Priced]":
    from cost_models.metrics import Priced
    from cost_models.synthesis import Objective, measure
    from cost_models.synthesis.liberty import opened

    if len(options.technology or []) != 1:
        raise InputError("--method synthesis takes one --technology, e.g. osu018")
    name = options.technology[0]
    objective: Objective = options.objective or "area"
    gating, group = options.clock_gating, _energy_of(options)["group"]
    streams = [_operands(unit, options) for unit in units]
    wired = {"wires": options.wires, "utilisation": options.utilisation}
    with opened(name, options.liberty) as library:
        return [
            Priced(
                unit,
                measure(unit, name, library, stream, objective, options.clock, gating, **wired),
                group,
            )
            for unit, stream in zip(units, streams, strict=True)
        ]


def _energy_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the energy is of; a kind has neither names of weights nor a group size."""
    from cost_models.operands import KINDS

    source, match, group = operand_source(options)
    chosen = (None, None) if source in KINDS else (match, group)
    return {"operands": source, **dict(zip(("match", "group"), chosen, strict=True))}


def _operands(unit: "UnitSpec", options: argparse.Namespace) -> "Operands":
    from cost_models import operands

    return operands.create(unit, *operand_source(options))


def _print_costs(priced: "Sequence[Priced]", source: str) -> None:
    """Print costs of one method as a table, and what its errors mean."""
    from cost_models import metrics
    from cost_models.bands import LEVELS

    costs = [one.cost for one in priced]
    method = costs[0].method
    print(
        f"{source} operands; {_goal(costs[0])}; energy in pJ/MAC: settled is data + clock, energy "
        "is settled + glitches"
    )
    shown = [
        metric
        for metric in metrics.METRICS.values()
        if metric.heading and (metric.name != "slack_ns" or costs[0].clock_ns is not None)
    ]
    print_table(
        ["unit", "technology", "method", *(metric.heading for metric in shown)],
        [
            [
                one.cost.unit,
                one.cost.technology,
                one.cost.method,
                *(cell(metric.value(one)) + error[metric.name] for metric in shown),
            ]
            for one, error in ((one, _errors(one.cost)) for one in priced)
        ],
    )
    for cost in costs:
        _print_notes(cost)
    if method == "synthesis":
        print(f"{costs[0].technology}: {corner_phrase(costs[0].provenance['corner'])}")
        which = "" if costs[0].clock_ns is None else ", of those that meet the clock if any does"
        print(f"± how far the other netlists that were mapped lie from the chosen one{which}")
        return
    levels = " / ".join(f"{level} %" for level in LEVELS)
    least = [metrics.is_least_area(cost) for cost in costs]
    by_family = ", by family" + ("" if all(least) else " where it is the least area")
    print(f"± what {levels} of units stay within{by_family if any(least) else ''}")
    of_technologies = {(cost.technology, str(metrics.errors(cost))): cost for cost in costs}
    for (name, _), cost in of_technologies.items():
        corner = corner_phrase(cost.provenance["coefficients"]["corner"])
        print(f"{name}: {corner}; {errors_phrase(metrics.errors(cost))}")
    for cost in {cost.unit: cost for cost in costs}.values():
        _print_effort(cost)


def _goal(cost: "Cost") -> str:
    """Return what a unit was mapped for, and at which clock its throughput is."""
    if cost.clock_ns is not None:
        return f"mapped for a clock of {cost.clock_ns:g} ns, GMAC/s at the clock"
    leasts = {"area": "area", "speed": "delay", "density": "area times delay"}
    least = leasts[cost.provenance["objective"]]
    return f"mapped for the least {least}, GMAC/s at each unit's own fmax"


def _print_notes(cost: "Cost") -> None:
    """Say what is not as the table alone would have it: a clock or limits that are not kept."""
    place = f"{cost.unit}, {cost.technology}"
    if cost.slack_ns is not None and cost.slack_ns < 0:
        print(
            f"{place}: misses the clock of {cost.clock_ns:g} ns; GMAC/s at its own fmax, "
            f"{cost.delay_ns:.5g} ns"
        )
    if cost.macs_per_cycle_error:
        print(f"{place}: standard error of MAC/cycle {cost.macs_per_cycle_error:.2g}")
    for limit, found in cost.provenance.get("violations", {}).items():
        if found is not None and found["count"]:
            print(
                f"{place}: {found['count']} pins beyond {limit.replace('_', ' ')}, "
                f"{found['pin']} by a factor of {found['worst']:g}"
            )


def _print_effort(cost: "Cost") -> None:
    """Say so if an estimate is of a netlist that was mapped with bounded effort."""
    if cost.provenance["effort"] == "bounded":
        print(
            f"{cost.unit} is large and mapped with bounded effort; the units of the errors are not"
        )


def _errors(cost: "Cost") -> dict[str, str]:
    """Return what a table says behind the metrics of a cost, by name."""
    from cost_models import metrics

    known = {name: [*levels.values()] for name, levels in metrics.percents(cost).items()}
    known |= {name: [spread] for name, spread in metrics.spreads(cost).items()}
    texts = {name: "/".join(f"{value:.1f}" for value in known[name]) for name in known}
    return {name: f" ±{texts[name]}%" if name in texts else "" for name in metrics.METRICS}


def _print_wires(costs: "Sequence[Cost]") -> None:
    """Print what wires and a clock tree add, and what that is of."""
    from cost_models.wires import FACTORS

    wired = [(cost, cost.wires) for cost in costs if cost.wires is not None]
    of = wired[0][1].provenance["of"]
    print(f"\nWires and clock tree, in no figure above, by {of}; energy in pJ/MAC:")
    rows = [
        [
            cost.unit,
            cost.technology,
            *map(cell, (wires.utilisation, wires.core_area_um2, wires.length_um)),
            f"+{cell(wires.delay_ns)}",
            cell(cost.delay_with_wires_ns),
            *(
                f"+{cell(energy / cost.macs_per_cycle)}"
                for energy in (wires.settled_pj, wires.glitch_pj, wires.clock_pj)
            ),
            cell(cost.energy_with_wires_pj_per_mac),
        ]
        for cost, wires in wired
    ]
    print_table(
        ["unit", "technology", "utilisation", "core µm²", "length µm", "delay ns", "with wires",
         "settled", "glitches", "clock tree", "energy with wires"],
        rows,
    )  # fmt: skip
    print("Nothing is routed, no cell is sized again, and hazards are those without wires.")
    for cost, wires in wired:
        period_ns = cost.delay_ns + wires.delay_ns
        if cost.clock_ns is not None and period_ns > cost.clock_ns:
            print(
                f"{cost.unit}, {cost.technology}: with wires it misses the clock of "
                f"{cost.clock_ns:g} ns"
            )
    for name, wires in {cost.technology: wires for cost, wires in wired}.items():
        print(f"{name}: {wires.provenance['source']}")
        if of == FACTORS:
            print(f"{name}: {_factors_phrase(wires.provenance)}")


def _factors_phrase(provenance: Mapping[str, Any]) -> str:
    """Return what factors of wires were fitted to, and their errors, as one phrase."""
    from cost_models.wires import SHARES

    low, high = provenance["areas_um2"]
    errors = provenance["errors"]["held_out"]
    stated = ", ".join(f"{key} {errors[key]:.1f} %" for key in SHARES)
    return (
        f"fitted to units of the least area, of {low:g} to {high:g} µm² of cells; mean error of "
        f"the total with wires on {errors['units']:g} held-out units: {stated}"
    )


def _print_bands(costs: "Sequence[Cost]", bands: Sequence[Sequence["Band"]]) -> None:
    from cost_models.scaling import ANCHORS, SOURCES, anchors

    print(f"\nScaled, between two published sources, from the nodes of {' and '.join(anchors())}:")
    print_table(
        ["unit", "from", "node", "quantity", "low", "high", "measure",
         *(f"x {name}" for name in SOURCES)],
        [
            [cost.unit, b.anchor, b.node, b.quantity, b.low, b.high, b.unit, *map(str, b.factors)]
            for cost, several in zip(costs, bands, strict=True)
            for b in several
        ],
    )  # fmt: skip
    for name, (source, evidence) in SOURCES.items():
        print(f"{name}: {source} ({evidence})")
    for name in dict.fromkeys(cost.technology for cost in costs):
        if ANCHORS[name].missing:
            print(f"{name}: nothing but {', '.join(ANCHORS[name].quantities)}, for "
                  f"{ANCHORS[name].missing}")  # fmt: skip


def _breakdown(options: argparse.Namespace, units: "Sequence[UnitSpec]") -> int:
    from cost_models import technology
    from cost_models.breakdown import breakdown_all

    if options.method != "estimate":
        raise InputError("--breakdown is an estimate; it does not go with --method synthesis")
    names = options.technology or technology.names()
    results = [
        result
        for unit in units
        for result in breakdown_all(unit, names, _operands(unit, options)).values()
    ]
    if options.json:
        print_json([result.to_dict() | _energy_of(options) for result in results])
        return 0
    for result in results:
        _print_breakdown(result, options.operands)
    return 0


def _print_breakdown(result: "Breakdown", source: str) -> None:
    from cost_models import metrics

    whole = result.whole
    print(
        f"{whole.unit}, {whole.technology}, estimate: {whole.macs_per_cycle:.3g} MAC/cycle, "
        f"{source} operands"
    )
    rows = [
        (label, result.metrics(part), part.flip_flops)
        for label, part in [*result.parts.items(), ("sum of parts", result.total)]
    ]
    shown = {name: metrics.METRICS[name].heading for name in rows[-1][1]}
    shown = {name: heading for name, heading in shown.items() if heading}
    print_table(
        ["part", *shown.values(), "flip-flops"],
        [[label, *map(values.get, shown), flip_flops] for label, values, flip_flops in rows],
    )
    print(
        f"Nothing is optimised across the borders of parts. The whole unit is estimated at "
        f"{whole.area_um2:.4g} µm² and {whole.energy_pj_per_mac:.4g} pJ/MAC."
    )
    print(f"{whole.technology}, whole units: {errors_phrase(metrics.errors(whole))}")
    _print_effort(whole)
