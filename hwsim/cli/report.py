"""``hwsim report``: the results of sweeps as one HTML page."""

import argparse
from pathlib import Path

from hwsim.cli.arguments import Commands, input_path, output_path


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("report", help="the results of sweeps as one HTML page")
    parser.add_argument("folders", nargs="+", type=input_path, metavar="DIR")
    parser.add_argument(
        "-o",
        "--output",
        type=output_path,
        default=Path("report.html"),
        metavar="FILE.html",
        help="replaced if it is there (default: report.html)",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from sweeps import page

    page.write(options.folders, options.output)
    print(options.output)
    return 0
