"""``hwsim cost-model``: the error of the estimates."""

import argparse
from pathlib import Path

from hwsim.cli.arguments import Commands, json_option, liberty_option
from hwsim.cli.output import print_json
from hwsim.cli.phrases import errors_phrase


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("cost-model", help="the error of the estimates")
    parser.add_argument(
        "action",
        choices=("report", "measure"),
        help="print docs/cost-model.md, or synthesise the held-out units now and compare",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write report and chart")
    parser.add_argument("--technology", default="osu018", metavar="T", help="default: osu018")
    liberty_option(parser, "cell library for measure")
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print or write the report, or measure held-out units now."""
    from cost_models import report

    if options.action == "measure":
        errors = report.measure(options.technology, options.liberty)
        if options.json:
            print_json({options.technology: errors})
        else:
            print(f"{options.technology}: {errors_phrase(errors)}")
    elif options.json:
        print_json(report.errors())
    elif options.output:
        for path in report.write(options.output):
            print(path)
    else:
        print(report.document(), end="")
    return 0
