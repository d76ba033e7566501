"""Other names of the formats, and what a name that is none may mean.

A format has one name here. Others are read where they stand for exactly the same codes: those of
NumPy, PyTorch, ml_dtypes, MLIR and ONNX, in upper or lower case, with or without separators. A name
that several formats share, such as ``fp8``, is refused with the candidates.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from hwsim.errors import InputError, unknown

#: What stands behind the width in ``float8_e4m3fn`` and its like.
_TAGS = {
    8: {
        "e4m3fn": "e4m3", "e5m2": "e5m2", "e3m4": "e3m4", "e4m3fnuz": "e4m3fnuz",
        "e5m2fnuz": "e5m2fnuz", "e4m3b11fnuz": "e4m3b11fnuz", "e8m0": "e8m0", "e8m0fnu": "e8m0",
    },
    6: {"e2m3": "e2m3", "e3m2": "e3m2", "e2m3fn": "e2m3", "e3m2fn": "e3m2"},
    4: {"e2m1": "e2m1", "e2m1fn": "e2m1"},
}  # fmt: skip

#: Names in lower case and without separators.
ALIASES = {
    **{
        f"{kind}{tag}": name
        for width, tags in _TAGS.items()
        for tag, name in tags.items()
        for kind in ("", f"f{width}", f"fp{width}", f"float{width}")
    },
    # OCP's FP8 E4M3 is the one that others call fn; in LLVM and ml_dtypes it is IEEE's.
    "fp8e4m3": "e4m3", "f8e4m3": "e4m3_ieee", "float8e4m3": "e4m3_ieee",
    "fp16": "fp16", "f16": "fp16", "float16": "fp16", "half": "fp16",
    "bf16": "bf16", "bfloat16": "bf16",
    "tf32": "tf32", "tensorfloat32": "tf32",
    "fp32": "fp32", "f32": "fp32", "float32": "fp32", "single": "fp32",
    "hifloat8": "hif8", "normalfloat4": "nf4",
    "mxfp8e4m3": "mxfp8e4m3", "mxfp8e5m2": "mxfp8e5m2", "mxfp6e2m3": "mxfp6e2m3",
    "mxfp6e3m2": "mxfp6e3m2", "mxfp4": "mxfp4", "mxfp4e2m1": "mxfp4", "nvfp4": "nvfp4",
    "ue4m3": "e4m3u", "ue5m3": "e5m3u", "ue8m0": "e8m0",
}  # fmt: skip

#: Names in lower case that differ from another only in a separator: mxint8 is a block format.
_OCP = {"mx int8": "q2.6"}

#: Formats that share a name.
CANDIDATES = {
    8: ("e4m3", "e5m2", "e4m3_ieee", "e3m4", "e4m3fnuz", "e5m2fnuz", "binary8p4se", "binary8p3se"),
    6: ("e2m3", "e3m2", "binary6p3sf"),
    4: ("e2m1", "binary4p2sf"),
}
#: What a name without a width may mean.
_FLOATS = ("fp16", "bf16", "tf32", "fp32")
#: An alias this near to a misspelt name is the one that is suggested.
_NEAR = 0.85
_BARE = re.compile(r"(?:f|fp|float|minifloat)(\d+)")
_WIDE = re.compile(r"(?:f|fp|float)(?:64|80|128)|double|longdouble|int64|uint64")


def spellings(name: str) -> Iterator[str]:
    """Yield the names that ``name`` may stand for, as the modules of the formats read them."""
    lower = name.lower().removeprefix("torch.")
    alias = _OCP.get(lower, ALIASES.get(_key(name)))
    if alias is not None and name == name.strip():
        yield alias
    posit = re.fullmatch(r"posit[<(](\d+),\s*(\d+)[>)]", lower)
    yield f"posit{posit[1]}_{posit[2]}" if posit else lower


def no_format(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is none, with the formats that it may stand for."""
    names = list(known)
    key = _key(name)
    bare = _BARE.fullmatch(key)
    if bare and int(bare[1]) in CANDIDATES:
        candidates = [*CANDIDATES[int(bare[1])]]
    elif key in ("f", "fp", "float"):
        candidates = [*_FLOATS]
    elif _WIDE.fullmatch(key):
        return InputError(f"unknown {kind} {name!r}: the widest formats have 32 bits")
    else:
        candidates = [one for one in names if key and _key(one).startswith(key)]
    if len(candidates) > 1:
        return InputError(
            f"unknown {kind} {name!r}: that is several formats; choose {', '.join(candidates)}"
        )
    near = [ALIASES[alias] for alias in get_close_matches(key, ALIASES, 1, _NEAR)]
    if near and near[0] in names:
        return InputError(f"unknown {kind} {name!r}; did you mean {near[0]!r}?")
    return unknown(kind, name, names)


def _key(name: str) -> str:
    """Return a name in lower case without separators, and without PyTorch's prefix."""
    return re.sub(r"[\s_-]", "", name.strip().lower().removeprefix("torch."))
