"""How fast accelerators are evaluated.

    python benchmarks/simulate.py [--python OTHER]

The closed form of cycles: evaluations of a design on a matrix product a second, of arrays of a
million, on one core, beside a NumPy product of the same arrays as a limit, and beside SCALE-Sim and
ZigZag on one product, in a process each, if the Python that is named has them (their versions of
NumPy may not be ours). Then the layers of Llama-2-7B on one
design, prefill and decode, without imports and without the unit's estimate: first, then the median.
Figures are the processor's time in this process, and the clock's for other tools; ratios between
them are what compares.
"""

import argparse
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

#: SCALE-Sim's configuration; the format is its own.
_CONFIGURATION = f"""
[general]
run_name = run
[architecture_presets]
ArrayHeight = {SIDE}
ArrayWidth = {SIDE}
IfmapSramSzkB = 64
FilterSramSzkB = 64
OfmapSramSzkB = 64
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = os
Bandwidth = 10
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""
#: ZigZag's call: its TPU of 32 x 32 units, and its own count without what memories add.
_ZIGZAG = """
import sys
from pathlib import Path
import zigzag
from zigzag.api import get_hardware_performance_zigzag
m, n, k = map(int, sys.argv[1:])
inputs = Path(zigzag.__file__).parent / "inputs"
layer = {
    "id": 0, "name": "gemm", "operator_type": "Gemm", "equation": "O[b][k]+=I[b][c]*W[c][k]",
    "dimension_relations": [], "loop_dims": ["B", "C", "K"], "loop_sizes": [m, k, n],
    "operand_precision": {"O": 16, "O_final": 8, "I": 8, "W": 8},
    "operand_source": {"I": 0, "W": 0},
}
_, _, results = get_hardware_performance_zigzag(
    [layer], str(inputs / "hardware" / "tpu_like.yaml"), str(inputs / "mapping" / "tpu_like.yaml"),
    dump_folder="out", loma_show_progress_bar=False,
)
print(int(results[0][1][0][0].ideal_temporal_cycle))
"""


def median(call: Callable[[], object]) -> float:
    """Return the median of the processor's seconds that some calls take."""
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
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
            lambda convention=convention: gemm_cycles(  # type: ignore[misc]
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
    for phase, tokens, context in (("prefill", 256, None), ("decode", None, 256)):

        def run(
            phase: str = phase, tokens: int | None = tokens, context: int | None = context
        ) -> object:
            work = workload("llama-2-7b", phase, tokens=tokens, context=context)
            return evaluate(one, work, prices).to_dict()

        start = time.process_time()
        run()
        first = time.process_time() - start
        found.append([f"llama-2-7b, {phase}", number(first * 1e3), number(median(run) * 1e3)])
    return found


def others(python: str) -> list[list[str]]:
    """Return rows of other tools on one product, each with hwsim's count by its convention."""
    found = []
    for name, dataflow, convention, run in (
        ("scalesim", "output_stationary", "no_overlap", _scale_sim),
        # Its TPU has units along K and N.
        ("zigzag", "weight_stationary", "no_skew", _zigzag),
    ):

        def count(dataflow: str = dataflow, convention: str = convention) -> object:
            return gemm_cycles(SIDE, SIDE, dataflow, *SIZE, convention)

        counted, own = count(), median(count)
        found.append([f"hwsim, {convention}", str(counted), number(own), number(1.0)])
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            cycles = run(python, Path(folder))
            seconds = time.perf_counter() - start
        found.append([name, cycles or "not there", number(seconds), number(seconds / own)])
    return found


def _scale_sim(python: str, folder: Path) -> str:
    """Return the cycles that SCALE-Sim counts, which is one more than it prints."""
    (folder / "c.cfg").write_text(_CONFIGURATION)
    # Layouts have as many columns, and are not read.
    layer = f"Layer,M,N,K,\ngemm,{SIZE[0]},{SIZE[1]},{SIZE[2]},\n"
    for name in ("t.csv", "l.csv"):
        (folder / name).write_text(layer)
    words = ["-c", "c.cfg", "-t", "t.csv", "-l", "l.csv", "-p", "out", "-i", "gemm"]
    if not _ran([python, "-m", "scalesim.scale", *words], folder):
        return ""
    report = (folder / "out" / "run" / "COMPUTE_REPORT.csv").read_text().splitlines()
    column = [name.strip() for name in report[0].split(",")].index("Total Cycles")
    return str(int(report[1].split(",")[column]) + 1)


def _zigzag(python: str, folder: Path) -> str:
    """Return the cycles that ZigZag counts without those that memories add."""
    (folder / "run.py").write_text(_ZIGZAG)
    return _ran([python, "run.py", *map(str, SIZE)], folder).strip()


def _ran(command: list[str], folder: Path) -> str:
    """Return what a command prints, or nothing if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the one that has other tools")
    options = parser.parse_args()
    print(plain(["closed form", "million a s", "times the limit"], closed_form() + whole_layers()))
    print(plain(["network", "first ms", "median ms"], networks()))
    print(
        plain(
            ["tool, 32 x 32, 128 x 512 x 256", "cycles", "s", "times hwsim"], others(options.python)
        )
    )


if __name__ == "__main__":
    main()
