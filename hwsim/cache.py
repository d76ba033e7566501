"""Arrays on disk that take long to make, such as a unit as generic gates.

They are files in a folder a kind, such as ``netlists``, of the user's cache folder: that of the
environment variable ``HWSIM_CACHE`` if it is set, else the operating system's (on Linux
``$XDG_CACHE_HOME/hwsim`` or ``~/.cache/hwsim``). A file's name is the SHA-256 of everything that
its content depends on, so a file is never out of date; to free the space, delete the folder.

A file is the SHA-256 of what follows, an ``.npz`` archive: a file that was cut off or changed is
noticed before anything is read from it. Processes may share the folder: a file is written under
another name and renamed. A file that cannot be read, or a folder that cannot be written, costs time
and a line on stderr, nothing else.
"""

import hashlib
import io
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

#: Environment variable that names another folder.
VARIABLE = "HWSIM_CACHE"

_SUFFIX = ".arrays"
_DIGEST_BYTES = hashlib.sha256().digest_size

Arrays = Mapping[str, NDArray[Any]]
Made = TypeVar("Made")


def folder(kind: str) -> Path:
    """Return the folder of a kind of files, which need not exist."""
    given = os.environ.get(VARIABLE)
    return (Path(given) if given else user_cache_path("hwsim")) / kind


def key(*parts: str) -> str:
    """Return the SHA-256 of texts, as hexadecimal text; other parts have another key."""
    state = hashlib.sha256()
    for part in parts:
        content = part.encode()
        state.update(len(content).to_bytes(8, "little"))
        state.update(content)
    return state.hexdigest()


def load(kind: str, name: str, build: Callable[[Arrays], Made]) -> Made | None:
    """Return what ``build`` makes of the arrays saved under ``name``, or None.

    None stands for a file that is not there, and for one that cannot be read, which stderr names.
    """
    path = folder(kind) / f"{name}{_SUFFIX}"
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _say(f"{path} cannot be read and is made again: {error.strerror}")
        return None
    digest, archive = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(archive).digest() != digest:
        _say(f"{path} is damaged and is made again")
        return None
    with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
        return build(arrays)


def store(kind: str, name: str, arrays: Arrays) -> None:
    """Save arrays under ``name``, whole or not at all; stderr says once if that is impossible."""
    place = folder(kind)
    archive = io.BytesIO()
    np.savez_compressed(archive, allow_pickle=False, **arrays)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=place, prefix=".", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(hashlib.sha256(archive.getvalue()).digest())
                file.write(archive.getvalue())
                file.close()
                temporary.replace(place / f"{name}{_SUFFIX}")
            except BaseException:
                temporary.unlink()
                raise
    except OSError as error:
        _say_once(f"nothing is cached: {place} cannot be written: {error.strerror}")


@cache
def _say_once(line: str) -> None:
    _say(line)


def _say(line: str) -> None:
    print(f"hwsim: {line}", file=sys.stderr)
