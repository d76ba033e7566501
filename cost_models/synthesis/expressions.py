"""Boolean expressions of Liberty files: outputs, next states, and conditions (``when``).

Operators, the tightest first: ``!`` before or ``'`` behind an operand, ``^``, ``*`` or ``&`` or
nothing between two operands, ``+`` or ``|`` (Liberty User Guide, "function attribute").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import HwsimError

Bits = NDArray[np.bool_]

#: Parentheses in each other.
_DEEPEST = 50

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\]]*|[01]|[!'^*&+|()])")


class ExpressionError(HwsimError, ValueError):
    """A text is no Boolean expression."""


@dataclass(frozen=True)
class Expression:
    """A Boolean expression as a tree.

    Attributes
    ----------
    operator
        ``name``, ``constant``, ``not``, ``and``, ``or`` or ``xor``.
    operands
        Expressions, of ``name`` and ``constant`` the text alone.
    """

    operator: str
    operands: tuple["Expression", ...] = ()
    text: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The variables in it."""
        if self.operator == "name":
            return frozenset([self.text])
        return frozenset().union(*(operand.names for operand in self.operands))

    def evaluate(self, values: Mapping[str, Bits]) -> Bits:
        """Return its value for arrays of values of its variables."""
        match self.operator:
            case "name":
                return values[self.text]
            case "constant":
                return np.array(self.text == "1")
            case "not":
                return ~self.operands[0].evaluate(values)
        operation = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}
        return reduce(
            operation[self.operator], (operand.evaluate(values) for operand in self.operands)
        )


def parse(text: str) -> Expression:
    """Return the expression that ``text`` writes.

    Raises
    ------
    ExpressionError
        If it is none.
    """
    tokens, end = [], 0
    while match := _TOKEN.match(text, end):
        tokens.append(match[1])
        end = match.end()
    if text[end:].strip():
        raise ExpressionError(f"{text!r} is no Boolean expression")
    parser = _Parser(tokens)
    try:
        tree = parser.alternatives()
    except IndexError:
        raise ExpressionError(f"{text!r} is no Boolean expression") from None
    if parser.tokens:
        raise ExpressionError(f"{text!r} is no Boolean expression")
    return tree


class _Parser:
    """Recursive descent, one method a level of precedence."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.depth = 0

    def alternatives(self) -> Expression:
        terms = [self.conjunction()]
        while self.tokens and self.tokens[0] in "+|":
            self.tokens.pop(0)
            terms.append(self.conjunction())
        return _joined("or", terms)

    def conjunction(self) -> Expression:
        factors = [self.difference()]
        while self.tokens and self.tokens[0] not in ("+", "|", ")"):
            if self.tokens[0] in "*&":
                self.tokens.pop(0)
            factors.append(self.difference())
        return _joined("and", factors)

    def difference(self) -> Expression:
        operands = [self.operand()]
        while self.tokens and self.tokens[0] == "^":
            self.tokens.pop(0)
            operands.append(self.operand())
        return _joined("xor", operands)

    def operand(self) -> Expression:
        inverted = False
        while (token := self.tokens.pop(0)) == "!":
            inverted = not inverted
        if token == "(":
            self.depth += 1
            if self.depth > _DEEPEST:
                raise IndexError
            result = self.alternatives()
            self.depth -= 1
            if self.tokens.pop(0) != ")":
                raise IndexError
        elif token in ("0", "1"):
            result = Expression("constant", text=token)
        elif token[0].isalpha() or token[0] == "_":
            result = Expression("name", text=token)
        else:
            raise IndexError
        while self.tokens and self.tokens[0] == "'":
            self.tokens.pop(0)
            inverted = not inverted
        return Expression("not", (result,)) if inverted else result


def _joined(operator: str, operands: list[Expression]) -> Expression:
    return operands[0] if len(operands) == 1 else Expression(operator, tuple(operands))
