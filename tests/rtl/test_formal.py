"""Properties that are proved, each with a fault that breaks it."""

import numpy as np
import pytest

from hwsim.units import FAMILIES, UnitSpec, make
from rtl import emit, verilog
from rtl.formal import Property, prove, small
from rtl.induction import equivalent
from rtl.mutation import around, draw
from rtl.mutation.around import Around
from rtl.reachability import Outcome

UNIT = make("integer", lanes=1, weight="int2", activation="int3", accumulator_bits=9)


def around_unit(fault: Around, unit: UnitSpec = UNIT) -> str:
    inner = emit.verilog(unit).replace(f"module {unit.name}(", f"module {around.INNER}(")
    return around.text(unit, unit.name, fault) + inner


def kind(name: str) -> Around:
    fault = around.KINDS[name](UNIT, np.random.default_rng(1))
    assert fault is not None
    return fault


def within(name: str) -> str:
    (found,) = [mutant for mutant in draw(UNIT, 0, 1).mutants if mutant.kind == name]
    return found.text


#: Every second result.
ODD = "reg odd = 0;\nalways @(posedge clk) odd <= ~rst & (odd ^ (inner_valid & o__ready));"
FAULTS = {
    "valid waits for ready": (Property.INDEPENDENT, around_unit(kind("valid_waits"))),
    "valid falls": (Property.STABLE, around_unit(kind("valid_withdrawn"))),
    "payload changes": (Property.STABLE, around_unit(kind("result_changes"))),
    "result lost": (
        Property.CONSERVED,
        around_unit(Around("", {"valid": "inner_valid & ~odd", "taken": "o__ready | odd"}, ODD)),
    ),
    "result doubled": (
        Property.CONSERVED,
        around_unit(Around("", {"taken": "o__ready & odd"}, ODD)),
    ),
    "result invented": (
        Property.CONSERVED,
        around_unit(Around("", {"valid": "inner_valid | (i__valid & &i__payload)"})),
    ),
    "register without reset": (Property.RESET, within("without_reset")),
    "taken in reset": (Property.RESET, around_unit(kind("taken_in_reset"))),
    "adder one bit short": (Property.REFERENCE, within("adder_short")),
    "register one bit short": (Property.REFERENCE, within("register_short")),
}


@pytest.mark.parametrize(
    "unit", [UNIT, make("bit_serial", lanes=1, weight="int2", activation="int2")], ids=str
)
def test_the_protocol_is_proved(unit):
    assert {one.property: one.outcome for one in prove(unit)} == {
        one: Outcome.PROVED
        for one in Property
        if one is not Property.REFERENCE or unit.family == "integer"
    }


@pytest.mark.parametrize("name", FAULTS)
def test_every_property_has_faults_that_break_it(name):
    broken, text = FAULTS[name]
    (found,) = prove(UNIT, text, [broken])
    # What is wrong in sums of many beats is not found in the first few.
    deep = broken is Property.REFERENCE
    assert found.outcome in ({Outcome.OPEN, Outcome.REFUTED} if deep else {Outcome.REFUTED}), found


def test_time_that_is_over_leaves_a_proof_open():
    unit = make("integer", lanes=4, weight="int8", activation="int8")
    (found,) = prove(unit, properties=[Property.REFERENCE], seconds=1)
    assert found.outcome is Outcome.OPEN
    assert "more than 1 s" in found.said or "depth" in found.said


def test_equal_versions_are_proved_equal_and_others_are_not():
    text = emit.verilog(UNIT)
    assert "i__valid & i__ready" in text
    same = text.replace("i__valid & i__ready", "i__valid & (~o__valid | o__ready)")
    assert equivalent(UNIT, (text, same), UNIT.name).outcome is Outcome.PROVED
    other = text.replace("i__valid & i__ready", "i__ready")
    assert equivalent(UNIT, (text, other), UNIT.name).outcome is Outcome.REFUTED


#: A register that counts the beats taken and starts again after the sixth.
COUNT = """\
reg [3:0] count = 0;
always @(posedge clk)
  if (rst || (i__valid && i__ready && count == 5)) count <= 0;
  else if (i__valid && i__ready) count <= count + 1;
"""


@pytest.mark.parametrize(("wrong", "outcome"), [(7, Outcome.PROVED), (5, Outcome.REFUTED)])
def test_what_a_counter_never_reaches_takes_an_invariant(wrong, outcome):
    """Induction would have to know that no count is above the last one; nor looks it far back."""
    fault = Around("", {"beat": f"i__payload ^ (count == {wrong})"}, COUNT)
    texts = (around_unit(Around("", {"beat": "i__payload"}, COUNT)), around_unit(fault))
    proof = equivalent(UNIT, texts, UNIT.name)
    assert (proof.outcome, proof.depth) == (outcome, 0 if outcome is Outcome.PROVED else 8)


def test_protocols_of_units_with_several_results_under_way_are_proved_by_reachability():
    unit = small("array")
    asked = [Property.STABLE, Property.CONSERVED, Property.RESET]
    found = prove(unit, properties=asked)
    assert [one.outcome for one in found] == [Outcome.PROVED] * len(asked)
    assert all("by reachability" in one.said for one in found)
    broken = [
        (Property.STABLE, kind("valid_withdrawn")),
        (Property.CONSERVED, Around("", {"taken": "o__ready & odd"}, ODD)),
        (Property.RESET, kind("taken_in_reset")),
    ]
    for one, fault in broken:
        (finding,) = prove(unit, around_unit(fault, unit), [one])
        assert finding.outcome is Outcome.REFUTED, finding


def test_gates_that_are_equal_are_merged_before_multipliers_are_compared():
    """Else a multiplication of numbers that are decoded in two ways takes the solver long."""
    unit = make("integer", lanes=1, weight="int8", activation="int8")
    first, other = (
        Around("", {"beat": f"i__payload ^ (({same}) << 3)"})
        for same in ("i__payload[1] | i__payload[0]",
                     "i__payload[1] | (i__payload[0] ^ i__payload[1])")
    )  # fmt: skip
    texts = (around_unit(first, unit), around_unit(other, unit))
    assert equivalent(unit, texts, unit.name, seconds=10).outcome is Outcome.PROVED


def test_weights_that_a_unit_does_not_take_do_not_tell_versions_apart():
    unit = make("ternary_add", lanes=1, weight="ternary", activation="int2")
    (refused,) = unit.refused_weights
    low = unit.beat_fields["activations"]
    bits = unit.weight.bits
    for code, outcome in ((refused, Outcome.PROVED), (refused ^ 1, Outcome.REFUTED)):
        wrong = f"i__valid & (i__payload[{low + bits - 1}:{low}] == {code})"
        fault = Around("", {"beat": f"i__payload ^ ({wrong})"})
        texts = (around_unit(Around("", {}), unit), around_unit(fault, unit))
        assert equivalent(unit, texts, unit.name).outcome is outcome


def test_somebodys_verilog_is_proved_too(tmp_path):
    path = tmp_path / "mine.v"
    path.write_text(emit.verilog(UNIT))
    own = verilog.with_verilog(UNIT, [path])
    assert all(one.outcome is Outcome.PROVED for one in prove(own))


#: What no invariant was found for: several results are under way in these units.
OPEN = {("bitmod", Property.RESET), ("bitmod_tile", Property.RESET)}


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_keeps_the_protocol(family):
    found = prove(small(family))
    assert [str(one) for one in found if one.outcome is Outcome.REFUTED] == []
    assert {(family, one.property) for one in found if one.outcome is Outcome.OPEN} <= OPEN
