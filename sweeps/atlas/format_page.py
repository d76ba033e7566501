"""The page of a format: what it is, its figures, number lines, codes, errors, and who takes it."""

import math
import shlex
from collections.abc import Sequence

import numpy as np

from hwsim.errors import InputError
from hwsim.formats import BlockFormat, Format, Kind
from hwsim.formats.base import decode_table
from hwsim.formats.chart import MAX_BITS, errors
from hwsim.formats.example import example
from hwsim.formats.ifairy import IFairy
from hwsim.formats.layout import Fields, fields
from hwsim.formats.minifloat import Minifloat
from hwsim.formats.table import FormatRow, block_row, format_row
from sweeps.atlas import html, prose, svg
from sweeps.atlas.survey import AnyFormat, Survey, home
from sweeps.markup import Markup, tag, together

#: Formats of more bits have no table of codes.
TABLE_BITS = 8
#: Numbers shown of an example's block.
SHOWN = 16
ROOT = "../"


def page(found: Survey, fmt: AnyFormat) -> str:
    """Return the page of a format."""
    text = home(fmt)
    explained, sources = prose.split_sources(prose.body(text))

    def address(role: str) -> str | None:
        return found.address(role, ROOT)

    neighbours = [(one.name, ROOT + (found.format_page(one.name) or "")) for one in found.formats]
    if isinstance(fmt, Format):
        kind, place, own = "Formats", "formats", _scalar(fmt)
    elif isinstance(fmt, BlockFormat):
        kind, place, own = "Block formats", "blocks", _block(found, fmt)
    else:
        kind, place, own = "Formats", "formats", _complex(fmt)
    return html.page(
        f"{fmt.name}: number format",
        ROOT,
        html.trail(ROOT, kind, place, fmt.name),
        tag(
            "header",
            tag("h1", fmt.name),
            tag("p", prose.inline(prose.summary(text), address), class_="lede"),
        ),
        *own,
        html.section("How it works", prose.to_html(explained, address), id_="how")
        if explained.strip()
        else None,
        html.section("Who takes it", *_users(found, fmt), id_="users"),
        html.section("Literature", prose.to_html(sources, address)) if sources else None,
        html.section("Commands", html.commands([f"hwsim formats show {shlex.quote(fmt.name)}"])),
        html.around(neighbours, fmt.name),
    )


# Scalar formats.


def _scalar(fmt: Format) -> list[Markup]:
    figures = format_row(fmt)
    parts = [
        html.section("Figures", html.facts(_figures(fmt, figures))),
        html.section(
            "Number line",
            _drawing("Linear", svg.linear_line(fmt)),
            _drawing("Logarithmic, positive values", svg.log_line(fmt)),
        ),
        html.section(
            "Rounding error", _error_note(), _drawing(None, svg.error_chart(fmt)), id_="error"
        ),
    ]
    if fmt.bits <= TABLE_BITS:
        parts.append(html.section("Codes", *_codes(fmt)))
    return parts


def _figures(fmt: Format, figures: FormatRow) -> list[tuple[str, str | None]]:
    ratio = figures.max / figures.smallest
    return [
        ("family", figures.family),
        ("bits", str(figures.bits)),
        ("fields of a code", _widths(fmt)),
        ("range", f"{_number(figures.min)} to {_number(figures.max)}"),
        ("smallest positive", _number(figures.smallest)),
        ("subnormals", _subnormals(fmt)),
        ("step above 1", None if math.isnan(figures.epsilon) else _number(figures.epsilon)),
        ("specials", figures.specials or "none"),
        (
            "dynamic range",
            f"{20 * math.log10(ratio):.1f} dB, {math.log10(ratio):.1f} decades, "
            f"{math.log2(ratio):.1f} binades",
        ),
        ("distinct values", _count(fmt)),
        ("most precise binade", _precision(fmt)),
        ("scale of tensors", figures.scale_rule.replace("_", " ")),
    ]


def _widths(fmt: Format) -> str:
    """Return what the bits of a code are, if all codes have the same fields."""
    shapes = {_shape(fields(fmt, code)) for code in _different(fmt)}
    if len(shapes) > 1:
        names = dict.fromkeys(name for shape in sorted(shapes, key=_most) for name, _ in shape)
        return f"{', '.join(names)}: of different widths from code to code"
    (shape,) = shapes
    return ", ".join(f"{width} {name}" for name, width in shape)


def _different(fmt: Format) -> list[int]:
    """Return codes with fields of every shape: all, or of wide formats runs of every length."""
    if fmt.bits <= TABLE_BITS:
        return list(range(2**fmt.bits))
    return [0, *[code for k in range(fmt.bits) for code in (1 << k, (2 << k) - 1)]]


def _shape(found: Fields) -> tuple[tuple[str, int], ...]:
    return tuple((field.name, len(field.bits)) for field in found)


def _most(shape: Sequence[tuple[str, int]]) -> tuple[int, Sequence[tuple[str, int]]]:
    """Sort the shapes with most fields first."""
    return -len(shape), shape


def _subnormals(fmt: Format) -> str | None:
    if not isinstance(fmt, Minifloat):
        return None
    count = 2**fmt.mantissa - 1
    if not count:
        return "none"
    normal = fmt.smallest * 2**fmt.mantissa
    return f"{count} a sign, below {_number(normal)}"


def _count(fmt: Format) -> str:
    if fmt.bits > MAX_BITS:
        return f"not counted; {svg.raised(2, fmt.bits)} codes"
    return f"{len(fmt.values())} of {2**fmt.bits} codes"


def _precision(fmt: Format) -> str:
    best = errors(fmt, fmt.smallest, fmt.max).rms.min()
    return f"{100 * best:.3g} % root mean square error, {-20 * math.log10(best):.1f} dB"


def _number(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def _error_note() -> Markup:
    return tag(
        "p",
        "Relative error of rounding a positive number to nearest even, with saturation. ",
        tag("span", "Line", class_="key curve"),
        ": the largest in each narrow bin. ",
        tag("span", "Steps", class_="key rms"),
        ": the root mean square of a binade.",
        class_="quiet",
    )


def _drawing(title: str | None, drawing: Markup) -> Markup:
    heading = tag("figcaption", title) if title else None
    box = tag(
        "div",
        drawing,
        class_="scroll drawing",
        tabindex="0",
        role="group",
        aria_label=title or "Chart",
    )
    return tag("figure", heading, box)


def _codes(fmt: Format) -> list[Markup]:
    codes = range(2**fmt.bits)
    values = decode_table(fmt).tolist()
    kinds = [Kind(kind) for kind in fmt.unpack(codes).kind]
    layouts = [fields(fmt, code) for code in codes]
    names = list(dict.fromkeys(field.name for found in layouts for field in found))
    key = [tag("span", name, class_=f"key field f{k}") for k, name in enumerate(names)]
    rows = [
        tag(
            "tr",
            tag("td", f"0x{code:0{-(-fmt.bits // 4)}x}", data_value=code, class_="code"),
            tag("td", _bits(found, names), data_value=code, class_="code"),
            tag(
                "td",
                f"{value:.9g}".replace("-", "−"),
                data_value=repr(value),
                class_="number",
            ),
            tag("td", "" if kind is Kind.FINITE else kind.name.lower(), class_="quiet"),
        )
        for code, found, value, kind in zip(codes, layouts, values, kinds, strict=True)
    ]
    headings = ["code", "bits", "value", "kind"]
    listing = html.table(
        headings, rows, label=f"Codes of {fmt.name}", numbers=[2], sortable=True, class_="codes"
    )
    return [tag("p", *_spaced(key), class_="keys"), listing]


def _spaced(parts: Sequence[Markup]) -> list[str]:
    return [piece for part in parts for piece in (part, " ")]


def _bits(found: Fields, names: Sequence[str]) -> Markup:
    # One element a field, so that what is read aloud or copied is the code.
    return together(
        tag("span", field.bits, class_=f"field f{names.index(field.name)}") for field in found
    )


# Other formats.


def _block(found: Survey, fmt: BlockFormat) -> list[Markup]:
    figures = block_row(fmt)
    metadata = ", ".join(f"{name} {bits}" for name, bits in figures.metadata.items())
    options = ", ".join(f"{name} {value}" for name, value in figures.options.items())
    pairs: list[tuple[str, str | None]] = [
        ("family", figures.family),
        ("element", _link(found, figures.element)),
        ("elements a block", str(figures.size) if figures.size else "a row"),
        ("scale", _link(found, figures.scale)),
        ("bits per element", f"{figures.bits_per_element:.6g}"),
        ("further metadata, in bits", metadata or "none"),
        ("options", options or "none"),
    ]
    return [
        html.section("Figures", html.facts(pairs)),
        html.section("A block of numbers", *_example(fmt), id_="example"),
    ]


def _link(found: Survey, name: str) -> str:
    place = found.format_page(name)
    return tag("a", name, href=ROOT + place) if place else name


def _example(fmt: BlockFormat) -> list[Markup]:
    try:
        shown = example(fmt).plain()
    except InputError as error:
        # Such as scales of a format that is too narrow for the numbers.
        return [tag("p", f"No example: {error}")]
    digits = -(-fmt.element.bits // 4)
    columns = [shown[key][:SHOWN] for key in ("numbers", "codes", "values")]
    rows = [
        html.row(
            _number(x), f"0x{code:0{digits}x}", _number(y), _number(y - x), number=(0, 1, 2, 3)
        )
        for x, code, y in zip(*columns, strict=True)
    ]
    count = len(shown["numbers"])
    power = np.square(shown["numbers"]).sum()
    noise = np.square(np.subtract(shown["values"], shown["numbers"])).sum()
    ratio = f"{10 * math.log10(power / noise):.1f} dB" if noise else "exact"
    first = f", the first {SHOWN} of them" if count > SHOWN else ""
    scales = ", ".join(_number(scale) for scale in shown["scales"][:4])
    return [
        tag("p", f"{count} normally distributed numbers{first}. Signal to noise of all: {ratio}. "
                 f"Scale: {scales}."),
        html.table(
            ["number", "code", "value", "error"], rows, label="A block", numbers=(0, 1, 2, 3),
            class_="narrow",
        ),
    ]  # fmt: skip


def _complex(fmt: IFairy) -> list[Markup]:
    # The sum makes a -0 positive.
    values = (fmt.values() + 0).tolist()
    rows = [
        html.row(f"0x{code:x}", f"{code:0{fmt.bits}b}", f"{v.real:g}", f"{v.imag:g}", number=(2, 3))
        for code, v in enumerate(values)
    ]
    pairs = [("family", fmt.family), ("bits", str(fmt.bits)), ("values", str(len(values)))]
    headings = ["code", "bits", "real", "imaginary"]
    return [
        html.section("Figures", html.facts(pairs)),
        html.section("Plane", _drawing(None, svg.complex_plane(values))),
        html.section("Codes", html.table(headings, rows, label="Codes", numbers=(2, 3))),
    ]


# Who takes a format.


def _users(found: Survey, fmt: AnyFormat) -> list[Markup]:
    users = found.users(fmt)
    parts = [
        tag("p", "Units of the registry that take it, as one of their configurations with this "
                 "format in the place of its own, and as what."),
        html.table(
            ["unit", "as"],
            [
                html.row(
                    tag("td", tag("a", name, href=f"{ROOT}units/{name}.html")), ", ".join(keys)
                )
                for name, keys in users.items()
            ],
            label="Units that take the format",
            class_="narrow",
        ),
    ] if users else [tag("p", "No unit of the registry takes it as it is.")]  # fmt: skip
    blocks = [
        (one.name, ROOT + (found.format_page(one.name) or ""))
        for one in found.blocks
        if fmt in (one.element, one.scale)
    ]
    if blocks:
        parts += [tag("h3", "Blocks of it, or scaled by it"), html.links(blocks)]
    return parts
