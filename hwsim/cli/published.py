"""``hwsim published``: costs of units from papers."""

import argparse
from dataclasses import asdict

from hwsim.cli.arguments import Commands, json_option, key_values
from hwsim.cli.output import print_json, print_table


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("published", help="costs of units from papers, with sources")
    parser.add_argument("filters", nargs="*", metavar="key=pattern", help="such as node=28")
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the published numbers that pass all filters."""
    from cost_models import published

    rows = published.select(key_values(options.filters))
    if options.json:
        print_json([asdict(row) | {"kind": row.kind} for row in rows])
        return 0
    if not rows:
        print("no published number passes all filters")
        return 0
    print_table(
        ["system", "unit", "weight", "activation", "node", "metric", "value", "measure",
         "evidence", "source", "note"],
        [
            [r.system, r.unit, r.weight, r.activation, r.node, r.metric, r.value, r.measure,
             f"{r.evidence}, derived" if r.derived else r.evidence, r.source, r.note]
            for r in rows
        ],
    )  # fmt: skip
    return 0
