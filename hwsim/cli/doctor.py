"""``hwsim doctor``: what is installed, and what is missing."""

import argparse
from dataclasses import asdict

from hwsim.cli.arguments import CHECK_FAILED, Commands, json_option
from hwsim.cli.output import print_json, print_table


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("doctor", help="what is installed, and what is missing")
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print what is installed; exit status 1 if something is missing."""
    from hwsim.doctor import examine

    findings = list(examine())
    if options.json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(
            ["what", "found", "for", "to install"],
            [[f.name, f.found or "missing", f.purpose, "" if f.found else f.install]
             for f in findings],
        )  # fmt: skip
    return 0 if all(finding.found for finding in findings) else CHECK_FAILED
