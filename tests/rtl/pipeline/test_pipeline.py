"""Units in stages: declared latency, one beat a cycle, and the same results."""

from dataclasses import replace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

import rtl
from hwsim.errors import InputError
from hwsim.units import FAMILIES, make
from rtl import emit, yosys
from rtl.formal import Property, prove, small
from rtl.pipeline import pipelined
from rtl.pipeline.ranks import data_path
from rtl.pipeline.schedule import shortest_period
from rtl.reachability import Outcome
from rtl.verification import verify
from rtl.verilog import with_verilog

INTEGER = {"lanes": 2, "weight": "int3", "activation": "int3", "accumulator_bits": 10}
#: Dot products of random operands.
DOTS = 512
STAGED = [family for family in FAMILIES if family != "array" and small(family).most_stages > 1]


def test_all_families_but_arrays_have_stages():
    assert {*FAMILIES} - {*STAGED} == {"array"}


@pytest.mark.parametrize("family", STAGED)
def test_every_family_computes_the_same_in_stages(family):
    unit = small(family)
    staged = replace(unit, stages=min(3, unit.most_stages))
    result = verify(staged, random_dots=DOTS)
    assert result.passed, result
    assert staged.timing().latency == unit.timing().latency + staged.stages - 1
    assert staged.timing().interval == unit.timing().interval


@pytest.mark.exhaustive
@pytest.mark.parametrize("stages", [2, 4, 8])
@pytest.mark.parametrize("family", STAGED)
def test_every_configuration_computes_the_same_in_stages(family, stages):
    units = [make(family, **values) for values in FAMILIES[family].configurations]
    for unit in units:
        if unit.lanes <= 8 and stages <= unit.most_stages:
            result = verify(replace(unit, stages=stages), random_dots=DOTS)
            assert result.passed, result


#: Faults of ranks, as text of the emitted Verilog and what stands in its place.
FAULTS = {
    "loaded while stalled": ("if (rank_1_load) rank_1_last", "rank_1_last"),
    "valid while stalled": ("else if (i__ready) rank_1_valid", "else rank_1_valid"),
    "valid without reset": ("if (rst) rank_1_valid <= 1'h0;\n    else if", "if"),
    "another beat's end": ("rank_2_last <= rank_1_last", "rank_2_last <= i__payload[12]"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_ranks_are_found(name, tmp_path):
    unit = make("integer", **INTEGER, stages=3)
    text = emit.verilog(unit)
    old, new = FAULTS[name]
    assert old in text
    path = tmp_path / "unit.v"
    path.write_text(text.replace(old, new))
    assert not verify(with_verilog(unit, [path])).passed


@pytest.mark.parametrize(
    "unit",
    [
        make("integer", **INTEGER, stages=3),
        make("bit_serial", lanes=1, weight="int2", activation="int2", stages=2),
        # Ranks behind the sum.
        make("posit", lanes=1, weight="posit4_1", activation="posit4_1", accumulator="posit4_1",
             stages=4),
    ],
    ids=str,
)  # fmt: skip
def test_the_protocol_of_stages_is_proved(unit):
    assert {one.property: one.outcome for one in prove(unit)} == {
        one: Outcome.PROVED for one in Property if one is not Property.REFERENCE
    }


def test_a_rank_that_loses_a_beat_is_refuted():
    unit = make("integer", **INTEGER, stages=3)
    text = emit.verilog(unit).replace("else if (i__ready) rank_1_valid", "else rank_1_valid")
    (found,) = prove(unit, text, [Property.CONSERVED])
    assert found.outcome is Outcome.REFUTED


def test_loops_that_follow_one_another_have_stages_of_their_own():
    # The sum of a block is carried from beat to beat, and so is that of the blocks.
    unit = make("mx_dot", lanes=2, weight="e2m1", activation="e2m1", stages=3)
    text = emit.verilog(unit)
    ranks = [line for line in text.splitlines() if line.startswith("  reg") and "rank_2" in line]
    assert any("block_0_merge_total" in line for line in ranks), ranks


class Scrambled(rtl.Unit):
    """A unit that looks the lowest bits of a beat up in a memory.

    Parameters
    ----------
    spec
        The unit behind it.
    kind
        ``table``, ``written`` with every beat, or ``clocked``, which reads a cycle late.
    """

    def __init__(self, spec, kind):
        super().__init__(spec)
        self.kind = kind

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = rtl.create(self.spec)
        m.submodules.scrambler = memory = Memory(shape=2, depth=4, init=[2, 0, 3, 1])
        read = memory.read_port(domain="sync" if self.kind == "clocked" else "comb")
        beat = self.i.payload.as_value()
        m.d.comb += [
            read.addr.eq(beat[:2]),
            inner.i.payload.eq(Cat(read.data, beat[2:])),
            inner.i.valid.eq(self.i.valid),
            self.i.ready.eq(inner.i.ready),
        ]
        if self.kind == "written":
            write = memory.write_port()
            m.d.comb += [write.en.eq(self.i.valid), write.addr.eq(beat[:2]), write.data.eq(beat)]
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        return m


def scrambled(kind, stages):
    unit = make("integer", **INTEGER)
    text = str(rtlil.convert(Scrambled(unit, kind), name=unit.name))
    return pipelined(text, unit.name, stages)


@pytest.mark.parametrize(
    ("kind", "said"), [("written", "written"), ("clocked", "read at a clock edge")]
)
def test_memories_that_keep_a_state_are_refused(kind, said):
    with pytest.raises(
        InputError, match=rf"integer\w*: the memory scrambler\S* is {said}; allowed: 1, or memories"
    ):
        scrambled(kind, 2)


def test_tables_may_be_memories():
    assert "rank_1" in scrambled("table", 2)


def test_a_unit_in_one_stage_has_no_ranks():
    assert "rank_" not in emit.verilog(make("integer", **INTEGER))


def test_a_component_of_amaranth_has_one_stage():
    with pytest.raises(InputError, match="stages=2: a component of Amaranth"):
        rtl.create(make("integer", **INTEGER, stages=2))


@pytest.mark.parametrize(
    ("family", "values", "said"),
    [
        ("integer", {**INTEGER, "stages": 0}, "stages=0: integer takes 1 to 8"),
        ("integer", {**INTEGER, "stages": 9}, "stages=9: integer takes 1 to 8"),
        (
            "float",
            {"lanes": 2, "weight": "e2m1", "activation": "e2m1", "stages": 9,
             "accumulation": "product_aligned9"},
            "stages=9: float takes 1 to 8",
        ),
    ],
)  # fmt: skip
def test_stages_out_of_range_are_refused(family, values, said):
    with pytest.raises(InputError, match=said):
        make(family, **values)


def test_arrays_are_in_one_stage_and_bitmod_in_four():
    with pytest.raises(InputError, match="stages=2: an array's units take 1"):
        make("array", element="integer", rows=2, columns=1, **INTEGER, stages=2)
    with pytest.raises(InputError, match="stages=5: bitmod takes 1 to 4"):
        make("bitmod", lanes=1, activation="fp16", stages=5)


INTERLEAVED = {"lanes": 1, "weight": "e2m1", "activation": "e3m2", "accumulator": "e5m2"}


def test_interleaved_sums_share_the_addition_among_stages():
    def period(**values):
        text = str(rtlil.convert(rtl.create(make("fma", **INTERLEAVED, **values)), name="unit"))
        path = data_path(text, "unit", values["interleaved_sums"])
        return shortest_period(path.forward.graph, 3)

    assert period(interleaved_sums=2) < 0.6 * period(interleaved_sums=1)
    assert period(interleaved_sums=3) < 0.45 * period(interleaved_sums=1)


@pytest.mark.parametrize(("count", "stages"), [(2, 2), (3, 3), (3, 6)])
def test_interleaved_sums_are_right_in_stages(count, stages):
    result = verify(make("fma", **INTERLEAVED, interleaved_sums=count, stages=stages))
    assert result.passed, result


def test_a_sum_that_is_read_too_early_is_found(tmp_path):
    unit = make("fma", **INTERLEAVED, interleaved_sums=2, stages=4)
    early = pipelined(
        str(rtlil.convert(rtl.create(replace(unit, stages=1)), name=unit.name)), unit.name, 4, 3
    )
    (tmp_path / "unit.il").write_text(early)
    yosys.run(["read_rtlil unit.il", "write_verilog unit.v"], tmp_path)
    assert not verify(with_verilog(unit, [tmp_path / "unit.v"])).passed


def test_the_protocol_of_interleaved_sums_is_proved():
    unit = make("fma", **INTERLEAVED, interleaved_sums=2, stages=3)
    found = prove(unit, properties=[Property.INDEPENDENT, Property.STABLE, Property.CONSERVED])
    assert {one.outcome for one in found} == {Outcome.PROVED}
