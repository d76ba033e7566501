"""One HTML file of the results of sweeps, which needs no network and no server.

The page is a template with a style sheet and scripts, which are files beside this one; the plotting
library comes from Python's plotly. The results are JSON in an element that no browser runs, and
what the page writes it writes as text. Besides, its security policy names the digests of its own
scripts: a browser runs no other one, and loads nothing from anywhere.
"""

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from hwsim.files import as_path, write_text
from sweeps.markup import digest, theme
from sweeps.page.content import content

#: The scripts, in the order in which they need each other.
SCRIPTS = (
    "data.js", "pareto.js", "state.js", "points.js", "chart.js", "details.js", "table.js",
    "filters.js", "main.js",
)  # fmt: skip
#: Runs after the library, which takes longest to load; until then the rest of the page is there.
START = "page.start();"


def write(folders: Sequence[Path], path: Path) -> None:
    """Write the results of sweeps as a page.

    Parameters
    ----------
    folders
        Folders that ``hwsim sweep`` wrote, in the order in which the page names them; objectives
        and constraints are those of the first.
    path
        The HTML file; one that is there is replaced.

    Raises
    ------
    InputError
        If a folder holds no results, or those of a version that kept no objectives; if a folder
        stands twice; or if the file cannot be written.
    """
    found = content([as_path("folder", folder) for folder in folders])
    write_text(as_path("output", path), page(found))


def page(found: dict[str, Any]) -> str:
    """Return the page of what :func:`sweeps.page.content.content` returned."""
    scripts = [_script(), _library(), START]
    parts = {
        "policy": _policy(scripts),
        "title": html.escape(found["title"]),
        "style": theme() + _text("style.css"),
        "data": _inert(found),
        "script": scripts[0],
        "library": scripts[1],
        "start": scripts[2],
    }
    text = _text("page.html")
    for name, part in parts.items():
        text = text.replace(f"<!--{name}-->", part, 1)
    return text


def _text(name: str) -> str:
    return (files("sweeps.page") / name).read_text("utf-8")


def _script() -> str:
    """Return the page's own scripts as one, in which all is strict."""
    return '"use strict";\n' + "\n".join(map(_text, SCRIPTS))


def _library() -> str:
    """Return the plotting library, whose licence (MIT) stands at its top."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8")


def _policy(scripts: Sequence[str]) -> str:
    """Return the content security policy of a page with these scripts.

    The library compiles drawing functions for WebGL while it runs, and sets styles of elements.
    """
    digests = " ".join(map(digest, scripts))
    return (
        f"default-src 'none'; script-src {digests} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _inert(found: dict[str, Any]) -> str:
    """Return JSON that cannot end the element that it stands in."""
    text = json.dumps(found, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c")
