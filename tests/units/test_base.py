from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

import rtl
from hwsim.errors import InputError
from hwsim.formats import parse_scalar
from hwsim.formats.base import Codes
from hwsim.units import FAMILIES, Metadata, Result, Scope, make
from hwsim.units.base import StoredWeights, Timing
from hwsim.units.integer import IntegerUnit
from hwsim.units.result import Integers
from hwsim.units.stimulus import all_pairs, cancelling, corners, random_codes
from hwsim.units.tile import TileSpec
from rtl.base import beat_layout


@pytest.mark.parametrize("family", FAMILIES)
def test_every_unit_has_a_generator_and_configurations_of_its_own(family: str) -> None:
    cls = FAMILIES[family]
    assert cls.family == family
    assert issubclass(rtl.generator(cls), rtl.Unit)
    assert vars(cls)["configurations"]
    # What is made of other units is composed of their costs.
    assert vars(cls)["fitting"] or "parts" in vars(cls)


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_round_trip(family: str) -> None:
    for values in FAMILIES[family].configurations:
        unit = make(family, **values)
        assert make(family, **unit.parameters()) == unit
        assert unit.name.isidentifier()


@pytest.mark.parametrize("family", FAMILIES)
def test_one_dot_product_gives_a_scalar(family: str) -> None:
    for values in FAMILIES[family].configurations:
        unit = make(family, **values)
        stimulus = random_codes(unit, 2, 3, np.random.default_rng(0))
        every = unit.dot(stimulus.activations, stimulus.weights, **stimulus.metadata)
        for row, want in zip(stimulus.rows(), every, strict=True):
            code = unit.dot(row.activations, row.weights, **row.metadata)
            assert np.ndim(code) == 0
            assert not isinstance(code, np.ndarray)
            assert code == want
            decoded = unit.result.decode(code)
            np.testing.assert_array_equal(decoded, unit.result.decode(every[:1] * 0 + want)[0])


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
    """A unit with a field in every beat, one a group of 3, and one a dot product."""

    family = "with_metadata"

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return (
            Metadata("mode", parse_scalar("uint2"), highest=2),
            Metadata("scale", parse_scalar("uint4"), Scope.GROUP, lowest=1),
            Metadata("table", parse_scalar("uint3"), Scope.DOT),
        )

    @property
    def group_beats(self) -> int:
        return 3


TAGGED = WithMetadata(lanes=1, weight=parse_scalar("int2"), activation=parse_scalar("int3"))


def test_metadata_lie_between_weights_and_last() -> None:
    assert TAGGED.beat_fields == {
        "activations": 3, "weights": 2, "mode": 2, "scale": 4, "table": 3, "last": 1
    }  # fmt: skip
    assert list(beat_layout(TAGGED).members) == list(TAGGED.beat_fields)
    words = TAGGED.pack_beats([1, 2, 3, 4], [0, 1, 2, 3], mode=[0, 1, 2, 0], scale=[5, 9], table=6)
    assert [word & 7 for word in words] == [1, 2, 3, 4]
    assert [word >> 3 & 3 for word in words] == [0, 1, 2, 3]
    assert [word >> 5 & 3 for word in words] == [0, 1, 2, 0]
    assert [word >> 7 & 15 for word in words] == [0, 0, 5, 9]
    assert [word >> 11 & 7 for word in words] == [6, 0, 0, 0]
    assert [word >> 14 for word in words] == [0, 0, 0, 1]


def test_ignored_bits_are_those_of_fields_in_other_beats() -> None:
    stimulus = random_codes(TAGGED, 2, 4, np.random.default_rng(0))
    scale, table = 15 << 7, 7 << 11
    every = [scale, scale | table, table, table]
    assert TAGGED.ignored(stimulus) == [every, every]


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("bitmod", {"lanes": 2, "activation": "e2m1", "group_size": 12}),
        ("bit_serial", {"lanes": 2, "weight": "int5", "activation": "int4", "precision": "beat",
                        "serial": "both"}),
        ("fma", {"lanes": 2, "weight": "e2m1", "activation": "e4m3", "wide": "int8"}),
    ],
)  # fmt: skip
def test_ignored_operands_do_not_change_results(family: str, parameters: dict[str, object]) -> None:
    unit = make(family, **parameters)
    rng = np.random.default_rng(0)
    stimulus = random_codes(unit, 40, 6, rng)
    beats = [word for words in unit.ignored(stimulus) for word in words]
    a_bits, w_bits = (unit.beat_fields[name] for name in ("activations", "weights"))
    changed = 0
    sides = []
    for codes, fmt, low, width in (
        (stimulus.activations, unit.activation, 0, a_bits),
        (stimulus.weights, unit.weight, a_bits, w_bits),
    ):
        count = width // fmt.bits
        masks = [
            beat >> low + k * fmt.bits & ((1 << fmt.bits) - 1)
            for beat in beats
            for k in range(count)
        ]
        junk = rng.integers(0, 1 << fmt.bits, len(masks)) & np.array(masks)
        changed += int((junk != 0).sum())
        sides.append(codes ^ junk.reshape(codes.shape).astype(codes.dtype))
    assert changed > 20
    np.testing.assert_array_equal(
        unit.dot(*sides, **stimulus.metadata),
        unit.dot(stimulus.activations, stimulus.weights, **stimulus.metadata),
    )


@pytest.mark.parametrize("beats", [1, 2, 3, 4, 7])
def test_random_metadata_are_legal(beats: int) -> None:
    stimulus = random_codes(TAGGED, 50, beats, np.random.default_rng(0))
    assert stimulus.metadata["scale"].shape == (50, -(-beats // 3))
    assert stimulus.metadata["table"].shape == (50,)
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
        ({}, "with_metadata needs the metadata mode, scale, table"),
        ({"mode": [0]}, "with_metadata needs the metadata scale, table"),
        ({"mode": [0], "scale": [1], "scal": [1], "table": 0},
         "unknown metadata 'scal'; did you mean 'scale'?"),
        ({"mode": [3], "scale": [1], "table": 0}, "codes of mode must be 0 to 2, not 3 to 3"),
        ({"mode": [1], "scale": [0], "table": 0}, "codes of scale must be 1 to 15, not 0 to 0"),
        ({"mode": [1, 1], "scale": [1], "table": 0},
         "mode must have one code a beat, shape (1,), not (2,)"),
        ({"mode": [1], "scale": 1, "table": 0},
         "scale must have one code a group, shape (1,), not ()"),
        ({"mode": [1], "scale": [1], "table": [0]},
         "table must have one code a dot product, shape (), not (1,)"),
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


@dataclass(frozen=True, kw_only=True)
class Recoded(IntegerUnit):
    """A unit whose beats hold two weights of 2 bits in 5 bits."""

    family = "recoded"

    @property
    def stored_weights(self) -> StoredWeights:
        return StoredWeights(self.lanes // 2, 5)

    def store_weights(self, weights: Codes) -> Codes:
        pairs = weights.reshape(*weights.shape[:-1], -1, 2)
        return 5 * pairs[..., 1] + pairs[..., 0]


def test_beats_hold_weights_as_the_unit_stores_them() -> None:
    unit = Recoded(lanes=4, weight=parse_scalar("int2"), activation=parse_scalar("int3"))
    assert unit.beat_fields == {"activations": 12, "weights": 10, "last": 1}
    assert beat_layout(unit)["weights"].width == 10
    first, second = unit.pack_beats([0] * 8, [1, 2, 3, 0, 0, 3, 2, 2])
    assert [first >> 12 & 31, first >> 17 & 31] == [11, 3]
    assert [second >> 12 & 31, second >> 17 & 31] == [15, 12]


@dataclass(frozen=True, kw_only=True)
class Tile(TileSpec):
    """A tile of integers."""

    family = "tile"

    result = property(lambda self: Result(20, shape=self.result_shape))
    safe_beats = 1

    def _timing(self) -> Timing:
        return Timing(1, 1)

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a = self.activation.decode(self.rows(activations)).astype(int)
        w = self.weight.decode(self.columns(weights)).astype(int)
        return self.result.pack(np.einsum("...brk,...bck->...rc", a, w))


def test_a_tile_has_rows_and_columns() -> None:
    fmt = parse_scalar("uint4")
    unit = Tile(lanes=2, weight=fmt, activation=fmt, row_count=2, column_count=3)
    a = np.arange(8) % 5  # Beat 0: rows [0, 1], [2, 3].
    w = np.arange(12) % 7
    code = unit.dot(a, w)
    sums = unit.result.to_int(code)
    assert sums.shape == (2, 3)
    assert sums[1, 2] == 2 * 4 + 3 * 5 + a[6] * w[10] + a[7] * w[11]
    assert unit.macs_per_beat == 12
    with pytest.raises(InputError, match="column_count must be 1 to 256, not 0"):
        Tile(lanes=2, weight=fmt, activation=fmt, column_count=0)


def test_cycles_have_one_entry_a_beat() -> None:
    unit = make("bit_serial", lanes=2, weight="int3", activation="int2")
    np.testing.assert_array_equal(unit.cycles([[0] * 4] * 3, [[0] * 4] * 3), np.full((3, 2), 3))
