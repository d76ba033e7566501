"""Sums of many terms."""

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Value


def tree_sum(terms: Sequence[Value]) -> Value:
    """Return the exact sum of ``terms`` as a balanced tree.

    The result is ``ceil(log2(len(terms)))`` bits wider than the widest term, where a chain of
    additions would be ``len(terms) - 1`` bits wider.
    """
    level = list(terms)
    while len(level) > 1:
        pairs = [a + b for a, b in zip(level[0::2], level[1::2], strict=False)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]


def signed_sum(products: Sequence[tuple[Value, Value]]) -> Value:
    """Return the sum of the products, each negated if the flag beside it is set.

    Negation is inversion plus one, and the ones of all lanes are added up first, so that no lane
    has a carry chain of its own.
    """
    inverted = []
    for product, negative in products:
        wide = Cat(product, product[-1] if product.shape().signed else C(0, 1))
        inverted.append((wide ^ negative.replicate(len(wide))).as_signed())
    return tree_sum(inverted) + tree_sum([negative for _, negative in products])
