"""What HTML pages share: elements that escape what they hold, the colours, digests for policies.

Text becomes markup in one way only: :func:`tag` escapes every child that is not :class:`Markup`, so
what a name or a docstring holds stays text.
"""

import base64
import hashlib
import html
from collections.abc import Iterable
from importlib.resources import files


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


#: Elements without content.
_VOID = frozenset({"input", "wbr"})


def tag(name: str, /, *children: str | None, **attributes: str | int | bool | None) -> Markup:
    """Return an element.

    Parameters
    ----------
    children
        In this order; text is escaped, None is left out.
    attributes
        ``_`` in names stands for ``-``, and one at the end is dropped, as in ``class_``. True is an
        attribute without a value; with None or False there is none.
    """
    given = "".join(
        f" {_attribute(key)}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{together(children)}</{name}>")


def together(children: Iterable[str | None]) -> Markup:
    """Return children one after another, text escaped."""
    return Markup("".join(escaped(child) for child in children if child is not None))


def escaped(text: str) -> Markup:
    """Return text as HTML; what is HTML stays."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def _attribute(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")


def theme() -> str:
    """Return the style sheet of the colours, each for light and dark."""
    return (files("sweeps") / "theme.css").read_text("utf-8")


def digest(text: str) -> str:
    """Return the source of a content security policy that allows this script or style sheet."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
