"""``hwsim memory``: cost of a memory, or what the tables have."""

import argparse
from dataclasses import asdict

from hwsim.cli.arguments import Commands, json_option, key_values
from hwsim.cli.output import print_json, print_table


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("memory", help="cost of a memory, or what the tables have")
    parser.add_argument("kind", choices=("sram", "regfile", "dram"))
    parser.add_argument("parameters", nargs="*", metavar="key=value")
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the cost of one memory, or the table that it would be interpolated in."""
    from cost_models import memory

    if not options.parameters:
        rows = memory.contents(options.kind)
        if options.json:
            print_json(rows)
        else:
            print_table(list(rows[0]), [list(row.values()) for row in rows])
        return 0
    made = memory.make(options.kind, key_values(options.parameters))
    if options.json:
        print_json(asdict(made))
        return 0
    figures = made.figures()
    print(f"{made.kind}, {made.name}: {made.included}")
    print_table(
        ["", "low", "high", "unit", "evidence", "derivation"],
        [[k.replace("_", " "), f.low, f.high, f.unit, f.evidence, f.derivation]
         for k, f in figures.items()],
    )  # fmt: skip
    for source in dict.fromkeys(figure.source for figure in figures.values()):
        print(f"source: {source}")
    return 0
