import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.formats.ifairy import IFairy, scales

FORMAT = IFairy()


def test_name_and_values() -> None:
    assert parse("ifairy") == FORMAT
    assert str(FORMAT) == FORMAT.name == "ifairy"
    assert (FORMAT.bits, FORMAT.family) == (2, "complex")
    assert FORMAT.values().tolist() == [1, 1j, -1, -1j]


def test_nearest_phase() -> None:
    phase = np.random.default_rng(0).uniform(-np.pi, np.pi, (50, 40))
    x = np.random.default_rng(1).exponential(size=phase.shape) * np.exp(1j * phase)
    expected = np.round(phase / (np.pi / 2)).astype(int) % 4
    assert_array_equal(FORMAT.encode(x), expected)
    assert_array_equal(FORMAT.quantize(x), 1j**expected)


@pytest.mark.parametrize(
    ("x", "code"),
    [(1 + 1j, 1), (-1 + 1j, 2), (-1 - 1j, 3), (1 - 1j, 0), (0, 0), (complex(-0.0, -0.0), 0),
     (2.0, 0), (-3, 2), (complex(0, np.inf), 1), (complex(-np.inf, 1), 2),
     (1 + (1 - 2.0**-53) * 1j, 0)],
)  # fmt: skip
def test_boundaries(x: complex, code: int) -> None:
    assert FORMAT.encode(x) == code


def test_decode_is_the_inverse_and_checks_codes() -> None:
    assert_array_equal(FORMAT.encode(FORMAT.decode([0, 1, 2, 3])), [0, 1, 2, 3])
    assert FORMAT.decode([]).shape == (0,)
    for codes in ([4], [-1], [0.5]):
        with pytest.raises(InputError):
            FORMAT.decode(codes)


@pytest.mark.parametrize("x", [complex("nan"), "a", np.clongdouble(1)])
def test_what_is_refused(x: object) -> None:
    with pytest.raises(InputError):
        FORMAT.encode(x)


def test_scales() -> None:
    assert scales([3 + 1j, -1, 0.5j, -1.5j]) == (2.0, 1.0)
    assert scales([3.0]) == (3.0, 0.0)
