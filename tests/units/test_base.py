from dataclasses import dataclass

import numpy as np
import pytest

import rtl
from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.units import FAMILIES, Metadata, Scope, make
from hwsim.units.integer import IntegerUnit
from hwsim.units.stimulus import all_pairs, cancelling, corners, random_codes
from rtl.base import beat_layout
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
    a, w, _ = all_pairs(unit, np.random.default_rng(0))
    assert len(set(zip(a.flat, w.flat, strict=True))) == 2**7
    assert a.shape[1] == 7


def test_corners_stand_alone() -> None:
    unit = make("float", lanes=4, weight="e4m3", activation="e2m1")
    a, w, _ = corners(unit, np.random.default_rng(0))
    assert (((a != 0) | (w != 0)).sum(axis=1) <= 1).all()
    assert set(a.flat) >= {0, 1, 7, 8, 9, 15}


def test_cancelling_sums_are_small() -> None:
    unit = make("float", lanes=1, weight="e5m2", activation="fp16")
    a, w, _ = cancelling(unit, 100, np.random.default_rng(0))
    x, y = unit.activation.decode(a), unit.weight.decode(w)
    finite = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    products = (x * y)[finite]
    assert (np.abs(products.sum(axis=1)) <= 2**-7 * np.abs(products[:, 0]) + 2**-20).mean() > 0.9


def test_random_codes_repeat() -> None:
    unit = make("float", lanes=4, weight="bf16", activation="bf16")
    first, second = (random_codes(unit, 8, 2, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.activations, second.activations)
    np.testing.assert_array_equal(first.weights, second.weights)


@dataclass(frozen=True, kw_only=True)
class WithMetadata(IntegerUnit):
    """A unit with a field in every beat and one in the last beat of a group of 3."""

    family = "with_metadata"

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return (
            Metadata("mode", parse_scalar("uint2"), highest=2),
            Metadata("scale", parse_scalar("uint4"), Scope.GROUP, lowest=1),
        )

    @property
    def group_beats(self) -> int:
        return 3


TAGGED = WithMetadata(lanes=1, weight=parse_scalar("int2"), activation=parse_scalar("int3"))


def test_metadata_lie_between_weights_and_last() -> None:
    assert TAGGED.beat_fields == {
        "activations": 3, "weights": 2, "mode": 2, "scale": 4, "last": 1
    }  # fmt: skip
    assert list(beat_layout(TAGGED).members) == list(TAGGED.beat_fields)
    words = TAGGED.pack_beats([1, 2, 3, 4], [0, 1, 2, 3], mode=[0, 1, 2, 0], scale=[5, 9])
    assert [word & 7 for word in words] == [1, 2, 3, 4]
    assert [word >> 3 & 3 for word in words] == [0, 1, 2, 3]
    assert [word >> 5 & 3 for word in words] == [0, 1, 2, 0]
    assert [word >> 7 & 15 for word in words] == [0, 0, 5, 9]
    assert [word >> 11 for word in words] == [0, 0, 0, 1]


@pytest.mark.parametrize("beats", [1, 2, 3, 4, 7])
def test_random_metadata_are_legal(beats: int) -> None:
    stimulus = random_codes(TAGGED, 50, beats, np.random.default_rng(0))
    assert stimulus.metadata["scale"].shape == (50, -(-beats // 3))
    assert set(stimulus.metadata["mode"].flat) == {0, 1, 2}
    assert stimulus.metadata["scale"].min() == 1
    rows = list(stimulus.rows())
    assert all(
        len(TAGGED.pack_beats(r.activations, r.weights, **r.metadata)) == beats for r in rows
    )
    TAGGED.dot(stimulus.activations, stimulus.weights, **stimulus.metadata)


def test_all_pairs_come_with_all_metadata() -> None:
    a, w, metadata = all_pairs(TAGGED, np.random.default_rng(0))
    assert len(set(zip(a.flat, w.flat, metadata["mode"].flat, strict=True))) == 3 * 2**5


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "with_metadata needs the metadata mode, scale"),
        ({"mode": [0]}, "with_metadata needs the metadata scale"),
        ({"mode": [0], "scale": [1], "scal": [1]},
         "unknown metadata 'scal'; did you mean 'scale'?"),
        ({"mode": [3], "scale": [1]}, "codes of mode must be 0 to 2, not 3 to 3"),
        ({"mode": [1], "scale": [0]}, "codes of scale must be 1 to 15, not 0 to 0"),
        ({"mode": [1, 1], "scale": [1]}, "mode must have one code a beat, shape (1,), not (2,)"),
        ({"mode": [1], "scale": 1}, "scale must have one code a group, shape (1,), not ()"),
    ],
)  # fmt: skip
def test_bad_metadata(metadata: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        TAGGED.dot([0], [0], **metadata)
    assert str(error.value) == message


def test_a_unit_without_metadata_refuses_them() -> None:
    unit = make("integer", lanes=1, weight="int2", activation="int2")
    with pytest.raises(InputError, match="integer takes no metadata, and 'scale' is given"):
        unit.dot([0], [0], scale=[1])


def test_cycles_have_one_entry_a_beat() -> None:
    unit = make("bit_serial", lanes=2, weight="int3", activation="int2")
    np.testing.assert_array_equal(unit.cycles([[0] * 4] * 3, [[0] * 4] * 3), np.full((3, 2), 3))
