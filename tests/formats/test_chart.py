"""Charts of formats: in the format that their name says, the same bytes, everything inside."""

import numpy as np
import pytest

from hwsim import drawing
from hwsim.errors import InputError
from hwsim.formats import chart, parse_scalar

CODEBOOK = "codebook(" + ",".join(f"{i / 7 - 1:.12f}" for i in range(16)) + ")"


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_the_name_decides_the_format(tmp_path, suffix, start):
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        chart.write(parse_scalar("e2m1"), path)
    assert paths[0].read_bytes().startswith(start)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("name", ["a", "a.jpg", "a.jpeg", ".png", "a.png.gz", "a.PNG"])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"charts are \.png, \.svg, \.pdf files"):
        chart.write(parse_scalar("e2m1"), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["binary", "ternary", "e8m0", "posit8_2", "lns8_2", CODEBOOK])
def test_everything_is_inside(name):
    fmt = parse_scalar(name)
    values = fmt.values()
    with drawing.style(chart.SETTINGS):
        figure = chart._draw(fmt, values[values > 0])
        figure.draw_without_rendering()
    for box in (figure._suptitle.get_window_extent(), *(a.get_tightbbox() for a in figure.axes)):
        assert np.all(box.min >= 0)
        assert np.all(box.max <= figure.bbox.max)
    # The upper panel shares the ticks, without labels.
    boxes = [
        tick.label1.get_window_extent()
        for axis in (figure.axes[1].xaxis, figure.axes[1].yaxis)
        for tick in axis.get_major_ticks()
        if axis.get_view_interval()[0] <= tick.get_loc() <= axis.get_view_interval()[1]
    ]
    assert len(boxes) >= 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
