"""The index of an atlas: every format and every family of units, to look for and to choose from."""

import math

from hwsim import tables
from hwsim.formats.table import block_row, format_row
from hwsim.units import manual
from sweeps.atlas import html, svg
from sweeps.atlas.survey import Survey, example
from sweeps.markup import Markup, tag

#: Words of the column of numbers where there is none.
NONE = "–"


def page(found: Survey) -> str:
    """Return the index."""
    counts = (
        f"{len(found.scalars) + len(found.complexes)} formats, {len(found.blocks)} block formats "
        f"and {len(found.families)} families of units"
    )
    return html.page(
        "hwsim atlas",
        "",
        tag(
            "header",
            tag("h1", "Atlas of number formats and their hardware"),
            tag(
                "p",
                f"{counts}: what each is, its values, its rounding error, and units that compute "
                "with it, with their Verilog and estimated costs.",
                class_="lede",
            ),
            html.links([
                ("Formats", "#formats"),
                ("Block formats", "#blocks"),
                ("Units", "#units"),
            ]),
        ),
        html.section("Formats", _filter(found), _formats(found), id_="formats"),
        html.section("Block formats", _blocks(found), id_="blocks"),
        html.section("Units", _units(found), id_="units"),
    )  # fmt: skip


def _filter(found: Survey) -> Markup:
    """Return the filter, which scripts show."""
    widths = [(fmt.family, fmt.bits) for fmt in found.scalars]
    widths += [(fmt.family, fmt.bits) for fmt in found.complexes]
    families = sorted({family for family, _ in widths})
    bits = sorted({width for _, width in widths})
    return tag(
        "form",
        tag(
            "label",
            "Search ",
            tag("input", type="search", name="text", placeholder="posit, e4m3, NaN"),
        ),
        tag("label", "Family ", _choice("family", families)),
        tag("label", "Bits ", _choice("bits", [str(width) for width in bits])),
        tag("output", role="status", aria_live="polite"),
        id="filter",
        hidden=True,
    )


def _choice(name: str, values: list[str]) -> Markup:
    options = [tag("option", value, value=value) for value in values]
    return tag("select", tag("option", "all", value=""), *options, name=name)


def _formats(found: Survey) -> Markup:
    rows = []
    for fmt in found.scalars:
        figures = format_row(fmt)
        decades = math.log10(figures.max / figures.smallest)
        rows.append(
            tag(
                "tr",
                _name(found, fmt.name),
                tag("td", figures.family),
                tag("td", str(figures.bits), data_value=figures.bits, class_="number"),
                tag("td", svg.small_line(fmt), class_="drawn"),
                tag("td", f"{_number(figures.min)} to {_number(figures.max)}",
                    data_value=repr(figures.max), class_="number"),
                tag("td", _number(figures.smallest), data_value=repr(figures.smallest),
                    class_="number"),
                tag("td", f"{decades:.1f}", data_value=repr(decades), class_="number"),
                tag("td", figures.specials or NONE),
                data_family=figures.family,
                data_bits=figures.bits,
            )
        )  # fmt: skip
    rows += [
        tag(
            "tr",
            _name(found, fmt.name),
            tag("td", fmt.family),
            tag("td", str(fmt.bits), data_value=fmt.bits, class_="number"),
            tag("td", "complex numbers", class_="drawn quiet"),
            *[tag("td", NONE, class_="number") for _ in range(3)],
            tag("td", NONE),
            data_family=fmt.family,
            data_bits=fmt.bits,
        )
        for fmt in found.complexes
    ]
    headings = ["format", "family", "bits", "values, linear", "range", "smallest", "decades",
                "specials"]  # fmt: skip
    return html.table(
        headings, rows, label="Formats", numbers=(2, 4, 5, 6), sortable=True, class_="formats"
    )


def _name(found: Survey, name: str) -> Markup:
    place = found.format_page(name)
    return tag("th", tag("a", name, href=place), scope="row", data_value=name)


def _number(value: float) -> str:
    return tables.cell(value).replace("-", "−")


def _blocks(found: Survey) -> Markup:
    rows = []
    for fmt in found.blocks:
        figures = block_row(fmt)
        rows.append(
            html.row(
                _name(found, fmt.name),
                figures.family,
                _format(found, figures.element),
                str(figures.size) if figures.size else "a row",
                _format(found, figures.scale),
                f"{figures.bits_per_element:.5g}",
                number=(3, 5),
            )
        )
    headings = ["format", "family", "element", "a block", "scale", "bits per element"]
    return html.table(headings, rows, label="Block formats", numbers=(3, 5), sortable=True)


def _format(found: Survey, name: str) -> Markup:
    place = found.format_page(name)
    return tag("td", tag("a", name, href=place) if place else name)


def _units(found: Survey) -> Markup:
    cards = []
    for family in found.families:
        unit = example(family)
        timing = unit.timing()
        figures = (
            f"{unit.activation.name} × {unit.weight.name} · latency {timing.latency} · "
            f"interval {timing.interval}"
        )
        cards.append(
            tag(
                "li",
                tag("h3", tag("a", family, href=f"units/{family}.html")),
                tag("p", manual.summary(family)),
                tag("p", figures, class_="quiet"),
            )
        )
    return tag("ul", *cards, class_="cards")
