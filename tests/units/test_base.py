import numpy as np
import pytest

import rtl
from hwsim.units import FAMILIES, make
from hwsim.units.stimulus import all_pairs, corners, random_codes
from rtl.verification.suite import CONFIGURATIONS


def test_every_unit_has_a_generator_and_a_suite() -> None:
    assert set(rtl.GENERATORS) == set(FAMILIES.values())
    assert set(CONFIGURATIONS) == set(FAMILIES)
    assert all(CONFIGURATIONS.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_round_trip(family: str) -> None:
    for values in CONFIGURATIONS[family]:
        unit = make(family, **values)
        assert make(family, **unit.parameters()) == unit
        assert unit.name.isidentifier()


def test_beats_are_packed_lowest_lane_first() -> None:
    unit = make("integer", lanes=2, weight="int4", activation="int8")
    words = unit.pack_beats([0x11, 0x22, 0x33, 0x44], [0x5, 0x6, 0x7, 0x8])
    assert words == [0x0_65_2211, 0x1_87_4433]


def test_wide_beats_are_packed() -> None:
    unit = make("integer", lanes=16, weight="int32", activation="uint32")
    codes = np.arange(16) + 2**31
    (word,) = unit.pack_beats(codes, codes)
    fields = [word >> (32 * k) & 0xFFFFFFFF for k in range(32)]
    assert fields == codes.tolist() * 2
    assert word >> 1024 == 1


def test_all_pairs_are_all_pairs() -> None:
    unit = make("integer", lanes=7, weight="int3", activation="uint4")
    a, w = all_pairs(unit, np.random.default_rng(0))
    assert len(set(zip(a.flat, w.flat, strict=True))) == 2**7
    assert a.shape[1] == 7


def test_corners_stand_alone() -> None:
    unit = make("float", lanes=4, weight="e4m3", activation="e2m1")
    a, w = corners(unit, np.random.default_rng(0))
    assert (((a != 0) | (w != 0)).sum(axis=1) <= 1).all()
    assert set(a.flat) >= {0, 1, 7, 8, 9, 15}


def test_random_codes_repeat() -> None:
    unit = make("float", lanes=4, weight="bf16", activation="bf16")
    first, second = (random_codes(unit, 8, 2, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
