"""``hwsim formats``: list the number formats, or show one."""

import argparse
import math
from dataclasses import asdict
from typing import Any

from hwsim.cli.arguments import Commands, json_option, output_path
from hwsim.cli.output import print_json, print_table
from hwsim.errors import InputError

#: The code table of a wider format is too long to read.
SHOWN_BITS = 10


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    listing = commands.add_parser("formats", help="list the number formats, or show one")
    listing.set_defaults(command=run)
    show = listing.add_subparsers(metavar="show").add_parser("show", help="codes of one format")
    show.add_argument("format", metavar="NAME")
    show.add_argument("-o", "--output", type=output_path, metavar="FILE.png", help="draw it, too")
    show.set_defaults(command=_show)
    json_option(listing, show)


def run(options: argparse.Namespace) -> int:
    """Print one line a scalar format, and examples of block formats."""
    from hwsim.formats import block_names, parse_scalar, scalar_names
    from hwsim.formats.table import format_row

    # Some formats go by several names; each is listed once.
    formats = dict.fromkeys(parse_scalar(name) for name in scalar_names())
    rows = [_known(asdict(format_row(fmt))) for fmt in formats]
    if options.json:
        print_json(rows)
        return 0
    print_table(list(rows[0]), [["-" if v is None else v for v in row.values()] for row in rows])
    print(f"\nBlock formats, for example: {', '.join(block_names())}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from hwsim.formats import Kind, parse_scalar
    from hwsim.formats.table import format_row

    fmt = parse_scalar(options.format)
    row = _known(asdict(format_row(fmt)))
    if fmt.bits > SHOWN_BITS:
        raise InputError(
            f"{fmt.name} has 2**{fmt.bits} codes; tables are shown up to 2**{SHOWN_BITS}"
        )
    codes = range(2**fmt.bits)
    kinds = [Kind(kind).name.lower() for kind in fmt.unpack(codes).kind]
    values = fmt.decode(codes).tolist()
    if options.output:
        from hwsim.formats import chart

        chart.write(fmt, options.output)
    if options.json:
        table = [
            # JSON has neither NaN nor infinity; the kind says which it is.
            {"code": code, "kind": kind, "value": value if math.isfinite(value) else None}
            for code, kind, value in zip(codes, kinds, values, strict=True)
        ]
        print_json({**row, "codes": table})
        return 0
    print(", ".join(f"{key} {value}" for key, value in row.items() if value not in ("", None)))
    print_table(
        ["code", "bits", "kind", "value"],
        [
            [f"0x{code:0{-(-fmt.bits // 4)}x}", f"{code:0{fmt.bits}b}", kind, f"{value:.9g}"]
            for code, kind, value in zip(codes, kinds, values, strict=True)
        ],
    )
    return 0


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return ``row`` with None in the place of NaN, which JSON does not have."""
    return {key: None if value != value else value for key, value in row.items()}
