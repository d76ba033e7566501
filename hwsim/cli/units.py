"""``hwsim units``: list the units, or describe one."""

import argparse
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hwsim.cli.arguments import Commands, json_option
from hwsim.cli.output import print_json, print_table

if TYPE_CHECKING:
    from hwsim.units.manual import Parameter


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("units", help="list the units, or describe one")
    parser.add_argument(
        "unit", nargs="?", metavar="UNIT", help="describe its parameters, with an example"
    )
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line a unit, or everything about one."""
    if options.unit is not None:
        return _describe(options.unit, options.json)
    from hwsim.units import FAMILIES
    from hwsim.units.base import parameter_fields
    from hwsim.units.manual import summary
    from hwsim.units.naming import plain

    rows: list[dict[str, Any]] = []
    for name, cls in FAMILIES.items():
        rows.append(
            {
                "unit": name,
                "required": [f.name for f in parameter_fields(cls) if f.default is MISSING],
                "optional": {
                    f.name: plain(f.default)
                    for f in parameter_fields(cls)
                    if f.default is not MISSING
                },
                "what": summary(name),
            }
        )
    if options.json:
        print_json(rows)
    else:
        print_table(
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


def example(family: str) -> list[str]:
    """Return a command that generates a unit of the family, as words."""
    from hwsim.units import FAMILIES

    values = [f"{key}={value}" for key, value in FAMILIES[family].configurations[0].items()]
    return ["hwsim", "generate", family, *values, "-o", "pe"]


def _describe(name: str, as_json: bool) -> int:
    from hwsim.units import FAMILIES, make, manual

    parameters = manual.parameters(name)
    unit = make(name, **FAMILIES[name].configurations[0])
    timing = unit.timing()
    command = shlex.join(example(name))
    if as_json:
        print_json(
            {
                "unit": name,
                "what": manual.summary(name),
                "parameters": [asdict(parameter) for parameter in parameters],
                "example": {
                    "command": command,
                    "latency_cycles": timing.latency,
                    "interval_cycles": timing.interval,
                    "min_interval_cycles": timing.min_interval,
                    "macs_per_cycle": unit.macs_per_cycle,
                },
            }
        )
        return 0
    print(f"{name}: {manual.summary(name)}\n")
    for _, alike in groupby(parameters, _meaning):
        _print_parameters([*alike])
    interval = f"{timing.interval}"
    if timing.min_interval != timing.interval:
        interval = f"{timing.min_interval} to {timing.interval}"
    print(f"\nFor example:\n  {command}")
    print(f"  latency {timing.latency}, initiation interval {interval} cycles, "
          f"{unit.macs_per_cycle:.5g} MAC/cycle")  # fmt: skip
    return 0


def _meaning(parameter: "Parameter") -> str:
    """Return what a parameter does, and what older versions called it."""
    formerly = "".join(f" Formerly {name}." for name in parameter.formerly)
    return parameter.meaning + formerly


def _print_parameters(alike: Sequence["Parameter"]) -> None:
    """Print parameters that mean the same, which is said once."""
    for parameter in alike:
        kind = " | ".join(parameter.choices) or parameter.type
        default = "required" if parameter.required else f"default {parameter.default}"
        if not parameter.required and parameter.default is None:
            default = "optional"
        print(f"  {parameter.name}: {kind}, {default}")
    indent = " " * 6
    print(textwrap.fill(_meaning(alike[0]), 96, initial_indent=indent, subsequent_indent=indent))
