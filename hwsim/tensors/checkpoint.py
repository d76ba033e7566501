"""Tensors of ``.safetensors`` files, one at a time and in every data type that checkpoints have.

A file is the length of its header in eight bytes, the header, and the data. The header is JSON:
for every tensor its dtype, its shape and where its bytes are. So a tensor is read without the
others, and one whose dtype is not known stands in nobody's way. The dtypes that NumPy does not
have are formats of :mod:`hwsim.formats`; their values come as float32, which holds them all.

The library safetensors refuses a whole file for one dtype that it does not know, and its NumPy
framework has neither bfloat16 nor FP8. So the header is read here, with the checks of the
specification: what it says is compared with the file's length before anything is allocated.

Sources: safetensors' README ("Format") and its list of dtypes; PyTorch, Float4_e2m1fn_x2.h, for
the order of F4: the first of two in the lower four bits.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.formats.registry import parse_scalar

#: The longest header that the specification allows, in bytes.
MAX_HEADER = 100_000_000
_FIELDS = ("dtype", "shape", "data_offsets")

#: Dtypes that NumPy has.
PLAIN = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
}  # fmt: skip
#: Dtypes that are formats here.
FORMATS = {
    "BF16": "bf16", "F8_E4M3": "e4m3", "F8_E5M2": "e5m2", "F8_E8M0": "e8m0",
    "F8_E4M3FNUZ": "e4m3fnuz", "F8_E5M2FNUZ": "e5m2fnuz", "F4": "e2m1",
}  # fmt: skip
#: Dtypes without a rule how their codes lie in bytes.
UNPACKED = {"F6_E2M3": 6, "F6_E3M2": 6}


@dataclass(frozen=True)
class Entry:
    """What the header says of one tensor: dtype, shape, and its bytes, counted from the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Checkpoint:
    """A ``.safetensors`` file whose header has been read.

    Attributes
    ----------
    path
        The file.
    entries
        The tensors by name, in the order of the header.
    data
        Where the data begins, in bytes.
    """

    path: Path
    entries: Mapping[str, Entry]
    data: int

    def read(self, name: str) -> NDArray[Any]:
        """Return a tensor; bfloat16, FP8 and FP4 as float32, which is exact.

        Raises
        ------
        InputError
            For dtypes that cannot be read, naming file and tensor; OSError as NumPy does.
        """
        entry = self.entries[name]
        count = prod(entry.shape)
        if entry.dtype in PLAIN:
            array = self._numbers(entry, np.dtype(PLAIN[entry.dtype]))
        elif entry.dtype in FORMATS:
            table = _values(FORMATS[entry.dtype])
            array = table[self._codes(entry, table.size)[:count]]
        else:
            _refuse_dtype(self.path, name, entry.dtype)
        try:
            return array.reshape(entry.shape)
        except (ValueError, OverflowError) as error:
            _refuse(self.path, f"tensor {name!r} of shape {list(entry.shape)}: {error}")

    def _numbers(self, entry: Entry, dtype: np.dtype[Any]) -> NDArray[Any]:
        count = (entry.end - entry.begin) // dtype.itemsize
        return np.fromfile(self.path, dtype, count, offset=self.data + entry.begin)

    def _codes(self, entry: Entry, codes: int) -> NDArray[Any]:
        """Return the codes of a format of so many."""
        if codes > 256:
            return self._numbers(entry, np.dtype("<u2"))
        octets = self._numbers(entry, np.dtype("u1"))
        if codes == 256:
            return octets
        return np.stack([octets & 15, octets >> 4], axis=-1).reshape(-1)


def open_checkpoint(path: Path) -> Checkpoint:
    """Read the header of a ``.safetensors`` file and check it against the file's length.

    Raises
    ------
    InputError
        Naming file and, where there is one, tensor: a header that is cut off, too long or not as
        specified, tensors that overlap, leave gaps or reach beyond the file. OSError where the
        file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            _refuse(path, f"a header of {length} bytes in a file of {size}: it is cut off, or none")
        if length > MAX_HEADER:
            _refuse(path, f"a header of {length} bytes; at most {MAX_HEADER} are allowed")
        header = _parse(path, file.read(length))
    header.pop("__metadata__", None)
    entries = {name: _entry(path, name, value) for name, value in header.items()}
    _check_layout(path, entries, size - 8 - length)
    return Checkpoint(path, entries, 8 + length)


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its header is no JSON: {error}")
    if not isinstance(header, dict):
        _refuse(path, "its header is no JSON object")
    return header


def _entry(path: Path, name: str, value: object) -> Entry:
    where = f"tensor {name!r}"
    if not isinstance(value, dict) or any(key not in value for key in _FIELDS):
        _refuse(path, f"{where} has not the fields {', '.join(_FIELDS)}")
    dtype, shape, offsets = (value[key] for key in _FIELDS)
    if not isinstance(dtype, str):
        _refuse(path, f"{where}: its dtype {dtype!r} is no name")
    if not _are_counts(shape):
        _refuse(path, f"{where}: its shape {shape!r} is no list of lengths")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(path, f"{where}: its data_offsets {offsets!r} are no begin and end")
    entry = Entry(dtype, tuple(shape), *offsets)
    bits = _bits(dtype)
    if bits is not None and prod(shape) * bits != 8 * (entry.end - entry.begin):
        _refuse(
            path, f"{where}: {dtype} of shape {shape} does not take {entry.end - entry.begin} bytes"
        )
    return entry


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _check_layout(path: Path, entries: Mapping[str, Entry], size: int) -> None:
    """Refuse tensors that do not lie one after another in ``size`` bytes of data."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.end > size:
            _refuse(
                path, f"tensor {name!r} ends at byte {entry.end} of {size} bytes of data: cut off"
            )
        if entry.begin != at:
            kind = "overlaps the one before" if entry.begin < at else "leaves a gap before it"
            _refuse(path, f"tensor {name!r} {kind}: byte {entry.begin}, where {at} follows")
        at = entry.end
    if at != size:
        _refuse(path, f"{size - at} bytes after the last tensor belong to none")


def _bits(dtype: str) -> int | None:
    """Return the width of a dtype; None if it is not known."""
    if dtype in PLAIN:
        return 8 * np.dtype(PLAIN[dtype]).itemsize
    return parse_scalar(FORMATS[dtype]).bits if dtype in FORMATS else UNPACKED.get(dtype)


@lru_cache(maxsize=len(FORMATS))
def _values(name: str) -> NDArray[np.float32]:
    """Return the values of all codes of a format of up to 16 bits."""
    fmt = parse_scalar(name)
    return fmt.decode(np.arange(2**fmt.bits)).astype(np.float32)


def _refuse_dtype(path: Path, name: str, dtype: str) -> NoReturn:
    why = "is not known"
    if dtype in UNPACKED:
        why = "cannot be read: no source says in which order four 6-bit codes lie in three bytes"
    known = ", ".join([*PLAIN, *FORMATS])
    raise InputError(f"{path}: tensor {name!r}: its dtype {dtype} {why}; known: {known}")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise InputError(f"{path}: cannot be read: {reason}")
