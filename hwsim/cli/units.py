"""``hwsim units``: list the units and their parameters."""

import argparse
from dataclasses import MISSING, fields
from typing import Any

from hwsim.cli.arguments import Commands, json_option
from hwsim.cli.output import print_json, print_table


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("units", help="list the units and their parameters")
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line a unit."""
    from hwsim.units import FAMILIES
    from hwsim.units.naming import plain

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
