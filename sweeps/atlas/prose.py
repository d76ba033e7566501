"""Docstrings as HTML: the part of reStructuredText that docstrings here use, and nothing else.

Blocks are separated by blank lines: paragraphs, lists, terms with what they mean, tables between
rules of ``=``, and indented text, which stays as it is. What is none of these is a paragraph, so
any text comes out, escaped.
"""

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from textwrap import dedent

from sweeps.markup import Markup, tag, together

#: Returns the address of the page of what a role names, or None.
Addresses = Callable[[str], str | None]

_INLINE = re.compile(
    r"``(.+?)``|:\w+:`~?([^`<>]+)`|(?<![\w*])\*(\w[^*]*?\w)\*(?![\w*])|(arXiv[: ])(\d{4}\.\d{4,5})"
)
_MARK = re.compile(r"(?:[*-]|\d+\.) +")
_RULE = re.compile(r"=+(?: +=+)+")
_SECTION = re.compile(r"^\w[\w ]*\n-{3,}$", re.MULTILINE)
_SOURCE = re.compile(r"Sources?: ")
#: Where preprints are, by their numbers.
_ARXIV = "https://arxiv.org/abs/"


def doc(cls: type) -> str:
    """Return the docstring of the module of a class, or of the class where the module has none."""
    module = sys.modules.get(cls.__module__)
    own = inspect.getdoc(module) if module is not None else None
    return own or inspect.cleandoc(vars(cls).get("__doc__") or "")


def summary(text: str) -> str:
    """Return the docstring's first paragraph, on one line."""
    return " ".join(text.split("\n\n", 1)[0].split())


def body(text: str) -> str:
    """Return what follows the first paragraph, up to a section such as ``Parameters``."""
    rest = text.partition("\n\n")[2]
    section = _SECTION.search(rest)
    return rest[: section.start()] if section else rest


def split_sources(text: str) -> tuple[str, str]:
    """Return a docstring's body without its paragraphs of sources, and these."""
    blocks = re.split(r"\n\s*\n", text)
    sources = [block for block in blocks if _SOURCE.match(block)]
    others = [block for block in blocks if not _SOURCE.match(block)]
    return "\n\n".join(others), "\n\n".join(sources)


def to_html(text: str, addresses: Addresses) -> Markup:
    """Return a docstring as HTML; ``addresses`` are those that roles link to."""
    return together(_blocks(text.strip("\n").splitlines(), addresses))


def inline(text: str, addresses: Addresses) -> Markup:
    """Return the text of a paragraph as HTML: code, roles, preprints."""
    parts: list[str | None] = []
    end = 0
    for found in _INLINE.finditer(text):
        parts += [text[end : found.start()], _inline(found, addresses)]
        end = found.end()
    return together([*parts, text[end:]])


def _inline(found: re.Match[str], addresses: Addresses) -> Markup:
    code, role, stressed, arxiv, number = found.groups()
    if code is not None:
        return tag("code", code)
    if stressed is not None:
        return tag("em", stressed)
    if number is not None:
        return tag("a", arxiv + number, href=_ARXIV + number, rel="noreferrer")
    name = tag("code", role.rpartition(".")[2])
    address = addresses(role)
    return name if address is None else tag("a", name, href=address)


def _blocks(lines: Sequence[str], addresses: Addresses) -> list[Markup]:
    found = []
    while lines:
        if not lines[0].strip():
            lines = lines[1:]
            continue
        block, lines = _next(lines)
        found.append(_block(block, addresses))
    return found


def _next(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the first block and the lines after it."""
    first = lines[0]
    if _RULE.fullmatch(first.strip()) and first == first.lstrip():
        rules = [k for k, line in enumerate(lines) if _RULE.fullmatch(line.strip())]
        return _at(lines, rules[min(2, len(rules) - 1)] + 1)
    if first.startswith(" "):
        return _at(lines, _while(lines, lambda line: not line.strip() or line.startswith(" ")))
    if _MARK.match(first) or _is_term(lines):
        # With all that is indented below it, and further items of its kind.
        end = 1
        while end < len(lines):
            inside = not lines[end].strip() or lines[end].startswith(" ")
            if not inside and _kind(lines[end:]) != _kind(lines):
                break
            end += 1
        return _at(lines, end)
    return _at(lines, _while(lines, lambda line: bool(line.strip())))


def _kind(lines: Sequence[str]) -> str:
    """Return what an item is of: a list without or with numbers, terms, or nothing."""
    if _MARK.match(lines[0]):
        return "ol" if lines[0][0].isdigit() else "ul"
    return "dl" if _is_term(lines) else ""


def _at(lines: Sequence[str], end: int) -> tuple[Sequence[str], Sequence[str]]:
    return lines[:end], lines[end:]


def _while(lines: Sequence[str], holds: Callable[[str], bool]) -> int:
    """Return how many lines from the first one on have a property."""
    return next((k for k, line in enumerate(lines) if not holds(line)), len(lines))


def _is_term(lines: Sequence[str]) -> bool:
    return len(lines) > 1 and not lines[0].startswith(" ") and lines[1].startswith("    ")


def _block(block: Sequence[str], addresses: Addresses) -> Markup:
    first = block[0]
    if _RULE.fullmatch(first):
        return _table(block, addresses)
    if first.startswith(" "):
        return tag("pre", dedent("\n".join(block)).strip("\n"), tabindex="0")
    if _MARK.match(first):
        return tag(_kind(block), *[tag("li", item) for item in _items(block, addresses)])
    if _is_term(block):
        return tag("dl", *_terms(block, addresses))
    return tag("p", inline(_joined(block), addresses))


def _joined(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())


def _items(block: Sequence[str], addresses: Addresses) -> list[Markup]:
    starts = [k for k, line in enumerate(block) if _MARK.match(line)]
    ends = [*starts[1:], len(block)]
    texts = [_joined(block[start:end]) for start, end in zip(starts, ends, strict=True)]
    return [inline(_MARK.sub("", text, count=1), addresses) for text in texts]


def _terms(block: Sequence[str], addresses: Addresses) -> list[Markup]:
    found = []
    starts = [k for k, line in enumerate(block) if line.strip() and not line.startswith(" ")]
    for start, end in zip(starts, [*starts[1:], len(block)], strict=True):
        below = dedent("\n".join(block[start + 1 : end])).splitlines()
        found += [
            tag("dt", inline(block[start], addresses)),
            tag("dd", *_blocks(below, addresses)),
        ]
    return found


def _table(block: Sequence[str], addresses: Addresses) -> Markup:
    """Return a table; its columns are where the first rule has them, the last one is open."""
    starts = [found.start() for found in re.finditer("=+", block[0])]
    cuts = [slice(*pair) for pair in zip(starts, [*starts[1:], None], strict=True)]
    rows: list[Markup] = []
    head = sum(bool(_RULE.fullmatch(line.strip())) for line in block) > 2
    for line in block[1:]:
        if _RULE.fullmatch(line.strip()):
            head = False
            continue
        kind = "th" if head else "td"
        cells = [tag(kind, inline(line[cut].strip(), addresses)) for cut in cuts]
        rows.append(tag("tr", *cells))
    return tag("div", tag("table", *rows, class_="plain"), class_="scroll", tabindex="0")
