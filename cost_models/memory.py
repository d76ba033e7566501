"""Cost of memories, from published tables: SRAM, register file, DRAM.

SRAM macros cost by capacity: energy and time go into longer bit and word lines, area and leakage
into cells. The tables have macros of a few capacities with one 64-bit port; between two capacities
of a table a power law is taken, beyond its ends nothing. A wider memory is macros side by side,
all of which every access reads; banks are macros at different addresses, one of which an access
reads. That sums table entries and adds no wires or multiplexers between macros, which the tables
do not have, so it is a lower bound.

A register file is flip-flops: cost per bit, without decoder and read multiplexers. The energy of
DRAM depends on what is counted (its boundary) by a factor of two to three, so the boundary belongs
to the number.

Every number is a :class:`Figure` with its own source. What a table does not have is None.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from cost_models import data
from cost_models.interpolation import loglog, neighbours
from hwsim.errors import InputError, check_known, unknown
from hwsim.numbers import whole

#: Width of the port of every SRAM macro in the tables, in bits.
PORT_BITS = 64

#: Largest register file in bytes: where the SRAM tables begin, and the missing decoder counts.
REGISTER_FILE_BYTES = 1024

#: What the energy of a DRAM contains.
BOUNDARIES = {
    "io": "interface only",
    "device": "DRAM device with its interface",
    "system": "device, interface, controller and transport",
    "unstated": "the source does not say",
}


@dataclass(frozen=True)
class Figure:
    """A number from a table.

    Attributes
    ----------
    low, high
        The range that the source gives; equal where it gives one number.
    unit
        Its unit.
    source
        Where it is from.
    evidence
        One of :data:`cost_models.data.EVIDENCE`; of interpolated numbers, the weaker neighbour's.
    derivation
        What was done with the table's numbers; empty if the table has this very number.
    """

    low: float
    high: float
    unit: str
    source: str
    evidence: str
    derivation: str = ""

    def times(self, factor: float, unit: str, derivation: str) -> "Figure":
        """Return ``factor`` times the number, in ``unit``, for the reason ``derivation``."""
        steps = [step for step in (self.derivation, derivation) if step]
        return replace(
            self,
            low=self.low * factor,
            high=self.high * factor,
            unit=unit,
            derivation="; ".join(steps),
        )


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Cost of one memory; None where the source has no number.

    Attributes
    ----------
    kind, name
        ``sram``, ``regfile`` or ``dram``, and which one.
    included
        What the numbers contain and what they leave out.
    read, write
        Energy of an access of the full width in pJ.
    access
        Energy of an access of which the source does not say whether it reads or writes, in
        pJ/access, or pJ/bit for DRAM.
    area
        In um^2.
    leakage
        Power in mW.
    access_time, cycle_time
        In ns: from address to data, and between accesses of one bank. Macros are pipelined inside
        where the second is the shorter one.
    bandwidth
        Of all banks together in Gbit/s, one access a cycle each.
    """

    kind: Literal["sram", "regfile", "dram"]
    name: str
    included: str
    read: Figure | None = None
    write: Figure | None = None
    access: Figure | None = None
    area: Figure | None = None
    leakage: Figure | None = None
    access_time: Figure | None = None
    cycle_time: Figure | None = None
    bandwidth: Figure | None = None

    def figures(self) -> dict[str, Figure]:
        """Return the numbers that there are, by attribute."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Figure)}


# Column of sram.csv, and unit, by attribute of Memory.
_SRAM_COLUMNS = {
    "read": ("read_pj", "pJ/access"),
    "write": ("write_pj", "pJ/access"),
    "access": ("access_pj", "pJ/access"),
    "area": ("area_um2", "um^2"),
    "leakage": ("leakage_mw", "mW"),
    "access_time": ("access_ns", "ns"),
    "cycle_time": ("cycle_ns", "ns"),
}


def sram(
    capacity: int,
    node: int,
    table: str = "cacti7-hp",
    width: int = PORT_BITS,
    banks: int = 1,
) -> Memory:
    """Return the cost of an SRAM.

    Parameters
    ----------
    capacity
        In bytes, of all banks together.
    node
        In nm; one that the table has.
    table
        ``cacti7-hp`` and ``cacti7-lop`` (90 to 22 nm, every number), ``horowitz2014`` (45 nm, read
        energy) or ``jouppi2021`` (7 nm, access energy).
    width
        Bits of an access, a multiple of 64.
    banks
        Parts that take one access each in a cycle.

    Raises
    ------
    InputError
        For a table or node that there is not, a width or capacity that macros of the table cannot
        make up, or macros outside the table.
    """
    for name, value in (("capacity", capacity), ("node", node), ("width", width), ("banks", banks)):
        whole(name, value, 1)
    rows = sram_rows(table, node)
    if width < PORT_BITS or width % PORT_BITS:
        raise InputError(
            f"width {width}: the tables have {PORT_BITS}-bit ports, so the width of an SRAM is "
            f"a multiple of {PORT_BITS}"
        )
    side_by_side = width // PORT_BITS
    macros = side_by_side * banks
    if capacity % macros:
        raise InputError(f"capacity {capacity} bytes does not divide into {macros} macros")
    macro = {
        name: _interpolated(rows, column, unit, capacity // macros)
        for name, (column, unit) in _SRAM_COLUMNS.items()
        if rows[0][column]
    }
    wide = f"{side_by_side} macros side by side" if side_by_side > 1 else ""
    every = f"{macros} macros" if macros > 1 else ""
    figures = {
        name: figure.times(side_by_side, figure.unit, wide)
        if figure.unit == "pJ/access"
        else figure.times(macros, figure.unit, every)
        if name in ("area", "leakage")
        else figure
        for name, figure in macro.items()
    }
    if cycle := macro.get("cycle_time"):
        rate = width * banks / cycle.low
        figures["bandwidth"] = replace(
            cycle.times(1, "Gbit/s", f"{width * banks} bits a cycle"), low=rate, high=rate
        )
    return Memory(
        kind="sram",
        name=f"{capacity} bytes, {width} bits, {banks} bank{'s' * (banks > 1)}, {node} nm, {table}",
        included=f"{macros} macro{'s' * (macros > 1)} of {capacity // macros} bytes"
        + (", nothing between them" if macros > 1 else ""),
        **figures,
    )


def sram_rows(table: str, node: int) -> list[dict[str, str]]:
    """Return what a table has of a node; InputError if there is no such table, or no such node."""
    sources = sram_sources()
    rows = [row | sources[row["table"]] for row in data.read("sram.csv")]
    check_known("table", table, sources)
    nodes = sorted({int(row["node"]) for row in rows if row["table"] == table})
    if node not in nodes:
        raise InputError(
            f"node {node} nm: {table} has {', '.join(map(str, nodes))} nm; capacities are "
            "interpolated, nodes are not"
        )
    return [row for row in rows if row["table"] == table and int(row["node"]) == node]


def sram_sources() -> dict[str, dict[str, str]]:
    """Return where each table of SRAM is from, by its name."""
    return {row["table"]: row for row in data.read("sram_tables.csv")}


def _interpolated(rows: list[dict[str, str]], column: str, unit: str, capacity: int) -> Figure:
    points = {int(row["capacity"]): float(row[column]) for row in rows}
    what = f"a macro of {capacity} bytes"
    ends = neighbours(points, capacity, what)
    evidence = data.weakest(*(row["evidence"] for row in rows if int(row["capacity"]) in ends))
    value = loglog(points, capacity, what)
    derivation = "" if ends[0] == ends[1] else f"between {ends[0]} and {ends[1]} bytes"
    return Figure(value, value, unit, rows[0]["source"], evidence, derivation)


def register_file(words: int, width: int) -> Memory:
    """Return the cost of a register file of flip-flops at 40 nm and 1 ns, one access a cycle.

    Parameters
    ----------
    words, width
        Number of words, and bits of each.

    Raises
    ------
    InputError
        For less than one bit or more than 1024 bytes.
    """
    bits = whole("words", words, 1) * whole("width", width, 1)
    if bits > 8 * REGISTER_FILE_BYTES:
        raise InputError(
            f"words {words}, width {width}: a register file has up to {REGISTER_FILE_BYTES} bytes; "
            " the table has neither decoder nor read multiplexers, so larger ones are SRAM"
        )
    (row,) = data.read("registers.csv")

    def per_bit(column: str, count: int, unit: str) -> Figure:
        value = float(row[column])
        figure = Figure(value, value, unit, row["source"], row["evidence"])
        return figure.times(count, unit, f"{count} bits" if count > 1 else "")

    energy = per_bit("energy_pj", width, "pJ/access")
    return Memory(
        kind="regfile",
        name=f"{words} words of {width} bits, {row['node']} nm",
        included="flip-flops at a clock of 1 ns; no decoder, no read multiplexers",
        read=energy,
        write=energy,
        area=per_bit("area_um2", bits, "um^2"),
        leakage=per_bit("leakage_mw", bits, "mW"),
    )


def dram(kind: str, boundary: str | None = None) -> Memory:
    """Return the energy of DRAM in pJ/bit; the tables have neither area nor bandwidth.

    Parameters
    ----------
    kind
        Such as ``hbm2`` or ``lpddr5``.
    boundary
        A key of ``BOUNDARIES``; may be left out where the table has only one for the kind.

    Raises
    ------
    InputError
        For a kind or boundary that there is not, or a boundary that is needed and not given.
    """
    check_known("DRAM", kind, sorted({row["kind"] for row in data.read("dram.csv")}))
    rows = [row for row in data.read("dram.csv") if row["kind"] == kind]
    known = [row["boundary"] for row in rows]
    if boundary is None and len(rows) > 1:
        raise InputError(f"{kind} needs a boundary, one of {', '.join(known)}")
    if boundary is not None and (not isinstance(boundary, str) or boundary not in known):
        raise InputError(f"boundary {boundary!r}: {kind} has {', '.join(known)}")
    (row,) = (row for row in rows if boundary in (None, row["boundary"]))
    figure = Figure(
        float(row["low_pj"]), float(row["high_pj"]), "pJ/bit", row["source"], row["evidence"]
    )
    bits = int(row["bits"])
    given = "" if bits == 1 else f"{row['low_pj']} to {row['high_pj']} pJ for {bits} bits"
    return Memory(
        kind="dram",
        name=f"{kind}, {row['boundary']}",
        included=BOUNDARIES[row["boundary"]] + (f"; {row['note']}" if row["note"] else ""),
        access=figure.times(1 / bits, "pJ/bit", given),
    )


KINDS: dict[str, Callable[..., Memory]] = {"sram": sram, "regfile": register_file, "dram": dram}


def make(kind: str, parameters: Mapping[str, str]) -> Memory:
    """Return a memory of one of ``KINDS`` from parameters as text.

    Raises
    ------
    InputError
        For an unknown kind, parameters that are unknown, missing or no whole numbers, and what the
        kind refuses.
    """
    check_known("memory", kind, KINDS)
    if not isinstance(parameters, Mapping):
        raise InputError(f"parameters={parameters!r}: allowed: values by name of the parameter")
    known = inspect.signature(KINDS[kind]).parameters
    values: dict[str, Any] = {}
    for key, text in parameters.items():
        if key not in known:
            raise unknown(f"parameter of {kind}", key, known)
        values[key] = whole(key, text, 1) if known[key].annotation is int else text
    missing = [k for k, p in known.items() if p.default is p.empty and k not in values]
    if missing:
        raise InputError(f"{kind} needs {' and '.join(missing)}")
    return KINDS[kind](**values)


def contents(kind: str) -> list[dict[str, Any]]:
    """Return what the tables of one of ``KINDS`` have, a row for each table, node or DRAM.

    Raises InputError for another kind.
    """
    check_known("memory", kind, KINDS)
    if kind == "dram":
        return [
            {"kind": row["kind"], "boundary": row["boundary"], "low pJ/bit": figure.low,
             "high pJ/bit": figure.high, "evidence": figure.evidence, "source": figure.source}
            for row in data.read("dram.csv")
            if (figure := dram(row["kind"], row["boundary"]).access)
        ]  # fmt: skip
    if kind == "regfile":
        return [
            {"node": int(row["node"]), "bytes": f"up to {REGISTER_FILE_BYTES}",
             "evidence": row["evidence"], "source": row["source"]}
            for row in data.read("registers.csv")
        ]  # fmt: skip
    rows = data.read("sram.csv")
    return [
        {"table": table, "node": int(node),
         "bytes": " ".join(row["capacity"] for row in group),
         "has": " ".join(name for name, (column, _) in _SRAM_COLUMNS.items() if group[0][column]),
         "evidence": data.weakest(*(row["evidence"] for row in group)),
         "source": sram_sources()[table]["source"]}
        for table, node in dict.fromkeys((row["table"], row["node"]) for row in rows)
        if (group := [row for row in rows if (row["table"], row["node"]) == (table, node)])
    ]  # fmt: skip
