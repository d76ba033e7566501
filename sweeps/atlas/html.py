"""Pages of an atlas: a frame, and the parts that several of them have."""

from collections.abc import Iterable, Sequence
from importlib.resources import files

from hwsim import __version__
from sweeps.markup import Markup, digest, escaped, tag, theme, together


def page(title: str, root: str, *content: str | None) -> str:
    """Return a page; ``root`` is the way to the folder of the atlas."""
    style, script = theme() + _text("atlas.css"), _text("atlas.js")
    parts = {
        "policy": escaped(
            f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        ),
        "title": escaped(title),
        "style": style,
        "root": escaped(root),
        "version": escaped(__version__),
        "content": together(content),
        "script": script,
    }
    text = _text("page.html")
    for name, part in parts.items():
        text = text.replace(f"<!--{name}-->", part)
    return text


def _text(name: str) -> str:
    return (files("sweeps.atlas") / name).read_text("utf-8")


def section(title: str, *content: str | None, id_: str | None = None) -> Markup:
    """Return a section with its heading, which others link to."""
    name = id_ or title.lower().replace(" ", "-")
    return tag("section", tag("h2", title, id=name), *content)


def table(
    headings: Sequence[str | None],
    rows: Iterable[Markup],
    *,
    label: str,
    numbers: Iterable[int] = (),
    sortable: bool = False,
    class_: str = "",
) -> Markup:
    """Return a table that scrolls by itself, by keyboard, too.

    Parameters
    ----------
    headings
        Of the columns.
    rows
        Elements ``tr``.
    label
        What it is, for those who do not see it.
    numbers
        Columns that are aligned to the right.
    sortable
        Whether headings become buttons.
    class_
        Added to the scrolling box.
    """
    right = set(numbers)
    cells = [
        tag("th", text, scope="col", class_="number" if k in right else None)
        for k, text in enumerate(headings)
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", *cells)),
            tag("tbody", *rows),
            class_="sortable" if sortable else None,
        ),
        class_=f"scroll {class_}".strip(),
        tabindex="0",
        role="region",
        aria_label=label,
    )


def row(*cells: str | Markup | None, number: Iterable[int] = ()) -> Markup:
    """Return a row of cells; those that are elements ``td`` or ``th`` already stay."""
    right = set(number)
    return tag("tr", *[_cell(cell, k in right) for k, cell in enumerate(cells)])


def _cell(cell: str | None, right: bool) -> Markup:
    if isinstance(cell, Markup) and cell.startswith(("<td", "<th")):
        return cell
    return tag("td", cell, class_="number" if right else None)


def facts(pairs: Iterable[tuple[str, str | None]]) -> Markup:
    """Return figures with their names; those without a value are left out."""
    found = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value]
    return tag("dl", *found, class_="facts")


def commands(lines: Iterable[str]) -> Markup:
    """Return commands, each a line that scrolls by itself."""
    found = [tag("pre", tag("code", line), tabindex="0") for line in lines]
    return tag("div", *found, class_="commands")


def links(pairs: Iterable[tuple[str, str | None]]) -> Markup:
    """Return names, those with an address as links, as a list in a line."""
    found = [
        tag("li", name if address is None else tag("a", name, href=address))
        for name, address in pairs
    ]
    return tag("ul", *found, class_="chips")


def trail(root: str, kind: str, place: str, name: str) -> Markup:
    """Return the way from the index to a page."""
    return tag(
        "nav",
        tag("a", "Atlas", href=f"{root}index.html"),
        tag("a", kind, href=f"{root}index.html#{place}"),
        tag("span", name, aria_current="page"),
        class_="trail",
        aria_label="Where this page is",
    )


def around(names: Sequence[tuple[str, str]], name: str) -> Markup:
    """Return links to the pages before and after that of ``name``, of names with addresses."""
    k = next(k for k, (one, _) in enumerate(names) if one == name)
    before = names[k - 1] if k else None
    after = names[k + 1] if k + 1 < len(names) else None
    return tag(
        "nav",
        tag("a", f"← {before[0]}", href=before[1], rel="prev") if before else tag("span"),
        tag("a", f"{after[0]} →", href=after[1], rel="next") if after else tag("span"),
        class_="around",
        aria_label="Neighbours",
    )
