"""Files of a user: whatever keeps one from being read or written is one line that names it.

Written files are whole or not there: they are made under another name in the same folder, and
renamed.
"""

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hwsim.errors import InputError

#: Of a whole number in a JSON file, the sign included.
MOST_DIGITS = 40
_READABLE = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO)


#: Characters that the name of a half-written file keeps; with more, some names would be too long.
_STEM = 100


def reason(error: Exception) -> str:
    """Return why a file could not be used, in a few words."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def as_path(parameter: str, value: object) -> Path:
    """Return the value of a parameter as a path, text included; InputError for other values."""
    if not isinstance(value, str | os.PathLike) or not (text := os.fspath(value)):
        raise InputError(f"{parameter}={value!r}: allowed: a path")
    if not isinstance(text, str) or "\0" in text:
        raise InputError(f"{parameter}={value!r}: allowed: a path as text")
    return Path(text)


def check_readable(path: Path) -> None:
    """Refuse a device, which may never end, with InputError; a path need not exist."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        return  # Whoever opens it says why it cannot be.
    if kind not in _READABLE:
        raise InputError(f"{path} is a device or socket; allowed: files, folders and pipes")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder for tools to work in, which is removed afterwards.

    Python takes another folder where ``TMPDIR`` is of no use, but tools do not: ABC and Icarus fail
    without it, and where its path has characters that a shell reads.

    Raises
    ------
    InputError
        If ``TMPDIR`` is set to what is no writable folder, or to a path with other characters
        than letters, digits and ``_ . / + -``.
    """
    place = os.environ.get("TMPDIR")
    if place and not (Path(place).is_dir() and _takes_files(place)):
        raise InputError(f"TMPDIR={place}: allowed: a folder that can be written")
    try:
        folder = tempfile.TemporaryDirectory()
    except OSError as error:
        raise InputError(
            f"TMPDIR={place or ''}: no temporary folder can be made: {reason(error)}"
        ) from None
    with folder as name:
        if not re.fullmatch(r"[\w./+-]+", name):
            raise InputError(
                f"TMPDIR={place}: allowed: a path of letters, digits and '_', '.', '/', '+', '-', "
                "for the tools that work there"
            )
        yield Path(name)


def _takes_files(place: str) -> bool:
    # What the permissions say is not enough: not of /proc, and not for root.
    try:
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def read_text(path: Path, what: str) -> str:
    """Return the text of a file in UTF-8; ``what`` it is, is for the message.

    Raises
    ------
    InputError
        For a file that cannot be read, is a device, or is no text in UTF-8.
    """
    path = as_path(what, path)
    check_readable(path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"cannot read the {what} {path}: byte {error.start} is not UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the {what} {path}: {reason(error)}") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    InputError
        For a file that cannot be read, is a device, or holds something else, a key twice or a
        whole number of more than ``MOST_DIGITS`` digits.
    """
    check_readable(path)
    try:
        text = path.read_text("utf-8")
        content = json.loads(text, object_pairs_hook=_unique, parse_int=_whole)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must be a JSON object, not {type(content).__name__}")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(
            f"{digits[:8]}... has {len(digits)} digits; allowed: at most {MOST_DIGITS}"
        )
    return int(digits)


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8; see :func:`write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, in the place of one that is there.

    It is written as ``.<name>.<process id>`` in its folder, and renamed once it is on the disk:
    after a power loss, a name must not stand for what never reached it.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    path = as_path("file", path)
    part = path.parent / f".{path.name[:_STEM]}.{os.getpid()}"
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {path}: {reason(error)}") from None
    finally:
        with suppress(OSError, ValueError):
            part.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder with its parents, unless it is there.

    Raises
    ------
    InputError
        If it cannot be made, or something else has its name.
    """
    path = as_path("folder", path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot make the folder {path}: {reason(error)}") from None
