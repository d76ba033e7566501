"""Mutants: which there are, and what becomes of them."""

import json
from contextlib import suppress

import numpy as np
import pytest

from hwsim import cache
from hwsim.cli import main
from hwsim.errors import InputError, ToolError
from hwsim.files import temporary_folder
from hwsim.units import FAMILIES, make
from rtl import yosys
from rtl.formal import small
from rtl.mutation import Fate, Mutant, Mutants, around, draw, mutate, score, within

UNIT = make("integer", lanes=1, weight="int2", activation="int2", accumulator_bits=6)
WORDS = ["integer", "lanes=1", "weight=int2", "activation=int2", "accumulator_bits=6"]
#: Wrong from a number of beats on that no simulation reaches.
RARE = around.Around(
    "wrong after 2**40 beats",
    {"beat": "i__payload ^ beats[40]"},
    "reg [40:0] beats = 0;\n"
    "always @(posedge clk) beats <= rst ? 0 : beats + (i__valid & inner_ready);",
)
#: A register that nothing reads, and a condition that says the same.
IDLE = around.Around("nothing", {"beat_valid": "i__valid & (inner_ready | ~inner_ready)"})


def planted(fault: around.Around) -> Mutant:
    inner = draw(UNIT, 0, 1).original.replace(f"module {UNIT.name}(", f"module {around.INNER}(")
    return Mutant(UNIT, "planted", fault.change, "", around.text(UNIT, UNIT.name, fault) + inner)


#: Kinds of gates that sums of integers do without.
GATES = {"sticky_short", "comparison", "shift_short"}


@pytest.mark.parametrize(
    ("unit", "missing"),
    [
        (make("integer", lanes=2, weight="int3", activation="int3"),
         {"ignored_field", "sticky_flag", "lost_flag"} | GATES),
        (small("mx_dot"), {"sticky_flag", "lost_flag"}),
        (small("bitmod"), {"sticky_flag", "lost_flag"}),
        (make("codebook", lanes=2, weight="uint1", activation="int4", table="loaded"),
         {"sticky_flag", "lost_flag"} | GATES),
    ],
    ids=lambda value: getattr(value, "name", "missing"),
)  # fmt: skip
def test_kinds_apply_and_are_verilog(unit, missing):
    drawn = draw(unit, 8, 1)
    kinds = {mutant.kind for mutant in drawn.mutants}
    hand_made = {*around.KINDS, *within.KINDS}
    assert hand_made - kinds <= missing | {"one_pair", "all_extreme", "neighbour", "always_loaded"}
    assert sum(kind.startswith("yosys_") for kind in kinds) > 1
    assert len({mutant.text for mutant in drawn.mutants} - {drawn.original}) == len(drawn.mutants)
    with temporary_folder() as folder, yosys.session(folder) as session:
        for mutant in drawn.mutants:
            (folder / "mutant.v").write_text(mutant.text)
            session.run(
                ["design -reset", "read_verilog -sv mutant.v", f"hierarchy -check -top {unit.name}",
                 "proc", "check -assert"]
            )  # fmt: skip


def test_mutants_depend_on_the_seed_alone():
    first = draw(UNIT, 6, 1)
    assert draw(UNIT, 6, 1) == first
    other = {mutant.text for mutant in draw(UNIT, 6, 2).mutants}
    assert other != {mutant.text for mutant in first.mutants}


def test_mutants_say_what_is_wrong_and_where():
    (found,) = [one for one in draw(UNIT, 0, 1).mutants if one.kind == "never_cleared"]
    assert str(found).startswith("never_cleared: accumulator.fold.state is not cleared [line ")
    assert "assign state = first ? 6'h00 : o__payload;" in found.place


def test_a_survivor_is_left_and_an_equal_one_is_proved_so(monkeypatch, capsys):
    """And the score and the exit status follow; what is known is not tried again."""
    wrong = around.Around("wrong", {"result": "inner_result ^ 1"})
    mutants = tuple(map(planted, (RARE, IDLE, wrong)))
    monkeypatch.setattr(score, "draw", lambda *_: Mutants(draw(UNIT, 0, 1).original, mutants))
    monkeypatch.setattr(score, "PROOF_SECONDS", 15.0)
    found = mutate(UNIT, 0, workers=1)
    assert [trial.fate for trial in found.trials] == [Fate.LEFT, Fate.EQUIVALENT, Fate.KILLED]
    assert found.score == 0.5
    assert "not proved equivalent" in found.trials[0].said
    assert "proved equivalent by induction" in found.trials[1].said
    assert "expected" in found.trials[2].said
    monkeypatch.setattr(score, "verify", None)
    seen = []
    assert mutate(UNIT, 0, workers=1, watch=seen.append) == found
    assert seen == [*found.trials]
    assert main(["mutate", *WORDS]) == 1
    left, last = capsys.readouterr().out.splitlines()
    assert left.startswith("left: planted: wrong after 2**40 beats: passes")
    assert last == (f"{UNIT.name}: 3 mutants, 1 killed, 1 proved equivalent, 1 left; score 0.500")
    assert main(["mutate", *WORDS, "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert [one["fate"] for one in printed["mutants"]] == ["left", "equivalent", "killed"]


def test_a_unit_that_fails_by_itself_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setattr(score, "first_failure", lambda *_: "all wrong")
    with pytest.raises(ToolError, match="does not pass as it is: all wrong"):
        mutate(UNIT, 0, workers=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mutate", *WORDS, *WORDS], "mutate takes one unit; 2 are given"),
        (["mutate", *WORDS, "--mutants", "-1"], "--mutants='-1': allowed: whole numbers from 0"),
        (["mutate", "flaot"], "did you mean 'float'"),
        (["prove", "flaot"], "did you mean 'float'"),
    ],
)
def test_what_cannot_be_used_is_refused(words, message, capsys):
    with suppress(SystemExit):
        assert main(words) == 2
    assert message in capsys.readouterr().err


def test_what_is_no_unit_is_refused():
    with pytest.raises(InputError, match="unit="):
        mutate(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="mutants="):
        mutate(UNIT, -1)


def test_proofs_are_printed(capsys):
    assert main(["prove", *WORDS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "independent", "stable", "conserved", "reset", "reference",
    ]  # fmt: skip


#: Mutants that pass and were not proved equal. By hand they are: they change a group's sum before
#: it is first cleared, the exponent of a term that is 0, the numbers of a counter's states of which
#: all but 0 are alike there, or the cycle in which a correction is added.
OPEN = {
    "bitmod": ["element_0.added is reset wrongly", "generator_0.$15[6], A of"],
    "bitmod_tile": ["the difference element_0.$25"],
    "lut_tensor_core": ["an unnamed net, A of unit.v"],
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", FAMILIES)
def test_every_mutant_that_is_not_equivalent_is_killed(family):
    found = mutate(small(family), 24, 1, workers=1)
    assert len(found.trials) >= 40
    left = [trial.mutant.name for trial in found.of(Fate.LEFT)]
    assert [name for name in left if not any(one in name for one in OPEN.get(family, []))] == []


def test_a_sum_that_starts_again_is_a_fault_of_units_that_add_beats_up():
    rng = np.random.default_rng(1)
    assert around.KINDS["restart"](UNIT, rng) is not None
    table = make("lut_table", lanes=4, activation="int2")
    assert around.KINDS["restart"](table, rng) is None
