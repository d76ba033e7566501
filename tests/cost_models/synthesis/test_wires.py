"""Wires: their capacitance by hand, what OpenSTA makes of them, and the clock tree."""

import re
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cost_models.synthesis import liberty, measure, opensta, wires
from cost_models.synthesis.cells import ClockGate
from cost_models.synthesis.mapped import CLOCK, Instance, MappedNetlist, MappingError
from cost_models.synthesis.opensta import StaError, Wanted
from cost_models.synthesis.placement import Site, place
from cost_models.technology import write
from cost_models.wires import figures
from hwsim.errors import InputError
from tests.technologies import simple

FIGURES = figures("osu018")


@pytest.fixture(scope="module")
def extraction(mapped, library):
    return wires.extract(mapped, library, FIGURES, 0.7)


def without_wires(mapped, library):
    return opensta.analyse({mapped.verilog: 0.0}, mapped.bench, library, Wanted()).delays_ns[0]


def test_wires_make_paths_longer(mapped, library, extraction):
    without = without_wires(mapped, library)
    assert without == pytest.approx(mapped.delay_ns)
    assert 1.02 * without < extraction.delay_ns < 1.2 * without


def test_delay_grows_with_capacitance_and_resistance(mapped, library, extraction):
    """What OpenSTA reads counts: each of the two by itself makes paths longer."""
    for changed in (
        replace(FIGURES, capacitance_ff_per_um=3 * FIGURES.capacitance_ff_per_um),
        replace(FIGURES, resistance_ohm_per_um=300 * FIGURES.resistance_ohm_per_um),
    ):
        changed_ns = wires.extract(mapped, library, changed, 0.7).delay_ns
        assert changed_ns > 1.05 * extraction.delay_ns
    wires.extract(mapped, library, FIGURES, 0.7)


def test_wires_of_no_length_add_no_delay(mapped, tmp_path):
    """Nor in a library whose pins have ranges of capacitance, as asap7's have."""
    text = liberty.OSU018.read_text()
    ranged = re.sub(
        r"((?:rise|fall)_capacitance) *: *([\d.e+-]+) *;", r"\g<0> \1_range(0.001, \2);", text
    )
    assert ranged.count("capacitance_range") > 100
    path = tmp_path / "ranged.lib"
    path.write_text(ranged)
    verilog = tmp_path / mapped.verilog.name
    verilog.write_text(mapped.verilog.read_text())
    own = replace(mapped, verilog=verilog)
    with liberty.opened("osu018", [path]) as library:
        none = replace(FIGURES, capacitance_ff_per_um=1e-9, resistance_ohm_per_um=1e-9)
        delay_ns = wires.extract(own, library, none, 0.7).delay_ns
        assert delay_ns == pytest.approx(without_wires(own, library), rel=1e-4)


def test_opensta_has_all_wires(mapped, library, extraction, folder):
    """OpenSTA has the same capacitance of the wire of each net that a cell drives."""
    driving = [
        (instance.name, pin, net)
        for instance in mapped.netlist.instances
        for pin, net in instance.nets.items()
        if pin in instance.cell.outputs
    ]
    script = folder / "loads.tcl"
    script.write_text(
        "\n".join(
            [
                *(f"read_liberty {path.name}" for path in library.files),
                "set_cmd_units -capacitance fF",
                f"read_verilog {mapped.verilog.name}",
                f"link_design {mapped.verilog.stem}",
                f"read_spef {extraction.spef.name}",
                *(
                    f'puts "net {net}"\nreport_net -digits 6 -connections -verbose [get_property '
                    f"[get_nets -of_objects [get_pins {name}/{pin}]] full_name]"
                    for name, pin, net in driving
                ),
                "",
            ]
        )
    )
    log = subprocess.run(
        [opensta.find(), "-no_splash", "-exit", script.name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    found = dict(
        re.findall(r"^net (\d+)\n.*?Wire capacitance: (?:r )?([\d.]+)", log, re.DOTALL | re.M)
    )
    assert len(found) == len(driving)
    for _, _, net in driving:
        expected = extraction.capacitance_ff[net]
        assert float(found[str(net)]) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert (extraction.capacitance_ff[[net for _, _, net in driving]] > 0).mean() > 0.95


def test_energy_of_a_net_by_hand(mapped, library, extraction):
    """Of a wire of two pins from cell to cell, and of one with more."""
    netlist, placed = mapped.netlist, extraction.placement
    toggle = wires.toggle_energy_fj(netlist, extraction, library.voltage)
    for pins, steiner in ((2, 1.0), (3, 1.0), (4, 1.0828), (5, 1.1536)):
        k = next(
            k
            for k in range(len(placed.net_numbers))
            if placed.net_first[k + 1] - placed.net_first[k] == pins
            and placed.net_pins[placed.net_first[k]] < len(netlist.instances)
        )
        points = placed.net_pins[placed.net_first[k] : placed.net_first[k + 1]]
        x, y = placed.x_um[points], placed.y_um[points]
        length = (max(x) - min(x) + max(y) - min(y)) * steiner
        # 0.1188 fF/um, 1.8 V.
        assert toggle[placed.net_numbers[k]] == pytest.approx(length * 0.1188 * 1.8**2 / 2)


def test_inputs_are_charged_by_whoever_drives_them(mapped, library, extraction):
    toggle = wires.toggle_energy_fj(mapped.netlist, extraction, library.voltage)
    assert extraction.capacitance_ff[mapped.netlist.inputs["rst"][0]] > 0
    for nets in mapped.netlist.inputs.values():
        assert not toggle[list(nets)].any()


def toggles_of(netlist, **given):
    """Toggles that are 0 but on some nets, given as settled={net: toggles}."""
    arrays = {}
    for name in ("settled", "hazards", "ones"):
        arrays[name] = np.zeros(netlist.nets)
        for net, value in given.get(name, {}).items():
            arrays[name][net] = value
    return SimpleNamespace(**arrays)


def test_parts_are_those_of_the_toggles(mapped, library, extraction):
    netlist = mapped.netlist
    net = netlist.instances[0].nets["Y"]
    toggles = toggles_of(netlist, settled={net: 0.25}, hazards={net: 0.5})
    added = wires.added(mapped, extraction, toggles, library.voltage)
    each = extraction.capacitance_ff[net] * 1.8**2 / 2 * 1e-3
    assert added.settled_pj == pytest.approx(0.25 * each)
    assert added.glitch_pj == pytest.approx(0.5 * each)
    assert added.delay_ns == extraction.delay_ns - mapped.delay_ns
    assert added.clock_pj == extraction.clock.energy_fj * 1e-3
    assert added.utilisation == 0.7
    assert added.core_area_um2 == pytest.approx(mapped.area_um2 / 0.7, rel=0.02)
    assert added.length_um == pytest.approx(extraction.length_um.sum())
    half = extraction.placement.half_perimeters_um.sum()
    assert added.provenance["half_perimeter_um"] == half < added.length_um
    assert added.provenance["source"] == FIGURES.source


def test_less_utilisation_makes_wires_longer(mapped, library, extraction):
    """Less than the side of the core: cells stay together, and leave the space at the border."""
    wide = wires.extract(mapped, library, FIGURES, 0.35)
    assert wide.placement.area_um2 == pytest.approx(2 * extraction.placement.area_um2, rel=0.05)
    assert 1.05 < wide.length_um.sum() / extraction.length_um.sum() < 2**0.5
    wires.extract(mapped, library, FIGURES, 0.7)


@pytest.mark.parametrize(
    ("pins", "ratio"), [(1, 1), (2, 1), (3, 1), (10, 1.4493), (12, 1.5455), (50, 2.7933)]
)
def test_steiner_ratio_is_that_of_the_table(pins, ratio):
    """12 pins: as VPR interpolates between 10 and 15."""
    assert wires.steiner(np.array([pins])) == pytest.approx(ratio, abs=1e-4)


def test_wires_are_about_as_long_as_their_trees(extraction):
    """A Steiner tree is at most as long as the spanning tree, and at least two thirds of it."""
    placed = extraction.placement
    trees = 0.0
    for k in range(len(placed.net_numbers)):
        points = placed.net_pins[placed.net_first[k] : placed.net_first[k + 1]]
        trees += wires.spanning_tree(placed.x_um[points], placed.y_um[points])[1].sum()
    assert 2 / 3 * trees < extraction.length_um.sum() < trees


def test_spanning_tree_by_hand():
    x, y = np.array([0.0, 2.0, 2.0, 5.0]), np.array([0.0, 0.0, 1.0, 0.0])
    parent, length = wires.spanning_tree(x, y)
    assert parent.tolist() == [-1, 0, 1, 1]
    assert length.tolist() == [0, 2, 1, 3]


def registers(library, count):
    """Flip-flops that shift."""
    cell = library.cell("DFFPOSX1")
    return MappedNetlist(
        [Instance(str(k), cell, {"CLK": 2, "D": 3 + k, "Q": 4 + k}) for k in range(count)],
        {CLOCK: [2], "d": [3]},
        {"q": [3 + count]},
        4 + count,
    )


@pytest.mark.parametrize(("count", "buffers"), [(1, 1), (20, 1), (21, 3), (400, 21), (401, 24)])
def test_buffers_of_the_clock_tree(library, count, buffers):
    """20 flip-flops a buffer, 20 buffers a buffer, up to one."""
    netlist = registers(library, count)
    placed = place(netlist, Site(*FIGURES.site_um), moves_per_cell=2)
    assert wires.clock_tree(netlist, placed, library, FIGURES).buffers == buffers


def test_clock_tree_by_hand(library):
    """Of two flip-flops: one buffer, from the border to the middle, and from one to the other."""
    netlist = registers(library, 2)
    placed = place(netlist, Site(*FIGURES.site_um))
    tree = wires.clock_tree(netlist, placed, library, FIGURES)
    side = placed.area_um2**0.5
    between = abs(np.diff(placed.x_um[:2]))[0] + abs(np.diff(placed.y_um[:2]))[0]
    assert tree.length_um == pytest.approx(side / 2 + between)
    buffer = library.cell("CLKBUF1")
    wire = tree.length_um * 0.1188
    load = np.array([wire + 2 * library.cell("DFFPOSX1").inputs["CLK"]])
    (arc,) = buffer.output_arcs["Y"]
    inside = 2 * arc.per_toggle(np.zeros(1), np.zeros(1), load)[0]
    charged = (wire + buffer.inputs["A"]) * 1.8**2
    assert tree.energy_fj == pytest.approx(charged + inside)
    assert tree.area_um2 == buffer.area_um2


def test_no_flip_flops_no_clock_tree(library):
    netlist = MappedNetlist(
        [Instance("a", library.cell("INVX1"), {"A": 3, "Y": 4})],
        {CLOCK: [2], "a": [3]},
        {"y": [4]},
        5,
    )
    placed = place(netlist, Site(*FIGURES.site_um))
    assert wires.clock_tree(netlist, placed, library, FIGURES).energy_fj == 0


def test_unknown_clock_buffer(mapped, library, extraction):
    with pytest.raises(InputError, match=r"no clock buffer BUF9; wires.figures.clock_buffer"):
        wires.clock_tree(
            mapped.netlist, extraction.placement, library, replace(FIGURES, clock_buffer="BUF9")
        )


def test_opensta_refuses_wires_of_nets_that_there_are_not(mapped, library, extraction, folder):
    other = folder / "other.spef"
    text = extraction.spef.read_text()
    other.write_text(re.sub(r"^\*D_NET \S+", "*D_NET nonet", text, count=1, flags=re.M))
    with pytest.raises(StaError, match=r"net nonet not found"):
        wires.delay_ns(mapped, library, other)


@pytest.mark.parametrize(("old", "new"), [(" u0 (", " v0 ("), (None, "module empty;\nendmodule\n")])
def test_verilog_of_another_netlist(mapped, library, tmp_path, old, new):
    other = tmp_path / mapped.verilog.name
    text = mapped.verilog.read_text()
    assert old is None or text.count(old) == 1
    other.write_text(text.replace(old, new) if old else new)
    with pytest.raises(MappingError, match=r"has a cell v0|lacks the cell u"):
        wires.extract(replace(mapped, verilog=other), library, FIGURES, 0.7)


def test_figures_of_cells_stay_what_they_are(unit, library):
    plain = measure(unit, "osu018", library)
    wired = measure(unit, "osu018", library, wires=True, utilisation=0.5)
    assert plain.wires is None
    assert replace(wired, wires=None) == plain
    assert wired.core_area_um2 == pytest.approx(2 * plain.area_um2, rel=0.03)
    assert wired.wires.utilisation == 0.5
    assert 1.02 < wired.delay_with_wires_ns / plain.delay_ns < 1.2
    # Clock pins take most here, and a tree a third of what they take.
    assert 1.05 < wired.energy_with_wires_pj_per_mac / plain.energy_pj_per_mac < 1.3
    assert min(wired.wires.settled_pj, wired.wires.glitch_pj, wired.wires.clock_pj) > 0


def test_wires_that_nobody_knows(unit, library, tmp_path):
    with pytest.raises(InputError, match="nothing is known of the wires of mine"):
        measure(unit, "mine", library, wires=True)
    path = tmp_path / "some.yaml"
    write(simple("other"), path)
    with pytest.raises(InputError, match="nothing is known of the wires of other"):
        measure(unit, str(path), library, wires=True)


@pytest.mark.parametrize("utilisation", [0, "0.7", True])
def test_utilisation_is_checked_before_anything_is_mapped(unit, library, utilisation):
    with pytest.raises(InputError, match=r"utilisation=.*: allowed: above 0 and at most 1"):
        measure(unit, "mine", library, wires=True, utilisation=utilisation)


def test_wires_behind_a_clock_gate(library):
    """A gate is a leaf of the clock tree, and its wire changes twice a cycle while it is open."""
    flip_flop = library.cell("DFFPOSX1")
    gate = replace(
        library.cell("INVX1"),
        name="gate",
        clock_gate=ClockGate(
            enable_pin="E", clock_pin="CK", output_pin="Y", test_pins=(), state="n", area_um2=1.0
        ),
        inputs={"CK": 5.0, "E": 1.0},
    )
    netlist = MappedNetlist(
        [
            Instance("gate", gate, {"CK": 2, "E": 3, "Y": 4}),
            Instance("a", flip_flop, {"CLK": 4, "D": 3, "Q": 5}),
            Instance("b", flip_flop, {"CLK": 4, "D": 5, "Q": 6}),
        ],
        {CLOCK: [2], "e": [3]},
        {"q": [6]},
        7,
    )
    placed = place(netlist, Site(*FIGURES.site_um))
    tree = wires.clock_tree(netlist, placed, library, FIGURES)
    # From the border to the middle only: one leaf.
    assert (tree.buffers, tree.length_um) == (1, pytest.approx(placed.area_um2**0.5 / 2))
    mapped = SimpleNamespace(netlist=netlist, delay_ns=1.0)
    capacitance = np.zeros(7)
    capacitance[4] = 8.0
    extraction = SimpleNamespace(
        placement=placed, clock=tree, capacitance_ff=capacitance, length_um=np.zeros(7),
        utilisation=0.7, delay_ns=1.0, figures=FIGURES,
    )  # fmt: skip
    shut, half = (
        wires.added(mapped, extraction, toggles_of(netlist, ones={3: share}), 2.0)
        for share in (0.0, 0.5)
    )
    assert shut.clock_pj == tree.energy_fj * 1e-3
    assert half.clock_pj - shut.clock_pj == pytest.approx(0.5 * 8.0 * 2.0**2 * 1e-3)
    assert half.settled_pj == 0
