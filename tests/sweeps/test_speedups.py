"""BitMoD's speed-ups: as published within 2 %, and what each step of the study has to change."""

import pytest

from hwsim.accelerator.bitmod_artifact import MODELS, TASKS
from sweeps.studies import speedups
from sweeps.studies.speedups import (
    ANT,
    LOSSLESS,
    OLIVE,
    PUBLISHED_ENERGY,
    PUBLISHED_SPEED,
    RATIOS,
    Step,
    cycles,
    mean_speedup,
)

BEFORE_AREA = [step for step in Step if step < Step.AREA]


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_the_published_assumptions_give_what_was_published(ratio):
    for task in TASKS:
        found = mean_speedup(ratio, task, Step.PUBLISHED)
        assert found == pytest.approx(PUBLISHED_SPEED[ratio][task], rel=0.02)
    assert speedups._energy(ratio) == pytest.approx(PUBLISHED_ENERGY[ratio], rel=0.02)


@pytest.mark.parametrize("step", BEFORE_AREA, ids=str)
def test_a_pass_takes_no_less_than_its_products_and_its_weights(step):
    """Bounds by hand: of FP16's 768 products a cycle, and of weights that are read once."""
    parameters = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096
    assert cycles("fp16", "llama-2-7b", "prefill", step) > parameters * 256 / 768
    for name, bits in (("fp16", 16), ("bitmod_lossy", 3.0625)):
        assert cycles(name, "llama-2-7b", "decode", step) > parameters * bits / 256


def test_steps_replace_what_they_say():
    """Only BitMoD's keys and values change; metadata are in all but FP16."""

    def moved(name, phase, before, after):
        return [cycles(name, model, phase, before) != cycles(name, model, phase, after)
                for model in MODELS]  # fmt: skip

    for name in ("fp16", "ant", "olive"):
        assert not any(moved(name, "decode", Step.HALVES, Step.KEYS_AND_VALUES))
    assert all(moved("bitmod_lossy", "decode", Step.HALVES, Step.KEYS_AND_VALUES))
    assert not any(moved("fp16", "decode", Step.KEYS_AND_VALUES, Step.METADATA))
    for name in ("ant", "olive", "bitmod_lossy"):
        assert all(moved(name, "decode", Step.KEYS_AND_VALUES, Step.METADATA))
    assert not any(moved("fp16", "prefill", Step.FILL, Step.SHAPE))


def test_filling_takes_time():
    for name in ("fp16", "ant", "olive", "bitmod_lossless", "bitmod_lossy"):
        for model in MODELS:
            before, after = (cycles(name, model, "prefill", s) for s in (Step.METADATA, Step.FILL))
            assert before <= after < 1.05 * before


def test_what_the_text_says_holds():
    prompt, both = TASKS
    of = {ratio: {step: mean_speedup(ratio, prompt, step) for step in BEFORE_AREA}
          for ratio in RATIOS}  # fmt: skip
    for ratio in RATIOS:
        assert of[ratio][Step.ATTENTION] > of[ratio][Step.PUBLISHED]
        # Keys and values, metadata, fill and drain.
        assert of[ratio][Step.FILL] == pytest.approx(of[ratio][Step.HALVES], rel=0.01)
    changes = {
        step: max(abs(of[ratio][step] / of[ratio][Step(step - 1)] - 1) for ratio in RATIOS)
        for step in BEFORE_AREA[1:]
    }
    assert max(changes, key=lambda step: changes[step]) is Step.TRANSFERS
    for ratio in (ANT, OLIVE):
        assert of[ratio][Step.TRANSFERS] < 0.9 * of[ratio][Step.ATTENTION]
        published = mean_speedup(ratio, both, Step.PUBLISHED)
        assert mean_speedup(ratio, both, Step.SHAPE) > published
    assert of[LOSSLESS][Step.HALVES] == pytest.approx(of[LOSSLESS][Step.ATTENTION], rel=0.02)
