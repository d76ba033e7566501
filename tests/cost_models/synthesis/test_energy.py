"""The energy sum by hand from the library's text, and against OpenSTA with one rate for all."""

import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from cost_models.operands import default_operands
from cost_models.synthesis import liberty, measure, opensta, simulation
from cost_models.synthesis.energy import energies
from cost_models.synthesis.mapped import Instance, MappedNetlist

RATE = 0.3
PERIOD_NS = 1000.0

#: OpenSTA 2.0.17 adds the energies of rise and fall for every toggle, where a toggle is one of
#: them; later versions take the mean.
RISE_AND_FALL = 2

#: Of slews, which OpenSTA reports with 0.01 ps.
TOLERANCE = 2e-3


@pytest.fixture(scope="module")
def priced(mapped, library):
    return energies(mapped.netlist, mapped.timing.slews, library.voltage)


def watts(mapped, folder, rate):
    """Return what OpenSTA prints of every cell of the unit: internal, switching and leakage W."""
    name = mapped.verilog.stem
    script = folder / "power.tcl"
    lines = [
        f"read_liberty {liberty.OSU018}",
        "set_cmd_units -time ns -power W",
        f"read_verilog {mapped.verilog}",
        f"read_verilog {folder / name}.bench.v",
        # Before linking: set afterwards, a global activity is lost on some netlists.
        f"set_power_activity -global -activity {rate}",
        "link_design bench",
        f"create_clock -name clk -period {PERIOD_NS} [get_ports clk]",
        "set_input_delay 0 -clock clk [get_ports data*]",
        "foreach cell [get_cells unit/*] {report_power -instances $cell -digits 9}",
    ]
    script.write_text("\n".join([*lines, ""]))
    log = subprocess.run(
        [opensta.find(), "-no_splash", "-exit", str(script)],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    number = r"(-?\d\.\d+e[-+]\d+)"
    rows = re.findall(
        rf"^\s*{number}\s+{number}\s+{number}\s+{number} unit/(\S+)", log, re.MULTILINE
    )
    found = {row[4]: [float(text) for text in row[:3]] for row in rows}
    assert set(found) == {instance.name for instance in mapped.netlist.instances}
    return found


def total(found):
    return np.sum(list(found.values()), axis=0)


def test_totals_are_those_of_opensta(mapped, priced, library, folder):
    _, switching, leakage = total(watts(mapped, folder, RATE))
    assert leakage * 1e9 == pytest.approx(priced.leakage_nw, rel=1e-5)
    # OpenSTA takes the larger of the capacitances of rise and fall, and sees the registers behind.
    netlist = mapped.netlist
    inside = netlist.load.copy()
    for nets in netlist.outputs.values():
        inside[nets] += library.cell("DFFPOSX1").inputs["D"]
    driven = inside[netlist.driven].sum() * library.voltage**2 / 2
    assert switching * PERIOD_NS * 1e6 == pytest.approx(driven * RATE, rel=5e-3)


def test_clock_is_that_of_opensta(mapped, priced, library, folder):
    internal, switching, _ = total(watts(mapped, folder, 0))
    assert switching == 0
    # OpenSTA leaves the clock pins' capacitance to whoever drives the clock port.
    pins = mapped.netlist.load[mapped.netlist.clock] * library.voltage**2
    found = internal * PERIOD_NS * 1e6
    assert found == pytest.approx(RISE_AND_FALL * (priced.clock_fj - pins), rel=TOLERANCE)


def test_gates_are_those_of_opensta(mapped, library, folder):
    """OpenSTA weighs the inputs of larger gates by another rule."""
    found = watts(mapped, folder, RATE)
    inside = set(mapped.netlist.driven.tolist()).difference(*mapped.netlist.outputs.values())
    small = [
        instance
        for instance in mapped.netlist.instances
        if not instance.cell.flip_flop
        and len(instance.cell.inputs) < 3
        # Behind outputs of the unit, OpenSTA sees the registers there.
        and inside.issuperset(instance.nets[pin] for pin in instance.cell.outputs)
    ]
    assert len({i.cell.name for i in small}) > 5
    for instance in small:
        alone = with_loads_of(mapped.netlist, [instance])
        toggle = energies(alone, mapped.timing.slews, library.voltage).toggle_fj.sum()
        (net,) = (instance.nets[pin] for pin in instance.cell.outputs)
        internal = toggle - alone.load[net] * library.voltage**2 / 2
        assert found[instance.name][0] * PERIOD_NS * 1e6 == pytest.approx(
            RISE_AND_FALL * internal * RATE, rel=TOLERANCE
        )


def with_loads_of(netlist, instances):
    alone = replace(netlist, instances=instances)
    vars(alone)["load"] = netlist.load
    return alone


def inverters(cell, capacitances):
    """A chain of inverters from net 2 on."""
    return MappedNetlist(
        [
            Instance(str(k), replace(cell, inputs={"A": c}), {"A": 2 + k, "Y": 3 + k})
            for k, c in enumerate(capacitances)
        ],
        {"a": [2]},
        {"y": [2 + len(capacitances)]},
        3 + len(capacitances),
    )


def test_energy_of_a_chain(library):
    cell = library.cell("INVX1")
    netlist = inverters(cell, [5.0, 10.0, 20.0])
    slews = {(str(k), "A"): (0.1, 0.2) for k in range(3)}
    toggle = energies(netlist, slews, 1.8).toggle_fj
    (arc,) = cell.output_arcs["Y"]
    for net, load in ((3, 10.0), (4, 20.0), (5, 0.0)):
        values = (np.array([x]) for x in (0.1, 0.2, load))
        internal = arc.per_toggle(*values).item()
        assert toggle[net] == pytest.approx(internal + load * 1.8**2 / 2)
    # The port that drives net 2 is charged elsewhere, and constants do not toggle.
    assert toggle[2] == toggle[0] == toggle[1] == 0


def block(text, head):
    """Return what the braces hold behind the first match of a pattern."""
    start = re.search(head + r"\s*\{", text).end()
    depth, end = 1, start
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[start : end - 1]


def numbers(text):
    return [float(number) for number in re.findall(r"[-\d.]+(?:e[-+]\d+)?", text)]


def line(points, values, x):
    """Interpolate linearly, with the outer intervals continued."""
    k = 0
    while k < len(points) - 2 and x > points[k + 1]:
        k += 1
    return values[k] + (x - points[k]) * (values[k + 1] - values[k]) / (points[k + 1] - points[k])


def energy_pj(text, edge, slew_ns, load_pf):
    """Look an edge up in an internal_power group of osu018, whose first index is the load."""
    table = block(text, rf"{edge}_power\(\w+\)")
    values = numbers(re.search(r"values \(([^)]*)\)", table)[1])
    first = numbers(re.search(r'index_1 \("([^"]*)"\)', table)[1])
    second = re.search(r'index_2 \("([^"]*)"\)', table)
    if second is None:
        return line(first, values, slew_ns)
    slews = numbers(second[1])
    rows = [values[k : k + len(slews)] for k in range(0, len(values), len(slews))]
    return line(first, [line(slews, row, slew_ns) for row in rows], load_pf)


def mean_of_edges(text, slews, load_pf=0.0):
    return (
        sum(energy_pj(text, *args, load_pf) for args in zip(("rise", "fall"), slews, strict=True))
        / 2
    )


def test_energy_by_hand(mapped, folder, priced, library):
    """From the Verilog and the Liberty file by regular expressions, in pJ and pF as it has them."""
    liberty_text = liberty.OSU018.read_text()
    instances = re.findall(r"^  (\w+) (u\d+) \(([^;]*)\);", mapped.verilog.read_text(), re.M)
    assert len(instances) == len(mapped.netlist.instances)
    cells = {
        cell: block(liberty_text, rf"cell \({cell}\)") for cell in {c for c, _, _ in instances}
    }
    texts = {
        (cell, pin): block(text, rf"pin\({pin}\)")
        for cell, text in cells.items()
        for pin in re.findall(r"pin\((\w+)\)", text)
    }
    pins = {
        name: dict(re.findall(r"\.(\w+)\(([^()]*)\)", connections))
        for _, name, connections in instances
    }
    load_pf, driving, per_toggle, clock_pj = {}, {}, {}, 0.0
    for cell, name, _ in instances:
        for pin, net in pins[name].items():
            text = texts[cell, pin]
            if "direction : input" in text:
                capacitance = float(re.search(r"(?<!_)capacitance : ([\d.]+)", text)[1])
                load_pf[net] = load_pf.get(net, 0) + capacitance
            else:
                driving[net] = (cell, name, pin)
    slews = mapped.timing.slews
    for net, (cell, name, pin) in driving.items():
        load = load_pf.get(net, 0.0)
        text = texts[cell, pin]
        causes = [
            mean_of_edges(part, slews[name, re.search(r'related_pin : "(\w+)"', part)[1]], load)
            for part in text.split("internal_power()")[1:]
        ]
        assert causes
        per_toggle[net] = sum(causes) / len(causes) + load * 1.8**2 / 2
    flip_flops = 0
    for cell, name, _ in instances:
        for pin, net in pins[name].items():
            text = texts[cell, pin]
            if "direction : input" not in text or "internal_power" not in text:
                continue
            each = mean_of_edges(text, slews[name, pin])
            if pin == "CLK":
                flip_flops += 1
                clock_pj += (
                    2 * each + float(re.search(r"(?<!_)capacitance : ([\d.]+)", text)[1]) * 1.8**2
                )
            else:
                per_toggle[net] = per_toggle.get(net, 0.0) + each
    assert flip_flops > 10
    assert priced.clock_fj == pytest.approx(1e3 * clock_pj, rel=1e-9)
    number = {
        pins[i.name][pin]: net for i in mapped.netlist.instances for pin, net in i.nets.items()
    }
    assert len(per_toggle) > 100
    expected = np.zeros(mapped.netlist.nets)
    for net, energy in per_toggle.items():
        expected[number[net]] += 1e3 * energy
    np.testing.assert_allclose(priced.toggle_fj, expected, rtol=1e-9)


def test_cost_is_toggles_times_energy(unit, mapped, priced, library):
    """What is printed of a unit is the sum of the parts that are tested above."""
    delays = mapped.timing.delays
    toggles = simulation.simulate(unit, mapped.netlist, default_operands(unit), delays)
    cost = measure(unit, "osu018", library)
    settled = float(toggles.settled @ priced.toggle_fj) + priced.clock_fj
    assert cost.settled_pj == pytest.approx(1e-3 * settled)
    assert cost.glitch_pj == pytest.approx(1e-3 * float(toggles.hazards @ priced.toggle_fj))
    assert cost.clock_pj == pytest.approx(1e-3 * priced.clock_fj)
    assert cost.leakage_nw == priced.leakage_nw
    assert cost.energy_pj == pytest.approx(cost.settled_pj + cost.glitch_pj)
