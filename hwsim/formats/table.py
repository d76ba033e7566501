"""What the formats are, in a table: width, range, precision, special values, shared metadata."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields

import numpy as np

from hwsim.formats.base import Format
from hwsim.formats.block import BlockFormat


@dataclass(frozen=True)
class FormatRow:
    """The figures of one format.

    ``smallest`` is the smallest positive value and ``epsilon`` the distance from 1 to the next
    larger value; NaN where there is none. ``scale_rule`` says how tensors are scaled, see
    :mod:`hwsim.formats.scaling`. ``specials`` names what is encoded besides finite
    numbers with one zero: ``-0``, ``inf``, ``NaN``.
    """

    name: str
    family: str
    bits: int
    min: float
    max: float
    smallest: float
    epsilon: float
    scale_rule: str
    specials: str


@dataclass(frozen=True)
class BlockRow:
    """The figures of a block format.

    ``size`` is the elements of a block; ``bits_per_element`` has the metadata of a full block in
    it. ``metadata`` has the width of every further code that is shared, by its name, and
    ``options`` the value of every option.
    """

    name: str
    family: str
    element: str
    size: int | None
    scale: str
    bits_per_element: float
    metadata: dict[str, int]
    options: dict[str, str | int | float]


def block_row(fmt: BlockFormat) -> BlockRow:
    """Return the figures of a block format; the size is None where a row is one block."""
    options = {name: getattr(fmt, name) for name in fmt.OPTIONS}
    return BlockRow(
        name=fmt.name,
        family=fmt.family,
        element=fmt.element.name,
        size=getattr(fmt, "size", None),
        scale=fmt.scale.name,
        bits_per_element=fmt.bits_per_element,
        metadata=fmt.metadata_bits,
        options={n: v if isinstance(v, int | float) else str(v) for n, v in options.items()},
    )


def format_row(fmt: Format) -> FormatRow:
    """Return the figures of a format."""
    present = {
        "-0": bool(np.signbit(fmt.quantize(-0.0))) and float(fmt.quantize(-0.0)) == 0,
        "inf": fmt.has_infinity,
        "NaN": fmt.has_nan,
    }
    return FormatRow(
        name=fmt.name,
        family=fmt.family,
        bits=fmt.bits,
        min=fmt.min,
        max=fmt.max,
        smallest=fmt.smallest,
        epsilon=fmt.epsilon,
        scale_rule=fmt.scale_rule.value,
        specials=" ".join(name for name, there in present.items() if there),
    )


def markdown(formats: Iterable[Format]) -> str:
    """Return the table of formats as Markdown, numbers to six digits."""
    header = [column.name for column in fields(FormatRow)]
    lines = [header, ["---"] * len(header)]
    lines += [[_text(cell) for cell in astuple(format_row(fmt))] for fmt in formats]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(cell: str | int | float) -> str:
    if isinstance(cell, float):
        return "-" if np.isnan(cell) else f"{cell:.6g}"
    return str(cell)
