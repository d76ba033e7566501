"""Liberty files: where they are, and what of their text the flow needs to know."""

import gzip
import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import InputError

#: Where Debian's qflow-tech-osu018 installs the only library that is found by itself.
OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")

_FLIP_FLOP = re.compile(r"^\s*ff\s*\(", re.MULTILINE)


@dataclass(frozen=True)
class Library:
    """A cell library as uncompressed files.

    Attributes
    ----------
    files
        All Liberty files.
    flip_flops
        Those that hold flip-flops.
    digests
        First 16 hexadecimal digits of the SHA-256 of each file as given, by its name.
    corner
        Name of the operating conditions, voltage in V and temperature in degrees Celsius.
    """

    files: tuple[Path, ...]
    flip_flops: tuple[Path, ...]
    digests: dict[str, str]
    corner: dict[str, str | float]


@contextmanager
def opened(technology: str, files: Sequence[Path] | None) -> Iterator[Library]:
    """Yield the library of a technology, decompressed into a folder that is removed afterwards.

    Raises
    ------
    InputError
        If no file is given and ``technology`` is not installed, or if a file cannot be read, is
        no Liberty file, or none of them has a flip-flop.
    """
    sources = list(files or [_installed(technology)])
    with tempfile.TemporaryDirectory() as folder:
        texts = {}
        digests = {}
        for number, source in enumerate(sources):
            raw = _read(source)
            digests[source.name] = hashlib.sha256(raw).hexdigest()[:16]
            path = Path(folder) / f"{number}.lib"
            texts[path] = _decompress(source, raw)
            path.write_text(texts[path])
        flip_flops = tuple(path for path, text in texts.items() if _FLIP_FLOP.search(text))
        if not flip_flops:
            names = ", ".join(source.name for source in sources)
            raise InputError(f"no flip-flop in {names}; give all files of the library")
        yield Library(tuple(texts), flip_flops, digests, _corner(texts[flip_flops[0]]))


def _installed(technology: str) -> Path:
    if technology != "osu018":
        raise InputError(
            f"synthesis for {technology} needs its cell library: give --liberty FILE; "
            "only osu018 is found by itself"
        )
    if not OSU018.is_file():
        raise InputError(
            f"the osu018 cell library is not installed ({OSU018}); "
            "`apt-get install qflow-tech-osu018`, or give --liberty FILE"
        )
    return OSU018


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the Liberty file {source}: {error.strerror}") from None


def _decompress(source: Path, raw: bytes) -> str:
    try:
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the Liberty file {source}: {error}") from None
    if not re.search(r"^\s*library\s*\(", text, re.MULTILINE):
        raise InputError(f"{source} is not a Liberty file: it has no library(...) group")
    return text


def _corner(text: str) -> dict[str, str | float]:
    corner: dict[str, str | float] = {}
    if match := re.search(r'default_operating_conditions\s*:\s*"?([\w.]+)', text):
        corner["name"] = match[1]
    for key, attribute in (("voltage_v", "nom_voltage"), ("temperature_c", "nom_temperature")):
        if match := re.search(rf"{attribute}\s*:\s*\"?([-+\d.eE]+)", text):
            corner[key] = float(match[1])
    return corner
