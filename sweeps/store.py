"""The folder of a sweep: finished points, one JSON file each, and the lock of who works in it.

A point's file is named by the SHA-256 of what the point depends on: its parameters, the tensors,
the technology, the versions of the tools, and the source that decides it (:mod:`sweeps.sources`).
So a specification may change: points that are still part of it are found, and the others wait for
the day it is changed back. The file has a digest of its content, too: what was damaged is not
believed and is computed again.

A file is written under another name and renamed, so it is whole or absent however a run ends.
"""

import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import hwsim
from hwsim.errors import InputError
from hwsim.files import write_text

MARKER = "sweep.json"
LOCK = "sweep.lock"
#: Folders of finished work.
KINDS = ("points", "errors", "unit_errors", "accuracies", "anchors")
#: Packages whose versions decide a result.
TOOLS = ("amaranth", "numpy", "pyosys")
#: All source and data.
SOURCES = ("hwsim", "rtl", "cost_models", "sweeps")
#: The key of a file's own digest.
_DIGEST = "sha256"
#: Names of files before they are renamed.
_TEMPORARY = re.compile(r"\.([0-9a-f]{64}|sweep)\.json\.\d+")

#: Folders that this process has locked.
_held: set[Path] = set()


def digest(content: Any) -> str:
    """Return the SHA-256 of plain values, as hexadecimal text."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def versions() -> dict[str, str]:
    """Return the versions of hwsim and of the tools that it computes with."""
    return {"hwsim": hwsim.__version__, **{tool: version(tool) for tool in TOOLS}}


@cache
def source_digest(sources: tuple[str, ...] = SOURCES) -> str:
    """Return the SHA-256 of source text and data, by default of all."""
    root = Path(hwsim.__file__).parent.parent
    state = hashlib.sha256()
    for source in sources:
        path = root / source
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.suffix in (".py", ".yaml", ".json", ".txt", ".csv"):
                state.update(file.relative_to(root).as_posix().encode())
                state.update(file.read_bytes())
    return state.hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator["Store"]:
    """Yield the folder of a sweep, which no other process works in meanwhile.

    The lock is the kernel's (flock) and ends with this process, however it ends. A process that
    holds it may take it again.

    Parameters
    ----------
    folder
        A sweep's folder, an empty one, or one to be made.

    Raises
    ------
    InputError
        If another process works in the folder, if it holds other files, or if it cannot be written
        or locked.
    """
    place = Path(os.path.realpath(folder))
    if place in _held:
        yield Store(folder)
        return
    _check(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with writing(folder / LOCK):
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        _lock(lock, folder)
        _held.add(place)
        yield Store(folder)
    finally:
        _held.discard(place)
        os.close(lock)


def _check(folder: Path) -> None:
    """Refuse a folder that is not a sweep's."""
    try:
        held = {entry.name for entry in folder.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise InputError(f"{folder} is a file, or inside one; choose another folder") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    others = [name for name in held if name != LOCK and not _TEMPORARY.fullmatch(name)]
    if MARKER not in held and others:
        raise InputError(f"{folder} is not empty and holds no sweep; choose another folder")


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(lock, 20).decode("ascii", "replace").strip()
        raise InputError(
            f"{folder} is in use by another sweep, process {owner or 'unknown'}; wait for it, or "
            "choose another folder"
        ) from None
    except OSError as error:
        raise InputError(
            f"{folder}: its file system has no locks ({error.strerror}), so nothing would keep two "
            "sweeps apart; choose a folder on another one"
        ) from None
    with writing(folder / LOCK):
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())


class Store:
    """What a locked folder holds; :func:`locked` opens it.

    Parameters
    ----------
    folder
        The folder of a sweep, or an empty one.

    Attributes
    ----------
    damaged
        Files whose content is not what was saved, as :meth:`load` found them.

    Raises
    ------
    InputError
        If a part of the folder is damaged or not a sweep's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[Path] = []
        if not os.path.lexists(folder / MARKER):
            self.record([])
        self.written()
        for kind in KINDS:
            inside(folder, PurePosixPath(kind, "file"))
        # What a killed run was about to rename.
        for place in (folder, *(folder / kind for kind in KINDS)):
            for path in place.glob(".*.json.*"):
                if _TEMPORARY.fullmatch(path.name):
                    with writing(path):
                        path.unlink()

    def written(self) -> list[PurePosixPath] | None:
        """Return the files of the last report; None in a folder of hwsim 0.1, which kept no list.

        Raises
        ------
        InputError
            If the marker cannot be read or is damaged.
        """
        marker = self.folder / MARKER
        content = _parse(_read(marker) or b"") or {}
        if "specification" in content:
            return None
        names = content.get("written")
        if not isinstance(names, list) or not all(map(_is_report, names)):
            raise InputError(
                f'{marker}: is damaged; write {{"written": []}} to it to go on with the points '
                "that are there, or choose another folder"
            )
        return [PurePosixPath(name) for name in names]

    def record(self, written: list[PurePosixPath]) -> None:
        """Keep the list of the files of a report."""
        content = {"written": sorted(str(path) for path in written)}
        write_text(self.folder / MARKER, json.dumps(content, indent=2) + "\n")

    def load(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return what was saved under ``kind`` and ``key``, or None.

        A file whose content is not what was saved counts as none and is noted in ``damaged``.

        Raises
        ------
        InputError
            If the file is there and cannot be read, or is no file.
        """
        path = self._path(kind, key)
        raw = _read(path)
        if raw is None:
            return None
        content = _parse(raw)
        if content is not None:
            found = content.pop(_DIGEST, None)
            if found == digest([kind, key, content]):
                return content
        self.damaged.append(path)
        return None

    def save(self, kind: str, key: str, content: dict[str, Any]) -> None:
        """Write plain values under ``kind`` and ``key``, whole or not at all.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        path = self._path(kind, key)
        plain = json.loads(json.dumps(content))
        with writing(path):
            path.parent.mkdir(exist_ok=True)
        text = json.dumps(plain | {_DIGEST: digest([kind, key, plain])}, indent=2)
        write_text(path, text + "\n")

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / kind / f"{key}.json"


def _is_report(name: Any) -> bool:
    """Whether ``name`` may be that of a report's file: inside the folder, and not of the store."""
    if not isinstance(name, str) or "\0" in name:
        return False
    path = PurePosixPath(name)
    return bool(path.parts) and not (
        path.is_absolute() or ".." in path.parts or path.parts[0] in (*KINDS, MARKER, LOCK)
    )


def inside(folder: Path, path: PurePosixPath) -> Path:
    """Return ``folder / path``, a place for a file that no symbolic link leads out of the folder.

    Raises
    ------
    InputError
        If a part of the path is a symbolic link, or is there and no folder.
    """
    for parent in reversed(path.parents[:-1]):
        part = folder / parent
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            raise InputError(f"{part} is not a folder; output stays in {folder}, so move it away")
    return folder / path


def _read(path: Path) -> bytes | None:
    """Return the content of a regular file, or None if there is none."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise InputError(f"{path} is no regular file, as a sweep keeps there; move it away")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _parse(raw: bytes) -> dict[str, Any] | None:
    """Return a JSON object, or None for what is none."""
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
