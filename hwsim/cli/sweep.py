"""``hwsim sweep``: explore a design space to Pareto charts."""

import argparse
import json
from typing import Any, NoReturn

from hwsim.cli.arguments import Commands, input_path, output_path, whole_number


class _Schema(argparse.Action):
    """Prints the JSON Schema of specifications, whatever else is given, as ``--help`` does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from sweeps.schema import schema

        print(json.dumps(schema(), indent=2))
        parser.exit()


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("sweep", help="explore a design space to Pareto charts")
    parser.add_argument("spec", type=input_path, metavar="SPEC.yaml")
    parser.add_argument("-o", "--output", type=output_path, required=True, metavar="DIR")
    parser.add_argument(
        "--workers",
        type=whole_number("--workers", 1),
        metavar="N",
        help="processes (default: one a core)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="compute on a Dask cluster: tcp://host:port, or local, which starts one",
    )
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="no progress: what went wrong and what was found alone",
    )
    parser.add_argument(
        "--schema",
        action=_Schema,
        nargs=0,
        help="print the JSON Schema of SPEC.yaml and exit",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run or continue a sweep."""
    from sweeps import run_sweep

    return run_sweep(
        options.spec, options.output, options.workers, options.scheduler, options.quiet
    )
