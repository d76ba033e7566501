"""Layers to quantise: weight matrices with the activations that meet them, from files.

A *layer* is one matrix product of a network, Y = X W^T, as the field stores it: weights
[outputs, inputs] and activations [tokens, inputs]. ``.npy`` holds one matrix, ``.npz`` and
``.safetensors`` any number by name; a tensor called ``<name>.input`` holds the activations of the
weight ``<name>``. A file of one layer may call them ``weights`` and ``activations``. Nothing in
such a file is executed: pickled arrays are refused. Checkpoints in bfloat16, FP8 and FP4 are read
as float32, which is exact (:mod:`hwsim.tensors.checkpoint`).
"""

import struct
import tokenize
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
from numpy.lib import format
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from hwsim.errors import InputError, suggestion
from hwsim.files import as_path
from hwsim.tensors.checkpoint import open_checkpoint

#: What NumPy and zipfile raise for damaged files. A name that is no text, an unknown way of
#: compression and an encrypted member are a KeyError, NotImplementedError and RuntimeError.
_UNREADABLE = (
    OSError, ValueError, TypeError, EOFError, KeyError, SyntaxError, MemoryError, OverflowError,
    RuntimeError, struct.error, tokenize.TokenError, zlib.error, BadZipFile,
)  # fmt: skip

_NPY = format.MAGIC_PREFIX
_SAVE = "save it as float32, or in a .safetensors file"

Floats = NDArray[np.floating[Any]]

SUFFIXES = (".npy", ".npz", ".safetensors")
#: The name of a weight's activations is the weight's name with this suffix.
ACTIVATIONS = ".input"
#: The names of weight and activations in a file that holds these two alone.
PAIR = ("weights", "activations")


@dataclass(frozen=True, eq=False)
class Layer:
    """One matrix product Y = X W^T.

    Attributes
    ----------
    name
        Name of the weight in its file.
    weight
        Shape [outputs, inputs], floating, finite.
    activations
        Shape [tokens, inputs], floating, finite; None where only weights are known.
    """

    name: str
    weight: Floats
    activations: Floats | None = None

    def __repr__(self) -> str:
        outputs, inputs = self.weight.shape
        tokens = "no" if self.activations is None else len(self.activations)
        return f"<Layer {self.name}: {outputs} outputs, {inputs} inputs, {tokens} tokens>"

    @cached_property
    def weight_octave(self) -> int:
        """The power of two that brings the largest weight's magnitude into [1, 2) if divided by."""
        return _octave(self.weight)

    @cached_property
    def activation_octave(self) -> int:
        """The same for the activations; 0 without any."""
        return 0 if self.activations is None else _octave(self.activations)


def _octave(matrix: Floats) -> int:
    return int(np.frexp(np.abs(matrix).max(initial=0))[1]) - 1


def have_activations(layers: Iterable[Layer]) -> bool:
    """Return whether the activations of every layer are known."""
    return all(layer.activations is not None for layer in layers)


def read(path: Path, match: str = "*") -> dict[str, Floats]:
    """Return the matrices of a tensor file whose names match a glob pattern.

    Parameters
    ----------
    path
        A ``.npy``, ``.npz`` or ``.safetensors`` file. The matrix of a ``.npy`` file has the file's
        name without the suffix.
    match
        Pattern such as ``*.dense.weight``, matched case-sensitively.

    Raises
    ------
    InputError
        Naming file and tensor: a file that cannot be read, a pattern that matches nothing, or a
        matching tensor that is not a two-dimensional floating-point array of finite numbers.
    """
    arrays = read_arrays(path, match)
    for name, array in arrays.items():
        _check(path, name, array)
    return arrays


def read_arrays(path: Path, match: str = "*") -> dict[str, NDArray[Any]]:
    """Return the matching tensors of a file, of any shape and dtype; see :func:`read`."""
    names, arrays = _load(path, match)
    if not arrays:
        hint = suggestion(match, names) or f"; it holds {', '.join(names[:8]) or 'none'}"
        raise InputError(f"{path}: no tensor matches {match!r}{hint}")
    return arrays


def tensor_names(path: Path) -> list[str]:
    """Return the names of all tensors in a file, without reading any; see :func:`read`."""
    return _load(path, "")[0]


def _load(path: Path, match: str) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Return all names in the file, and the tensors whose names match."""
    path = as_path("path", path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: tensors are read from {', '.join(SUFFIXES)} files")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with _refusing(str(path)):
        if path.suffix == ".safetensors":
            checkpoint = open_checkpoint(path)
            names = list(checkpoint.entries)
            return names, {n: checkpoint.read(n) for n in names if fnmatchcase(n, match)}
        with path.open("rb") as file:
            if file.read(len(_NPY)) == _NPY:
                names = [path.stem]
                size = path.stat().st_size
                return names, {
                    n: _read_array(path, n, file, size) for n in names if fnmatchcase(n, match)
                }
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                names = list(archive)
                return names, {
                    n: _read_member(path, n, archive) for n in names if fnmatchcase(n, match)
                }


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    """Make InputErrors of what NumPy and zipfile raise for damaged files."""
    try:
        yield
    except InputError:
        raise
    except _UNREADABLE as error:
        hint = f"; {_SAVE}" if "not a valid dtype descriptor" in str(error) else ""
        raise InputError(f"{where}: cannot be read: {error}{hint}") from None


def _read_member(path: Path, name: str, archive: NpzFile) -> NDArray[Any]:
    members = archive.zip
    assert members is not None
    with _refusing(f"{path}: tensor {name!r}"):
        stored = name if name in members.namelist() else f"{name}.npy"
        with members.open(stored) as file:
            return _read_array(path, name, file, members.getinfo(stored).file_size)


def _read_array(path: Path, name: str, file: IO[bytes], size: int) -> NDArray[Any]:
    """Return the array of an open ``.npy`` file, unless its header says more than ``size``."""
    file.seek(0)
    major, _ = format.read_magic(file)
    header = format.read_array_header_1_0 if major == 1 else format.read_array_header_2_0
    shape, _, dtype = header(file)
    if prod(shape) * dtype.itemsize > size or any(length < 0 for length in shape):
        raise EOFError(f"its header says {shape} of {dtype}, and {size} bytes are stored")
    file.seek(0)
    return _known_dtype(path, name, format.read_array(file, allow_pickle=False))


def _known_dtype(path: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return ``array``, unless NumPy did not store what its dtype is."""
    where = f"{path}: tensor {name!r}"
    if array.dtype.kind == "V" and array.dtype.fields is None:
        raise InputError(
            f"{where} has the dtype {array.dtype.str}: NumPy keeps the width of a dtype of "
            f"ml_dtypes, such as bfloat16, but not which one it is; {_SAVE}"
        )
    return array


def _check(path: Path, name: str, array: NDArray[Any]) -> None:
    where = f"{path}: tensor {name!r}"
    if array.dtype.kind != "f":
        raise InputError(f"{where} must be floating-point, not {array.dtype}")
    if array.dtype.itemsize > 8:
        raise InputError(f"{where} must have up to 64 bits a number, not {array.dtype}")
    if array.ndim != 2 or not array.size:
        raise InputError(
            f"{where} must be a matrix [outputs, inputs], not of shape {array.shape}; "
            "choose the matrices with match"
        )
    if not np.isfinite(array).all():
        raise InputError(f"{where} holds {'NaN' if np.isnan(array).any() else 'infinity'}")


def layers(path: Path, match: str = "*") -> list[Layer]:
    """Return the layers of a tensor file in the order of their names; see :func:`read`.

    ``match`` chooses weights; their activations, ``<name>.input``, come with them.

    Raises
    ------
    InputError
        As :func:`read` does, and where activations and weight differ in inputs.
    """
    matrices = read(path, match)
    if set(matrices) == set(PAIR):
        return [_paired(path, *PAIR, matrices)]
    weights = sorted(name for name in matrices if not name.endswith(ACTIVATIONS))
    if not weights:
        raise InputError(f"{path}: {match!r} matches activations only")
    return [_layer(path, name, matrices) for name in weights]


def _layer(path: Path, name: str, matrices: Mapping[str, Floats]) -> Layer:
    key = name + ACTIVATIONS
    if key not in matrices and path.suffix != ".npy" and key in tensor_names(path):
        matrices = {**matrices, **read(path, key)}
    return _paired(path, name, key, matrices)


def _paired(path: Path, name: str, key: str, matrices: Mapping[str, Floats]) -> Layer:
    weight, activations = matrices[name], matrices.get(key)
    if activations is not None and activations.shape[1] != weight.shape[1]:
        raise InputError(
            f"{path}: tensor {key!r} has {activations.shape[1]} inputs, "
            f"and {name!r} has {weight.shape[1]}"
        )
    return Layer(name, weight, activations)
