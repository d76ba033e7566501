"""What the study of hazards makes of energies."""

import pytest

from cost_models.synthesis.liberty import OSU018, opened
from sweeps.studies import hazards
from sweeps.studies.hazards import (
    FORMER,
    PAIRS,
    REAL_DELAYS,
    SETTLED,
    SYNTHESISED,
    UNIT_DELAYS,
    UNITS,
    WIRES,
    less,
    remaining,
)

INT8, E4M3 = PAIRS[0].first, PAIRS[0].second


@pytest.fixture
def turning(monkeypatch):
    """The page of a technology in which one pair turns with real delays, and another with wires."""
    costs = {name: dict(zip(SYNTHESISED, (1.0, 5.0, 2.0, 3.0), strict=True)) for name in UNITS}
    costs[E4M3] |= {SETTLED: 1.5, UNIT_DELAYS: 6.0, REAL_DELAYS: 1.75, WIRES: 2.5}
    costs["E2M1 x 4"] |= {WIRES: 2.0}
    monkeypatch.setattr(hazards, "synthesise", lambda technology, library, name: costs[name])
    return hazards.page({"sky130": None})


def test_names_are_those_of_units():
    assert {name for pair in PAIRS for name in (pair.first, pair.second)} == set(UNITS)
    assert set(FORMER) == set(UNITS)
    assert len({unit.name for unit in UNITS.values()}) == len(UNITS)


def test_less_says_which_and_by_how_much():
    costs = {INT8: {SETTLED: 3.0}, E4M3: {SETTLED: 4.5}}
    assert less(PAIRS[0], costs, SETTLED) == (INT8, 1.5)
    costs[INT8] = {SETTLED: 9.0}
    assert less(PAIRS[0], costs, SETTLED) == (E4M3, 2.0)


def test_what_remains_is_a_share_of_the_hazards_alone():
    assert remaining({SETTLED: 1.0, UNIT_DELAYS: 5.0, REAL_DELAYS: 2.0}) == 0.25


@pytest.mark.skipif(not OSU018.exists(), reason="needs qflow-tech-osu018")
def test_each_measure_counts_more_than_the_one_before():
    with opened("osu018", None) as library:
        energies = hazards.synthesise("osu018", library, "E2M1 x 4")
    assert list(energies) == list(SYNTHESISED)
    assert energies[SETTLED] < energies[REAL_DELAYS] < energies[WIRES]
    assert energies[REAL_DELAYS] < energies[UNIT_DELAYS]


def test_the_page_says_where_the_order_turns(turning):
    text = "\n".join(
        piece() for piece in turning.pieces if callable(piece) and "turns" in piece.func.__name__
    )
    first, second, third = text.split("\n- ")
    assert first == f"- *settled* and *real delays* differ in 1 of {len(PAIRS)} pairs: {PAIRS[0]}."
    assert (
        second == f"*unit delays* and *real delays* differ in 1 of {len(PAIRS)} pairs: {PAIRS[0]}."
    )
    assert "INT4 x 4 or E2M1 x 4" in third
    order = turning.tables()[2]
    row = next(row for row in order.rows if row[0] == str(PAIRS[0]))
    cells = [cell if isinstance(cell, str) else cell() for cell in row[1:]]
    assert cells[:4] == [f"{INT8} (1.50)", f"{INT8} (1.20)", f"{E4M3} (1.14)", f"{E4M3} (1.20)"]
    assert cells[4] == "real delays, with wires"


def test_what_was_not_said_before_is_a_dash(turning):
    table = turning.tables()[-1]
    by_pair = {row[0]: row[1:3] for row in table.rows}
    assert by_pair[f"{INT8} or {E4M3}"] == ["INT8 x 4 (1.51)", "-"]
    assert by_pair["INT4 x 4 or E2M1 x 4"] == ["E2M1 x 4 (1.16)", "E2M1 x 4 (1.70)"]
