"""Torch tensors against arrays: every code, scale and metadata of block formats."""

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.formats import block_names, parse

torch = pytest.importorskip("torch", reason="needs torch: pip install hwsim[torch]")

from hwsim.tensors import torch_blocks  # noqa: E402

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
NAMES = [
    *(name for name in block_names() if isinstance(parse(name), torch_blocks.FAMILIES)),
    "posit8_2_g64", "hif8_g32", "ternary_g128", "int3_g64[scale=fp32]", "nf4_g64", "int2_g16",
    "e3m2_g32", "bitmod3_g32", "mxfp4[scale_rule=even]", "nvfp4[levels=1]", "uint4_g16",
    "int2_asym_g32", "int16_g32[scale=fp32]", "lns8_3_g32",
]  # fmt: skip


def numbers(seed, dtype=np.float32):
    """Normal numbers, blocks with outliers, of equal numbers, of zeros, tiny and on ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 768))
    x[4:8] *= 2.0 ** rng.integers(-30, 10, size=(4, 768))
    x[8] = 0
    x[9] = -0.0
    x[10] = 0.3
    x[11] = rng.integers(-8, 8, size=768) / 2
    x[12:16] = rng.integers(-60, 60, size=(4, 768)) / 8
    x[16] *= 1e-20
    x[17] = np.where(rng.random(768) < 0.9, 0, x[17])
    x[18:22] = np.abs(x[18:22])
    return x.astype(dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_codes_are_those_of_arrays(device, name):
    fmt = parse(name).with_options(partial="pad")
    for seed, dtype in enumerate((np.float32, np.float64, np.float16)):
        with np.errstate(under="ignore"):
            x = numbers(seed, dtype)
        expected = fmt.quantize(x)
        found = torch_blocks.quantize(fmt, torch.from_numpy(x).to(device))
        assert found.cpu() == expected
        np.testing.assert_array_equal(
            found.values.cpu().numpy(), expected.dequantize().astype(np.float32)
        )


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4"])
def test_blocks_that_are_no_numbers(name):
    x = numbers(0)
    x[0, 3], x[1, 40], x[2, 700] = np.nan, np.inf, -np.inf
    fmt = parse(name)
    found = torch_blocks.quantize(fmt, torch.from_numpy(x))
    assert found.cpu() == fmt.quantize(x)
    np.testing.assert_array_equal(
        found.values.numpy(), fmt.quantize(x).dequantize().astype(np.float32)
    )


def test_slices_do_not_matter(monkeypatch):
    x = torch.from_numpy(numbers(3))
    for name in ("int4_g128", "bitmod4", "posit8_2_g64", "int4_asym_g128", "nvfp4"):
        fmt = parse(name)
        whole = torch_blocks.quantize(fmt, x).cpu()
        monkeypatch.setattr(torch_blocks, "SLICE", 1000)
        assert torch_blocks.quantize(fmt, x).cpu() == whole
        monkeypatch.undo()


def test_bfloat16_is_exact():
    x = torch.from_numpy(numbers(0)).to(torch.bfloat16)
    fmt = parse("int4_g128")
    assert torch_blocks.quantize(fmt, x).cpu() == fmt.quantize(x.to(torch.float32).numpy())


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [
        ("int4_g128", [[float("nan")] * 128], "NaN or infinity"),
        ("int4_g128", [[1.0] * 100], "does not divide an axis of 100"),
        ("int4_g128", 1.0, "the tensor has none"),
        ("llm_int8", [[1.0] * 256], "llm_int8 on torch tensors: allowed: SharedExponent"),
        ("bitmod4[selection=fp16]", [[1.0] * 128], "on torch tensors: allowed"),
        ("int24_g128", [[1.0] * 128], "formats of at most 16 bits"),
    ],
)
def test_refusals(name, x, message):
    with pytest.raises(InputError, match=message):
        torch_blocks.quantize(parse(name), torch.tensor(x))
