"""``hwsim prove``: prove that units keep the stream protocol, for all inputs and all time."""

import argparse
from dataclasses import asdict

from hwsim.cli.arguments import (
    CHECK_FAILED,
    Commands,
    families,
    json_option,
    make_unit,
    verilog_option,
    with_verilog,
)
from hwsim.cli.output import print_json
from hwsim.pool import each
from hwsim.progress import Countdown, say


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("prove", help="prove that units keep the protocol, for all inputs")
    parser.add_argument(
        "units",
        nargs="*",
        metavar="UNIT",
        help="families, each with key=value parameters for one unit; without, a small unit of the "
        "family; none means all",
    )
    verilog_option(parser)
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Prove in parallel and print a line a property; exit status 1 if one is not proved."""
    from hwsim.units import FAMILIES
    from rtl.formal import prove, small
    from rtl.reachability import Outcome

    units = [
        make_unit(family, parameters) if parameters else small(family)
        for family, parameters in families(options.units or list(FAMILIES))
    ]
    units = with_verilog(options, units)
    found = {}
    countdown = Countdown(len(units))
    for unit, findings in each(prove, units):
        if isinstance(findings, Exception):
            raise findings
        found[unit] = findings
        progress = countdown.step()
        if not options.json:
            print(*findings, sep="\n", flush=True)
        if len(found) < len(units):
            say(progress)
    everything = [one for unit in units for one in found[unit]]
    if options.json:
        print_json([asdict(one) for one in everything])
    proved = sum(one.outcome is Outcome.PROVED for one in everything)
    say(f"{proved} of {len(everything)} properties proved")
    return CHECK_FAILED if proved < len(everything) else 0
