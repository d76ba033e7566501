"""``hwsim characterise``: fit the estimates to a cell library of one's own."""

import argparse
import os
import shutil
from pathlib import Path

from cost_models.phrases import corner_phrase, percentages
from hwsim.cli.arguments import Commands, liberty_option, output_path
from hwsim.errors import InputError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "characterise", help="fit the estimates to a cell library of your own"
    )
    liberty_option(parser, "the cell library", required=True)
    parser.add_argument("--name", help="name of the technology (default: that of the file)")
    parser.add_argument("-o", "--output", type=output_path, required=True, metavar="FILE.yaml")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Fit, write the technology, and print the errors of the fit."""
    from cost_models import technology
    from cost_models.fit import characterise

    output: Path = options.output
    name = output.stem if options.name is None else options.name
    technology.check_name("--name" if options.name is not None else f"the name of {output}", name)
    if os.path.lexists(output):
        raise InputError(f"{output} exists; choose another file")
    # What is finished outlives an interruption, and is gone when the file is there.
    samples = output.with_name(f"{output.name}.samples")
    fitted = characterise(options.liberty, name, samples)
    technology.write(fitted, output)
    shutil.rmtree(samples)
    for kind, errors in fitted.errors.items():
        print(f"{kind.replace('_', ' ')}: {percentages(errors)}")
    assert fitted.screen is not None
    for kind in ("unseen_units", "unseen_families"):
        error = fitted.screen[kind]
        print(
            f"screen, {kind.replace('_', ' ')}: area {error['mean_percent']:.1f} % on average, "
            f"{error['max_percent']:.1f} % at most, rank correlation {error['rank']:.3f}"
        )
    print(f"{name}: {corner_phrase(fitted.provenance['corner'])}")
    print(output)
    return 0
