"""``hwsim formats``: list the number formats, or show one."""

import argparse
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hwsim.cli.arguments import Commands, json_option, output_path
from hwsim.cli.output import print_json, print_table
from hwsim.errors import InputError

if TYPE_CHECKING:
    from hwsim.formats import BlockFormat, Format
    from hwsim.formats.ifairy import IFairy

#: The code table of a wider format is too long to read.
SHOWN_BITS = 10
#: Numbers of an example's block.
SHOWN_NUMBERS = 8


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    listing = commands.add_parser("formats", help="list the number formats, or show one")
    listing.set_defaults(command=run)
    show = listing.add_subparsers(metavar="show").add_parser(
        "show", help="figures and codes of one format"
    )
    show.add_argument("format", metavar="NAME")
    show.add_argument(
        "-o", "--output", type=output_path, metavar="FILE", help="draw it, too (.png, .svg, .pdf)"
    )
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
    from hwsim.formats import BlockFormat, Format, parse

    fmt = parse(options.format)
    if isinstance(fmt, Format):
        return _show_scalar(fmt, options)
    if options.output:
        hint = f"; its elements are {fmt.element.name}" if isinstance(fmt, BlockFormat) else ""
        raise InputError(f"{options.output}: charts are drawn of scalar formats, not {fmt}{hint}")
    return (
        _show_block(fmt, options) if isinstance(fmt, BlockFormat) else _show_complex(fmt, options)
    )


def _show_scalar(fmt: "Format", options: argparse.Namespace) -> int:
    from hwsim.formats import Kind
    from hwsim.formats.table import format_row

    row = _known(asdict(format_row(fmt)))
    if options.output:
        from hwsim.formats import chart

        chart.write(fmt, options.output)
    if fmt.bits > SHOWN_BITS:
        reason = f"2**{fmt.bits} codes are too many to list; tables have up to 2**{SHOWN_BITS}"
        if options.json:
            print_json({**row, "codes": None, "codes_omitted": reason})
        else:
            print(f"{_figures(row)}\n\n{reason}")
        return 0
    codes = range(2**fmt.bits)
    kinds = [Kind(kind).name.lower() for kind in fmt.unpack(codes).kind]
    values = fmt.decode(codes).tolist()
    if options.json:
        table = [
            # JSON has neither NaN nor infinity; the kind says which it is.
            {"code": code, "kind": kind, "value": value if math.isfinite(value) else None}
            for code, kind, value in zip(codes, kinds, values, strict=True)
        ]
        print_json({**row, "codes": table})
        return 0
    print(_figures(row))
    print_table(
        ["code", "bits", "kind", "value"],
        [
            [f"0x{code:0{-(-fmt.bits // 4)}x}", f"{code:0{fmt.bits}b}", kind, f"{value:.9g}"]
            for code, kind, value in zip(codes, kinds, values, strict=True)
        ],
    )
    return 0


def _show_block(fmt: "BlockFormat", options: argparse.Namespace) -> int:
    from hwsim.formats.example import example
    from hwsim.formats.table import block_row

    row = asdict(block_row(fmt))
    try:
        shown, omitted = example(fmt).plain(), ""
    except InputError as error:
        # Such as scales of a format that is too narrow for the numbers.
        shown, omitted = None, str(error)
    if options.json:
        print_json({**row, "example": shown} | ({"example_omitted": omitted} if omitted else {}))
        return 0
    for key in ("metadata", "options"):
        row[key] = ", ".join(f"{name} {value}" for name, value in row[key].items()) or "none"
    row["metadata"] += " (bits)" if fmt.metadata_bits else ""
    row["size"] = row["size"] or "a row"
    row["bits_per_element"] = f"{fmt.bits_per_element:.9g}"
    print_table(["figure", "value"], [list(item) for item in row.items()])
    if shown is None:
        print(f"\nNo example: {omitted}")
    else:
        _print_example(fmt, shown)
    print(f"\nCodes of the elements: hwsim formats show {fmt.element.name}")
    return 0


def _print_example(fmt: "BlockFormat", shown: dict[str, Any]) -> None:
    count = len(shown["numbers"])
    first = f", the first {SHOWN_NUMBERS}" if count > SHOWN_NUMBERS else ""
    print(f"\nFor example, {count} normally distributed numbers{first}:")
    digits = -(-fmt.element.bits // 4)
    columns = [shown[key][:SHOWN_NUMBERS] for key in ("numbers", "codes", "values")]
    print_table(
        ["number", "code", "value"],
        [[x, f"0x{code:0{digits}x}", value] for x, code, value in zip(*columns, strict=True)],
    )
    shared = {"scale": shown["scale_codes"], **shown["metadata"]}
    for name, codes in shared.items():
        listed = " ".join(f"0x{code:x}" for code in codes[:SHOWN_NUMBERS]) or "none"
        value = f", which is {shown['scales'][0]:.9g}" if name == "scale" else ""
        print(f"{name.replace('_', ' ')}: {listed}{value}")


def _show_complex(fmt: "IFairy", options: argparse.Namespace) -> int:
    # The sum makes a -0 positive.
    values = (fmt.values() + 0).tolist()
    row = {"name": fmt.name, "family": fmt.family, "bits": fmt.bits}
    if options.json:
        table = [{"code": c, "real": v.real, "imaginary": v.imag} for c, v in enumerate(values)]
        print_json({**row, "codes": table})
        return 0
    print(_figures(row))
    print_table(
        ["code", "bits", "real", "imaginary"],
        [[f"0x{c:x}", f"{c:0{fmt.bits}b}", v.real, v.imag] for c, v in enumerate(values)],
    )
    return 0


def _figures(row: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in row.items() if value not in ("", None))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return ``row`` with None in the place of NaN, which JSON does not have."""
    return {key: None if value != value else value for key, value in row.items()}
