"""Proofs of equality take into account what a reset leaves, and nothing else."""

import pytest

from hwsim.units import make
from rtl import emit
from rtl.formal import plain_sum
from rtl.induction import equivalent
from rtl.reachability import Outcome

UNIT = make("integer", lanes=1, weight="int2", activation="int2", accumulator_bits=5)

#: A register without which the sum is 0.
EXTRA = """\
  reg extra;
  always @(posedge clk) {reset}extra <= {next};
  assign i__ready ="""


def versions(reset: str, following: str) -> list[str]:
    """Return a plain sum, and one with a register that the other has not."""
    plain = plain_sum(UNIT, emit.top_module(UNIT))
    extra = EXTRA.format(reset=reset, next=following)
    other = plain.replace("  assign i__ready =", extra).replace(
        "<= sum + ", "<= extra ? 0 : sum + "
    )
    assert other.count("extra") >= 4
    return [plain, other]


RESET = "if (rst) extra <= 0; else "


@pytest.mark.parametrize(
    ("reset", "following", "outcome"),
    [
        # No register of the other version equals it, so only that it starts with 0 helps.
        (RESET, "extra & i__valid", Outcome.PROVED),
        (RESET, "extra | (i__valid & &i__payload)", Outcome.REFUTED),
        ("", "extra & i__valid", Outcome.REFUTED),
        # Whatever it holds at first, it is 0 after the reset.
        ("", "extra & ~rst", Outcome.PROVED),
    ],
)
def test_what_a_reset_leaves_is_known(reset: str, following: str, outcome: Outcome) -> None:
    top = emit.top_module(UNIT)
    assert equivalent(UNIT, versions(reset, following), top, 60.0).outcome is outcome
