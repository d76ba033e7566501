"""Whole products through the emitted array: results of the product, cycles of the closed form."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import C, Module, Value

import rtl.array
from hwsim.accelerator.array_cycles import array_cycles
from hwsim.errors import ToolError
from hwsim.units import make
from hwsim.units.array import ArrayUnit
from rtl.verification import verify
from rtl.verification.play import Played, play

#: Rows, columns, links.
ARRAYS = (
    (1, 1, "systolic"), (2, 3, "systolic"), (3, 2, "broadcast"), (1, 4, "systolic"),
    (4, 1, "systolic"), (3, 3, "systolic"), (2, 2, "broadcast"), (4, 3, "systolic"),
)  # fmt: skip
#: Parameters of elements, and cycles of a beat of layers if these are fewer than the slowest.
ELEMENTS: dict[str, tuple[dict[str, Any], int | None]] = {
    "integer": ({"lanes": 2, "weight": "int4", "activation": "int8"}, None),
    "float": ({"lanes": 2, "weight": "e2m1", "activation": "e4m3"}, None),
    "bit_serial": ({"lanes": 3, "weight": "int3", "activation": "int5"}, None),
    "mx_dot": ({"lanes": 8, "weight": "mxfp4", "activation": "mxfp4"}, None),
    "tmac": ({"lanes": 4, "weight": "int2", "activation": "int8"}, None),
    "bitmod": ({"lanes": 2, "weight": "bitmod4_g16", "activation": "e4m3"}, 2),
}  # fmt: skip
#: M, N, K: single outputs, tails of every side, less than a beat, short and long dot products.
PRODUCTS = ((1, 1, 1), (1, 9, 40), (5, 7, 23), (8, 6, 2), (4, 4, 64))


@dataclass
class Layer:
    """A product, its beats, and what must come of it."""

    unit: ArrayUnit
    size: tuple[int, int, int]
    words: list[int] = field(init=False)

    def __post_init__(self) -> None:
        m, n, k = self.size
        rng = np.random.default_rng([*self.size])
        self.weights, self.activations = rng.integers(-3, 4, (n, k)), rng.integers(-9, 10, (m, k))
        self.operands = self.unit.operands(
            self.weights.astype(float), self.activations.astype(float), group=max(k, 1)
        )
        self.words = [word for words in self.unit.words(self.operands) for word in words]

    def check_results(self, played: Played) -> None:
        """Compare with the golden model, and with the product as a single unit computes it."""
        m, n, _ = self.size
        unit, operands = self.unit, self.operands
        assert operands.scales is not None
        expected = unit.dot(operands.activations, operands.weights, **operands.metadata)
        assert played.results == [int(code) for code in expected]
        values = unit._result_values(np.array(played.results, object))
        parts = values.reshape(operands.scales.shape) * operands.scales
        tiles = parts.reshape(-1, operands.parts, *unit.tile_shape).sum(axis=1)
        rows, columns = unit.tile_shape
        grid = tiles.reshape(-(-m // rows), -(-n // columns), rows, columns)
        product = grid.transpose(0, 2, 1, 3).reshape(-1, grid.shape[1] * columns)[:m, :n]
        single = unit.processing_element.matmul(self.weights, self.activations, group=self.size[2])
        np.testing.assert_array_equal(product, single)

    def closed_form(self, interval: int) -> int:
        unit, (m, n, _) = self.unit, self.size
        length = self.operands.activations.shape[1] // unit.rows
        sizes = (np.int64(size) for size in (m, n, length))
        return int(
            array_cycles(
                np.int64(unit.rows), np.int64(unit.columns), "output_stationary", *sizes,
                np.int64(unit.lanes), np.int64(interval), unit.links, True,
                drain=unit.processing_element.timing().drain, parts=self.operands.parts,
            )
        )  # fmt: skip


def check(element: str, array: tuple[int, int, str], products: tuple[Any, ...]) -> None:
    """Run products through one array."""
    parameters, cycles = ELEMENTS[element]
    rows, columns, links = array
    unit = make("array", element=element, rows=rows, columns=columns, links=links, **parameters)
    assert isinstance(unit, ArrayUnit)
    layers = [Layer(unit, size) for size in products]
    for layer, played in zip(layers, play(unit, [one.words for one in layers]), strict=True):
        layer.check_results(played)
        interval = cycles or unit.processing_element.timing().interval
        assert played.cycles == layer.closed_form(interval), (unit.name, layer.size)


@pytest.mark.parametrize(
    ("element", "array", "products"),
    [
        ("integer", (2, 3, "systolic"), PRODUCTS),
        ("bit_serial", (3, 2, "broadcast"), PRODUCTS[1:4]),
        ("bitmod", (2, 2, "systolic"), ((1, 1, 16), (3, 5, 64), (2, 4, 48), (1, 3, 160))),
    ],
)
def test_a_product_takes_the_cycles_of_the_closed_form(element, array, products):
    check(element, array, products)


@pytest.mark.exhaustive
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: "x".join(map(str, array)))
@pytest.mark.parametrize("element", ELEMENTS)
def test_every_array_takes_the_cycles_of_the_closed_form(element, array):
    products = PRODUCTS
    if element == "bitmod":
        # Groups that are cut short wait for those before.
        products = tuple((m, n, max(16, k // 16 * 16)) for m, n, k in PRODUCTS)
    check(element, array, products)


def test_two_hundred_products_run():
    assert len(ARRAYS) * len(ELEMENTS) * len(PRODUCTS) >= 200


#: Elements whose cycles depend on operands, and a product.
VARIABLE = (
    ("bit_serial", {"lanes": 1, "weight": "int6", "activation": "int4", "digits": "essential"}),
    ("codebook", {"lanes": 2, "weight": "uint2", "activation": "int4", "table": "loaded"}),
)  # fmt: skip


@pytest.mark.parametrize("links", ["systolic", "broadcast"])
@pytest.mark.parametrize(("element", "parameters"), VARIABLE[:1])
def test_cycles_that_depend_on_operands_are_predicted(element, parameters, links):
    unit = make("array", element=element, rows=2, columns=3, links=links, **parameters)
    layer = Layer(unit, (5, 7, 24))
    (played,) = play(unit, [layer.words])
    layer.check_results(played)
    operands = layer.operands
    cycles = unit.cycles(operands.activations, operands.weights, **operands.metadata)
    drains = unit.drains(operands.activations, operands.weights, **operands.metadata)
    assert played.cycles == cycles.sum() + drains[-1] + 1
    assert cycles.min() < cycles.max()


@pytest.mark.exhaustive
@pytest.mark.parametrize("links", ["systolic", "broadcast"])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("size", [(1, 3, 16), (5, 7, 24), (4, 9, 41)])
@pytest.mark.parametrize(("element", "parameters"), VARIABLE)
def test_all_cycles_that_depend_on_operands(element, parameters, size, rows, links):
    unit = make("array", element=element, rows=rows, columns=3, links=links, **parameters)
    layer = Layer(unit, size)
    (played,) = play(unit, [layer.words])
    layer.check_results(played)
    operands = layer.operands
    cycles = unit.cycles(operands.activations, operands.weights, **operands.metadata)
    drains = unit.drains(operands.activations, operands.weights, **operands.metadata)
    assert played.cycles == cycles.sum() + drains[-1] + 1


@pytest.mark.parametrize("pauses", [(0, 6), (4, 4)])
def test_nothing_is_lost_when_either_side_pauses(pauses):
    unit = make(
        "array", element="integer", rows=3, columns=2, lanes=1, weight="int4", activation="int4"
    )
    # Dot products shorter than the skew, and longer ones.
    layers = [Layer(unit, size) for size in ((7, 5, 1), (7, 5, 2), (7, 5, 9))]
    for layer, played in zip(
        layers, play(unit, [one.words for one in layers], pauses=pauses), strict=True
    ):
        layer.check_results(played)
        assert played.cycles > layer.closed_form(1)


def check_folds(element, flow, array, buffering, products=PRODUCTS):
    """Run products fold by fold through one array; compare with NumPy's of the operands' values."""
    parameters = {
        "integer": {"lanes": 2, "weight": "int4", "activation": "int8"},
        "float": {"lanes": 2, "weight": "e2m1", "activation": "e4m3"},
    }[element]
    rows, columns, links = array
    unit = make(
        "array", element=element, rows=rows, columns=columns, links=links, dataflow=flow,
        buffering=buffering, **parameters,
    )  # fmt: skip
    by_weights = flow == "weight_stationary"
    formats = (unit.weight, unit.activation)[:: 1 if by_weights else -1]
    rng = np.random.default_rng(rows)
    streams, expected = [], []
    for m, n, k in products:
        sides = (n, m) if by_weights else (m, n)
        kept, streamed = (rng.integers(-4, 5, (side, k)) for side in sides)
        expected.append(streamed @ kept.T)
        # Tiles that are not full hold zeros.
        deep, wide = -(-k // (2 * rows)), -(-len(kept) // columns)
        kept = np.pad(kept, ((0, wide * columns - len(kept)), (0, deep * 2 * rows - k)))
        streamed = np.pad(streamed, ((0, 0), (0, deep * 2 * rows - k)))
        codes = [
            fmt.encode(matrix.astype(float))
            for fmt, matrix in zip(formats, (kept, streamed), strict=True)
        ]
        tiles = codes[0].reshape(wide, columns, deep, -1).transpose(0, 2, 1, 3)
        slices = codes[1].reshape(len(streamed), deep, -1).transpose(1, 0, 2)
        streams.append(
            unit.fold_words(tiles.reshape(wide * deep, columns, -1), np.tile(slices, (wide, 1, 1)))
        )
    for size, want, played in zip(products, expected, play(unit, streams), strict=True):
        values = unit.result.decode(np.array(played.results, object))
        deep = -(-size[2] // (2 * rows))
        parts = values.reshape(-1, deep, len(want), columns).sum(axis=1)
        got = parts.transpose(1, 0, 2).reshape(len(want), -1)[:, : want.shape[1]]
        np.testing.assert_array_equal(got, want)
        cycles = array_cycles(
            np.int64(rows), np.int64(columns), flow, *map(np.int64, size), np.int64(2),
            np.int64(1), links, buffering == "double",
        )  # fmt: skip
        assert played.cycles == int(cycles), (unit.name, size)


@pytest.mark.parametrize(
    ("flow", "array", "buffering"),
    [
        ("weight_stationary", (2, 3, "systolic"), "double"),
        ("input_stationary", (3, 2, "broadcast"), "single"),
    ],
)
def test_folds_take_the_cycles_of_the_closed_form(flow, array, buffering):
    check_folds("integer", flow, array, buffering, PRODUCTS[:4])


@pytest.mark.exhaustive
@pytest.mark.parametrize("buffering", ["single", "double"])
@pytest.mark.parametrize("flow", ["weight_stationary", "input_stationary"])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: "x".join(map(str, array)))
@pytest.mark.parametrize("element", ["integer", "float"])
def test_all_folds_take_the_cycles_of_the_closed_form(element, array, flow, buffering):
    check_folds(element, flow, array, buffering)


@pytest.mark.exhaustive
@pytest.mark.parametrize("flow", ["weight_stationary", "input_stationary"])
@pytest.mark.parametrize("links", ["systolic", "broadcast"])
def test_a_stationary_array_equals_its_golden_model(flow, links):
    unit = make(
        "array", element="integer", rows=2, columns=3, lanes=2, weight="int4", activation="int4",
        dataflow=flow, links=links,
    )  # fmt: skip
    verdict = verify(unit, random_dots=512)
    assert verdict.passed, str(verdict)
    assert (verdict.latency, verdict.interval) == (unit.timing().latency, unit.timing().interval)


@pytest.mark.exhaustive
@pytest.mark.parametrize("links", ["systolic", "broadcast"])
def test_an_array_with_metadata_equals_its_golden_model(links):
    unit = make(
        "array", element="bitmod", rows=2, columns=2, lanes=2, activation="e4m3", group_size=16,
        links=links,
    )  # fmt: skip
    verdict = verify(unit, random_dots=512)
    assert verdict.passed, str(verdict)


class NoDistance(rtl.array.Array):
    """Dot products shorter than the skew follow each other at once."""

    def distance(self, m: Module, step: Value) -> Value:
        return C(0, 1)


class EarlyStep(rtl.array.Array):
    """Bubbles are not handed on: operands move with beats only."""

    def handed_on(self, m: Module, load: Value, value: Value, name: str) -> Value:
        return super().handed_on(m, load & self.i.valid, value, name)


UNIT = make("array", element="integer", rows=2, columns=3, lanes=2, weight="int4",
            activation="int8")  # fmt: skip


@pytest.mark.parametrize("mutant", [NoDistance, EarlyStep])
def test_a_mistake_between_elements_is_found(mutant):
    layer = Layer(UNIT, (5, 7, 4))
    try:
        (played,) = play(UNIT, [layer.words], component=mutant(UNIT), pauses=(3, 3))
    except ToolError:
        return  # Stuck.
    with pytest.raises(AssertionError):
        layer.check_results(played)
