"""The ``hwsim`` command. It parses arguments, prints results, and leaves the work to the packages.

Exit status: 0 for success, 1 if a check failed (a unit does not verify, a sweep point fails,
something is not installed), 2 for input that cannot be used, 3 for a missing tool, 130 when
interrupted, by Ctrl-C or by the SIGTERM of a batch system.
"""

import argparse
import json
import math
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim import __version__
from hwsim.errors import InputError, MissingToolError
from hwsim.pool import each, handling

if TYPE_CHECKING:
    from cost_models.breakdown import Breakdown
    from cost_models.cost import Cost
    from cost_models.figures import Figure
    from cost_models.scaling import Band
    from hwsim.units import UnitSpec

#: The code table of a wider format is too long to read.
SHOWN_BITS = 10

CHECK_FAILED, BAD_INPUT, MISSING_TOOL, INTERRUPTED = 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        # As Ctrl-C: workers end, and what is finished is kept.
        with handling(signal.SIGTERM, signal.default_int_handler):
            return command(options)
    except InputError as error:
        print(f"hwsim: {error}", file=sys.stderr)
        return BAD_INPUT
    except MissingToolError as error:
        print(f"hwsim: {error}", file=sys.stderr)
        return MISSING_TOOL
    except KeyboardInterrupt:
        print("hwsim: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hwsim",
        description="What a number format costs in silicon: formats, verified units, cost, sweeps.",
    )
    parser.add_argument("--version", action="version", version=f"hwsim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    formats = commands.add_parser("formats", help="list the number formats, or show one")
    formats.set_defaults(command=_formats)
    show = formats.add_subparsers(metavar="show").add_parser("show", help="codes of one format")
    show.add_argument("format", metavar="NAME")
    show.add_argument("-o", "--output", type=Path, metavar="FILE.png", help="draw it, too")
    show.set_defaults(command=_show_format)

    units = commands.add_parser("units", help="list the units and their parameters")
    units.set_defaults(command=_units)

    generate = commands.add_parser("generate", help="write Verilog, description and testbench")
    _add_unit(generate)
    generate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    generate.set_defaults(command=_generate)

    verify = commands.add_parser("verify", help="prove the Verilog equal to the golden model")
    verify.add_argument(
        "units",
        nargs="*",
        metavar="UNIT",
        help="families, each with key=value parameters for one unit; none means all",
    )
    verify.add_argument("--seed", type=int, default=1, help="seed of the vectors (default: 1)")
    verify.set_defaults(command=_verify)

    cost = commands.add_parser("cost", help="area, delay and energy of units")
    cost.add_argument(
        "units", nargs="+", metavar="UNIT", help="families, each with its key=value parameters"
    )
    cost.add_argument(
        "--technology",
        action="append",
        metavar="T",
        help="name, or FILE.yaml of hwsim characterise; may be repeated",
    )
    cost.add_argument("--method", choices=("estimate", "synthesis"), default="estimate")
    cost.add_argument(
        "--operands",
        default="normal",
        metavar="normal|random|quiet|FILE",
        help="what the energy is of; FILE has weights and activations (default: normal)",
    )
    cost.add_argument("--liberty", nargs="+", type=Path, metavar="FILE", help="for synthesis")
    cost.add_argument(
        "--objective", choices=("area", "speed"), help="of synthesis; the least area by default"
    )
    cost.add_argument("--scale-to", type=int, metavar="NM", help="bands at 45, 28 or 16 nm, too")
    cost.add_argument("--breakdown", action="store_true", help="estimate every part of the units")
    cost.set_defaults(command=_cost)

    memory = commands.add_parser("memory", help="cost of a memory, or what the tables have")
    memory.add_argument("kind", choices=("sram", "regfile", "dram"))
    memory.add_argument("parameters", nargs="*", metavar="key=value")
    memory.set_defaults(command=_memory)

    published = commands.add_parser("published", help="costs of units from papers, with sources")
    published.add_argument("filters", nargs="*", metavar="key=pattern", help="such as node=28")
    published.set_defaults(command=_published)

    sweep = commands.add_parser("sweep", help="explore a design space to Pareto charts")
    sweep.add_argument("spec", type=Path, metavar="SPEC.yaml")
    sweep.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    sweep.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    sweep.set_defaults(command=_sweep)

    characterise = commands.add_parser(
        "characterise", help="fit the estimates to a cell library of your own"
    )
    characterise.add_argument("--liberty", nargs="+", type=Path, required=True, metavar="FILE")
    characterise.add_argument("--name", help="name of the technology (default: that of the file)")
    characterise.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.yaml")
    characterise.set_defaults(command=_characterise)

    report = commands.add_parser("cost-model", help="the error of the estimates")
    report.add_argument(
        "action",
        choices=("report", "measure"),
        help="print docs/cost-model.md, or synthesise the held-out units now and compare",
    )
    report.add_argument("-o", "--output", type=Path, metavar="DIR", help="write report and chart")
    report.add_argument("--technology", default="osu018", metavar="T", help="default: osu018")
    report.add_argument("--liberty", nargs="+", type=Path, metavar="FILE", help="for measure")
    report.set_defaults(command=_cost_model)

    doctor = commands.add_parser("doctor", help="what is installed, and what is missing")
    doctor.set_defaults(command=_doctor)

    for listing in (formats, show, units, verify, cost, memory, published, report, doctor):
        listing.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_unit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="see `hwsim units`")
    parser.add_argument("parameters", nargs="*", metavar="key=value")


def _make_unit(family: str, parameters: Iterable[str]) -> "UnitSpec":
    from hwsim.units import make

    return make(family, **_key_values(parameters))


def _key_values(parameters: Iterable[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in parameters:
        key, equals, value = item.partition("=")
        if not equals:
            raise InputError(f"parameters are written key=value, not {item!r}")
        if key in values:
            raise InputError(f"the parameter {key!r} is given twice")
        values[key] = value
    return values


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))


def _print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns, numbers to the right."""
    text = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *text, strict=True)]
    numeric = [all(_is_number(row[k]) for row in text) for k in range(len(header))]
    for row in [list(header), *text]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _is_number(cell: str) -> bool:
    """Whether a cell is a number, with or without its error."""
    return bool(re.fullmatch(r"[-+.e\d]*\d( ±[.\d]+%)?", cell))


def _cell(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _formats(options: argparse.Namespace) -> int:
    from hwsim.formats import block_names, parse_scalar, scalar_names
    from hwsim.formats.table import format_row

    # Some formats go by several names; each is listed once.
    formats = dict.fromkeys(parse_scalar(name) for name in scalar_names())
    rows = [_known(asdict(format_row(fmt))) for fmt in formats]
    if options.json:
        _print_json(rows)
        return 0
    _print_table(list(rows[0]), [["-" if v is None else v for v in row.values()] for row in rows])
    print(f"\nBlock formats, for example: {', '.join(block_names())}")
    return 0


def _show_format(options: argparse.Namespace) -> int:
    from hwsim.formats import Kind, parse_scalar
    from hwsim.formats.table import format_row

    fmt = parse_scalar(options.format)
    row = _known(asdict(format_row(fmt)))
    if fmt.bits > SHOWN_BITS:
        raise InputError(
            f"{fmt.name} has 2**{fmt.bits} codes; tables are shown up to 2**{SHOWN_BITS}"
        )
    codes = range(2**fmt.bits)
    kinds = [Kind(kind).name.lower() for kind in fmt.unpack(codes).kind]
    values = fmt.decode(codes).tolist()
    if options.output:
        from hwsim.formats import chart

        chart.write(fmt, options.output)
    if options.json:
        table = [
            # JSON has neither NaN nor infinity; the kind says which it is.
            {"code": code, "kind": kind, "value": value if math.isfinite(value) else None}
            for code, kind, value in zip(codes, kinds, values, strict=True)
        ]
        _print_json({**row, "codes": table})
        return 0
    print(", ".join(f"{key} {value}" for key, value in row.items() if value not in ("", None)))
    _print_table(
        ["code", "bits", "kind", "value"],
        [
            [f"0x{code:0{-(-fmt.bits // 4)}x}", f"{code:0{fmt.bits}b}", kind, f"{value:.9g}"]
            for code, kind, value in zip(codes, kinds, values, strict=True)
        ],
    )
    return 0


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return ``row`` with None in the place of NaN, which JSON does not have."""
    return {key: None if value != value else value for key, value in row.items()}


def _units(options: argparse.Namespace) -> int:
    from hwsim.units import FAMILIES
    from hwsim.units.base import plain

    rows: list[dict[str, Any]] = []
    for name, cls in FAMILIES.items():
        rows.append(
            {
                "unit": name,
                "required": [f.name for f in fields(cls) if f.default is MISSING],
                "optional": {
                    f.name: plain(f.default) for f in fields(cls) if f.default is not MISSING
                },
                "what": (cls.__doc__ or "").splitlines()[0],
            }
        )
    if options.json:
        _print_json(rows)
    else:
        _print_table(
            ["unit", "required", "optional", "what"],
            [
                [
                    row["unit"],
                    " ".join(row["required"]),
                    " ".join(k if v is None else f"{k}={v}" for k, v in row["optional"].items()),
                    row["what"],
                ]
                for row in rows
            ],
        )
    return 0


def _generate(options: argparse.Namespace) -> int:
    from rtl import emit

    unit = _make_unit(options.unit, options.parameters)
    for path in emit.write(unit, options.output):
        print(path)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from hwsim.units import FAMILIES
    from rtl.verification import suite, verify
    from rtl.verification.run import simulator_version

    simulator_version()  # A missing simulator is one error, not one a unit.
    units: list[UnitSpec] = []
    for family, parameters in _families(options.units or list(FAMILIES)):
        units += [_make_unit(family, parameters)] if parameters else suite(family)
    verdicts = {}
    for unit, verdict in each(partial(verify, seed=options.seed), units):
        if isinstance(verdict, Exception):
            raise verdict
        verdicts[unit] = verdict
        if not options.json:
            print(verdict, flush=True)
    if options.json:
        _print_json([asdict(verdicts[unit]) for unit in units])
    failed = sum(not verdicts[unit].passed for unit in units)
    print(f"{len(units) - failed} passed, {failed} failed", file=sys.stderr)
    return CHECK_FAILED if failed or not units else 0


def _families(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Group ``UNIT key=value... UNIT ...`` into families with their parameters."""
    from hwsim.units.registry import family

    groups: list[tuple[str, list[str]]] = []
    for word in words:
        if "=" not in word:
            family(word)  # Raises for an unknown one.
            groups.append((word, []))
        elif groups:
            groups[-1][1].append(word)
        else:
            raise InputError(f"name a unit before its parameter {word!r}")
    return groups


def _cost(options: argparse.Namespace) -> int:
    from cost_models import figures, scaling, technology

    units = [_make_unit(family, parameters) for family, parameters in _families(options.units)]
    if options.method == "estimate" and options.liberty:
        raise InputError("--liberty goes with --method synthesis")
    if options.method == "estimate" and options.objective:
        raise InputError("--objective goes with --method synthesis")
    if options.breakdown:
        if options.scale_to is not None:
            raise InputError("--scale-to takes whole units; it does not go with --breakdown")
        return _breakdown(options, units)
    if options.method == "estimate":
        every = technology.names() if options.scale_to is None else scaling.anchors()
        costs = _estimates(units, options.technology or every, options.operands)
    else:
        costs = _syntheses(units, options)
    bands: list[list[Band]] = []
    if options.scale_to is not None:
        bands = [scaling.bands(cost, options.scale_to) for cost in costs]
    if options.json:
        rows = [figures.plain(cost) | {"operands": options.operands} for cost in costs]
        for row, several in zip(rows, bands, strict=False):
            row["scaled"] = [*map(asdict, several)]
        _print_json(rows)
        return 0
    _print_costs(costs, options.operands)
    if bands:
        _print_bands(costs, bands)
    return 0


def _estimates(units: "Sequence[UnitSpec]", names: Sequence[str], source: str) -> "list[Cost]":
    from cost_models import operands
    from cost_models.estimate import estimate_all

    return [
        cost
        for unit in units
        for cost in estimate_all(unit, names, operands.create(unit, source)).values()
    ]


def _syntheses(units: "Sequence[UnitSpec]", options: argparse.Namespace) -> "list[Cost]":
    from cost_models import operands
    from cost_models.synthesis import Objective, measure
    from cost_models.synthesis.liberty import opened

    if len(options.technology or []) != 1:
        raise InputError("--method synthesis takes one --technology, e.g. osu018")
    name = options.technology[0]
    objective: Objective = options.objective or "area"
    streams = [operands.create(unit, options.operands) for unit in units]
    with opened(name, options.liberty) as library:
        return [
            measure(unit, name, library, stream, objective)
            for unit, stream in zip(units, streams, strict=True)
        ]


def _print_costs(costs: "Sequence[Cost]", source: str) -> None:
    """Print costs of one method as a table, and what its errors mean."""
    from cost_models import figures

    method = costs[0].method
    print(f"{source} operands; data, clock and glitches are parts of the energy in pJ/MAC")
    rows = [figures.figures(cost) for cost in costs]
    _print_table(
        ["unit", "technology", "method", *(figure.label for figure in rows[0].values())],
        [
            [cost.unit, cost.technology, cost.method, *map(_with_error, row.values())]
            for cost, row in zip(costs, rows, strict=True)
        ],
    )
    if method == "synthesis":
        print("± how far the other netlists that were mapped lie from the chosen one")
        return
    print("± the mean error, or the sum of those of its factors")
    for name, cost in {cost.technology: cost for cost in costs}.items():
        print(f"{name}: {_errors(figures.errors(cost))}")
    for cost in {cost.unit: cost for cost in costs}.values():
        _print_effort(cost)


def _print_effort(cost: "Cost") -> None:
    """Say so if an estimate is of a netlist that was mapped with bounded effort."""
    if cost.provenance["effort"] == "bounded":
        print(
            f"{cost.unit} is large and mapped with bounded effort; the units of the errors are not"
        )


def _with_error(figure: "Figure") -> str:
    value = _cell(figure.value)
    return value if figure.percent is None else f"{value} ±{figure.percent:.1f}%"


def _print_bands(costs: "Sequence[Cost]", bands: Sequence[Sequence["Band"]]) -> None:
    from cost_models.scaling import ANCHORS, SOURCES

    print("\nScaled, between two published sources:")
    _print_table(
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


def _memory(options: argparse.Namespace) -> int:
    from cost_models import memory

    if not options.parameters:
        rows = memory.contents(options.kind)
        if options.json:
            _print_json(rows)
        else:
            _print_table(list(rows[0]), [list(row.values()) for row in rows])
        return 0
    made = memory.make(options.kind, _key_values(options.parameters))
    if options.json:
        _print_json(asdict(made))
        return 0
    figures = made.figures()
    print(f"{made.kind}, {made.name}: {made.included}")
    _print_table(
        ["", "low", "high", "unit", "evidence", "derivation"],
        [[k.replace("_", " "), f.low, f.high, f.unit, f.evidence, f.derivation]
         for k, f in figures.items()],
    )  # fmt: skip
    for source in dict.fromkeys(figure.source for figure in figures.values()):
        print(f"source: {source}")
    return 0


def _published(options: argparse.Namespace) -> int:
    from cost_models import published

    rows = published.select(_key_values(options.filters))
    if options.json:
        _print_json([asdict(row) | {"kind": row.kind} for row in rows])
        return 0
    if not rows:
        print("no published number passes all filters")
        return 0
    _print_table(
        ["system", "unit", "weight", "activation", "node", "metric", "value", "measure",
         "evidence", "source", "note"],
        [
            [r.system, r.unit, r.weight, r.activation, r.node, r.metric, r.value, r.measure,
             f"{r.evidence}, derived" if r.derived else r.evidence, r.source, r.note]
            for r in rows
        ],
    )  # fmt: skip
    return 0


def _breakdown(options: argparse.Namespace, units: "Sequence[UnitSpec]") -> int:
    from cost_models import operands, technology
    from cost_models.breakdown import breakdown_all

    if options.method != "estimate":
        raise InputError("--breakdown is an estimate; it does not go with --method synthesis")
    names = options.technology or technology.names()
    results = [
        result
        for unit in units
        for result in breakdown_all(unit, names, operands.create(unit, options.operands)).values()
    ]
    if options.json:
        _print_json([result.to_dict() | {"operands": options.operands} for result in results])
        return 0
    for result in results:
        _print_breakdown(result, options.operands)
    return 0


def _print_breakdown(result: "Breakdown", source: str) -> None:
    from cost_models import figures

    whole = result.whole
    macs = whole.macs_per_cycle
    print(f"{whole.unit}, {whole.technology}, estimate: {macs:.3g} MAC/cycle, {source} operands")
    _print_table(
        ["part", "area um^2", "energy pJ/MAC", "clock pJ/MAC", "leakage nW", "flip-flops"],
        [
            [label, p.area_um2, p.energy_pj / macs, p.clock_pj / macs, p.leakage_nw, p.flip_flops]
            for label, p in [*result.parts.items(), ("sum of parts", result.total)]
        ],
    )
    print(
        f"Nothing is optimised across the borders of parts. The whole unit is estimated at "
        f"{whole.area_um2:.4g} um^2 and {whole.energy_per_mac:.4g} pJ/MAC."
    )
    print(f"{whole.technology}, whole units: {_errors(figures.errors(whole))}")
    _print_effort(whole)


def _sweep(options: argparse.Namespace) -> int:
    from sweeps import run_sweep

    return run_sweep(options.spec, options.output, options.workers)


def _characterise(options: argparse.Namespace) -> int:
    from cost_models import technology
    from cost_models.fit import characterise

    output: Path = options.output
    if output.exists():
        raise InputError(f"{output} exists; choose another file")
    # What is finished outlives an interruption, and is gone when the file is there.
    samples = output.with_name(f"{output.name}.samples")
    fitted = characterise(options.liberty, options.name or output.stem, samples)
    technology.write(fitted, output)
    shutil.rmtree(samples)
    for kind, errors in fitted.errors.items():
        print(f"{kind.replace('_', ' ')}: {_percentages(errors)}")
    print(output)
    return 0


def _cost_model(options: argparse.Namespace) -> int:
    from cost_models import report

    if options.action == "measure":
        errors = report.measure(options.technology, options.liberty)
        if options.json:
            _print_json({options.technology: errors})
        else:
            print(f"{options.technology}: {_errors(errors)}")
    elif options.json:
        _print_json(report.errors())
    elif options.output:
        for path in report.write(options.output):
            print(path)
    else:
        print(report.document(), end="")
    return 0


def _errors(errors: Mapping[str, Mapping[str, float]]) -> str:
    """Return the errors of estimates on held-out units as one phrase."""
    return f"mean error of the estimate on units it was not fitted to: {_percentages(errors)}"


def _percentages(errors: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(
        f"{quantity.replace('_', ' ')} {error['mean_percent']:.1f} % "
        f"(at most {error['max_percent']:.1f} %)"
        for quantity, error in errors.items()
    )


def _doctor(options: argparse.Namespace) -> int:
    from hwsim.doctor import examine

    findings = list(examine())
    if options.json:
        _print_json([asdict(finding) for finding in findings])
    else:
        _print_table(
            ["what", "found", "for", "to install"],
            [[f.name, f.found or "missing", f.purpose, "" if f.found else f.install]
             for f in findings],
        )  # fmt: skip
    return 0 if all(finding.found for finding in findings) else CHECK_FAILED


if __name__ == "__main__":
    sys.exit(main())
