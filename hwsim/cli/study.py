"""``hwsim study``: measurements that make a page of the documentation."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.cli.arguments import (
    Commands,
    device_option,
    input_path,
    liberty_option,
    output_path,
    whole_number,
)
from hwsim.cli.output import print_table

if TYPE_CHECKING:
    from sweeps.studies import Study


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    from sweeps.studies import STUDIES

    parser = commands.add_parser(
        "study", help="measure what a page of docs/ shows; lists without NAME"
    )
    parser.set_defaults(command=_list)
    names = parser.add_subparsers(metavar="NAME")
    for study in STUDIES.values():
        one = names.add_parser(study.name, help=study.summary)
        one.add_argument(
            "-o", "--output", type=output_path, metavar="FILE.md", help="default: print the page"
        )
        one.add_argument(
            "--workers",
            type=whole_number("--workers", 1),
            metavar="N",
            help="processes (default: one a core)",
        )
        if "technology" in study.takes:
            one.add_argument("--technology", default="sky130", metavar="T", help="default: sky130")
        if "libraries" in study.takes:
            liberty_option(one, "cell libraries, for what is mapped or synthesised")
        if "families" in study.takes:
            one.add_argument(
                "--family", action="append", default=[], metavar="UNIT",
                help="of this family of units, which may be repeated (default: all)",
            )  # fmt: skip
        if "text" in study.takes:
            one.add_argument(
                "--text", type=input_path, metavar="FILE",
                help="text that decoders predict (default: a sample that ships)",
            )  # fmt: skip
        if "device" in study.takes:
            device_option(one)
        if "results" in study.takes:
            one.add_argument(
                "--results", type=input_path, metavar="DIR", required=True,
                help="folder of a finished sweep",
            )  # fmt: skip
        one.set_defaults(command=run, study=study)


def _list(options: argparse.Namespace) -> int:
    """Print the studies."""
    from sweeps.studies import STUDIES

    print_table(["study", "what it measures"], [[s.name, s.summary] for s in STUDIES.values()])
    return 0


def run(options: argparse.Namespace) -> int:
    """Measure, and write or print the page."""
    from hwsim import files
    from hwsim.errors import check_known
    from hwsim.units import FAMILIES
    from sweeps.studies import opened

    study: Study = options.study
    given: dict[str, Any] = {}
    with ExitStack() as stack:
        for name in ("technology", "text", "device", "results"):
            if name in study.takes:
                given[name] = getattr(options, name)
        if "families" in study.takes:
            for family in options.family:
                check_known("unit", family, FAMILIES)
            given["families"] = options.family
        if "libraries" in study.takes:
            given["libraries"] = stack.enter_context(opened(options.liberty or []))
        page = study.page(**given)
        page.measure(options.workers)
        text = page.text(_command(options))
        if options.output is None:
            print(text, end="")
            return 0
        output: Path = options.output
        files.write_text(output, text)
        print(output)
        for name, write in page.beside.items():
            write(output.with_name(name))
            print(output.with_name(name))
    return 0


def _command(options: argparse.Namespace) -> str:
    """Return the command as a page shows it: files that it takes by their names."""
    words = ["hwsim study", options.study.name]
    if getattr(options, "technology", "sky130") != "sky130":
        words.append(f"--technology {options.technology}")
    liberty: Sequence[Path] = getattr(options, "liberty", None) or []
    words += [f"--liberty {' '.join(file.name for file in liberty)}"] if liberty else []
    words += [f"--family {name}" for name in getattr(options, "family", [])]
    text: Path | None = getattr(options, "text", None)
    words += [f"--text {text.name}"] if text else []
    results: Path | None = getattr(options, "results", None)
    words += [f"--results {results}"] if results else []
    device: str | None = getattr(options, "device", None)
    words += [f"--device {device}"] if device else []
    words += [f"--output {options.output}"] if options.output else []
    return " ".join(words)
