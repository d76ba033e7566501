"""A static site of all number formats and all families of units, made from the registries.

A page is one HTML file with its style and script in it, so it opens from a folder, without network
or server; its security policy names the digests of both. What a registry or a docstring says
becomes text (:mod:`sweeps.markup`). The same version makes the same bytes.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from cost_models.cost import check_flags
from hwsim import __version__
from hwsim.errors import InputError
from hwsim.files import as_path, make_folder, read_json, reason, write_text
from sweeps.atlas import format_page, index, unit_page
from sweeps.atlas.costs import Examined, examine_all
from sweeps.atlas.survey import Survey, survey

#: The file that makes a folder an atlas: the version, and the files that belong to it.
MARKER = "atlas.json"
#: Folders of an atlas.
FOLDERS = ("formats", "units", "verilog")
_OWN = re.compile(rf"index\.html|(?:{'|'.join(FOLDERS)})/\w[\w.]*")


def write(
    folder: Path,
    force: bool = False,
    costs: bool = True,
    workers: int | None = None,
    quiet: bool = False,
    found: Survey | None = None,
) -> int:
    """Write the atlas into a folder, and return how many units have no estimate.

    Parameters
    ----------
    folder
        A new or empty folder, or one of an atlas, whose files are replaced.
    force
        Write into a folder that holds something else, too; that stays, except for files of the
        names that the atlas has.
    costs
        Whether units have estimates, which take minutes where they are not in the user's cache.
    workers
        Number of processes, by default one a core.
    quiet
        Say nothing on stderr but what went wrong.
    found
        What to show; by default everything in the registries.

    Raises
    ------
    InputError
        For a folder that is not empty and no atlas, without ``force``; for one that cannot be
        written, or has a link or a file where the atlas has a folder; for broken packages.
    WorkerDiedError
        If a worker process ends without a result.
    """
    folder = as_path("folder", folder)
    check_flags(force=force, costs=costs, quiet=quiet)
    _check(folder, force)
    found = found or survey()
    examined = examine_all(found.families, costs, workers, quiet)
    _write(folder, files(found, examined))
    return sum(bool(one.failure) for several in examined.values() for one in several)


def files(found: Survey, examined: Mapping[str, list[Examined]]) -> dict[str, str]:
    """Return the text of every file by its path in the atlas, but for the marker."""
    pages = {"index.html": index.page(found)}
    for fmt in found.formats:
        pages[found.format_page(fmt.name) or ""] = format_page.page(found, fmt)
    for family in found.families:
        pages[f"units/{family}.html"] = unit_page.page(found, family, examined.get(family, []))
    for several in examined.values():
        for one in several:
            pages |= {f"verilog/{name}": text for name, text in one.files.items()}
    return pages


def _check(folder: Path, force: bool) -> None:
    """Make the folder; refuse one that is not an atlas's, or would be written through a link."""
    make_folder(folder)
    try:
        held = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {reason(error)}") from None
    if held and MARKER not in held and not force:
        raise InputError(
            f"{folder} is not empty and holds no atlas; choose another folder, or --force (in "
            "Python force=True) to write into it"
        )
    for name in FOLDERS:
        place = folder / name
        if os.path.lexists(place) and (place.is_symlink() or not place.is_dir()):
            raise InputError(f"{place} is no folder of an atlas; remove it, or choose another")


def _write(folder: Path, pages: Mapping[str, str]) -> None:
    before = _written(folder)
    # What is there is known to be an atlas's from the first file on.
    _mark(folder, sorted({*before, *pages}))
    for name in FOLDERS:
        make_folder(folder / name)
    for name, text in pages.items():
        write_text(folder / name, text)
    for name in sorted(set(before) - set(pages)):
        (folder / name).unlink(missing_ok=True)
    _mark(folder, sorted(pages))


def _mark(folder: Path, names: list[str]) -> None:
    content = {"hwsim": __version__, "files": names}
    write_text(folder / MARKER, json.dumps(content, indent=1) + "\n")


def _written(folder: Path) -> list[str]:
    """Return the files that an atlas has there, by its marker; other paths are not believed."""
    if not os.path.lexists(folder / MARKER):
        return []
    names = read_json(folder / MARKER).get("files")
    if not isinstance(names, list):
        raise InputError(f"{folder / MARKER}: has no list of files; remove it, and use --force")
    return [name for name in names if isinstance(name, str) and _OWN.fullmatch(name)]
