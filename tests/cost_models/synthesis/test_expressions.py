import itertools

import numpy as np
import pytest

from cost_models.synthesis.expressions import ExpressionError, parse

EXPRESSIONS = [
    # Liberty, Python.
    ("A", "a"),
    ("!A", "not a"),
    ("A'", "not a"),
    ("(A B)'", "not (a and b)"),
    ("A''", "a"),
    ("!(A*B)", "not (a and b)"),
    ("A&B|C", "(a and b) or c"),
    ("A+B C", "a or (b and c)"),
    ("A ^ B & C", "(a != b) and c"),
    ("!A ^ B", "(not a) != b"),
    ("(((A B)+(B C))+(C A))", "a + b + c >= 2"),
    ("(A^B)^C", "(a + b + c) % 2 == 1"),
    ("(!A) | (!B)", "not (a and b)"),
    ("A&1", "a"),
    ("A + 0", "a"),
]


@pytest.mark.parametrize(("liberty", "python"), EXPRESSIONS)
def test_values_are_those_of_python(liberty, python):
    expression = parse(liberty)
    for values in itertools.product([False, True], repeat=3):
        expected = eval(python, dict(zip("abc", values, strict=True)))
        arrays = {name: np.array([value]) for name, value in zip("ABC", values, strict=True)}
        np.testing.assert_array_equal(expression.evaluate(arrays), expected)


def test_names():
    expression = parse("!(A1*A2+B[0])' ^ RESET_B")
    assert expression.names == {"A1", "A2", "B[0]", "RESET_B"}


@pytest.mark.parametrize("text", ["", "A +", "(A", "A)", "A # B", "* A", "A ! "])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ExpressionError, match="no Boolean expression"):
        parse(text)
