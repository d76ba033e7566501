"""Every dtype of safetensors, against ml_dtypes; headers that are damaged."""

import json
import struct
from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim.errors import InputError
from hwsim.tensors.checkpoint import FORMATS, PLAIN, UNPACKED
from hwsim.tensors.sources import layers, read, read_arrays

#: The dtypes of the specification that are a dtype of NumPy or of ml_dtypes.
DTYPES = {
    "BOOL": bool, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16,
    "U32": np.uint32, "I32": np.int32, "U64": np.uint64, "I64": np.int64, "F16": np.float16,
    "F32": np.float32, "F64": np.float64, "C64": np.complex64, "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu, "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}  # fmt: skip
MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
F32 = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def write(path, header, data=b"", length=None):
    """Write a file with a header of our own; ``length`` lies about it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length is None else length
    path.write_bytes(struct.pack("<Q", length) + text + data)
    return path


def one(dtype, shape, data):
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}, data


def test_all_dtypes_of_the_specification_are_known():
    assert {*PLAIN, *FORMATS} == {*DTYPES, "F4"}
    assert set(UNPACKED) == {"F6_E2M3", "F6_E3M2"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_code_of_every_dtype(tmp_path, dtype):
    """All codes of one and two bytes, bit patterns of the others; NaN stays NaN."""
    octets = np.random.default_rng(0).integers(0, 256, 1024).astype(np.uint8)
    size = np.dtype(DTYPES[dtype]).itemsize
    if size <= 2:
        octets = np.arange(256**size, dtype=f"<u{size}").view(np.uint8)
    if dtype == "BOOL":
        octets = octets % 2
    expected = octets.view(DTYPES[dtype]).reshape(2, -1)
    path = write(tmp_path / "m.safetensors", *one(dtype, expected.shape, octets.tobytes()))
    array = read_arrays(path)["x"]
    assert array.shape == expected.shape
    assert array.dtype == (np.float32 if dtype in FORMATS else expected.dtype)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(array, expected.astype(array.dtype))


def test_two_fp4_codes_a_byte_the_first_in_the_low_half(tmp_path):
    codes = np.arange(16, dtype=np.uint8)
    data = (codes[::2] | codes[1::2] << 4).tobytes()
    path = write(tmp_path / "m.safetensors", *one("F4", [2, 8], data))
    expected = codes.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    np.testing.assert_array_equal(read(path)["x"], expected.reshape(2, 8))


@pytest.mark.parametrize(("dtype", "message"), [
    ("F6_E2M3", r"F6_E2M3 cannot be read: .* order"), ("F6_E3M2", "order"), ("F9", "not known"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_only_if_asked_for(tmp_path, dtype, message):
    header = {"good": F32, "bad": {"dtype": dtype, "shape": [4], "data_offsets": [24, 27]}}
    path = write(tmp_path / "m.safetensors", header, MATRIX.tobytes() + bytes(3))
    np.testing.assert_array_equal(read(path, "go*")["good"], MATRIX)
    assert layers(path, "good")[0].activations is None
    with pytest.raises(InputError, match=rf"m\.safetensors: tensor 'bad': .*{message}"):
        read(path)


@pytest.mark.parametrize("dtype", ["I8", "BOOL", "C64"])
def test_matrices_to_quantise_are_real(tmp_path, dtype):
    data = bytes(8 * np.dtype(DTYPES[dtype]).itemsize)
    path = write(tmp_path / "m.safetensors", *one(dtype, [2, 4], data))
    with pytest.raises(InputError, match=r"m\.safetensors: tensor 'x' must be floating-point"):
        read(path)


def test_nan_of_a_narrow_dtype_is_named(tmp_path):
    path = write(tmp_path / "m.safetensors", *one("F8_E4M3", [1, 2], b"\x7f\x00"))
    with pytest.raises(InputError, match="tensor 'x' holds NaN"):
        read(path)


def test_files_of_the_library(tmp_path):
    arrays = {"a": MATRIX.astype(ml_dtypes.bfloat16), "b": MATRIX, "c": np.zeros((0, 3))}
    save_file(arrays, tmp_path / "m.safetensors", {"format": "pt"})
    for name, array in read_arrays(tmp_path / "m.safetensors").items():
        np.testing.assert_array_equal(array, arrays[name].astype(np.float64))


BAD = {
    "shorter than its length field": (b"", b"", 3),
    "header cut off": (b"{}", b"", 100),
    "huge header": (b"{}", b"", 2**63),
    "no JSON": (b"{nonsense", b"", None),
    "no text": (b"\xff\xfe{}", b"", None),
    "deep JSON": (b"[" * 100_000, b"", None),
    "no object": (b"[1]", b"", None),
    "name twice": (b'{"x": 1, "x": 2}', b"", None),
}
#: The header of tensor 'x' before 12 bytes of data.
BAD_TENSOR = {
    "no object": 3,
    "no dtype": {"shape": [3], "data_offsets": [0, 12]},
    "dtype a number": {"dtype": 3, "shape": [3], "data_offsets": [0, 12]},
    "negative length": {"dtype": "F32", "shape": [-3], "data_offsets": [0, 12]},
    "length a fraction": {"dtype": "F32", "shape": [3.0], "data_offsets": [0, 12]},
    "length a truth value": {"dtype": "F32", "shape": [True, 3], "data_offsets": [0, 12]},
    "shape a text": {"dtype": "F32", "shape": "33", "data_offsets": [0, 12]},
    "one offset": {"dtype": "F32", "shape": [3], "data_offsets": [0]},
    "offsets the wrong way": {"dtype": "F32", "shape": [0], "data_offsets": [12, 0]},
    "fewer bytes than the shape": {"dtype": "F32", "shape": [4], "data_offsets": [0, 12]},
    "shape beyond all memory": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 12]},
    "beyond the file": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
    "gap before": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
    "unnameable shape": {"dtype": "F32", "shape": [0, 10**30], "data_offsets": [0, 0]},
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_headers(tmp_path, case):
    header, data, length = BAD[case]
    path = write(tmp_path / "bad.safetensors", header, data, length)
    with pytest.raises(InputError, match=r"bad\.safetensors: cannot be read: "):
        read(path)


@pytest.mark.parametrize("case", BAD_TENSOR)
def test_damaged_entries_name_the_tensor(tmp_path, case):
    size = 0 if case == "unnameable shape" else 12
    path = write(tmp_path / "bad.safetensors", {"x": BAD_TENSOR[case]}, bytes(size))
    with pytest.raises(InputError, match=r"bad\.safetensors: cannot be read: tensor 'x'"):
        read(path)


@pytest.mark.parametrize(("offsets", "message"), [
    ([20, 44], "'y' overlaps the one before"), ([28, 52], "'y' leaves a gap"),
    ([24, 44], "'y': F32 of shape"), ([0, 24], "overlaps"),
])  # fmt: skip
def test_tensors_lie_one_after_another(tmp_path, offsets, message):
    header = {"x": F32, "y": F32 | {"data_offsets": offsets}}
    path = write(tmp_path / "bad.safetensors", header, bytes(max(48, offsets[1])))
    with pytest.raises(InputError, match=message):
        read(path, "x")


def test_truncated_and_prolonged_data(tmp_path):
    path = write(tmp_path / "bad.safetensors", {"x": F32}, bytes(20))
    with pytest.raises(InputError, match="tensor 'x' ends at byte 24 of 20 bytes of data"):
        read(path)
    write(path, {"x": F32}, bytes(30))
    with pytest.raises(InputError, match="6 bytes after the last tensor"):
        read(path)


def test_no_flipped_byte_ends_in_another_error(tmp_path):
    save_file({"a": MATRIX, "b.input": MATRIX}, tmp_path / "m.safetensors")
    content = bytearray((tmp_path / "m.safetensors").read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "flipped.safetensors"
    for _ in range(400):
        changed = bytearray(content)
        changed[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        with suppress(InputError):
            read(path)
