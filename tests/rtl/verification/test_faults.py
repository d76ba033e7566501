"""Faults of kinds that hardware has do not pass, each in the units that it applies to."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import rtl
from hwsim.units import FAMILIES, UnitSpec, make
from rtl import emit
from rtl.formal import small
from rtl.verification.run import first_failure, uninitialised
from tests.rtl import faults
from tests.rtl.mutants import with_accumulator

UNITS = {
    "integer": make("integer", lanes=4, weight="int4", activation="int8"),
    "float": make("float", lanes=4, weight="e2m1", activation="e4m3"),
    "fma": make("fma", lanes=1, weight="e2m1", activation="e4m3", accumulator="fp16"),
    "bit_serial": make("bit_serial", lanes=4, weight="int4", activation="int8"),
    "mx_dot": make("mx_dot", lanes=4, weight="e2m1", activation="e2m1", block_size=8,
                   accumulator="fp16"),
    "bitmod": make("bitmod", lanes=2, activation="e2m1", group_size=12),
    "codebook": make("codebook", lanes=2, weight="uint2", activation="int4", table="loaded"),
    "posit": make("posit", lanes=2, weight="posit6_1", activation="posit6_1"),
}  # fmt: skip
FAULTS: dict[str, tuple[str, Callable[[UnitSpec], rtl.Unit]]] = {
    "valid_waits": ("integer", faults.ValidWaitsForReady),
    "takes_while_reset": ("bit_serial", faults.TakesWhileReset),
    "drops_after_stalls": ("float", faults.DropsAfterStalls),
    "second_result": ("codebook", faults.SecondResult),
    "bent_after_16": ("fma", faults.BentAfter16),
    "bent_after_long": ("posit", faults.BentAfterLong),
    "acts_on_idle_bus": ("integer", faults.ActsOnIdleBus),
    "acts_on_ignored_scales": ("mx_dot", faults.ActsOnIgnored),
    "acts_on_ignored_tables": ("codebook", faults.ReloadedTable),
    "wrong_pair": ("integer", faults.WrongPair),
    "kept_flag": ("float", faults.KeptFlag),
    "narrow_accumulator": ("integer", lambda u: with_accumulator(u, faults.NarrowAccumulator)),
    "narrow_quire": ("posit", lambda u: with_accumulator(u, faults.Narrow28)),
    "narrow_tree": ("integer", lambda u: with_accumulator(u, faults.NarrowTerm)),
    "narrow_block_sum": ("mx_dot", faults.NarrowBlockSum),
    "unprogrammed_value": ("bitmod", faults.UnprogrammedValue),
    "kept_values": ("bitmod", faults.KeptValues),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_fails(name: str) -> None:
    family, fault = FAULTS[name]
    unit = UNITS[family]
    assert first_failure(unit, emit.verilog(unit, fault(unit)))


def without_resets(text: str) -> list[str]:
    """Return the Verilog with the reset of one register left out, for every register."""
    found = re.finditer(r"    if \(rst\) begin\n.*?\n    end\n", text, re.DOTALL)
    return [text[: one.start()] + text[one.end() :] for one in found]


def survivors(unit: UnitSpec) -> int:
    """Return how many registers could do without a reset as far as verification sees."""
    return sum(not first_failure(unit, text) for text in without_resets(emit.verilog(unit)))


def test_a_register_that_is_never_reset_is_undefined() -> None:
    """Even one that keeps its initial value, as elements that are never NaN set no flag."""
    unit = small("mx_dot")
    found = [first_failure(unit, text) for text in without_resets(emit.verilog(unit))]
    assert len(found) == 5
    assert all(found)
    assert "timing: an undefined result" in found


def test_registers_lose_their_initial_values_and_memories_do_not() -> None:
    kept = "  reg [3:0] table [1:0];\n  initial begin\n    table[0] = 4'h3;\n  end\n"
    given = "  reg signed [10:0] \\fold.sum  = 11'h000;\n  reg o__valid = 1'h0;\n" + kept
    assert uninitialised(given) == "  reg signed [10:0] \\fold.sum ;\n  reg o__valid;\n" + kept
    for family in ("mx_dot", "fma", "tmac", "lut_table"):
        text = emit.verilog(small(family))
        assert re.search(r"\breg\b.*=", text)
        assert not re.search(r"\breg\b.*=", uninitialised(text))


def test_a_position_that_survives_a_reset_fails() -> None:
    unit = make("mx_dot", lanes=2, weight="e4m3", activation="e2m1", block_size=4)
    assert len(without_resets(emit.verilog(unit))) == 5
    # The block's sum and flags, its position, and the fold's two.
    assert survivors(unit) == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fault", faults.ANYWHERE)
def test_faults_at_the_ports_fail_in_all_families(family: str, fault: Any) -> None:
    # A component of Amaranth is in one stage.
    unit = replace(make(family, **FAMILIES[family].configurations[-1]), stages=1)
    assert first_failure(unit, emit.verilog(unit, fault(unit)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", [name for name in FAMILIES if name in UNITS])
def test_registers_that_survive_a_reset_fail(family: str) -> None:
    # Of 30: what a beat sets before it counts, and what clears itself while a reset lasts.
    allowed = {"bitmod": 19}
    assert survivors(UNITS[family]) <= allowed.get(family, 0)
