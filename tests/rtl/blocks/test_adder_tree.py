import pytest
from amaranth.hdl import Shape, Signal, signed, unsigned

from rtl.blocks.adder_tree import tree_sum


@pytest.mark.parametrize(
    ("count", "shape", "total"),
    [(1, signed(8), signed(8)), (4, signed(8), signed(10)), (5, unsigned(3), unsigned(6))],
)
def test_width_grows_with_the_logarithm(count: int, shape: Shape, total: Shape) -> None:
    assert tree_sum([Signal(shape) for _ in range(count)]).shape() == total
