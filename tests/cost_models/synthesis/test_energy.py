"""The energy sum against OpenSTA, with one toggle rate for all nets."""

import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from cost_models.synthesis import liberty, opensta
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
    return energies(mapped.netlist, mapped.slews, library.voltage)


def watts(mapped, folder, rate, *queries):
    """Return what OpenSTA prints: internal, switching and leakage W by name."""
    name = f"{mapped.style}__{mapped.variant}"
    script = folder / "power.tcl"
    lines = [
        f"read_liberty {liberty.OSU018}",
        "set_cmd_units -time ns -power W",
        f"read_verilog {folder / name}.v",
        # Before linking: set afterwards, a global activity is lost on some netlists.
        f"set_power_activity -global -activity {rate}",
        f"link_design {name}",
        f"create_clock -name clk -period {PERIOD_NS} [get_ports clk]",
        "foreach port [all_inputs] {",
        '  if {[get_property $port full_name] ne "clk"} {set_input_delay 0 -clock clk $port}',
        "}",
        *queries,
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
        rf"^\s*(Total)?\s+{number}\s+{number}\s+{number}\s+{number}(?: (\S+))?", log, re.MULTILINE
    )
    return {row[0] or row[5]: [float(text) for text in row[1:4]] for row in rows}


def test_totals_are_those_of_opensta(mapped, priced, library, folder):
    query = "report_power -digits 9"
    _, switching, leakage = watts(mapped, folder, RATE, query)["Total"]
    assert leakage * 1e9 == pytest.approx(priced.leakage_nw, rel=1e-5)
    # OpenSTA takes the larger of the capacitances of rise and fall.
    driven = mapped.netlist.load[mapped.netlist.driven].sum() * library.voltage**2 / 2
    assert switching * PERIOD_NS * 1e6 == pytest.approx(driven * RATE, rel=5e-3)


def test_clock_is_that_of_opensta(mapped, priced, library, folder):
    internal, switching, _ = watts(mapped, folder, 0, "report_power -digits 9")["Total"]
    assert switching == 0
    # OpenSTA leaves the clock pins' capacitance to whoever drives the clock port.
    pins = mapped.netlist.load[mapped.netlist.clock] * library.voltage**2
    found = internal * PERIOD_NS * 1e6
    assert found == pytest.approx(RISE_AND_FALL * (priced.clock_fj - pins), rel=TOLERANCE)


def test_gates_are_those_of_opensta(mapped, library, folder):
    """OpenSTA weighs the inputs of larger gates by another rule."""
    query = "foreach cell [get_cells *] {report_power -instances $cell -digits 9}"
    found = watts(mapped, folder, RATE, query)
    small = [i for i in mapped.netlist.instances if not i.cell.flip_flop and len(i.cell.inputs) < 3]
    assert len({i.cell.name for i in small}) > 5
    for instance in small:
        alone = with_loads_of(mapped.netlist, [instance])
        toggle = energies(alone, mapped.slews, library.voltage).toggle_fj.sum()
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
