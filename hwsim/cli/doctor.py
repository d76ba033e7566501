"""``hwsim doctor``: what is installed, and what is missing."""

import argparse
import platform
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
    from cost_models import findings as of_cost_models
    from hwsim.findings import Finding
    from hwsim.networks import findings as of_networks
    from hwsim.tensors import findings as of_tensors
    from rtl import findings as of_rtl

    found = [Finding("Python", platform.python_version(), "everything", "", "")]
    for package in (of_rtl, of_cost_models, of_tensors, of_networks):
        found += package.examine()
    if options.json:
        print_json([asdict(finding) for finding in found])
    else:
        print_table(
            ["what", "found", "for", "to install"],
            [[f.name, f.found or f.problem, f.purpose, "" if f.found else f.install]
             for f in found],
        )  # fmt: skip
    return 0 if all(finding.found for finding in found) else CHECK_FAILED
