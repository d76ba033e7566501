"""The chart of accelerators: everything inside and shown, nothing on top of anything else."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from cost_models.accelerator import Part, Prices, Total, evaluate
from cost_models.accelerator_chart import draw, shown_parts
from hwsim.accelerator.specification import load
from hwsim.accelerator.workload import workload
from hwsim.units import make

SMALL = replace(
    load("int8"), unit=make("integer", lanes=2, weight="int4", activation="int4"), rows=8, cols=8
)
NAMES = ("int8", "an accelerator with quite a long name", "b", "mxfp4", "nvfp4", "fp16", "ant",
         "bitmod_lossy", "bitmod_lossless", "tables", "ternary", "one more")  # fmt: skip


@pytest.fixture(scope="module")
def results():
    prices = Prices("sky130")
    work = workload("mixtral-8x7b", "prefill", tokens=16)
    return [
        evaluate(replace(SMALL, name=name, rows=2**k), work, prices)
        for k, name in enumerate(NAMES, 1)
        if k < 9
    ] + [evaluate(replace(SMALL, name=name), work, prices) for name in NAMES[8:]]


def drawn(results):
    figure = draw(results)
    figure.draw_without_rendering()
    return figure


def texts(figure):
    found = [figure._suptitle, figure._supxlabel]
    for axes in figure.axes:
        found += [*axes.texts, axes.xaxis.label, axes.yaxis.label, *axes.get_legend().get_texts()]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            found += [
                tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
            ]
    return [text for text in found if text.get_text()]


@pytest.mark.parametrize("count", [1, 2, 5, len(NAMES)])
def test_no_text_is_outside_or_on_another(results, count):
    figure = drawn(results[:count])
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    whole = figure.bbox
    for name, box in boxes:
        assert whole.x0 <= box.x0, name
        assert box.x1 <= whole.x1, name
        assert whole.y0 <= box.y0, name
        assert box.y1 <= whole.y1, name
    for (name, box), (other, another) in combinations(boxes, 2):
        assert not box.overlaps(another), (name, other)
    panels = [axes.get_window_extent() for axes in figure.axes]
    for axes, panel in zip(figure.axes, panels, strict=True):
        legend = axes.get_legend().get_window_extent()
        assert legend.y0 >= panel.y1 - 1
        assert legend.x1 <= whole.x1
    assert not panels[0].overlaps(panels[1])
    assert figure.get_figwidth() == 7.25


def test_bars_are_the_parts_and_say_the_sum(results):
    bars, _ = drawn(results[:2]).axes
    for place, result in enumerate(results[:2]):
        widths = [bar.get_width() for bar in bars.patches if round(bar.get_center()[1]) == place]
        assert sum(widths) == pytest.approx(result.energy_j_per_item * 1e3)
        assert len(widths) == len(shown_parts(result))
    said = [float(text.get_text()) for text in bars.texts]
    assert said == pytest.approx([one.energy_j_per_item * 1e3 for one in results[:2]], rel=0.01)
    assert bars.get_xlabel() == "energy per token (mJ)"


def test_parts_of_some_accelerators_alone_are_shown(results):
    others = tuple(Part(f"part {k}", 1e12) for k in range(8))
    more = replace(results[0], energy_pj=Total((*results[0].energy_pj.parts, *others)))
    bars, _ = drawn([results[1], more]).axes
    names = [text.get_text() for text in bars.get_legend().get_texts()]
    assert set(names) == {*shown_parts(results[1]), *(part.name for part in others)}
    looks = {
        (patch.get_facecolor(), patch.get_hatch()) for patch in bars.get_legend().get_patches()
    }
    assert len(looks) == len(names)


def test_a_mark_a_group_lies_at_its_throughput_below_the_roof(results):
    _, roofline = drawn(results[:1]).axes
    run = results[0].simulation
    roof, *marks = [line for line in roofline.lines if len(line.get_xdata())]
    assert len(marks) == len(run.groups())
    for mark, group in zip(marks, run.groups(), strict=True):
        (x,), (y,) = mark.get_data()
        assert x == pytest.approx(group.macs / group.dram_bytes)
        assert y == pytest.approx(group.macs / (group.cycles * run.period_ns))
        height = np.interp(np.log(x), np.log(roof.get_xdata()), np.log(roof.get_ydata()))
        assert np.log(y) <= height + 1e-9


def test_accelerators_are_told_apart(results):
    _, roofline = drawn(results).axes
    roofs = [line for line in roofline.lines if len(line.get_xdata()) > 1]
    assert len({(line.get_color(), line.get_linestyle()) for line in roofs}) == len(NAMES)
