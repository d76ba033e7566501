"""Model folders as the field distributes them, and packages that carry one.

A folder has ``config.json`` and the weights: ``model.safetensors``, or the shards that
``model.safetensors.index.json`` lists.
"""

import glob
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError, MissingToolError, suggestion
from hwsim.files import read_json
from hwsim.tensors.sources import read_arrays, tensor_names

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"


def package_folder(package: str, known: Mapping[str, str]) -> Path:
    """Return the folder of an installed package, without importing the package.

    ``known`` has the commands that install the packages which are known to hold a model.

    Raises
    ------
    MissingToolError
        If a package that is known is not installed; the message has the command that does it.
    InputError
        If another one is not there.
    """
    spec = find_spec(package) if package.isidentifier() else None
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent
    if package in known:
        raise MissingToolError(
            f"the package {package}, which holds the weights to quantise, is not installed: "
            f"{known[package]}"
        )
    hint = suggestion(package, known) or f"; known: {', '.join(known)}"
    raise InputError(f"no package {package!r} is installed{hint}")


def weight_files(folder: Path) -> list[Path]:
    """Return the files that list or hold the weights: the index, if any, and all shards."""
    if not is_sharded(folder):
        return [folder / WEIGHTS]
    return [folder / INDEX, *dict.fromkeys(tensor_places(folder).values())]


def is_sharded(folder: Path) -> bool:
    """Whether the weights are in several files."""
    return not (folder / WEIGHTS).is_file() and (folder / INDEX).is_file()


def tensor_places(folder: Path) -> dict[str, Path]:
    """Return the file of every tensor, by the tensor's name.

    Raises
    ------
    InputError
        For files that cannot be read.
    """
    if not is_sharded(folder):
        return dict.fromkeys(tensor_names(folder / WEIGHTS), folder / WEIGHTS)
    path = folder / INDEX
    places = read_json(path).get("weight_map")
    if not isinstance(places, dict):
        raise InputError(f"{path}: weight_map must have a file for every tensor")
    for name, shard in places.items():
        # A shard lies beside its index: no path leads out of the folder.
        if not isinstance(shard, str) or Path(shard).name != shard or shard == "..":
            raise InputError(f"{path}: weight_map: {name} must be in a file here, not {shard!r}")
    return {name: folder / shard for name, shard in places.items()}


def read_float32(path: Path, name: str) -> NDArray[np.float32]:
    """Return a tensor of a file as float32.

    Raises
    ------
    InputError
        For a tensor that is not of finite floating-point numbers in float32's range.
    """
    array = read_arrays(path, glob.escape(name))[name]
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32, copy=False) if array.dtype.kind == "f" else None
    if narrow is None or not np.isfinite(narrow).all():
        raise InputError(f"{path}: tensor {name!r} must be finite floating-point numbers")
    return narrow
