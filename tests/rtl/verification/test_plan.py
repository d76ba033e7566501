"""Tests are made of every unit, with as few random operands as are asked for."""

from typing import Any

import pytest

from hwsim.units import make
from rtl.verification.plan import plan

#: Units whose groups have more beats than the tests of a few random operands.
LONG_GROUPS: dict[str, dict[str, Any]] = {
    "bitmod": {"lanes": 1, "activation": "e2m1", "group_size": 600},
    "mx_dot": {"lanes": 1, "weight": "e2m1", "activation": "e2m1", "block_size": 300},
}


@pytest.mark.parametrize("family", LONG_GROUPS)
def test_groups_may_be_longer_than_what_is_drawn(family: str) -> None:
    made = plan(make(family, **LONG_GROUPS[family]), seed=1, random_dots=128)
    assert [test.wrong for test in made.tests if test.wrong] == []
    assert all(sum(test.counts) for test in made.tests if test.name != "programming")
