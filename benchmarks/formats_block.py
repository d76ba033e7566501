"""Time block quantisation against a plain copy: ns per float32 element, one thread.

Run ``python benchmarks/formats_block.py``. All rows of a size are measured in one run, interleaved,
so that the ratios hold on a busy machine; each figure is the median. ``copyto`` moves 8 bytes an
element and is the limit; ``copy`` also pays for new memory, as every quantiser here does. torchao
is measured if it is installed.
"""

import importlib.util
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np

from hwsim.formats import parse

SIZES = (10**6, 10**7)
REPEATS = 7
NAMES = ("mxfp4", "mxfp8e4m3", "mxfp8e5m2", "mxfp6e2m3", "mxint8", "bfp8_g16", "nvfp4",
         "bitmod4", "bitmod3")  # fmt: skip
RULES = ("even", "rceil")
ROW = 4096

Job = Callable[[], object]


def jobs(x: np.ndarray) -> dict[str, Job]:
    target = np.empty_like(x)
    formats = {name: parse(name) for name in NAMES}
    for rule in RULES:
        formats[f"mxfp4 {rule}"] = parse("mxfp4").with_options(scale_rule=rule)
    formats["nvfp4 levels=1"] = parse("nvfp4").with_options(levels=1)
    return {
        "numpy copyto": partial(np.copyto, target, x),
        "numpy copy": x.copy,
        **{name: partial(fmt.quantize, x) for name, fmt in formats.items()},
        **torchao_jobs(x),
    }


def torchao_jobs(x: np.ndarray) -> dict[str, Job]:
    if importlib.util.find_spec("torchao") is None:
        return {}
    import torch
    from torchao.prototype.mx_formats.mx_tensor import to_mx
    from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize

    torch.set_num_threads(1)
    tensor = torch.from_numpy(x)
    return {
        "torchao mxfp4": partial(to_mx, tensor, torch.float4_e2m1fn_x2, 32),
        "torchao mxfp8e4m3": partial(to_mx, tensor, torch.float8_e4m3fn, 32),
        "torchao nvfp4": partial(nvfp4_quantize, tensor),
    }


def measure(table: dict[str, Job], elements: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in table}
    for job in table.values():
        job()
    for _ in range(REPEATS):
        for name, job in table.items():
            start = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - start)
    return {name: median(values) / elements * 1e9 for name, values in times.items()}


def peak_memory(job: Job, x: np.ndarray) -> float:
    """Return the peak of what a job allocates, plus its input, over input plus output."""
    tracemalloc.start()
    result = job()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return (x.nbytes + peak) / (x.nbytes + held)


def matrix_seconds(name: str) -> float:
    weights = np.random.default_rng(1).standard_normal((ROW, ROW)).astype(np.float32) * 0.02
    start = time.perf_counter()
    parse(name).quantize(weights)
    return time.perf_counter() - start


def main() -> None:
    for size in SIZES:
        x = np.random.default_rng(0).standard_normal(size // ROW * ROW).astype(np.float32)
        x = x.reshape(-1, ROW)
        table = jobs(x)
        figures = measure(table, x.size)
        copyto, copy = figures["numpy copyto"], figures["numpy copy"]
        print(f"\n{x.size} float32: ns per element, times copyto, times copy, peak memory")
        for name, figure in figures.items():
            memory = peak_memory(table[name], x)
            print(
                f"{name:20} {figure:8.2f} {figure / copyto:8.1f} {figure / copy:8.1f} {memory:8.2f}"
            )
    for name in ("bitmod4", "bitmod3"):
        print(f"{name} of a {ROW} x {ROW} matrix: {matrix_seconds(name):.2f} s")


if __name__ == "__main__":
    main()
