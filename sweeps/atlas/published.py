"""Which published numbers are of a family's kind; they stand in a table of their own."""

from fnmatch import fnmatchcase

from cost_models.published import Published, load

_FLOATS = ("FP*", "BF16")
#: By family, patterns of published systems, units and weights of its kind.
RELATED: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "integer": (
        ("Bit Fusion", "systolic 1x1 fixed", ("*",)),
        ("LUT Tensor Core", "A100 INT8 TC", ("*",)),
        ("Horowitz", "*", ("INT*",)),
        ("TPUv4i", "*", ("INT*",)),
    ),
    "float": (
        ("LUT Tensor Core", "A100 FP16 TC", ("*",)),
        ("LUT Tensor Core", "H100 FP8 TC", ("*",)),
        ("Horowitz", "*", _FLOATS),
        ("TPUv4i", "*", _FLOATS),
        ("DHFP-PE", "*", ("*",)),
    ),
    "fma": (("BitMoD", "FP16 *", ("*",)),),
    "bitmod": (
        ("BitMoD", "bit-serial multiplier", ("*",)),
        ("BitMoD", "dequantiser", ("*",)),
        ("BitMoD", "exp match", ("*",)),
        ("BitMoD", "group accumulator", ("*",)),
    ),
    "bitmod_tile": (("BitMoD", "* tile*", ("*",)),),
    "lut_tensor_core": (("LUT Tensor Core", "*LUT*", ("*",)),),
    "lut_array": (("LUT Tensor Core", "LUT *", ("*",)),),
    "unpu_lut": (("UNPU", "*", ("*",)), ("LUT Tensor Core", "UNPU*", ("*",))),
    "ternary_add": (("KU Leuven*", "*", ("*",)),),
    "ternary_lut": (("KU Leuven*", "*", ("*",)),),
    "rmmec": (("XR-NPE", "*", ("*",)),),
    "posit": (("SPADE", "*", ("*",)),),
    "array": (("Bit Fusion", "systolic [24]x[24] fixed", ("*",)),),
}


def related(family: str) -> list[Published]:
    """Return the published numbers of a family's kind, none for families that have none."""
    patterns = RELATED.get(family, ())
    return [one for one in load() if any(_fits(one, *pattern) for pattern in patterns)]


def _fits(one: Published, system: str, unit: str, weights: tuple[str, ...]) -> bool:
    weight = any(fnmatchcase(one.weight, pattern) for pattern in weights)
    return weight and fnmatchcase(one.system, system) and fnmatchcase(one.unit, unit)
