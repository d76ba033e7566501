"""Toggles with real delays against Icarus, the library's own Verilog models and the SDF file.

Nothing of :mod:`cost_models` is between the netlist and the toggles that Icarus counts: it clocks
the files that OpenSTA read, registers around the unit included, with the models that come with
osu018, and annotates their path delays.
"""

import re
from dataclasses import replace

import numpy as np
import pytest

from cost_models import activity, network
from cost_models.network import Delays
from cost_models.operands import gaussian
from cost_models.synthesis import liberty, simulation
from rtl import icarus
from tests.cost_models.plain_simulator import play_all

BEATS = 50
PERIOD_NS = 40
FS_PER_NS = 10**6

BENCH = """`timescale 1ns/1fs
module top;
  reg clk = 0; reg [{high}:0] data = 0; reg counting = 0;
  reg [{high}:0] stimulus [0:{last}];
  integer cycle; integer counts [0:{nets}]; integer k;
  bench bench(clk, data);
  initial begin
    $sdf_annotate("typical.sdf", bench);
    $readmemb("stimulus", stimulus);
    for (k = 0; k <= {nets}; k = k + 1) counts[k] = 0;
    for (cycle = 0; cycle <= {last}; cycle = cycle + 1) begin
      data = stimulus[cycle];
      #{half} clk = 1;
      counting = cycle > {first} && cycle <= {first} + {cycles};
      #{half} clk = 0;
    end
    for (k = 0; k < {nets}; k = k + 1) $display("%0d", counts[k]);
  end
{monitors}
endmodule
"""


@pytest.fixture(scope="module")
def operands(unit):
    return gaussian(unit, 1, BEATS, seed=3)


@pytest.fixture(scope="module")
def played(unit, mapped, operands):
    """The netlist as a network with the delays of its cells, and all its cycles."""
    gates, places = simulation.take_apart(mapped.netlist)
    found = activity.simulate(unit, gates, operands)
    transitions = found.transitions.of(places)
    # One stream of fewer cycles than are drawn: every one of them is played.
    assert len(transitions.words) == found.cycles == BEATS - 3
    cells = simulation.elements(mapped.netlist)
    return cells, transitions, simulation.of_cells(mapped.netlist, mapped.timing.delays)


def stimulus(unit, netlist, operands):
    """Bits of all inputs in every cycle, in the order of the netlist's ports."""
    (beats,) = unit.words(operands)
    rows = [{"rst": 1}] * 3 + [{"i__valid": 1, "i__payload": beat} for beat in beats]
    lines = []
    for row in rows:
        values = {"o__ready": 1, **row}
        bits = [
            values.get(port, 0) >> bit & 1
            for port, nets in netlist.inputs.items()
            if port != "clk"
            for bit in range(len(nets))
        ]
        lines.append("".join(map(str, reversed(bits))))
    return lines


@pytest.fixture(scope="module")
def counted(unit, mapped, operands, folder, played):
    """Toggles in Icarus of the same nets in the same cycles."""
    netlist = mapped.netlist
    lines = stimulus(unit, netlist, operands)
    (folder / "stimulus").write_text("\n".join(lines))
    # Icarus takes the typical delay, which OpenSTA leaves out between its two.
    typical = re.sub(
        r"\(([\d.]+)::([\d.]+)\)",
        lambda m: f"({(float(m[1]) + float(m[2])) / 2:.6f})",
        (folder / "mapped.sdf").read_text(),
    )
    (folder / "typical.sdf").write_text(typical)
    names = [
        (f"bench.unit.{i.name}.{pin}", i.nets[pin])
        for i in netlist.instances
        for pin in i.cell.outputs
        if pin in i.nets
    ]
    cycles = len(played[1].words)
    (folder / "top.v").write_text(
        BENCH.format(
            high=len(lines[0]) - 1,
            last=len(lines) - 1,
            nets=len(names),
            half=PERIOD_NS // 2,
            cycles=cycles,
            first=len(lines) - 1 - cycles,
            monitors="\n".join(
                f"  always @({name}) if (counting) counts[{k}] = counts[{k}] + 1;"
                for k, (name, _) in enumerate(names)
            ),
        )
    )
    name = mapped.verilog.stem
    compiler, runtime = icarus.find()
    models = liberty.OSU018.with_suffix(".v").read_text()
    coarse = "`timescale 1ns/10ps"
    assert coarse in models
    (folder / "models.v").write_text(models.replace(coarse, "`timescale 1ns/1fs"))
    sources = ["top.v", f"{name}.bench.v", f"{name}.v", "models.v"]
    icarus.run(
        [compiler, "-g2005", "-gspecify", "-Ttyp", "-s", "top", "-o", "a.out", *sources], folder
    )
    said = icarus.run([runtime, "a.out"], folder)
    toggles = np.zeros(netlist.nets, int)
    numbers = [int(line) for line in said.splitlines() if line.isdigit()]
    for (_, net), count in zip(names, numbers, strict=True):
        toggles[net] = count
    return toggles


def rounded(delays, unit_ns):
    """Return delays as whole numbers of a unit."""
    return Delays(np.rint(delays.sources / unit_ns), np.rint(delays.elements / unit_ns))


def test_icarus_counts_what_its_rule_says(mapped, played, counted):
    """All cells, delays and cycles are the same: what differs is what becomes of short pulses."""
    cells, transitions, delays = played
    driven = mapped.netlist.driven
    found, settled = play_all(cells, transitions, rounded(delays, 1 / FS_PER_NS), "icarus")
    assert settled
    np.testing.assert_array_equal(found[driven], counted[driven])
    assert counted[driven].sum() > 1.5 * transitions.settled()[driven].sum()


def test_toggles_are_those_of_the_definition(mapped, played):
    cells, transitions, delays = played
    tick = delays.elements.max() / network.TICKS
    expected, settled = play_all(cells, transitions, rounded(delays, tick))
    assert settled
    found = network.toggles(cells, transitions, delays) * len(transitions.words)
    np.testing.assert_allclose(found, expected)


def test_hazards_are_near_those_of_icarus(mapped, played, counted):
    """Icarus makes what was announced, dropped and announced again at the first of both times.

    So some of its pulses begin earlier, which matters less than a picosecond more or less a cell.
    """
    cells, transitions, delays = played
    settled = transitions.settled()
    driven = mapped.netlist.driven

    def hazards(given):
        toggles = network.toggles(cells, transitions, given) * len(transitions.words)
        return (toggles - settled)[driven].sum()

    icarus = (counted - settled)[driven].sum()
    rng = np.random.default_rng(0)
    around = [
        hazards(
            replace(delays, elements=delays.elements + rng.normal(0, 1e-3, delays.elements.shape))
        )
        for _ in range(8)
    ]
    assert abs(hazards(delays) - icarus) < max(around) - min(around) < 0.1 * icarus
    assert hazards(network.unit_delays(cells)) > 1.5 * icarus
