"""Tensor files: what is read, and the error for what cannot be."""

import zipfile
from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim.errors import InputError
from hwsim.tensors.sources import layers, read

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def save(path, arrays):
    if path.suffix == ".safetensors":
        save_file(arrays, path)
    else:
        np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_weights_come_with_their_activations(tmp_path, suffix):
    path = save(tmp_path / f"m{suffix}", {"b": MATRIX, "b.input": MATRIX * 2, "a": MATRIX})
    first, second = layers(path)
    assert (first.name, first.activations) == ("a", None)
    np.testing.assert_array_equal(second.weight, MATRIX)
    np.testing.assert_array_equal(second.activations, MATRIX * 2)


def test_activations_need_not_match_the_pattern(tmp_path):
    path = save(tmp_path / "m.npz", {"b": MATRIX, "b.input": MATRIX, "c": np.ones(3)})
    (layer,) = layers(path, "b")
    assert layer.activations is not None


def test_npy_is_one_matrix_called_like_the_file(tmp_path):
    np.save(tmp_path / "head.npy", MATRIX)
    assert list(read(tmp_path / "head.npy")) == ["head"]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.float32([[1, np.nan]]), "tensor 'x' holds NaN"),
        (np.float32([[1, np.inf]]), "tensor 'x' holds infinity"),
        (np.float32([1, 2]), r"'x' must be a matrix \[outputs, inputs\], not of shape \(2,\)"),
        (np.ones((0, 3)), r"tensor 'x' must be a matrix .* not of shape \(0, 3\)"),
        (np.ones((2, 2), np.int32), "tensor 'x' must be floating-point, not int32"),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_tensors_that_cannot_be_quantised(tmp_path, suffix, array, message):
    path = save(tmp_path / f"m{suffix}", {"x": array})
    with pytest.raises(InputError, match=f"m{suffix}: .*{message}"):
        read(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a tensor file at all", b"PK\x03\x04 broken"])
def test_unreadable_files(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"bad{suffix}: cannot be read"):
        read(path)


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"p\.npy: cannot be read"):
        read(tmp_path / "p.npy")


def test_missing_file_and_unknown_suffix(tmp_path):
    with pytest.raises(InputError, match=r"none\.npy: no such file"):
        read(tmp_path / "none.npy")
    with pytest.raises(InputError, match=r"\.npy, \.npz, \.safetensors"):
        read(tmp_path / "weights.pt")


def test_pattern_without_match_names_the_nearest(tmp_path):
    path = save(tmp_path / "m.npz", {"query": MATRIX})
    with pytest.raises(InputError, match="no tensor matches 'qery'; did you mean 'query'"):
        read(path, "qery")


def test_inputs_of_weight_and_activations_must_agree(tmp_path):
    path = save(tmp_path / "m.npz", {"a": MATRIX, "a.input": np.ones((4, 2))})
    with pytest.raises(InputError, match=r"tensor 'a\.input' has 2 inputs, and 'a' has 3"):
        layers(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (ml_dtypes.bfloat16, r"tensor 'x' has the dtype [|]V2: .*; save it as float32"),
        (ml_dtypes.float8_e4m3fn, r"tensor 'x' has the dtype [|]V1: .*; save it as float32"),
        (ml_dtypes.float4_e2m1fn, r"tensor 'x' has the dtype [|]V1: .*; save it as float32"),
        (ml_dtypes.float8_e5m2, r"<f1.*; save it as float32"),
        (np.dtype([("a", "u1"), ("b", "u1")]), "tensor 'x' must be floating-point"),
        (np.complex64, "tensor 'x' must be floating-point, not complex64"),
        (np.longdouble, "tensor 'x' must have up to 64 bits a number"),
        (np.dtype("M8[s]"), "tensor 'x' must be floating-point"),
        ("U3", "tensor 'x' must be floating-point"),
    ],
)
def test_numpy_files_of_other_dtypes(tmp_path, suffix, dtype, message):
    path = tmp_path / f"x{suffix}"
    array = np.zeros((2, 4), dtype)
    np.savez(path, x=array) if suffix == ".npz" else np.save(path, array)
    with pytest.raises(InputError, match=rf"x\{suffix}: .*{message}"):
        read(path)


def test_one_unreadable_member_does_not_block_the_others(tmp_path):
    path = tmp_path / "m.npz"
    bad = MATRIX.astype(ml_dtypes.float8_e5m2)
    np.savez(path, good=MATRIX, bad=bad, text=np.array(["a"]))
    np.testing.assert_array_equal(read(path, "good")["good"], MATRIX)
    assert layers(path, "good")[0].name == "good"
    with pytest.raises(InputError, match=r"m\.npz: tensor 'bad': cannot be read: .*<f1"):
        read(path, "bad")


def npy_header(text):
    header = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000000, 1000000)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (",
        "{'descr': 3, 'fortran_order': False, 'shape': (2, 3)}",
        "nonsense",
        "(" * 100,
    ],
)
def test_headers_that_lie(tmp_path, suffix, text):
    content = npy_header(text) + MATRIX.tobytes()
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"x\{suffix}: .*cannot be read"):
        read(path)


def test_archives_of_other_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(InputError, match=r"x\.npz: tensor 'notes\.txt': cannot be read"):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_no_flipped_bit_ends_in_another_error(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    np.savez_compressed(path, x=MATRIX) if suffix == ".npz" else np.save(path, MATRIX)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(400):
        changed = bytearray(content)
        changed[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        with suppress(InputError):
            read(path)


def test_arrays_in_the_other_byte_order(tmp_path):
    np.save(tmp_path / "x.npy", MATRIX.astype(">f4"))
    np.testing.assert_array_equal(read(tmp_path / "x.npy")["x"], MATRIX)
