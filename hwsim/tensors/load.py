"""Where layers come from: an installed model package, a model folder or a tensor file."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hwsim.errors import InputError
from hwsim.files import reason
from hwsim.tensors.sources import Layer, layers
from hwsim.tensors.transformer import SAMPLE, Encoder, find_model, model_files


@dataclass(frozen=True)
class TensorSource:
    """Layers by name, not yet read.

    Parameters
    ----------
    package
        An installed package that carries a model; or
    path
        a model folder (see :mod:`hwsim.tensors.transformer`) or a tensor file (see
        :mod:`hwsim.tensors.sources`). Exactly one of the two.
    match
        Glob pattern of the names of the weights.

    Raises
    ------
    InputError
        If both or neither of ``package`` and ``path`` are given.
    """

    package: str | None = None
    path: Path | None = None
    match: str = "*"

    def __post_init__(self) -> None:
        if (self.package is None) == (self.path is None):
            given = "neither" if self.package is None else "both"
            raise InputError(f"a tensor source is either a package or a path, not {given}")

    @property
    def label(self) -> str:
        """A short name for charts and tables."""
        return self.package or str(self.path and self.path.name)

    def location(self) -> Path:
        """Return the model folder or tensor file; raises as :func:`find_model` does."""
        return find_model(self.package) if self.package else Path(self.path or "")

    def load(self) -> tuple[Layer, ...]:
        """Return the layers; the last sources that were read are kept in memory.

        Raises
        ------
        MissingToolError
            If the package is not installed.
        InputError
            For what cannot be read or is no matrix of finite numbers.
        """
        return _load(self.location(), self.match)

    def digest(self) -> str:
        """Return the SHA-256 of everything that the layers are made from, as hexadecimal text."""
        location = self.location()
        files = [location]
        if location.is_dir():
            files = [*model_files(location), SAMPLE]
        return hashlib.sha256(
            "".join([self.match, *(_file_digest(file) for file in files)]).encode()
        ).hexdigest()


@lru_cache(maxsize=2)
def _load(location: Path, match: str) -> tuple[Layer, ...]:
    if location.is_dir():
        return tuple(Encoder(location).layers(SAMPLE.read_text("ascii"), match))
    return tuple(layers(location, match))


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from None
