"""Finished points on disk: one JSON file each, named by the SHA-256 of what it depends on.

A file is written under another name and renamed, so it is whole or absent however a run ends, and
a run that is started again finds what is done. The key of a point covers its parameters and
everything that computes it: the tensors, the versions of the tools, and the source text of the
packages. A point of older code is then not found and is computed again.
"""

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hwsim
from hwsim.errors import InputError
from sweeps.spec import Sweep

MARKER = "sweep.json"
#: Packages whose versions decide a result.
TOOLS = ("amaranth", "numpy", "pyosys")


def digest(content: Any) -> str:
    """Return the SHA-256 of plain values, as hexadecimal text."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def versions() -> dict[str, str]:
    """Return the versions of hwsim and of the tools that it computes with."""
    return {"hwsim": hwsim.__version__, **{tool: version(tool) for tool in TOOLS}}


@cache
def source_digest() -> str:
    """Return the SHA-256 of the source text and data of the packages that compute points."""
    root = Path(hwsim.__file__).parent.parent
    state = hashlib.sha256()
    for package in ("hwsim", "rtl", "cost_models"):
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".yaml", ".json", ".txt", ".csv"):
                state.update(path.relative_to(root).as_posix().encode())
                state.update(path.read_bytes())
    return state.hexdigest()


class Store:
    """The folder of one sweep.

    Parameters
    ----------
    folder
        A folder of this sweep, an empty one, or one to be made.
    sweep
        The sweep that it belongs to.

    Raises
    ------
    InputError
        If the folder belongs to another sweep, or holds other files.
    """

    def __init__(self, folder: Path, sweep: Sweep) -> None:
        self.folder = folder
        identity = {"name": sweep.name, "specification": digest(sweep.plain())}
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; choose another folder")
        marker = folder / MARKER
        if marker.is_file():
            _check_identity(marker, identity)
        elif folder.is_dir() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no sweep; choose another folder")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(marker, json.dumps(identity, indent=2) + "\n")

    def load(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return what was saved under ``kind`` and ``key``, or None.

        Raises
        ------
        InputError
            If the file is there and is not a JSON object.
        """
        path = self._path(kind, key)
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read: {error}; delete it to go on") from None
        if not isinstance(content, dict):
            raise InputError(f"{path}: must hold a JSON object; delete it to go on")
        return content

    def save(self, kind: str, key: str, content: dict[str, Any]) -> None:
        """Write plain values under ``kind`` and ``key``, whole or not at all."""
        path = self._path(kind, key)
        path.parent.mkdir(exist_ok=True)
        write_text(path, json.dumps(content, indent=2) + "\n")

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / kind / f"{key}.json"


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: under another name in its folder, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def _check_identity(marker: Path, identity: dict[str, str]) -> None:
    try:
        found = json.loads(marker.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{marker}: cannot be read: {error}") from None
    if found != identity:
        other = found.get("name") if isinstance(found, dict) else None
        raise InputError(
            f"{marker.parent} belongs to another specification ({other!r}); choose another folder"
        )
