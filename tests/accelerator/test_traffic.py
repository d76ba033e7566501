"""What is moved: small cases by hand, and what holds of all."""

from dataclasses import replace

import numpy as np
import pytest

from hwsim.accelerator import traffic as module
from hwsim.accelerator.traffic import ModelError, Order, Product, Traffic, traffic
from hwsim.units.array import Dataflow

FLOWS = [*Dataflow]


def product(m, n, k, weight_bits=8.0, input_bits=8.0, parts=1, inputs=None) -> Product:
    def array(value, kind=np.int64):
        return np.array([value], kind)

    return Product(
        m=array(m), n=array(n), k=array(k),
        input_bits=array(input_bits, float), weight_bits=array(weight_bits, float),
        output_bits=array(8, float), inputs=array(m * k if inputs is None else inputs),
        weights=array(n * k), sum_bits=array(32), parts=array(parts),
    )  # fmt: skip


def moved(of, rows=4, cols=4, rooms=(1 << 20,) * 3, flow=Dataflow.OUTPUT_STATIONARY) -> Traffic:
    sizes = (np.array(rows), np.array(cols), np.array([2]))
    return traffic(of, *sizes, flow, *(np.array(room) for room in rooms))


def test_what_fits_is_moved_once():
    found = moved(product(16, 12, 10))
    assert (found.weights[0], found.inputs[0], found.outputs[0]) == (960, 1280, 1536)
    # Four folds of rows read all weights, three of columns all inputs.
    assert (found.weight_reads[0], found.input_reads[0]) == (4 * 960, 3 * 1280)
    assert found.weight_writes[0] == found.weights[0]
    assert found.output_reads[0] == found.output_writes[0] == 1536


def test_the_cheaper_operand_is_fetched_again():
    # Of 16 columns of weights 8 fit, of 32 rows of inputs 16: strips of 4.
    of = product(32, 16, 10)
    found = moved(of, rooms=(8 * 80 + 79, 16 * 80, 1 << 20))
    assert Order(int(found.order[0])) is Order.KEEP_INPUTS
    assert (found.weights[0], found.inputs[0]) == (2 * 16 * 80, 32 * 80)
    # With room for all weights but one, inputs pass by twice, and that is dearer still.
    found = moved(of, rooms=(15 * 80, 4 * 80, 1 << 20))
    assert Order(int(found.order[0])) is Order.KEEP_WEIGHTS
    assert (found.weights[0], found.inputs[0]) == (16 * 80, 2 * 32 * 80)


def test_what_has_no_room_is_streamed():
    found = moved(product(32, 16, 10), rooms=(3 * 80, 3 * 80, 1 << 20))
    assert Order(int(found.order[0])) is Order.STREAM
    assert (found.weights[0], found.inputs[0]) == (8 * 16 * 80, 4 * 32 * 80)
    assert (found.first_weights[0], found.first_inputs[0]) == (3 * 80, 3 * 80)


def test_stationary_operands_are_loaded_by_folds():
    # Sums of 8 rows have room; no strip of 4 columns of weights has, nor a row of inputs.
    sums = 8 * 4 * 32
    found = moved(product(32, 16, 10), rooms=(79, 79, sums), flow=Dataflow.WEIGHT_STATIONARY)
    assert Order(int(found.order[0])) is Order.STREAM
    assert (found.weights[0], found.inputs[0]) == (4 * 16 * 80, 4 * 32 * 80)
    # Two rows of inputs that stay have all weights pass by, fold by fold.
    of = product(6, 64, 10, input_bits=16.0)
    found = moved(of, rooms=(79, 2 * 160, sums), flow=Dataflow.WEIGHT_STATIONARY)
    assert Order(int(found.order[0])) is Order.KEEP_INPUTS
    assert (found.weights[0], found.inputs[0]) == (3 * 64 * 80, 6 * 160)
    found = moved(product(16, 32, 10), rooms=(79, 79, sums), flow=Dataflow.INPUT_STATIONARY)
    assert (found.weights[0], found.inputs[0]) == (4 * 32 * 80, 4 * 16 * 80)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_strip_that_just_does_not_fit_is_no_cliff(flow):
    """Inputs pass by once for every few columns, whether weights are kept or loaded again."""
    of = product(512, 4096, 14336)
    strip = 32 * 14336 * 8
    sums = 1 << 20
    less, more = (
        moved(of, 32, 32, rooms=(strip + room, 1 << 22, sums), flow=flow) for room in (-1, 0)
    )
    assert more.dram[0] <= less.dram[0] < 20 * more.dram[0]


def test_sums_of_stationary_arrays_come_back():
    of = product(16, 12, 20)  # 10 beats: 3 folds of 4 rows.
    found = moved(of, flow=Dataflow.WEIGHT_STATIONARY)
    assert found.output_writes[0] == found.output_reads[0] == 3 * 16 * 12 * 32
    assert found.weight_reads[0] == 12 * 20 * 8
    # With room for 5 rows of sums of 4 columns, weights are read four times.
    found = moved(of, rooms=(1 << 20, 1 << 20, 5 * 4 * 32), flow=Dataflow.WEIGHT_STATIONARY)
    assert found.weight_reads[0] == 4 * 12 * 20 * 8
    found = moved(of, flow=Dataflow.INPUT_STATIONARY)
    assert (found.input_reads[0], found.weight_reads[0]) == (16 * 20 * 8, 4 * 12 * 20 * 8)


def test_sums_of_parts_are_added_up_in_sram():
    assert moved(product(4, 4, 256, parts=2)).output_writes[0] == 2 * 16 * 32


def test_metadata_count_in_capacity_and_traffic():
    plain, blocks = product(32, 16, 32, weight_bits=4.0), product(32, 16, 32, weight_bits=4.25)
    room = (16 * 32 * 4, 4 * 256, 1 << 20)
    assert moved(plain, rooms=room).weights[0] == 16 * 32 * 4
    assert moved(blocks, rooms=room).weights[0] >= 16 * 32 * 4.25
    assert moved(blocks, rooms=room).inputs[0] > moved(plain, rooms=room).inputs[0]


def test_windows_share_elements_in_dram_only():
    found = moved(product(16, 4, 9, inputs=36))
    assert (found.inputs[0], found.input_reads[0]) == (36 * 8, 16 * 9 * 8)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_moved_less_than_once_and_room_never_hurts(flow, seed):
    rng = np.random.default_rng(seed)
    size, sides = rng.integers(1, 91, 3).tolist(), rng.integers(1, 21, 2).tolist()
    rooms = rng.integers(64, 40000, 3).tolist()
    of = product(*size)
    found = moved(of, *sides, rooms, flow)
    m, n, k = size
    assert found.weights[0] >= n * k * 8
    assert found.inputs[0] >= m * k * 8
    assert found.first_weights[0] <= found.weights[0]
    for which in range(3):
        more = list(rooms)
        more[which] *= 2
        assert moved(of, *sides, more, flow).dram[0] <= found.dram[0]


def test_the_check_can_fail():
    found = moved(product(16, 12, 10))
    with pytest.raises(ModelError, match="less than the size"):
        module._check(
            replace(found, weights=found.weights / 2), np.array([960.0]), np.array([1280.0])
        )
