"""Cycles in closed form: against counts that tools printed, and folds one by one.

``scale_sim.csv`` has what SCALE-Sim 3.0.0 from PyPI (with NumPy 2.2.6) printed as "Total Cycles" of
matrix products (``-i gemm``), with ``InterfaceBandwidth = CALC``, 64 KB an SRAM, and no stalls.
"""

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from hwsim.accelerator.array_cycles import array_cycles
from hwsim.accelerator.cycles import gemm_cycles
from hwsim.errors import InputError

SCALE_SIM = Path(__file__).with_name("scale_sim.csv")
GIVEN = {"rows": 4, "cols": 3, "dataflow": "output_stationary", "m": 9, "n": 8, "k": 7}
FLOWS = ("output_stationary", "weight_stationary", "input_stationary")


@pytest.mark.parametrize(
    ("side", "dataflow", "size", "reported"),
    [
        # What SCALE-Sim 3.0.0 printed, one less than it counts, of M, N, K.
        (32, "weight_stationary", (128, 512, 256), 28415),
        (32, "output_stationary", (128, 512, 256), 20351),
        (16, "output_stationary", (128, 512, 256), 73215),
        (128, "output_stationary", (128, 512, 256), 2039),
    ],
)
def test_no_overlap_is_scale_sims_count(side, dataflow, size, reported):
    assert gemm_cycles(side, side, dataflow, *size, "no_overlap") == reported + 1


def test_no_overlap_is_every_count_of_scale_sim():
    """With tails on every side, M = 1, and arrays that are not square."""
    with SCALE_SIM.open(newline="") as file:
        printed = list(csv.DictReader(file))
    assert len(printed) == 108
    assert {one["dataflow"] for one in printed} == set(FLOWS)
    for one in printed:
        dataflow, total = one.pop("dataflow"), int(one.pop("total_cycles"))
        sizes = {name: int(size) for name, size in one.items()}
        found = gemm_cycles(**sizes, dataflow=dataflow, convention="no_overlap")
        # It prints the number of the last cycle, the first being 0.
        assert found == total + 1, one


@pytest.mark.parametrize(
    ("size", "ideal"),
    [
        # ``ideal_temporal_cycle`` of ZigZag 3.9.1 on its tpu_like, 32 x 32 units along K and N.
        ((128, 4096, 4096), 2097152), ((128, 512, 256), 16384), ((64, 64, 64), 256),
        ((1, 512, 64), 32), ((33, 65, 40), 198), ((100, 96, 17), 300),
    ],
)  # fmt: skip
def test_no_skew_is_zigzags_ideal(size, ideal):
    assert gemm_cycles(32, 32, "weight_stationary", *size, "no_skew") == ideal


def fold_by_fold(rows, cols, dataflow, m, n, k, lanes, interval, apart):
    """Add up folds in a loop, as the conventions say it in words."""
    beats = math.ceil(k / lanes)
    sides = {
        "output_stationary": (m, n, beats),
        "weight_stationary": (beats, n, m),
        "input_stationary": (beats, m, n),
    }
    along_rows, along_cols, streamed = sides[dataflow]
    cycles = 0
    for _ in itertools.product(range(0, along_rows, rows), range(0, along_cols, cols)):
        cycles += streamed * interval
        if apart:
            cycles += (rows - 1 + cols - 1) * interval
            cycles += rows if dataflow != "output_stationary" else 0
    return cycles


@pytest.mark.parametrize("convention", ["no_overlap", "no_skew"])
@pytest.mark.parametrize("dataflow", FLOWS)
def test_folds_add_up(convention, dataflow):
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 40, (50, 7))
    for rows, cols, m, n, k, lanes, interval in sizes.tolist():
        expected = fold_by_fold(
            rows, cols, dataflow, m, n, k, lanes, interval, convention == "no_overlap"
        )
        found = gemm_cycles(rows, cols, dataflow, m, n, k, convention, lanes, interval)
        assert found == expected


def test_rtl_is_the_default_and_that_of_the_array():
    numbers = {key: np.array(value) for key, value in GIVEN.items() if key != "dataflow"}
    more = {"lanes": np.array(2), "interval": np.array(3), "drain": 5, "parts": 2}
    expected = array_cycles(
        **numbers, **more, dataflow="output_stationary", links="broadcast", double_buffered=True
    )
    assert gemm_cycles(**GIVEN, **more, links="broadcast") == expected


def test_arrays_broadcast_and_are_the_scalars():
    rows, m = np.arange(1, 6)[:, np.newaxis], np.arange(1, 4)
    found = gemm_cycles(rows, 3, "output_stationary", m, 8, 7, "no_overlap")
    assert found.shape == (5, 3)
    assert found.dtype == np.int64
    assert found[4, 2] == gemm_cycles(5, 3, "output_stationary", 3, 8, 7, "no_overlap")


@pytest.mark.parametrize("convention", ["no_overlap", "no_skew", "rtl"])
def test_parts_are_dot_products_of_their_own(convention):
    whole = gemm_cycles(**GIVEN | {"k": 64}, convention=convention, lanes=2)
    parts = gemm_cycles(**GIVEN | {"k": 16}, convention=convention, lanes=2, parts=4)
    assert (parts > whole) if convention == "no_overlap" else (parts == whole)


@pytest.mark.parametrize("dataflow", FLOWS)
@pytest.mark.parametrize("side", ["rows", "cols"])
def test_without_skew_a_larger_array_is_never_slower(dataflow, side):
    sizes = np.arange(1, 200)
    given = GIVEN | {side: sizes, "dataflow": dataflow, "m": 57, "n": 131, "k": 91}
    assert (np.diff(gemm_cycles(**given, convention="no_skew")) <= 0).all()


def test_counts_are_exact_where_floats_are_not():
    found = gemm_cycles(1, 1, "output_stationary", 3**20, 3**9, 3**10, "no_skew")
    assert found == 3**39 != int(float(3**39))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": 0}, "rows=0: allowed: whole numbers from 1 to 9223372036854775807"),
        ({"m": [4, -2]}, "m=-2: allowed: whole numbers from 1"),
        ({"k": 2.5}, "k=2.5: allowed"),
        ({"k": True}, "k=True: allowed"),
        ({"n": "8"}, "n='8': allowed"),
        ({"n": 2**64}, "n=18446744073709551616: allowed"),
        ({"n": 2**63}, "n=9223372036854775808: allowed"),
        ({"lanes": []}, r"lanes=\[\]: allowed"),
        ({"drain": -1}, "drain=-1: allowed: whole numbers from 0"),
        ({"dataflow": "os"}, "unknown dataflow 'os'; known: output_stationary"),
        ({"convention": "scalesim"}, "unknown convention 'scalesim'"),
        ({"links": "mesh"}, "unknown links 'mesh'"),
        ({"double_buffered": 1}, "double_buffered=1: allowed: True or False"),
        ({"rows": [1, 2], "m": [1, 2, 3]}, r"rows \(2,\), .*: allowed: shapes that broadcast"),
        ({"m": 2**40, "n": 2**40}, "the number of .* is beyond int64; allowed: up to"),
        (
            {"m": 2**40, "n": 2**40, "convention": "no_skew"},
            "along_rows=274877906944, .*: the number of cycles is beyond int64",
        ),
        ({"convention": "no_overlap", "links": "broadcast"}, "allowed: systolic"),
    ],
)
def test_what_is_refused_is_named(wrong, message):
    with pytest.raises(InputError, match=message):
        gemm_cycles(**GIVEN | wrong)


def test_the_largest_count_passes_and_one_more_does_not():
    given = {"rows": 1, "cols": 1, "dataflow": "output_stationary", "m": 1, "n": 1}
    assert gemm_cycles(**given, k=2**62, convention="no_skew") == 2**62
    with pytest.raises(InputError, match="beyond int64"):
        gemm_cycles(**given, k=2**62, interval=2, convention="no_skew")


@pytest.mark.parametrize("most", [2**63 - 1, 2**62 + 5, 2**62])
def test_arrays_beyond_int64_are_refused(most):
    with pytest.raises(InputError, match="beyond int64"):
        gemm_cycles(most, most, "output_stationary", 1, 1, 1, interval=2)


@pytest.mark.parametrize("convention", ["rtl", "no_overlap", "no_skew"])
def test_parts_are_of_output_stationary_arrays(convention):
    with pytest.raises(InputError, match="parts=3: allowed: 1, or output_stationary"):
        gemm_cycles(8, 8, "weight_stationary", 4, 4, 4, convention, parts=3)
