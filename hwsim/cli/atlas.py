"""``hwsim atlas``: all formats and all units as a site of static pages."""

import argparse

from hwsim.cli.arguments import CHECK_FAILED, Commands, output_path, whole_number


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("atlas", help="all formats and units as a site of static pages")
    parser.add_argument("-o", "--output", type=output_path, required=True, metavar="DIR")
    parser.add_argument(
        "--force", action="store_true", help="write into a folder that holds something else, too"
    )
    parser.add_argument(
        "--no-costs",
        action="store_true",
        help="without estimates, which take minutes the first time",
    )
    parser.add_argument(
        "--workers",
        type=whole_number("--workers", 1),
        metavar="N",
        help="processes (default: one a core)",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress, only what went wrong"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the atlas and say where its index is."""
    from sweeps import atlas

    failed = atlas.write(
        options.output, options.force, not options.no_costs, options.workers, options.quiet
    )
    print(options.output / "index.html")
    return CHECK_FAILED if failed else 0
