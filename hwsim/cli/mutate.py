"""``hwsim mutate``: make faults in a unit, and see which ones the verification finds."""

import argparse
from collections import Counter
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
from hwsim.progress import say

if TYPE_CHECKING:
    from rtl.mutation import Trial


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("mutate", help="make faults in a unit that verify must find")
    parser.add_argument(
        "unit", nargs="+", metavar="UNIT", help="a family and its key=value parameters"
    )
    parser.add_argument(
        "--mutants",
        type=whole_number("--mutants", 0, 10_000),
        default=40,
        metavar="N",
        help="mutants that Yosys draws, besides one of every hand-made kind (default: 40)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number("--seed", 0, 2**32 - 1),
        default=1,
        metavar="N",
        help="seed of mutants and vectors (default: 1)",
    )
    verilog_option(parser)
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Try the mutants in parallel and print those that are left; exit status 1 if there are any."""
    from rtl.mutation import Fate, mutate

    named = families(options.unit)
    if len(named) != 1:
        raise InputError(f"mutate takes one unit; {len(named)} are given")
    (unit,) = with_verilog(options, [make_unit(*named[0])])
    tried: Counter[Fate] = Counter()

    def watch(trial: "Trial") -> None:
        tried[trial.fate] += 1
        if tried.total() % 10 == 0:
            say(", ".join(f"{count} {fate}" for fate, count in sorted(tried.items())))

    score = mutate(unit, options.mutants, options.seed, watch=watch)
    if options.json:
        print_json(
            {
                "unit": unit.name,
                "seed": options.seed,
                "score": score.score,
                "mutants": [
                    {
                        "kind": trial.mutant.kind,
                        "change": trial.mutant.change,
                        "place": trial.mutant.place,
                        "fate": trial.fate,
                        "said": trial.said,
                        "verify_seconds": trial.verify_seconds,
                        "proof_seconds": trial.proof_seconds,
                    }
                    for trial in score.trials
                ],
            }
        )
    else:
        for trial in score.of(Fate.LEFT):
            print(trial)
        print(score)
    return CHECK_FAILED if score.of(Fate.LEFT) else 0
