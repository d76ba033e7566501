"""``hwsim cost-model``: the error of the estimates."""

import argparse
import sys

from cost_models.phrases import errors_phrase
from hwsim.cli.arguments import Commands, json_option, liberty_option, output_path
from hwsim.cli.output import print_json
from hwsim.errors import InputError

#: Technology that is measured by default, whose library is found by itself.
DEFAULT = "osu018"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("cost-model", help="the error of the estimates")
    parser.add_argument(
        "action",
        choices=("report", "measure", "arrays"),
        help="print docs/cost-model.md, synthesise the held-out units now and compare, or estimate "
        "arrays whole and composed now and compare",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=output_path,
        metavar="DIR",
        help="write report and chart, or arrays.csv",
    )
    parser.add_argument("--technology", metavar="T", help="for measure (default: osu018)")
    liberty_option(parser, "cell library for measure")
    parser.set_defaults(command=run)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print or write the report, or measure held-out units now."""
    from cost_models import report

    if options.action == "measure":
        if options.output:
            raise InputError("-o goes with report, not with measure")
        technology = DEFAULT if options.technology is None else options.technology
        errors = report.measure(technology, options.liberty)
        if options.json:
            print_json({technology: errors})
        else:
            print(f"{technology}: {errors_phrase(errors)}")
        return 0
    for option in ("technology", "liberty"):
        if getattr(options, option) is not None:
            raise InputError(
                f"--{option} goes with measure; {options.action} is of every technology"
            )
    if options.action == "arrays":
        return _arrays(options)
    if options.json and options.output:
        raise InputError("--json prints the errors, -o writes the report; give one of them")
    if options.json:
        print_json(report.errors())
    elif options.output:
        for path in report.write(options.output):
            print(path)
    else:
        print(report.document(), end="")
    return 0


def _arrays(options: argparse.Namespace) -> int:
    """Compare arrays now."""
    from cost_models import array_errors
    from hwsim import files

    if options.json:
        raise InputError("--json goes with report and measure; arrays writes CSV with -o")
    rows = array_errors.measure(progress=lambda name: print(name, file=sys.stderr))
    if options.output is None:
        print(array_errors.section(rows), end="")
        return 0
    files.make_folder(options.output)
    path = options.output / array_errors.FILE
    files.write_text(path, array_errors.text(rows))
    print(path)
    return 0
