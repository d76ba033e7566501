"""``hwsim generate``: write a unit's Verilog, description and testbench."""

import argparse

from hwsim.cli.arguments import Commands, make_unit, output_path


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("generate", help="write Verilog, description and testbench")
    parser.add_argument("unit", metavar="UNIT", help="see `hwsim units`")
    parser.add_argument("parameters", nargs="*", metavar="key=value")
    parser.add_argument("-o", "--output", type=output_path, required=True, metavar="DIR")
    parser.add_argument(
        "--force", action="store_true", help="replace files that hwsim wrote for this unit before"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the files of a unit and print their paths."""
    from rtl import emit

    unit = make_unit(options.unit, options.parameters)
    for path in emit.write(unit, options.output, options.force):
        print(path)
    return 0
