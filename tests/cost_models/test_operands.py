from pathlib import Path

import numpy as np
import pytest

from cost_models import operands
from cost_models.operands import default_operands, gaussian
from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.tensors.load import TensorSource
from hwsim.tensors.sources import Layer
from hwsim.units import make
from hwsim.units.bitmod import WeightType
from hwsim.units.layers import near_one, per_group, per_token
from hwsim.units.rmmec import FORMATS, Mode
from rtl.verification.suite import suite
from sweeps.costs import Costing
from sweeps.spec import Tensors
from tests.units.layers import LAYER_UNITS

MINILM = Path(__file__).parents[1] / "tensors" / "data" / "minilm.npz"


def layers():
    rng = np.random.default_rng(5)
    return [Layer("w", rng.normal(size=(9, 48)), rng.normal(size=(6, 48)))]


def toggles(codes, lanes, bits):
    """Return the mean toggles of a bit per beat."""
    beats = codes.astype(np.int64).reshape(len(codes), -1, lanes)
    return np.bitwise_count(beats[:, 1:] ^ beats[:, :-1]).mean() / bits


@pytest.mark.parametrize("fmt", ["int8", "int1", "uint4", "e4m3", "e2m1", "fp16"])
def test_every_group_reaches_the_largest_value(fmt):
    family = "float" if "e" in fmt or fmt == "fp16" else "integer"
    unit = make(family, lanes=3, weight=fmt, activation=fmt)
    made = gaussian(unit, 5, 50, seed=2)
    for codes in (made.activations, made.weights):
        assert codes.shape == (5, 150)
        values = np.abs(unit.weight.decode(codes))
        largest = unit.weight.max or -unit.weight.min
        assert (values[:, :128].max(axis=1) == largest).all()
        assert (values[:, 128:].max(axis=1) == largest).all()


def test_operands_are_reproducible_and_distinct():
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    first, again = (gaussian(unit, 2, 30, seed=7) for _ in range(2))
    for name in ("activations", "weights"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.activations != first.weights).any()


def test_values_spread_like_a_normal_distribution():
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    values = unit.weight.decode(gaussian(unit, 64, 200, seed=0).weights)
    standardised = values / values.std()
    assert 0.64 < (np.abs(standardised) < 1).mean() < 0.72


@pytest.mark.parametrize(("rows", "beats"), [(0, 1), (1, 0)])
def test_empty_streams_are_refused(rows, beats):
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    with pytest.raises(InputError, match="allowed: whole numbers from 1"):
        gaussian(unit, rows, beats, seed=0)


def test_metadata_cover_two_groups():
    unit = make("bitmod", lanes=4, activation="fp16", group_size=32)
    operands = default_operands(unit)
    assert operands.activations.shape == (64, 64)
    assert operands.metadata["weight_type"].shape == (64, 16)
    assert operands.metadata["scale"].shape == (64, 2)
    assert set(operands.metadata["weight_type"].flat) == {0, 1, 2, 3}


def test_words_of_several_lanes_hold_numbers_in_the_format_of_the_mode():
    unit = make("rmmec", lanes=2, modes="fp4,posit8")
    operands = gaussian(unit, 8, 100, seed=3)
    words = operands.weights.reshape(8, 100, 2)
    fp4, posit8 = (words[operands.metadata["mode"] == mode] for mode in (0, 1))
    nibbles = fp4[..., np.newaxis] >> np.arange(0, 16, 4) & 15
    # The largest of a group of 128 is the format's largest, 6.
    assert 8 <= (nibbles & 7 == 7).sum() < nibbles.size / 8
    assert (posit8[:, 1] == 0).all()
    values = FORMATS[Mode.POSIT8].decode(posit8[:, :1] >> np.array([0, 8]) & 255)
    assert 0.5 < values.std() < 2


@pytest.mark.parametrize("name", ["posit8_1", "hif8", "flint8", "dybit8"])
def test_tapered_formats_get_numbers_where_they_are_precise(name):
    family = name.rstrip("_0123456789")
    unit = make("hif8" if family == "hif" else family, lanes=1, weight=name, activation=name)
    made = gaussian(unit, 4, 256, seed=3)
    values = unit.weight.decode(made.weights)
    assert 0.4 < values.std() < 8
    # Of what is lost to the largest value, hardly anything.
    assert (np.abs(values) < unit.weight.max).all()


def test_tapered_layers_are_priced_with_the_codes_whose_error_is_measured():
    (layer,) = layers()
    unit = make("posit", lanes=1, weight="posit8_1", activation="posit8_2")
    made = operands.of_layers(unit, [layer], 9, 48, 1, group=16)
    w = per_group(unit.weight, 16).quantize(near_one(layer.weight, layer.weight_octave))
    x = per_token(unit.activation, 48).quantize(near_one(layer.activations, 1))
    rows = {row.tobytes() for row in w.codes.reshape(9, 48)}
    tokens = {row.tobytes() for row in x.codes.reshape(6, 48)}
    assert all(row.tobytes() in rows for row in made.weights)
    assert all(row.tobytes() in tokens for row in made.activations)


@pytest.mark.parametrize("factor", [1e-200, 1e200, 2.0**-120])
def test_codes_do_not_depend_on_the_size_of_the_numbers(factor):
    (layer,) = layers()
    power = float(np.exp2(np.rint(np.log2(factor))))
    far = Layer("w", layer.weight * power, layer.activations * power)
    for name in ("int4", "e4m3", "int2"):
        family = "float" if name == "e4m3" else "integer"
        unit = make(family, lanes=2, weight=name, activation=name)
        near, scaled = (operands.of_layers(unit, [one], 5, 24, 0, 16) for one in (layer, far))
        np.testing.assert_array_equal(near.weights, scaled.weights)
        np.testing.assert_array_equal(near.activations, scaled.activations)


@pytest.mark.parametrize("kind", operands.KINDS)
@pytest.mark.parametrize("unit", suite(), ids=lambda unit: unit.name)
def test_every_unit_takes_every_kind(unit, kind):
    made = operands.KINDS[kind](unit, 3, 8, 1)
    assert unit.dot(made.activations, made.weights, **made.metadata).shape == (3,)
    assert made.activations.shape == (3, 8 * unit.activation_lanes)


@pytest.mark.parametrize("unit", suite(), ids=lambda unit: unit.name)
def test_units_take_layers_or_say_why_not(unit, tmp_path):
    if unit.computes_layers:
        made = operands.of_layers(unit, layers(), 3, 8, 1)
        assert unit.dot(made.activations, made.weights, **made.metadata).shape == (3,)
        assert made.activations.shape == (3, 8 * unit.activation_lanes)
        assert made.weights.shape == (3, 8 * unit.weight_lanes)
    else:
        with pytest.raises(InputError, match=r"^operands=.*: .*; operands of any unit: normal"):
            operands.create(unit, str(tmp_path))


@pytest.mark.parametrize("kind", ["normal", "random", "quiet"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"lanes": 1, "weight": "fp16", "activation": "fp16", "accumulator": "fp16"},
        {"lanes": 1, "weight": "bf16", "activation": "bf16"},
        {"lanes": 4, "weight": "e2m1", "activation": "e5m2", "accumulator": "e5m2"},
    ],
)
def test_rounded_accumulators_stay_finite(parameters, kind):
    unit = make("fma", **parameters)
    made = operands.create(unit, kind)
    assert np.isfinite(unit.result.decode(unit.dot(made.activations, made.weights))).all()


def test_block_scales_are_octaves_around_one():
    unit = make("bfp_dot", lanes=4, weight="int4", activation="int8", scale="int5")
    exponents = unit.scale_format.decode(default_operands(unit).metadata["weight_scale"])
    assert 0.8 < exponents.std() < 1.3
    unit = make("mx_dot", lanes=32, weight="e2m1", activation="e2m1")
    octaves = np.log2(unit.scale_format.decode(default_operands(unit).metadata["weight_scale"]))
    assert abs(octaves.mean()) < 0.2
    assert 0.8 < octaves.std() < 1.3


def test_random_codes_are_uniform_and_finite():
    unit = make("float", lanes=4, weight="e5m2", activation="e4m3")
    made = operands.create(unit, "random")
    finite = np.isfinite(unit.activation.decode(np.arange(256)))
    counts = np.bincount(made.activations.ravel(), minlength=256)
    assert (counts[~finite] == 0).all()
    expected = made.activations.size / finite.sum()
    assert (np.abs(counts[finite] - expected) < 6 * np.sqrt(expected)).all()
    assert np.isfinite(unit.weight.decode(made.weights)).all()


def test_quiet_operands_toggle_as_documented():
    unit = make("integer", lanes=4, weight="int8", activation="int8")
    normal, quiet = (operands.create(unit, kind) for kind in ("normal", "quiet"))
    assert toggles(quiet.weights, 4, 8) == 0
    assert toggles(quiet.activations, 4, 8) == pytest.approx(0.21, abs=0.01)
    assert toggles(normal.activations, 4, 8) == pytest.approx(0.50, abs=0.01)
    assert (quiet.activations == 0).mean() == pytest.approx(0.5, abs=0.03)
    # Held weights are those of a group, not one weight scaled to the largest.
    assert len(np.unique(quiet.weights)) > 100


def test_quiet_metadata_are_held():
    unit = make("bit_serial", lanes=4, weight="int8", activation="int8", precision="beat")
    precision = operands.create(unit, "quiet").metadata["weight_precision"]
    assert (precision == precision[:, :1]).all()
    assert len(np.unique(precision)) > 1


@pytest.mark.parametrize("names", [("weights", "activations"), ("w", "w.input")])
def test_files_are_quantised_by_the_rule_of_normal_operands(tmp_path, names):
    path = tmp_path / "layer.npz"
    weights = np.tile(np.arange(-64.0, 64.0), (5, 1))
    np.savez(path, **dict(zip(names, (weights, weights[:2] / 8), strict=True)))
    unit = make("integer", lanes=4, weight="int8", activation="int4")
    made = operands.create(unit, str(path))
    assert made.weights.shape == (64, 256)
    expected = np.rint(np.arange(-64, 64) * (127 / 64))
    np.testing.assert_array_equal(unit.weight.decode(made.weights[0, :128]), expected)
    assert np.abs(unit.activation.decode(made.activations)).max() == 7


def test_rows_and_columns_of_a_tile_have_operands_of_their_own():
    unit = make("ternary_add", lanes=4, weight="ternary", activation="int8", row_count=2,
                column_count=3)  # fmt: skip
    made = operands.of_layers(unit, layers(), 2, 12, 0)
    rows = made.activations.reshape(2, 12, 2, 4)
    assert (rows[:, :, 0] != rows[:, :, 1]).any()
    assert made.weights.shape == (2, 12 * 12)


def test_a_layer_of_zeros_stays_one():
    zeros = [Layer("w", np.zeros((2, 8)), np.zeros((2, 8)))]
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    assert not operands.of_layers(unit, zeros, 2, 8, 0).weights.any()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("quite", "operands=quite: no such file; did you mean 'quiet'.; allowed: normal, random"),
        ("none.npz", "no such file.*a tensor file"),
    ],
)
def test_unknown_operands_are_refused(source, message):
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    with pytest.raises(InputError, match=message):
        operands.create(unit, source)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": np.ones((2, 4))}, "no activations"),
        ({"weights": np.ones((2, 4)), "activations": np.ones((2, 5))}, "5 inputs.*has 4"),
        ({"weights": np.ones(4), "activations": np.ones((2, 4))}, r"must be a matrix"),
        ({"weights": np.ones((2, 4), int), "activations": np.ones((2, 4))}, "floating-point"),
        ({"weights": np.array([{}]), "activations": np.ones((2, 4))}, "cannot be read"),
    ],
)
def test_unusable_files_are_refused(tmp_path, arrays, message):
    path = tmp_path / "layer.npz"
    np.savez(path, **arrays)
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    with pytest.raises(InputError, match=message):
        operands.create(unit, str(path))


def test_posits_of_a_file_are_near_one():
    small = [Layer("w", layers()[0].weight / 300, layers()[0].activations * 40)]
    unit = make("posit", lanes=4, weight="posit8_1", activation="posit8_1")
    made = operands.of_layers(unit, small, 8, 32, 0)
    for codes in (made.activations, made.weights):
        assert 0.6 < unit.weight.decode(codes).std() < 1.5


def test_streams_are_rows_and_tokens_of_the_layers():
    rng = np.random.default_rng(0)
    three = [Layer(f"l{i}", rng.normal(size=(6, 16)), rng.normal(size=(5, 16))) for i in range(3)]
    unit = make("integer", lanes=4, weight="int4", activation="int8")
    made = operands.of_layers(unit, three, 6, 8, 0, group=8)
    assert made.activations.shape == made.weights.shape == (6, 32)
    for stream in range(6):
        layer = three[stream % 3]
        rows = parse("int4_g8").quantize(layer.weight).codes.reshape(6, 16)
        tokens = parse("int8_g16").with_options(scale="fp32").quantize(layer.activations).codes
        for half in (slice(0, 16), slice(16, 32)):
            assert (rows == made.weights[stream, half]).all(axis=1).any()
            assert (tokens.reshape(5, 16) == made.activations[stream, half]).all(axis=1).any()


def test_streams_may_be_shorter_than_a_row():
    unit = make("integer", lanes=4, weight="int4", activation="int8")
    assert operands.of_layers(unit, layers(), 2, 1, 0).activations.shape == (2, 4)


def test_streams_need_activations():
    unit = make("integer", lanes=4, weight="int4", activation="int8")
    with pytest.raises(InputError, match="'w' has no activations"):
        operands.of_layers(unit, [Layer("w", np.ones((1, 4)))], 1, 1, 0)


@pytest.mark.parametrize(("family", "parameters"), LAYER_UNITS)
def test_a_sweep_over_a_file_has_the_operands_of_the_command_line(family, parameters):
    unit = make(family, **parameters)
    made = operands.create(unit, str(MINILM))
    swept = Costing(unit, (), Tensors(TensorSource(path=MINILM), group=128)).operands()
    for name in ("activations", "weights"):
        np.testing.assert_array_equal(getattr(made, name), getattr(swept, name))
    assert set(made.metadata) == set(swept.metadata) == {field.name for field in unit.metadata}
    for name, codes in made.metadata.items():
        np.testing.assert_array_equal(codes, swept.metadata[name])


def test_normal_operands_of_block_formats_are_of_their_own_metadata():
    unit = make("bitmod", lanes=4, weight="bitmod4", activation="fp16")
    made = gaussian(unit, 64, 64, seed=0)
    # The four value sets of a group are all of FP4, each with another special value.
    assert set(made.metadata["weight_type"].flat) == {WeightType.FP4}
    assert set(made.metadata["selector"].flat) == {0, 1, 2, 3}
    # The larger scale of an output's two groups is the largest code; normal groups are alike.
    scales = made.metadata["scale"]
    assert (scales.max(axis=1) == 255).all()
    assert scales.min() > 100


def test_scales_of_normal_operands_are_those_of_the_numbers():
    unit = make("mx_dot", lanes=4, weight="mxfp4", activation="mxint8")
    made = gaussian(unit, 64, 256, seed=0)
    # The largest of 32 normal numbers is mostly in [1, 4), and e2m1 is up to 2**2, int8 below 2:
    # octaves below it are the scale's. The matrix is divided by 4 before, its largest number's.
    for name, top in (("weight_scale", 2), ("activation_scale", 0)):
        octaves = np.log2(unit.scale_format.decode(made.metadata[name])) + top
        assert set(octaves.flat) <= {-2, -1, 0}
        shares = [(octaves == octave).mean() for octave in (-2, -1, 0)]
        # P(max < 2) = (1 - 0.0455)**32 = 0.225, P(max >= 4) = 0.002.
        assert shares[0] == pytest.approx(0.225, abs=0.03)
        assert shares[2] < 0.01
