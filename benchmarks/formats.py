"""Nanoseconds per element of quantisation, side by side with the limit and with other libraries.

    python benchmarks/formats.py [--sizes 1000000 10000000]
    python benchmarks/formats.py --ratios

Rows are what is encoded, columns who encodes it: ``hwsim``, ml_dtypes, gfloat and torchao (the
last if it is installed). Each figure is the median of several runs in this process, on one thread,
of normally distributed float32. The limits are NumPy copies: ``np.copyto`` into an existing array
and ``x.copy()``, which allocates like an encoder does. ``peak`` is the largest memory that one
call of hwsim allocates, its result included, in bytes per element of the input.

With ``--ratios``, every named format and some more, and scalar ones with a scale a token, to
encode, to decode and both, from float32 and float64: nanoseconds and, in brackets, times those of
mxfp4. Each figure is the least of several runs of 2**20 elements, mxfp4 in turn with the format, as
other work of the machine comes and goes. ``limit`` is 2.5, 6 for formats whose encoder searches.
"""

import argparse
import importlib.util
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from hwsim.formats import (
    BlockFormat,
    Format,
    block_names,
    parse,
    parse_block,
    parse_scalar,
    scalar_names,
)
from hwsim.formats.bitmod import BitMod
from hwsim.formats.group import GroupScale
from hwsim.formats.scaling import ScaleRule
from hwsim.formats.sq_format import SparseQuantized
from hwsim.tables import number, plain
from hwsim.units.layers import per_token

Array = NDArray[np.float32]
Call = Callable[[Array], object]

RUNS = 7
#: A library slower than this, in ns per element, is timed on a part of the array.
SLOW_PART = 200_000


@dataclass(frozen=True)
class Row:
    """One thing to quantise, and who can: a call by column. ``targets`` are times the copy."""

    name: str
    calls: dict[str, Call]
    target: float | None = None
    slow: frozenset[str] = field(default=frozenset({"gfloat"}))


def scalar_rows() -> list[Row]:
    """Return the rows of the scalar formats."""
    return [
        _scalar("e4m3", "float8_e4m3fn", gfloat.formats.format_info_ocp_e4m3, 3.0),
        _scalar("e5m2", "float8_e5m2", gfloat.formats.format_info_ocp_e5m2, 3.0),
        _scalar("e2m1", "float4_e2m1fn", gfloat.formats.format_info_ocp_e2m1, 3.0),
        _scalar("int8", target=3.0),
        _scalar("hif8", target=3.0),
        _scalar("nf4", target=3.0),
        _scalar("lns8_3", target=3.0),
        _scalar("posit8_0", target=3.0),
        _scalar("posit16_1", target=5.0),
        _scalar("bf16", "bfloat16", gfloat.formats.format_info_bfloat16),
        _scalar("fp16", None, gfloat.formats.format_info_binary16),
    ]


def block_rows() -> list[Row]:
    """Return the rows of the block formats."""
    names = ("mxfp4", "mxfp8e4m3", "mxfp8e5m2", "mxfp6e2m3", "mxint8", "nvfp4")
    return [
        *(_block(name, parse_block(name), 6.0) for name in names),
        *(
            _block(f"mxfp4 {rule}", parse_block("mxfp4").with_options(scale_rule=rule), 6.0)
            for rule in ("even", "rceil")
        ),
        _block("nvfp4 1 level", parse_block("nvfp4").with_options(levels=1), 6.0),
        *(
            _block(name, parse_block(name))
            for name in (
                "bfp8_g16",
                "int4_g128",
                "int8_g64",
                "int4_asym_g128",
                "nf4_g64",
                "bitmod4",
            )
        ),
    ]


def _block(name: str, fmt: BlockFormat, target: float | None = None) -> Row:
    calls: dict[str, Call] = {"hwsim": fmt.quantize}
    if name in _TORCHAO and importlib.util.find_spec("torchao") is not None:
        calls["torchao"] = _TORCHAO[name]()
    return Row(name, calls, target)


def _torchao_mx(element: str) -> Call:
    import torch
    from torchao.prototype.mx_formats.mx_tensor import to_mx

    torch.set_num_threads(1)
    return lambda x: to_mx(torch.from_numpy(x), getattr(torch, element), 32)


def _torchao_nvfp4() -> Call:
    import torch
    from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize

    torch.set_num_threads(1)
    return lambda x: nvfp4_quantize(torch.from_numpy(x))


_TORCHAO: dict[str, Callable[[], Call]] = {
    "mxfp4": lambda: _torchao_mx("float4_e2m1fn_x2"),
    "mxfp8e4m3": lambda: _torchao_mx("float8_e4m3fn"),
    "nvfp4": _torchao_nvfp4,
}


def matrix_seconds(name: str, side: int = 4096) -> float:
    """Return the time that quantising a ``side`` x ``side`` matrix of weights takes."""
    weights = np.random.default_rng(1).standard_normal((side, side)).astype(np.float32) * 0.02
    start = time.perf_counter()
    parse(name).quantize(weights)
    return time.perf_counter() - start


def _scalar(
    name: str,
    ml_dtype: str | None = None,
    info: gfloat.FormatInfo | None = None,
    target: float | None = None,
) -> Row:
    calls: dict[str, Call] = {"hwsim": parse_scalar(name).encode}
    if ml_dtype is not None:
        dtype = getattr(ml_dtypes, ml_dtype)
        calls["ml_dtypes"] = lambda x: x.astype(dtype)
    if info is not None:
        calls["gfloat"] = lambda x: gfloat.encode_ndarray(
            info, gfloat.round_ndarray(info, x.astype(np.float64), sat=True)
        )
    if name == "e4m3" and importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)
        calls["torch"] = lambda x: torch.from_numpy(x).to(torch.float8_e4m3fn)
    return Row(name, calls, target)


def nanoseconds(call: Call, x: Array) -> float:
    """Return the median time of a call per element, after one to warm up."""
    call(x)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call(x)
        times.append(time.perf_counter() - start)
    return statistics.median(times) / x.size * 1e9


def peak_bytes(call: Call, x: Array) -> float:
    """Return the most memory allocated at once during a call, per element."""
    tracemalloc.start()
    call(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / x.size


def report(size: int) -> None:
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    target = np.empty_like(x)
    copyto = nanoseconds(lambda a: np.copyto(target, a), x)
    copy = nanoseconds(lambda a: a.copy(), x)
    print(f"\n{size:,} float32: np.copyto {copyto:.2f}, x.copy() {copy:.2f} ns per element")
    libraries = ["hwsim", "ml_dtypes", "gfloat", "torch", "torchao"]
    rows = []
    for row in scalar_rows() + block_rows():
        times: dict[str, float] = {}
        for library, call in row.calls.items():
            part = x[:SLOW_PART] if library in row.slow else x
            times[library] = nanoseconds(call, part)
        ours = times["hwsim"]
        rows.append([
            row.name,
            *(number(times[library]) if library in times else "-" for library in libraries),
            number(ours / copyto), number(ours / copy),
            f"{row.target:.0f}" if row.target else "-",
            number(peak_bytes(row.calls["hwsim"], x)),
        ])  # fmt: skip
    header = ["format", *(f"{library} ns" for library in libraries), "/ copyto", "/ copy",
              "target / copyto", "peak bytes"]  # fmt: skip
    print(plain(header, rows), end="")


#: Group formats besides those named in the registry.
GROUPS = ("int4_g32", "int8_g64", "int16_g128", "nf4_g64", "nf3_g64", "ternary_g128", "hif8_g128",
          "posit8_0_g128", "posit16_1_g128", "bitmod4_g64", "mxfp4_g16")  # fmt: skip
#: Scalar formats of activations, with a scale a token.
TOKENS = ("int8", "int6", "int3", "int16", "e4m3", "e2m1", "nf4", "hif8", "posit8_0", "posit16_1",
          "lns8_3")  # fmt: skip
#: A row of the matrix that the ratios are measured on.
TOKEN = 4096


def ratios() -> None:
    """Print every format's time beside that of mxfp4."""
    narrow = np.random.default_rng(0).standard_normal((256, TOKEN)).astype(np.float32)
    inputs = narrow, narrow.astype(np.float64) * 1.1
    formats: dict[str, Format | BlockFormat] = {
        name: parse_block(name) for name in (*block_names(), *GROUPS)
    }
    formats |= {f"{name} a token": per_token(parse_scalar(name), TOKEN) for name in TOKENS}
    formats |= {name: parse_scalar(name) for name in scalar_names()}
    rows = []
    for name, fmt in formats.items():
        cells = []
        for x in inputs:
            for ours, theirs in zip(_tasks(fmt, x), _tasks(parse_block("mxfp4"), x), strict=True):
                least, other = _least(ours, theirs)
                cells.append(f"{1e9 * least / x.size:.2f} ({least / other:.2f})")
        rows.append([name, *cells, f"{_limit(fmt):.1f}"])
    tasks = ["encode", "decode", "both"]
    header = ["format", *(f"{task} {kind}" for kind in ("f32", "f64") for task in tasks), "limit"]
    print(plain(header, rows), end="")


def _tasks(fmt: Format | BlockFormat, x: NDArray[np.floating]) -> tuple[Callable[[], object], ...]:
    """Return what is timed: to encode, to decode, and both."""
    if isinstance(fmt, BlockFormat):
        blocks = fmt.with_options(partial="pad") if "partial" in fmt.OPTIONS else fmt
        tensor = blocks.quantize(x)
        return (
            lambda: blocks.quantize(x),
            tensor.dequantize,
            lambda: blocks.quantize(x).dequantize(),
        )
    codes = fmt.encode(x)
    return lambda: fmt.encode(x), lambda: fmt.decode(codes), lambda: fmt.quantize(x)


def _least(*calls: Callable[[], object]) -> list[float]:
    """Return the least seconds of several runs of each call, in turn."""
    for call in calls:
        call()
    least = [float("inf")] * len(calls)
    for _ in range(2 * RUNS):
        for index, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[index] = min(least[index], time.perf_counter() - start)
    return least


def _limit(fmt: Format | BlockFormat) -> float:
    searches = isinstance(fmt, BitMod | SparseQuantized)
    if isinstance(fmt, GroupScale):
        searches = fmt.scale_rule is ScaleRule.LEAST_ERROR
    return 6.0 if searches else 2.5


def main() -> int:
    parser = argparse.ArgumentParser(description="ns per element of quantisation, side by side")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**6, 10**7])
    parser.add_argument(
        "--ratios", action="store_true", help="all formats beside mxfp4, and no more"
    )
    arguments = parser.parse_args()
    if arguments.ratios:
        ratios()
        return 0
    for size in arguments.sizes:
        report(size)
    print()
    for name in ("bitmod4", "bitmod3"):
        print(f"{name} of a 4096 x 4096 matrix: {matrix_seconds(name):.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
