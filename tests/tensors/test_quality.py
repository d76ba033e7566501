"""Quality through the unit: against whole layers, and against what the formats alone lose."""

from pathlib import Path

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.tensors.load import TensorSource
from hwsim.tensors.quality import Quality, UnitError, UnitMeter, formats_of
from hwsim.tensors.quantise import ErrorMeter, QuantisationError
from hwsim.tensors.sources import Layer
from hwsim.units import make
from tests.units.layers import LAYER_UNITS

LAYERS = TensorSource(path=Path(__file__).parent / "data" / "minilm.npz").load()
#: Inputs of all layers are multiples of it.
GROUP = 128


def quality(unit, **options):
    weight, activation = formats_of(unit, GROUP)
    formats = ErrorMeter(LAYERS, GROUP).measure(weight, [activation])[activation]
    return UnitMeter(LAYERS, GROUP, **options).measure(unit).quality(formats)


def whole(unit):
    """The noise of all outputs, one ratio a layer, averaged."""
    ratios = []
    for layer in LAYERS:
        exact = layer.activations.astype(np.float64) @ layer.weight.astype(np.float64).T
        got = unit.matmul(layer.weight, layer.activations, group=GROUP)
        ratios.append(np.square(got - exact).sum() / np.square(exact).sum())
    return np.mean(ratios)


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("integer", {"lanes": 4, "weight": "int4", "activation": "int8"}),
        ("mx_dot", {"lanes": 8, "weight": "mxfp4", "activation": "mxint8"}),
        ("nvfp4_dot", {"lanes": 16, "weight": "nvfp4", "activation": "nvfp4"}),
        ("rmmec", {"weight": "posit8_0", "activation": "posit8_0"}),
    ],
)
def test_exact_units_are_as_good_as_their_formats(family, parameters):
    found = quality(make(family, **parameters))
    assert found.output == pytest.approx(found.quantisation, rel=1e-5)
    assert found.output_error < 1e-6 * found.output
    assert found.output == pytest.approx(whole(make(family, **parameters)), rel=1e-5)


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("bitmod", {"lanes": 4, "weight": "bitmod4", "activation": "fp16"}),
        ("float", {"lanes": 4, "weight": "e4m3", "activation": "e4m3",
                   "accumulation": "aligned3"}),
        ("lmul", {"lanes": 4, "weight": "e4m3", "activation": "e4m3"}),
        ("fma", {"lanes": 4, "weight": "e5m2", "activation": "e5m2", "accumulator": "e5m2"}),
        ("integer", {"lanes": 4, "weight": "int8", "activation": "int8",
                     "accumulator_bits": 16}),
    ],
)  # fmt: skip
def test_a_sample_says_what_all_outputs_do(family, parameters):
    unit = make(family, **parameters)
    found, true = quality(unit), whole(unit)
    assert abs(found.output - true) < 4 * found.output_error
    assert found.output_error < 0.5 * true


def test_what_a_unit_loses_shows():
    def output(**parameters):
        return quality(
            make("float", lanes=4, weight="e4m3", activation="e4m3", **parameters)
        ).output

    exact, aligned = output(), output(accumulation="aligned3")
    assert aligned > 1.5 * exact
    # A sum that wraps is nothing but noise.
    narrow = make("integer", lanes=4, weight="int8", activation="int8", accumulator_bits=16)
    assert quality(narrow).output > 0.1


def test_the_surer_figure_is_taken():
    formats = QuantisationError(0.1, 0.2)
    taken = UnitError(0.01, 0.001, 0.5, 0.1).quality(formats)
    assert taken == Quality(0.1, 0.2, pytest.approx(0.21), 0.001)
    assert UnitError(0.01, 0.2, 0.5, 0.1).quality(formats) == Quality(0.1, 0.2, 0.5, 0.1)
    # No noise is less than none.
    assert UnitError(-0.3, 0.001, 0.05, 0.1).quality(formats).output == 0.05


def test_a_larger_sample_is_surer():
    unit = make("lmul", lanes=4, weight="e4m3", activation="e4m3")
    few, many = (quality(unit, outputs=count).output_error for count in (16, 256))
    assert many < 0.7 * few


@pytest.mark.parametrize(("family", "parameters"), LAYER_UNITS)
def test_every_unit_has_a_quality(family, parameters):
    # Blocks of 48 do not divide the inputs, and are filled up.
    unit = make(family, **parameters)
    error = UnitMeter(LAYERS, GROUP, outputs=8).measure(unit)
    assert np.isfinite([error.difference, error.total]).all()
    assert 0 < error.total < 1


def test_outputs_must_be_finite():
    # Block formats leave no room: the sum of 1000 products of 3.6 is beyond e4m3's 448.
    unit = make("mx_dot", lanes=8, weight="mxfp4", activation="mxfp4", accumulator="e4m3")
    large = Layer("large", np.full((4, 1024), 1.9), np.full((4, 1024), 1.9))
    with pytest.raises(InputError, match="an output of the layer 'large' is not finite"):
        UnitMeter([large], 128).measure(unit)
    with pytest.raises(InputError, match="layer of zeros is undefined"):
        UnitMeter([Layer("none", np.zeros((2, 8)), np.zeros((2, 8)))], 8)
