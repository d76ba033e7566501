"""Time of products on accelerators: by hand, and what holds of every design."""

from dataclasses import replace

import numpy as np
import pytest

from hwsim.accelerator import simulation as module
from hwsim.accelerator.cycles import gemm_cycles
from hwsim.accelerator.layer_formats import LayerFormats
from hwsim.accelerator.memory import Dram, Memories, Sram
from hwsim.accelerator.simulation import Accelerator, layers, mode, simulate, times
from hwsim.accelerator.traffic import ModelError
from hwsim.accelerator.workload import Gemm, Workload, workload
from hwsim.errors import InputError
from hwsim.units import make

INT8 = make("integer", lanes=4, weight="int8", activation="int8")
BITMOD = make("bitmod", lanes=4, weight="bitmod4", activation="fp16")
MEMORIES = Memories(
    weights=Sram(capacity=1 << 19, width=256, banks=8),
    inputs=Sram(capacity=1 << 19, width=256, banks=8),
    outputs=Sram(capacity=1 << 17, width=256, banks=8),
    dram=Dram(kind="lpddr5", bandwidth=32),
    table="cacti7-hp",
    node=22,
)
INT8_ARRAY = Accelerator(name="int8", unit=INT8, rows=16, cols=16, memories=MEMORIES, clock_ns=2.0)


def work(*gemms: Gemm) -> Workload:
    """Return a workload of any products."""
    return replace(workload("smollm2-135m", "prefill", tokens=8), gemms=gemms)


def gemm(m, n, k, **more) -> Gemm:
    return Gemm(name="lm_head", group="lm_head", m=m, n=n, k=k, **more)


def test_time_is_that_of_what_is_slowest_and_of_the_edges():
    run = simulate(INT8_ARRAY, work(gemm(64, 128, 256)))
    found, bits = run.times, 8 * 32 * 2.0
    array = gemm_cycles(16, 16, "output_stationary", 64, 128, 256, lanes=4)
    assert found.array[0] == array
    first, last = 16 * 256 * 8 * 2, 16 * 16 * 8
    everything = (64 * 256 + 128 * 256 + 64 * 128) * 8
    assert found.dram[0] == everything / bits
    assert found.exposed[0] == (first + last) / bits
    assert run.cycles == max(array, (everything - first - last) / bits) + (first + last) / bits
    assert run.time_s == run.cycles * 2e-9


def test_without_a_second_half_transfers_do_not_overlap():
    single = replace(MEMORIES.weights, double_buffered=False)
    one = replace(INT8_ARRAY, memories=replace(MEMORIES, weights=single))
    of = work(gemm(64, 128, 256))
    apart, both = simulate(one, of), simulate(INT8_ARRAY, of)
    assert apart.times.exposed[0] > both.times.exposed[0]
    assert apart.cycles > both.cycles
    assert single.tile_bits == 2 * MEMORIES.weights.tile_bits


def test_narrow_sram_bounds_the_array():
    narrow = replace(MEMORIES, inputs=replace(MEMORIES.inputs, width=64, banks=1))
    run = simulate(replace(INT8_ARRAY, memories=narrow), work(gemm(256, 256, 256)))
    (group,) = run.groups()
    assert group.bound == "input SRAM"
    assert run.cycles > run.times.array[0]


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_more_bandwidth_is_never_slower(phase):
    of = workload(
        "llama-3-8b", phase, **{"prefill": {"tokens": 64}, "decode": {"context": 64}}[phase]
    )
    cycles = []
    for bandwidth in (1, 2, 5, 10, 20, 50, 100, 1000):
        dram = replace(MEMORIES.dram, bandwidth=bandwidth)
        one = replace(INT8_ARRAY, memories=replace(MEMORIES, dram=dram))
        cycles.append(simulate(one, of).cycles)
    assert (np.diff(cycles) <= 0).all()
    assert cycles[0] > cycles[-1]


def test_without_skew_and_transfers_a_larger_array_is_never_slower():
    wide = Sram(capacity=1 << 30, width=1 << 20, banks=8)
    memories = Memories(
        weights=wide, inputs=wide, outputs=wide, dram=Dram(kind="lpddr5", bandwidth=1e9),
        table="cacti7-hp", node=22,
    )  # fmt: skip
    one = replace(INT8_ARRAY, memories=memories, convention="no_skew")
    given = layers(one, workload("llama-2-7b", "prefill", tokens=100))
    sizes = np.arange(1, 300)[:, np.newaxis]
    for rows, cols in ((sizes, 8), (8, sizes)):
        cycles = (times(one, given, 2.0, rows, cols).cycles * given.count).sum(axis=1)
        assert (np.diff(cycles) <= 1e-6 * cycles[1:]).all()


def test_many_designs_at_once_are_each_by_itself():
    of = workload("llama-2-7b", "decode", context=100)
    given = layers(INT8_ARRAY, of)
    rows, cols = np.array([[8], [16], [64]]), np.array([[64], [16], [8]])
    found = times(INT8_ARRAY, given, 2.0, rows, cols).cycles
    for k in range(3):
        one = replace(INT8_ARRAY, rows=int(rows[k, 0]), cols=int(cols[k, 0]))
        assert (found[k] == simulate(one, of).times.cycles).all()


def test_weights_decide_the_cycles_of_a_beat():
    one = replace(INT8_ARRAY, unit=BITMOD, formats=LayerFormats("bitmod4", "fp16", "int8_g128"))
    given = layers(one, workload("llama-2-7b", "decode", context=256))
    by_source = {
        (found.gemm.stationary, int(interval), mode.weight_bits)
        for found, interval, mode in zip(given.gemms, given.interval, given.modes, strict=True)
    }
    assert by_source == {
        ("weights", 2, 4.078125), ("keys", 4, 8.0625), ("values", 4, 8.0625)
    }  # fmt: skip
    outputs = dict(
        zip((one.gemm.name for one in given.gemms), given.product.output_bits, strict=True)
    )
    assert outputs["layers.*.k_proj"] == 8.0625
    assert outputs["layers.*.q_proj"] == 16


def test_an_array_waits_for_the_slowest_unit():
    unit = make("bit_serial", lanes=4, weight="int8", activation="int8", digits="essential")
    timing = unit.timing()
    assert timing.min_interval < mode(unit).interval <= timing.interval


def test_scales_outside_of_the_unit_end_dot_products():
    grouped = make("integer", lanes=4, weight="int8_g128", activation="int8")
    assert mode(grouped).dot_length == 128
    assert mode(INT8).dot_length is None
    one = replace(INT8_ARRAY, unit=grouped)
    given = layers(one, work(gemm(4, 4, 300)))
    assert (given.product.parts[0], given.part_length[0]) == (3, 128)


def test_dot_products_are_filled_up_as_operands_are():
    """To whole beats, or to whole blocks whose scales the unit applies."""
    mxfp4 = make("mx_dot", lanes=8, weight="mxfp4", activation="mxfp4", accumulation="fixed")
    grouped = make("integer", lanes=4, weight="int8_g128", activation="int8")
    found = {INT8: 4, grouped: 4, BITMOD: 128, mxfp4: 32}
    for unit, granule in found.items():
        assert mode(unit).granule == granule
        for k in (1, 12, 130, 150):
            given = layers(replace(INT8_ARRAY, unit=unit), work(gemm(3, 5, k)))
            operands = unit.operands(np.ones((5, k)), np.ones((3, k)), group=max(k, 128))
            assert given.part_length[0] == operands.activations.shape[1]
            assert given.product.parts[0] == operands.parts


def test_tiles_are_units_of_several_outputs():
    tile = make(
        "serial_add", lanes=4, weight="int4", activation="int8", row_count=2, column_count=3
    )
    one = replace(INT8_ARRAY, unit=tile, rows=4, cols=2)
    run = simulate(one, work(gemm(17, 13, 64)))
    expected = gemm_cycles(
        4, 2, "output_stationary", 9, 5, 64, lanes=4, interval=mode(tile).interval,
        drain=tile.timing().drain,
    )  # fmt: skip
    assert run.times.array[0] == expected


def test_utilisation_is_full_where_everything_fits():
    one = replace(INT8_ARRAY, convention="no_skew")
    wide = replace(MEMORIES, dram=replace(MEMORIES.dram, bandwidth=1e9))
    run = simulate(replace(one, memories=wide), work(gemm(64, 64, 4096)))
    assert run.utilisation == pytest.approx(1, rel=1e-3)
    assert run.utilisation <= 1


def test_groups_add_up():
    run = simulate(INT8_ARRAY, workload("mixtral-8x7b", "decode", context=50, batch=3))
    groups = run.groups()
    assert sum(group.cycles for group in groups) == pytest.approx(run.cycles)
    assert sum(group.macs for group in groups) == run.macs == run.work.macs
    assert sum(group.dram_bytes for group in groups) == pytest.approx(run.dram_bytes)
    assert run.items_per_s == pytest.approx(3 / run.time_s)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "rows=0: allowed: whole numbers from 1 to 65536"),
        (
            {"cols": 40000},
            r"cols=40000: the SRAM of \w+ has capacity=\d+, of which",
        ),
        ({"dataflow": "weight"}, "unknown dataflow 'weight'"),
        ({"clock_ns": -1}, "clock_ns=-1: allowed: numbers from 0.001 to 1e.06 ns"),
        ({"unit": BITMOD, "dataflow": "weight_stationary"}, "bitmod cannot hand its sums on"),
    ],
)
def test_accelerators_that_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        replace(INT8_ARRAY, **changes)


def test_units_refuse_formats_that_need_other_hardware():
    one = replace(INT8_ARRAY, formats=LayerFormats("int8", "int8", "int4"))
    with pytest.raises(InputError, match=r"accelerator int8: weight=int4.*this one has int8"):
        simulate(one, workload("llama-2-7b", "decode", context=9))


def test_a_clock_is_needed():
    with pytest.raises(InputError, match="accelerator int8 has no clock"):
        simulate(replace(INT8_ARRAY, clock_ns=None), work(gemm(1, 1, 1)))


@pytest.mark.parametrize("field", ["capacity", "width", "banks"])
def test_srams_have_whole_sizes(field):
    with pytest.raises(InputError, match=f"{field}=0: allowed"):
        replace(MEMORIES.weights, **{field: 0})
    with pytest.raises(InputError, match=r"bandwidth=0: allowed: numbers .* 1e\+09 GB/s"):
        Dram(kind="lpddr5", bandwidth=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"array": np.array([1])}, "fewer cycles than its units"),
        ({"cycles": np.array([1.0])}, "fewer cycles than its array"),
    ],
)
def test_the_checks_can_fail(change, message):
    given = layers(INT8_ARRAY, work(gemm(64, 128, 256)))
    found = replace(times(INT8_ARRAY, given, 2.0), **change)
    with pytest.raises(ModelError, match=message):
        module._check(found, INT8_ARRAY, given, np.array(16), np.array(16))


def test_the_capacity_that_is_needed_is_enough():
    memories = INT8_ARRAY.memories
    for name in ("weights", "inputs", "outputs"):
        for double in (False, True):
            small = replace(getattr(memories, name), capacity=1, double_buffered=double)
            with pytest.raises(InputError, match=f"the SRAM of {name} has capacity=1") as caught:
                replace(INT8_ARRAY, memories=replace(memories, **{name: small}))
            needed = int(str(caught.value).rpartition("capacity=")[2])
            enough = replace(small, capacity=needed)
            assert replace(INT8_ARRAY, memories=replace(memories, **{name: enough}))
            less = replace(memories, **{name: replace(small, capacity=needed - 1)})
            with pytest.raises(InputError, match=f"the SRAM of {name} has"):
                replace(INT8_ARRAY, memories=less)
