"""``hwsim verify``: prove the Verilog of units equal to their golden models."""

import argparse
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from hwsim.cli.arguments import (
    CHECK_FAILED,
    Commands,
    families,
    json_option,
    make_unit,
    verilog_option,
    whole_number,
    with_verilog,
)
from hwsim.cli.output import print_json
from hwsim.errors import InputError
from hwsim.pool import each
from hwsim.progress import Countdown, say

if TYPE_CHECKING:
    from hwsim.units import UnitSpec


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("verify", help="prove the Verilog equal to the golden model")
    parser.add_argument(
        "units",
        nargs="*",
        metavar="UNIT",
        help="families, each with key=value parameters for one unit; none means all",
    )
    parser.add_argument(
        "--seed",
        type=whole_number("--seed", 0, 2**32 - 1),
        default=1,
        metavar="N",
        help="seed of the vectors (default: 1)",
    )
    verilog_option(parser)
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Verify units in parallel and print a line for each; exit status 1 if one fails."""
    from hwsim.units import FAMILIES
    from rtl.verification import suite, verify
    from rtl.verification.run import simulator_version

    simulator_version()  # A missing simulator is one error, not one a unit.
    units: list[UnitSpec] = []
    for family, parameters in families(options.units or list(FAMILIES)):
        units += [make_unit(family, parameters)] if parameters else suite(family)
    units = with_verilog(options, units)
    if repeated := [unit.name for k, unit in enumerate(units) if unit in units[:k]]:
        raise InputError(f"the unit {repeated[0]} is given twice")
    verdicts = {}
    countdown = Countdown(len(units))
    for unit, verdict in each(partial(verify, seed=options.seed), units):
        if isinstance(verdict, Exception):
            raise verdict
        verdicts[unit] = verdict
        if not options.json:
            print(verdict, flush=True)
        progress = countdown.step()
        if len(verdicts) < len(units):
            say(progress)
    if options.json:
        print_json([asdict(verdicts[unit]) for unit in units])
    failed = sum(not verdicts[unit].passed for unit in units)
    say(f"{len(units) - failed} passed, {failed} failed")
    return CHECK_FAILED if failed or not units else 0
