"""How fast accelerators are evaluated.

    python benchmarks/simulate.py

The closed form of cycles: evaluations of a design on a matrix product a second, of arrays of a
million, on one core, beside a NumPy product of the same arrays as a limit, and beside SCALE-Sim and
ZigZag on one product if they are installed, in a process each. Then the layers of Llama-2-7B on one
design, prefill and decode, without imports and without the unit's estimate: first, then the median.
Figures are seconds of this process; ratios between them are what compares.
"""

import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cost_models.accelerator import Prices, evaluate
from hwsim.accelerator.cycles import Convention, gemm_cycles
from hwsim.accelerator.simulation import layers, times
from hwsim.accelerator.specification import load
from hwsim.accelerator.workload import workload
from hwsim.tables import number, plain

RUNS = 5
DESIGNS, PRODUCTS = 1000, 1000
#: One product that all tools count: M, N, K on 32 x 32 units.
SIDE, SIZE = 32, (128, 512, 256)

#: What SCALE-Sim runs in its own process; prints the cycles that it reports.
_SCALE_SIM = """
import sys
from scalesim.compute.systolic_compute_os import systolic_compute_os
from scalesim.compute.operand_matrix import operand_matrix
from scalesim.scale_config import scale_config
import numpy as np
m, n, k, side = map(int, sys.argv[1:])
config = scale_config()
config.array_rows = config.array_cols = side
unit = systolic_compute_os()
unit.set_params(config, np.arange(m * k).reshape(m, k), np.arange(k * n).reshape(k, n),
                np.arange(m * n).reshape(m, n))
demand = unit.get_demand_matrices()[0]
print(demand.shape[0])
"""


def median(call: Callable[[], object]) -> float:
    """Return the median seconds of some calls."""
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def closed_form() -> list[list[str]]:
    """Return rows of the closed form, a million evaluations at a time."""
    rng = np.random.default_rng(0)
    rows, cols = rng.integers(1, 257, (2, DESIGNS, 1))
    m, n, k = rng.integers(1, 4097, (3, PRODUCTS))
    count = DESIGNS * PRODUCTS
    limit = median(lambda: rows * cols * (m * n * k))
    found = [["NumPy: one product of the arrays", number(count / limit / 1e6), number(1.0)]]
    for convention in Convention:
        seconds = median(
            lambda convention=convention: gemm_cycles(
                rows, cols, "output_stationary", m, n, k, convention
            )
        )
        name = f"gemm_cycles, {convention}"
        found.append([name, number(count / seconds / 1e6), number(seconds / limit)])
    return found


def whole_layers() -> list[list[str]]:
    """Return the row of time with memories, of many sizes of an array on Llama-2-7B."""
    one = load("int8")
    given = layers(one, workload("llama-2-7b", "decode", context=256))
    rows = np.arange(1, 1 + 20000 // 2)[:, np.newaxis] % 256 + 1
    seconds = median(lambda: times(one, given, 2.0, rows, rows))
    count = rows.size * len(given.gemms)
    return [["times, memories included", number(count / seconds / 1e6), "-"]]


def networks() -> list[list[str]]:
    """Return rows of one design on Llama-2-7B, the unit estimated before."""
    prices, one = Prices("asap7"), replace(load("int8"), clock_ns=None)
    evaluate(one, workload("smollm2-135m", "decode", context=8), prices)
    found = []
    for phase, size in (("prefill", {"tokens": 256}), ("decode", {"context": 256})):

        def run(phase: str = phase, size: dict[str, int] = size) -> object:
            return evaluate(one, workload("llama-2-7b", phase, **size), prices).to_dict()

        start = time.perf_counter()
        run()
        first = time.perf_counter() - start
        found.append([f"llama-2-7b, {phase}", number(first * 1e3), number(median(run) * 1e3)])
    return found


def others() -> list[list[str]]:
    """Return rows of other tools on one product, with what hwsim takes for it."""
    m, n, k = SIZE
    own = median(lambda: gemm_cycles(SIDE, SIDE, "output_stationary", m, n, k, "no_overlap"))
    counted = int(gemm_cycles(SIDE, SIDE, "output_stationary", m, n, k, "no_overlap"))
    found = [["hwsim, no_overlap", str(counted), number(own), number(1.0)]]
    for name, program in (("scalesim", _SCALE_SIM),):
        if importlib.util.find_spec(name) is None:
            found.append([name, "not installed", "-", "-"])
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.py"
            path.write_text(program)
            command = [sys.executable, str(path), *map(str, SIZE), str(SIDE)]
            start = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - start
        cycles = done.stdout.split()[-1] if done.returncode == 0 else "failed"
        found.append([name, cycles, number(seconds), number(seconds / own)])
    return found


def main() -> None:
    """Print the tables."""
    print(plain(["closed form", "million a s", "times the limit"], closed_form() + whole_layers()))
    print(plain(["network", "first ms", "median ms"], networks()))
    print(plain(["tool, 32 x 32, 128 x 512 x 256", "cycles", "s", "times hwsim"], others()))


if __name__ == "__main__":
    main()
