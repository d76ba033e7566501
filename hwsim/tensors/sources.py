"""Layers to quantise: weight matrices with the activations that meet them, from files.

A *layer* is one matrix product of a network, Y = X W^T, as the field stores it: weights
[outputs, inputs] and activations [tokens, inputs]. ``.npy`` holds one matrix, ``.npz`` and
``.safetensors`` any number by name; a tensor called ``<name>.input`` holds the activations of the
weight ``<name>``. A file of one layer may call them ``weights`` and ``activations``. Nothing in
such a file is executed: pickled arrays are refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hwsim.errors import InputError, suggestion

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
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: tensors are read from {', '.join(SUFFIXES)} files")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        names, arrays = _load(path, match)
    except (OSError, ValueError, EOFError, BadZipFile, SafetensorError, TypeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not arrays:
        hint = suggestion(match, names) or f"; it holds {', '.join(names[:8]) or 'none'}"
        raise InputError(f"{path}: no tensor matches {match!r}{hint}")
    return arrays


def _load(path: Path, match: str) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Return all names in the file, and the tensors whose names match."""
    if path.suffix == ".safetensors":
        with safe_open(path, "numpy") as tensors:
            names = list(tensors.keys())
            return names, {n: tensors.get_tensor(n) for n in names if fnmatchcase(n, match)}
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            loaded = {path.stem: loaded}
        names = list(loaded)
        return names, {n: loaded[n] for n in names if fnmatchcase(n, match)}


def _check(path: Path, name: str, array: NDArray[Any]) -> None:
    where = f"{path}: tensor {name!r}"
    if array.dtype.kind != "f":
        raise InputError(f"{where} must be floating-point, not {array.dtype}")
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
    if key not in matrices and path.suffix != ".npy" and key in _names(path):
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


def _names(path: Path) -> list[str]:
    return _load(path, "")[0]
