"""Decoders on torch tensors, against NumPy."""

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.networks.accuracy import PerplexityMeter
from hwsim.networks.moments import inputs_of
from hwsim.networks.quantise import RoleFormats, quantised_decoder
from hwsim.networks.sensitivity import SensitivityMeter
from hwsim.networks.smooth import smoothed

from .models import NAMES, decoder, stored

torch = pytest.importorskip("torch", reason="needs torch: pip install hwsim[torch]")

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
FORMATS = [
    RoleFormats(),
    RoleFormats(weight="int4_g8", activation="int8", kv="int8", scores="uint8"),
    RoleFormats(weight="mxfp4", activation="mxfp8e4m3", kv="nvfp4", head="int8", embedding="int8"),
    RoleFormats(weight="e2m1", weight_scale="channel", activation="e4m3", activation_scale="tensor",
                kv="int6", kv_scale="channel"),
    RoleFormats(weight="posit8_1", weight_scale="tensor", activation="hif8", kv="ternary"),
]  # fmt: skip


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_numpy(device, name):
    tokens, logits = stored(name)
    model = decoder(name).on(device)
    found = model.logits(model.hidden(tokens)).cpu().numpy()
    np.testing.assert_allclose(found, logits, atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("formats", FORMATS)
def test_weights_are_those_of_numpy(device, formats):
    model = decoder("llama_grouped_tied")
    expected, bits = quantised_decoder(model, formats)
    found, bits_found = quantised_decoder(model.on(device), formats)
    assert bits_found == bits
    for name, tensor in expected.tensors.items():
        np.testing.assert_array_equal(found.tensors[name].cpu().numpy(), tensor)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("formats", FORMATS)
def test_figures_are_those_of_numpy(device, formats):
    tokens, _ = stored("llama_scaled")
    sequences = [tokens[:14], tokens[14:]]
    expected = PerplexityMeter(decoder("llama_scaled"), sequences).measure(formats)
    found = PerplexityMeter(decoder("llama_scaled").on(device), sequences).measure(formats)
    # An activation next to a tie may go either way after sums in another order.
    assert found.perplexity == pytest.approx(expected.perplexity, rel=2e-3)
    assert found.perplexity_float32 == pytest.approx(expected.perplexity_float32, rel=1e-5)
    assert found.kl == pytest.approx(expected.kl, rel=0.05, abs=1e-6)
    assert found.activation_bits_per_element == expected.activation_bits_per_element


@pytest.mark.parametrize("device", DEVICES)
def test_sensitivities_are_those_of_numpy(device):
    tokens, _ = stored("llama_scaled")
    formats = ["int2_g8", "mxfp4"]
    expected = SensitivityMeter(PerplexityMeter(decoder("llama_scaled"), [tokens]), formats)
    found = SensitivityMeter(PerplexityMeter(decoder("llama_scaled").on(device), [tokens]), formats)
    one, other = expected.measure(), found.measure()
    np.testing.assert_allclose(other.error, one.error, rtol=1e-3)
    np.testing.assert_allclose(other.measured, one.measured, rtol=1e-2, atol=1e-7)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("method", ["clipping", "feedback"])
def test_calibrated_weights_are_those_of_numpy(device, method):
    model = decoder("llama_grouped_tied")
    tokens, _ = stored("llama_grouped_tied")
    formats = RoleFormats(weight="int3_g8", head="int4", calibrate=method)
    inputs = inputs_of(model, [tokens])
    expected, bits = quantised_decoder(model, formats, inputs)
    moved = {
        name: one._replace(moments=torch.from_numpy(one.moments).to(device))
        for name, one in inputs.items()
    }
    found, bits_found = quantised_decoder(model.on(device), formats, moved)
    assert bits_found == bits
    for name, tensor in expected.tensors.items():
        np.testing.assert_array_equal(found.tensors[name].cpu().numpy(), tensor)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["llama_grouped_tied", "opt"])
def test_inputs_and_smoothing_are_those_of_numpy(device, name):
    model, (tokens, _) = decoder(name), stored(name)
    expected = inputs_of(model, [tokens[:9], tokens[9:]])
    found = inputs_of(model.on(device), [tokens[:9], tokens[9:]])
    for matrix, (moments, largest) in expected.items():
        np.testing.assert_allclose(found[matrix].moments.cpu().numpy(), moments, atol=1e-4)
        np.testing.assert_allclose(found[matrix].largest, largest, rtol=1e-4)
    smooth = smoothed(model, expected, 0.5), smoothed(model.on(device), expected, 0.5)
    for part, tensor in smooth[0].tensors.items():
        np.testing.assert_array_equal(smooth[1].tensors[part].cpu().numpy(), tensor)


def test_a_device_that_is_not_there():
    with pytest.raises(InputError, match=r"device='abacus'.*allowed: cpu, cuda"):
        decoder("opt").on("abacus")
