"""Conditions between the axes of an entry, which leave combinations out.

::

    - {unit: integer, weight: [int4, int8], activation: [int4, int8], lanes: [4, 16],
       where: [weight.bits <= activation.bits, "lanes * weight.bits <= 64 or weight == 'int4'"]}

A condition compares axes by their names, numbers and texts in quotes: ``==``, ``!=``, ``<``,
``<=``, ``>``, ``>=``, ``in [...]``, ``not in [...]``, joined by ``and``, ``or``, ``not``; numbers
with ``+``, ``-``, ``*``, ``//``, ``%``. ``.bits`` of an axis of formats is the width of its
codes, of a block's elements. A text that an axis is compared with has to be one of its values: all
else is a slip. The syntax is Python's and nothing of it is executed: the expression
is parsed, and what is not in this list is refused before the first point is made.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from hwsim.decode import Value
from hwsim.errors import InputError, suggestion

_COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda item, items: _is_in(item, items),
    ast.NotIn: lambda item, items: not _is_in(item, items),
}  # fmt: skip
_OPERATIONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_SIGNS: Mapping[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
#: Most characters of an expression in a message.
LONGEST = 100
#: The attribute of an axis.
_BITS = "bits"

#: Values of the axes by name: numbers, and texts such as names of formats.
Choice = Mapping[str, int | float | str]


@dataclass(frozen=True)
class Condition:
    """A condition that was read; :func:`read` makes it.

    Attributes
    ----------
    place
        Where it stands.
    body
        What it says.
    axes
        The axes it may speak of, with their values.
    """

    place: Value
    body: ast.expr
    axes: Mapping[str, Sequence[int | float | str]]

    def holds(self, choice: Choice) -> bool:
        """Return whether a combination keeps it.

        Raises
        ------
        InputError
            With file, line and key, if it compares a text with a number, or is no yes or no.
        """
        found = self.place.refine(lambda: self._value(self.body, choice))
        if not isinstance(found, bool):
            self.place.fail(f"gives {found!r}; a condition compares, such as lanes <= 16")
        return found

    def check(self) -> None:
        """Raise InputError for what this module does not list, and unknown axes or texts."""
        for node in ast.walk(self.body):
            if isinstance(node, ast.BinOp):
                _check_operator(node.op, _OPERATIONS)
            if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
                _check_operator(node.op, _SIGNS)
            for comparison in node.ops if isinstance(node, ast.Compare) else ():
                _check_operator(comparison, _COMPARISONS)
        self._check(self.body)
        for node in ast.walk(self.body):
            if isinstance(node, ast.Compare):
                for pair in pairwise((node.left, *node.comparators)):
                    self._check_texts(*pair)
                    self._check_texts(*reversed(pair))

    def _check_texts(self, axis: ast.expr, other: ast.expr) -> None:
        if not isinstance(axis, ast.Name | ast.Attribute) or _dotted(axis) not in self.axes:
            return
        name, values = _dotted(axis), self.axes[_dotted(axis)]
        for node in other.elts if isinstance(other, ast.List | ast.Tuple) else (other,):
            match node:
                case ast.Constant(value=str(text)) if text not in values:
                    texts = [str(value) for value in values]
                    hint = suggestion(text, texts) or f"; it has {', '.join(texts)}"
                    raise InputError(f"the axis {name} has no value {_short(text)!r}{hint}")

    def _check(self, node: ast.expr) -> None:
        if isinstance(node, ast.Name | ast.Attribute):
            name = _dotted(node)
            axis = name.removesuffix(f".{_BITS}")
            if axis not in self.axes and name not in self.axes:
                known = sorted(self.axes)
                hint = suggestion(axis, known) or f"; it has {', '.join(known)}"
                raise InputError(f"{axis!r} is no axis of this entry{hint}")
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, int | float | str):
                raise InputError(
                    f"{_short(ast.unparse(node))}: allowed: numbers, and texts in quotes"
                )
        elif isinstance(
            node,
            ast.Compare | ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.List | ast.Tuple,
        ):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._check(child)
        else:
            raise InputError(
                f"{_short(ast.unparse(node))}: allowed: axes, numbers, texts in quotes, "
                "comparisons, and, or, not, + - * // %"
            )

    def _value(self, node: ast.expr, choice: Choice) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name() | ast.Attribute():
                return self._of_axis(_dotted(node), choice)
            case ast.List() | ast.Tuple():
                return [self._value(item, choice) for item in node.elts]
            case ast.BoolOp():
                wanted = isinstance(node.op, ast.Or)
                return any(self._truth(one, choice) is wanted for one in node.values) is wanted
            case ast.UnaryOp(op=ast.Not()):
                return not self._truth(node.operand, choice)
            case ast.UnaryOp():
                return _SIGNS[type(node.op)](self._number(node.operand, choice))
            case ast.BinOp():
                sides = [self._number(side, choice) for side in (node.left, node.right)]
                return _applied(node, _OPERATIONS[type(node.op)], *sides)
            case ast.Compare():
                values = [self._value(one, choice) for one in (node.left, *node.comparators)]
                return all(
                    _applied(node, _COMPARISONS[type(kind)], *pair)
                    for kind, pair in zip(node.ops, pairwise(values), strict=True)
                )
        raise InputError(f"{_short(ast.unparse(node))}: cannot be compared")

    def _truth(self, node: ast.expr, choice: Choice) -> bool:
        found = self._value(node, choice)
        if not isinstance(found, bool):
            raise InputError(f"{_short(ast.unparse(node))}: is no comparison, but {found!r}")
        return found

    def _number(self, node: ast.expr, choice: Choice) -> Any:
        found = self._value(node, choice)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise InputError(f"{_short(ast.unparse(node))}: is no number, but {found!r}")
        return found

    @staticmethod
    def _of_axis(name: str, choice: Choice) -> Any:
        if name in choice:
            return choice[name]
        found = choice[name.removesuffix(f".{_BITS}")]
        if not isinstance(found, str):
            raise InputError(f"{name}: {found!r} is no format, which alone has {_BITS}")
        return _bits(found)


def read(
    value: Value, axes: Mapping[str, Sequence[Any]], plain: Callable[[Any], int | float | str]
) -> tuple[Condition, ...]:
    """Return the conditions of an entry that has these axes; InputError with file, line and key.

    ``plain`` returns a value of an axis as a number or text.
    """
    values = {name: [*map(plain, options)] for name, options in axes.items()}
    conditions = []
    for item in value.scalars():
        text = item.text()
        try:
            body = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            item.fail(f"{_short(text)!r} is no condition: {reason}")
        condition = Condition(item, body, values)
        item.refine(condition.check)
        conditions.append(condition)
    return tuple(conditions)


def _check_operator(found: ast.AST, known: Mapping[type, Any]) -> None:
    if type(found) not in known:
        raise InputError(f"the operator {type(found).__name__} is not allowed")


def _is_in(item: Any, items: Any) -> bool:
    """Return whether a list has an item; a text has no parts that are looked for."""
    if not isinstance(items, list):
        raise TypeError(f"{items!r} is no list; allowed: in [...]")
    return item in items


def _short(text: str) -> str:
    """Return an expression as messages have it."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` of names and their attributes."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if not isinstance(node, ast.Name):
        raise InputError(f"{_short(ast.unparse(node))}: allowed: names of axes")
    return node.id


def _applied(node: ast.expr, function: Callable[..., Any], *values: Any) -> Any:
    try:
        return function(*values)
    except (TypeError, ArithmeticError) as error:
        raise InputError(f"{_short(ast.unparse(node))}: {error}") from None


@lru_cache(maxsize=4096)
def _bits(name: str) -> int:
    """Return the width of a format's codes, of a block's elements."""
    from hwsim.formats import parse

    found: Any = parse(name)
    return int(getattr(found, "element", found).bits)
