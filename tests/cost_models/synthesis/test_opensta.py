"""Timing between registers, what is chosen by it, and delays in SDF."""

import re
from dataclasses import replace

import pytest

from cost_models.synthesis import liberty, opensta
from cost_models.synthesis.mapped import MappingError
from cost_models.synthesis.opensta import Bench, Register, StaError, Wanted, read_sdf
from cost_models.synthesis.yosys import _register

REGISTER = Register("DFFPOSX1", "CLK", "D", "Q", {})
BENCH = Bench({"clk": ("input", 1), "a": ("input", 1), "y": ("output", 1)}, REGISTER)
WIDE = Bench({"a": ("input", 1), "clk": ("input", 1), "b": ("input", 2)}, REGISTER)
SDF = """(DELAYFILE
 (SDFVERSION "3.0")
 (TIMESCALE {scale})
 (CELL
  (CELLTYPE "bench")
  (INSTANCE)
  (DELAY
   (ABSOLUTE
    (INTERCONNECT clk unit/u1/CLK (9::9))
   )
  )
 )
 (CELL
  (CELLTYPE "XOR2X1")
  (INSTANCE unit/u1)
  (DELAY
   (ABSOLUTE
    (IOPATH A Y (1::3) (4::4))
    (IOPATH A Y (5::7) (6::8))
    (IOPATH B Y (2::2))
    (COND A==1'b1 (IOPATH C Y (1::1) (2::4)))
   )
  )
 )
 (CELL
  (CELLTYPE "DFFPOSX1")
  (INSTANCE unit/u2)
  (DELAY
   (ABSOLUTE
    (IOPATH (posedge CLK) Q (1.5::1.5) (2.5::2.5))
   )
  )
  (TIMINGCHECK
    (SETUP (posedge D) (posedge CLK) (7::7))
  )
 )
 (CELL
  (CELLTYPE "DFFPOSX1")
  (INSTANCE before1)
  (DELAY
   (ABSOLUTE
    (IOPATH CLK Q (1::1) (2::2))
    (IOPATH CLK QN (8::8) (9::9))
   )
  )
 )
 (CELL
  (CELLTYPE "DFFPOSX1")
  (INSTANCE behind0)
  (DELAY
   (ABSOLUTE
    (IOPATH CLK Q (5::5) (6::6))
   )
  )
 )
)
"""


@pytest.mark.parametrize(("scale", "ns"), [("1ns", 1.0), ("1ps", 1e-3), ("100 ps", 0.1)])
def test_sdf_is_read(scale, ns):
    """Two lines where a path is non-unate, one delay where edges are equal, least and largest."""
    found = read_sdf(SDF.format(scale=scale), WIDE)
    assert {key: (rise / ns, fall / ns) for key, (rise, fall) in found.items()} == {
        ("u1", "A", "Y"): pytest.approx((4, 5.5)),
        ("u1", "B", "Y"): pytest.approx((2, 2)),
        ("u1", "C", "Y"): pytest.approx((1, 3)),
        ("u2", "CLK", "Q"): pytest.approx((1.5, 2.5)),
        ("b[0]", None): pytest.approx((1, 2)),
    }


def test_sdf_without_a_scale_is_refused():
    with pytest.raises(StaError, match="without a time scale"):
        read_sdf(SDF.replace("TIMESCALE", "SCALE"), WIDE)


def chain(folder, inverters):
    """Write inverters between an input and an output."""
    path = folder / f"chain{inverters}.v"
    ends = ["a", *(f"n{k}" for k in range(1, inverters)), "y"]
    lines = [f"  INVX1 u{k} (.A({ends[k]}), .Y({ends[k + 1]}));" for k in range(inverters)]
    wires = [f"  wire {name};" for name in ends[1:-1]]
    header = f"module {path.stem}(clk, a, y); input clk; input a; output y;"
    path.write_text("\n".join([header, *wires, *lines, "endmodule", ""]))
    return path


def triples(sdf, instance, pattern):
    """Return the larger delays of a line of an instance, in ns."""
    body = sdf[sdf.index(f"(INSTANCE {instance})") :]
    line = re.search(pattern, body)
    return [float(text) for text in re.findall(r"::([\d.]+)\)", line[0])]


def test_a_period_is_from_clock_to_output_to_setup(library, tmp_path):
    path = chain(tmp_path, 1)
    timing = opensta.analyse({path: 1.0}, BENCH, library, Wanted())
    sdf = (tmp_path / "delays.sdf").read_text()
    output = triples(sdf, "before0", r"IOPATH CLK Q .*")
    inverter = triples(sdf, "unit/u0", r"IOPATH A Y .*")
    setup = [
        triples(sdf, "behind0", rf"SETUP \({edge} D\) .*")[0] for edge in ("posedge", "negedge")
    ]
    # Rises of the output become falls behind the inverter.
    expected = max(
        output[0] + inverter[1] + setup[1],
        output[1] + inverter[0] + setup[0],
    )
    (period,) = timing.delays_ns
    # Slacks are single-precision numbers of a microsecond.
    assert period == pytest.approx(expected, abs=1e-4)
    assert period > sum((min(output), min(inverter), min(setup)))
    assert min(*output, *inverter, *setup) > 0.02
    assert timing.delays["u0", "A", "Y"] == pytest.approx(inverter, abs=1e-6)
    assert timing.delays["a", None] == pytest.approx(output, abs=1e-6)
    assert ("u0", "A") in timing.slews


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """Of ascending delay."""
    folder = tmp_path_factory.mktemp("chains")
    return [chain(folder, inverters) for inverters in (1, 3, 5)]


@pytest.mark.parametrize(
    ("order", "wanted", "chosen"),
    [
        ((0, 1, 2), Wanted(), 0),
        ((2, 1, 0), Wanted(), 2),
        # The areas are 3, 2 and 1 in this order.
        ((2, 0, 1), Wanted(larger=0.5), 2),
        ((0, 1, 2), Wanted(larger=0.99), 2),
        ((0, 1, 2), Wanted(larger=1.0), 1),
        ((0, 1, 2), Wanted(clock_ns=100), 2),
        ((2, 1, 0), Wanted(clock_ns=100), 2),
        ((0, 1, 2), Wanted(clock_ns=1e-3), 0),  # No one meets it.
    ],
)
def test_the_netlist_that_is_wanted_is_chosen(library, chains, order, wanted, chosen):
    netlists = {chains[k]: 3.0 - place for place, k in enumerate(order)}
    timing = opensta.analyse(netlists, BENCH, library, wanted)
    ascending = [timing.delays_ns[order.index(k)] for k in range(3)]
    assert ascending == sorted(ascending)
    assert timing.chosen == chosen
    # Slews and delays are of the chosen one.
    inverters = (1, 3, 5)[order[chosen]]
    assert len({cell for cell, _ in timing.slews}) == inverters


def test_of_those_that_meet_a_clock_the_smallest_is_chosen(library, chains):
    areas = dict(zip(chains, (7.0, 5.0, 3.0), strict=True))
    found = opensta.analyse(areas, BENCH, library, Wanted()).delays_ns
    for clock, chosen in ((found[1] - 0.001, 0), (found[1] + 0.001, 1), (found[2] + 0.001, 2)):
        wanted = Wanted(clock_ns=clock)
        assert opensta.analyse(areas, BENCH, library, wanted).chosen == chosen


def test_edges_of_equal_delay_are_both_read(edited, tmp_path):
    """OpenSTA writes one delay for both."""
    text = liberty.OSU018.read_text()
    start = text.index("cell (INVX1)")
    cell = text[start : text.index("/* -", start)]
    flat = re.sub(
        r"(cell_(?:rise|fall)\(\w+\) \{\s*index_1[^;]*;\s*index_2[^;]*;\s*values \()([^)]*)",
        lambda match: match[1] + re.sub(r"[\d.]{4,}", "0.125", match[2]),
        cell,
    )
    path = chain(tmp_path, 1)
    with liberty.opened("osu018", [edited(cell, flat)]) as library:
        timing = opensta.analyse({path: 1.0}, BENCH, library, Wanted())
    assert "(IOPATH A Y (0.125000::0.125000))" in (tmp_path / "delays.sdf").read_text()
    assert timing.delays["u0", "A", "Y"] == pytest.approx((0.125, 0.125))


def test_the_register_is_that_of_the_unit(mapped):
    assert _register(mapped.netlist) == REGISTER


def test_a_register_with_clear_has_it_tied():
    register = Register("DFFSR", "CLK", "D", "Q", {"R": 1, "S": 0})
    said = register.verilog("before3", "data[3]", "")
    assert said == "DFFSR before3 (.CLK(clk), .D(data[3]), .R(1'b1), .S(1'b0));"


def test_a_netlist_without_flip_flops_has_no_register(mapped):
    gates = [i for i in mapped.netlist.instances if i.cell.flip_flop is None]
    with pytest.raises(MappingError, match="no plain flip-flop"):
        _register(replace(mapped.netlist, instances=gates))


@pytest.mark.parametrize(
    "netlist",
    [
        "module top(clk, a, y); input clk, a; output y; NOSUCHCELL u (.A(a), .Y(y)); endmodule",
        "module top(clk, a, y); input clk, a; output y; assign {a, y} = {clk, clk}; endmodule",
    ],
)
def test_what_opensta_cannot_read_is_an_error(library, tmp_path, netlist):
    path = tmp_path / "top.v"
    path.write_text(netlist)
    with pytest.raises(StaError, match="OpenSTA failed on top"):
        opensta.analyse({path: 1.0}, BENCH, library, Wanted())
