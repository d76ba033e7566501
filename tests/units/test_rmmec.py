from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import Timing, make
from hwsim.units.quire import QuireResult
from hwsim.units.rmmec import FORMATS, ROWS, Mode, RmmecUnit, product_scales
from hwsim.units.stimulus import random_codes

#: Width, es and lanes a word of the posits.
POSITS = {"posit4": (4, 1, 4), "posit8": (8, 0, 2), "posit16": (16, 1, 1)}
E2M1 = [Fraction(x) for x in ("0", "1/2", "1", "3/2", "2", "3", "4", "6")]


def posit(code: int, width: int, es: int) -> Fraction | None:
    """Decode a posit by its bit string; None is NaR."""
    if code == 0:
        return Fraction(0)
    if code == 1 << (width - 1):
        return None
    sign = code >> (width - 1)
    if sign:
        code = (1 << width) - code
    text = f"{code:0{width}b}"[1:]
    run = len(text) - len(text.lstrip(text[0]))
    regime = run - 1 if text[0] == "1" else -run
    rest = text[run + 1 :]
    exponent = int((rest[:es] + "0" * es)[:es] or "0", 2)
    fraction = Fraction(int(rest[es:] or "0", 2), 1 << len(rest[es:]))
    return (-1) ** sign * Fraction(2) ** ((regime << es) + exponent) * (1 + fraction)


def lane_values(word: int, mode: str) -> list[Fraction | None]:
    """Decode the lanes of a word."""
    if mode == "fp4":
        codes = [word >> 4 * k & 15 for k in range(4)]
        return [-E2M1[code & 7] if code & 8 else E2M1[code] for code in codes]
    width, es, lanes = POSITS[mode]
    return [posit(word >> width * k & ((1 << width) - 1), width, es) for k in range(lanes)]


def expected(unit: RmmecUnit, a: list[int], w: list[int], modes: list[str]) -> list[Any]:
    """The sums of a dot product's lanes in plain fractions; None where NaR or mixed."""
    sums: list[Fraction | None] = [Fraction(0)] * unit.result.elements
    for beat, mode in enumerate(modes):
        words = unit.lanes if mode in ("fp4", "posit4") else 1
        for k in range(words):
            place = beat * unit.lanes + k
            lanes = zip(lane_values(a[place], mode), lane_values(w[place], mode), strict=True)
            for lane, (x, y) in enumerate(lanes):
                total = sums[lane]
                sums[lane] = None if None in (x, y, total) else total + x * y
    mixed = len({mode == "posit16" for mode in modes}) > 1
    return [None] * len(sums) if mixed else sums


def exact(result: QuireResult, code: int) -> list[Fraction | None]:
    """Read a result code as its description says."""
    nan = [bool(flag) for flag in result.nan(code)]
    if bool(result.flag(code, "wide")):
        raw = code & ((1 << 128) - 1)
        raw -= (raw >> 127) << 128
        values = [Fraction(raw) * Fraction(2) ** result.wide_exponent]
        values += [Fraction(0)] * (result.elements - 1)
    else:
        values = []
        for k in range(result.count):
            raw = code >> 32 * k & 0xFFFFFFFF
            raw -= (raw >> 31) << 32
            values.append(Fraction(raw) * Fraction(2) ** result.exponent)
    return [None if flag else value for value, flag in zip(values, nan, strict=True)]


@pytest.mark.parametrize("beats", [1, 2, 5])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"lanes": 4},
        {"lanes": 2, "modes": "fp4,posit8"},
        {"modes": "posit4,posit16"},
        *({"modes": mode} for mode in Mode),
    ],
    ids=lambda p: "_".join(map(str, p.values())) or "all",
)
def test_sums_are_exact(parameters: dict[str, Any], beats: int) -> None:
    unit = make("rmmec", **parameters)
    assert isinstance(unit, RmmecUnit)
    rng = np.random.default_rng(beats)
    a, w, metadata = random_codes(unit, 300, beats, rng)
    if "mode" in metadata:
        # Half of the dot products keep to one mode.
        metadata["mode"][::2] = metadata["mode"][::2, :1]
    codes = unit.dot(a, w, **metadata)
    values = unit.result.decode(codes)
    assert values.shape == (300, unit.result.elements)
    chosen = metadata.get("mode", np.zeros((300, beats), np.uint8))
    for k, code in enumerate(codes):
        modes = [str(unit.mode_list[m]) for m in chosen[k]]
        want = expected(unit, a[k].tolist(), w[k].tolist(), modes)
        assert exact(unit.result, int(code)) == want
        floats = [float("nan") if x is None else float(x) for x in want]
        np.testing.assert_array_equal(values[k], floats)


@pytest.mark.parametrize("mode", ["fp4", "posit4", "posit8"])
def test_all_pairs_of_narrow_codes(mode: str) -> None:
    """Every pair in lane 0, zeros in the others."""
    unit = make("rmmec")
    assert isinstance(unit, RmmecUnit)
    bits = FORMATS[Mode(mode)].bits
    values = [lane_values(code, mode)[0] for code in range(1 << bits)]
    pairs = np.arange(1 << (2 * bits))
    codes = unit.dot(
        (pairs & ((1 << bits) - 1))[:, np.newaxis],
        (pairs >> bits)[:, np.newaxis],
        mode=np.full((len(pairs), 1), unit.mode_list.index(Mode(mode))),
    )
    got = unit.result.decode(codes)[:, 0]
    # Products have at most 25 bits, so float64 is exact.
    floats = np.array([np.nan if value is None else float(value) for value in values])
    want = floats[pairs & ((1 << bits) - 1)] * floats[pairs >> bits]
    np.testing.assert_array_equal(got, want)


def one_beat(unit: RmmecUnit, mode: str, a: list[int], w: list[int]) -> list[float]:
    words = [unit.pack_words(codes, mode) for codes in (a, w)]
    metadata = {"mode": [unit.mode_list.index(mode)]} if len(unit.mode_list) > 1 else {}
    return unit.result.decode(unit.dot(*words, **metadata)).tolist()


def test_words_hold_the_lanes_lowest_first() -> None:
    unit = make("rmmec", lanes=2)
    assert isinstance(unit, RmmecUnit)
    assert unit.pack_words(range(1, 9), "fp4").tolist() == [0x4321, 0x8765]
    assert unit.pack_words([0x11, 0x22], "posit8").tolist() == [0x2211, 0]
    assert unit.pack_words([0x4000], "posit16").tolist() == [0x4000, 0]


def test_every_lane_has_its_quire_and_every_word_adds_to_them() -> None:
    unit = make("rmmec", lanes=2)
    assert isinstance(unit, RmmecUnit)
    codes = FORMATS[Mode.FP4].encode([1, 2, 3, 4, 0.5, 0.5, 0.5, 6]).tolist()
    ones = FORMATS[Mode.FP4].encode([1.0] * 8).tolist()
    assert one_beat(unit, "fp4", codes, ones) == [1.5, 2.5, 3.5, 10]
    assert one_beat(unit, "posit8", [0x40, 0xC0], [0x40, 0x50]) == [1, -1.5, 0, 0]
    assert one_beat(unit, "posit16", [1], [1]) == [2.0**-56, 0, 0, 0]
    assert one_beat(unit, "posit16", [0x7FFF], [0x8001]) == [-(2.0**56), 0, 0, 0]


def test_nar_marks_its_lane_only() -> None:
    unit = make("rmmec")
    assert isinstance(unit, RmmecUnit)
    values = one_beat(unit, "posit4", [8, 4, 4, 4], [0, 4, 8, 4])
    np.testing.assert_array_equal(values, [np.nan, 1, np.nan, 1])
    # The code of NaR is -0 in fp4.
    assert one_beat(unit, "fp4", [8] * 4, [2] * 4) == [0, 0, 0, 0]


def test_a_dot_product_of_narrow_and_wide_beats_is_not_a_number() -> None:
    unit = make("rmmec")
    code = unit.dot([1, 1], [1, 1], mode=[0, 3])
    assert bool(unit.result.flag(code, "narrow"))
    assert bool(unit.result.flag(code, "wide"))
    assert np.isnan(unit.result.decode(code)).all()
    assert not np.isnan(unit.result.decode(unit.dot([1, 1], [1, 1], mode=[0, 2]))).any()


def test_quires_wrap_beyond_the_safe_beats() -> None:
    """2**8 squared is 2**24 units of 2**-12: 127 of them fit into 31 bits, 128 do not."""
    unit = make("rmmec")
    assert unit.safe_beats == 127
    for beats, value in ((127, 127 * 64.0**2), (128, -128 * 64.0**2)):
        codes = unit.dot([0x7F] * beats, [0x7F] * beats, mode=[2] * beats)
        assert unit.result.decode(codes)[0] == value


@pytest.mark.parametrize(
    ("parameters", "beats"),
    [
        ({"modes": "fp4"}, (2**31 - 1) // (36 * 4)),
        ({"modes": "fp4", "lanes": 4}, (2**31 - 1) // (36 * 4 * 4)),
        ({"modes": "posit4"}, 2**15 - 1),
        ({"modes": "posit16"}, 2**15 - 1),
        ({"lanes": 4}, 127),
    ],
)
def test_safe_beats_are_those_of_the_largest_products(
    parameters: dict[str, Any], beats: int
) -> None:
    assert make("rmmec", **parameters).safe_beats == beats


@pytest.mark.parametrize("mode", Mode)
def test_product_scales_are_those_of_all_pairs(mode: Mode) -> None:
    fmt = FORMATS[mode]
    values = fmt.decode(np.arange(1 << fmt.bits))
    finite = np.abs(values[np.isfinite(values) & (values != 0)])
    scales = product_scales(mode)
    assert finite.min() ** 2 == 2.0**scales.unit
    units = int(Fraction(float(finite.max())) ** 2 / Fraction(2) ** scales.unit)
    assert units.bit_length() == scales.magnitude_bits


@pytest.mark.parametrize(
    ("mode", "bricks"), [("fp4", 4), ("posit4", 4), ("posit8", 18), ("posit16", 49)]
)
def test_bricks_of_a_mode(mode: str, bricks: int) -> None:
    unit = make("rmmec")
    assert isinstance(unit, RmmecUnit)
    assert len(unit.bricks(Mode(mode))) == bricks
    assert len(unit.all_bricks) == 49
    wide = make("rmmec", lanes=4)
    assert isinstance(wide, RmmecUnit)
    assert len(wide.bricks(Mode(mode))) == (16 if bricks == 4 else bricks)
    assert len(wide.all_bricks) == 49


def test_lanes_share_no_row() -> None:
    for lanes in ROWS.values():
        rows = [row for lane in lanes for row in lane]
        assert len(set(rows)) == len(rows)


def test_macs_follow_the_mode() -> None:
    unit = make("rmmec", lanes=2)
    assert unit.macs_per_beat == 1
    for mode, macs in enumerate((8, 8, 2, 1)):
        assert unit.mean_macs_per_beat({"mode": np.array([mode, mode])}) == macs
    assert unit.mean_macs_per_beat({"mode": np.array([0, 3])}) == 4.5
    assert make("rmmec", modes="posit8").mean_macs_per_beat({}) == 2


def test_a_fixed_unit_takes_no_mode() -> None:
    assert make("rmmec", modes="posit8").metadata == ()
    assert make("rmmec").timing() == Timing(1, 1)
    assert make("rmmec", modes="fp4").result == QuireResult(4, -2, None, 0)
    assert make("rmmec", modes="posit4").result == QuireResult(4, -8, None, 4)
    assert make("rmmec", modes="posit16").result == QuireResult(0, 0, -56, 1)
    assert make("rmmec").result.bits == 128 + 4 + 2
    assert make("rmmec", modes="posit8,fp4").parameters()["modes"] == "fp4,posit8"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lanes": 5}, "lanes must be 1 to 4 words of 16 bits, not 5"),
        ({"lanes": 2, "modes": "posit16"},
         "lanes=2 with modes='posit16': only fp4 and posit4 use more than one word; allowed: 1"),
        ({"modes": "posit9"}, "unknown mode 'posit9'; did you mean 'posit8'?"),
        ({"modes": "fp4,fp4"}, "modes='fp4,fp4' names a mode twice"),
        ({"weight": "int8"}, "weight=int8: rmmec holds the operands of a word in uint16"),
        ({"isolation": "operand"}, "unknown isolation 'operand'; did you mean 'operands'?"),
    ],
)  # fmt: skip
def test_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        make("rmmec", **parameters)
    assert str(error.value) == message


def test_bad_words() -> None:
    unit = make("rmmec", modes="fp4")
    assert isinstance(unit, RmmecUnit)
    with pytest.raises(InputError, match="mode=posit8: the unit has modes='fp4'"):
        unit.pack_words([1, 2], "posit8")
    with pytest.raises(InputError, match=r"a positive multiple of 4 lanes, not \(3,\)"):
        unit.pack_words([1, 2, 3], "fp4")
    with pytest.raises(InputError, match="unknown mode 'fp5'"):
        unit.pack_words([1, 2, 3, 4], "fp5")
    with pytest.raises(InputError, match="holds at least one quire"):
        QuireResult(0, 0, None, 0)
