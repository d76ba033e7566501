"""Accelerators as YAML files: those that come with the package, and a user's own.

    unit: bitmod                       # a family of hwsim units
    parameters: {lanes: 4, weight: bitmod4, activation: fp16}
    array: {rows: 32, cols: 32}        # and dataflow, links, double_buffered, convention
    clock: 2                           # ns; optional: without, the technology's
    formats: {kv_cache: int8_g128}     # optional; and overrides, by group or name of products
    attention:                         # optional: what multiplies with keys and values instead
      unit: integer
      parameters: {lanes: 4, weight: int8, activation: int8}
      array: {rows: 16, cols: 16}
    sram:
      table: cacti7-hp                 # what SRAM costs: a table and a node in nm
      node: 22
      weights: {capacity: 524288, width: 64, banks: 8}   # bytes, bits; and double_buffered
      inputs: {capacity: 524288, width: 128, banks: 8}
      outputs: {capacity: 131072, width: 64, banks: 8}
    dram: {kind: lpddr5, boundary: system, bandwidth: 32}   # GB/s

Choices that are left out are those of :class:`~hwsim.accelerator.simulation.Accelerator`. What is
wrong is told with file, line and key.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from hwsim.accelerator.cycles import Convention, choice
from hwsim.accelerator.layer_formats import TENSORS, LayerFormats
from hwsim.accelerator.memory import Dram, Memories, Sram, clock_period
from hwsim.accelerator.simulation import LARGEST_SIDE, Accelerator, Attention, formats_of, mode
from hwsim.decode import Value
from hwsim.decode import load as load_yaml
from hwsim.errors import InputError, unknown
from hwsim.numbers import whole
from hwsim.units import FAMILIES, UnitSpec, make
from hwsim.units.array import Dataflow, Links

SUFFIX = ".yaml"
#: Accelerators of the literature that no unit is there for, and why.
WITHOUT_UNIT = {
    "olive": "no unit decodes pairs of an outlier and its victim; the format olive4 can be measured"
}
_CHOICES = {"dataflow": Dataflow, "links": Links, "convention": Convention}
_ATTENTION_CHOICES = ("dataflow", "links")


def names() -> list[str]:
    """Return the names of the accelerators that come with the package."""
    found = (entry.name for entry in files("hwsim.accelerator").joinpath("accelerators").iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))


def load(name: str) -> Accelerator:
    """Return the accelerator of a name, or the one in a file, whose path ends in ``.yaml``.

    Raises
    ------
    InputError
        For an unknown name, one of ``WITHOUT_UNIT``, and as :func:`read`.
    """
    if not isinstance(name, str):
        raise InputError(f"accelerator={name!r}: allowed: {', '.join(names())}, or FILE.yaml")
    return read(Path(name)) if name.endswith(SUFFIX) else _shipped(name)


@cache
def _shipped(name: str) -> Accelerator:
    return read(shipped(name))


def file_of(name: str) -> Path:
    """Return a path that ends in ``.yaml``, or the file of a name; raises as :func:`shipped`."""
    return Path(name) if name.endswith(SUFFIX) else shipped(name)


def shipped(name: str) -> Path:
    """Return the file of an accelerator that comes with the package.

    Raises
    ------
    InputError
        For an unknown name and one of ``WITHOUT_UNIT``.
    """
    if name in WITHOUT_UNIT:
        raise InputError(f"accelerator {name}: {WITHOUT_UNIT[name]}")
    if name not in names():
        raise InputError(f"{unknown('accelerator', name, names())}; files end in {SUFFIX}")
    return Path(str(files("hwsim.accelerator").joinpath("accelerators", name + SUFFIX)))


def read(path: Path) -> Accelerator:
    """Return the accelerator in a YAML file, called as the file.

    Raises
    ------
    InputError
        With file, line and key: for what is no YAML, keys that are missing, unknown or there twice,
        and values that are not allowed.
    """
    return build(load_yaml(path), path.stem)


def build(value: Value, name: str) -> Accelerator:
    """Return the accelerator that a mapping describes; raises as :func:`read`."""
    entries = value.record(
        ("unit", "array", "sram", "dram"), ("parameters", "clock", "formats", "attention")
    )
    unit = _unit(entries["unit"], entries.get("parameters"))
    chosen = _array(entries["array"], _CHOICES)
    attention = _attention(entries["attention"]) if "attention" in entries else None
    chosen |= {"clock_ns": None, "formats": None}
    if clock := entries.get("clock"):
        chosen["clock_ns"] = clock.refine(partial(clock_period, "clock", clock.number()))
    if "formats" in entries:
        chosen["formats"] = _formats(entries["formats"], unit, attention)
    memories = _memories(entries["sram"], entries["dram"])
    made = entries["array"].refine(
        lambda: Accelerator(name=name, unit=unit, memories=memories, **chosen)
    )
    if attention is None:
        return made
    return entries["attention"].refine(lambda: replace(made, attention=attention))


def _array(value: Value, choices: Iterable[str]) -> dict[str, Any]:
    """Return the size of an array and what else is chosen of it."""
    given = value.record(("rows", "cols"), (*choices, "double_buffered"))
    chosen: dict[str, Any] = {
        key: given[key].refine(partial(choice, key, given[key].text(), _CHOICES[key]))
        for key in choices
        if key in given
    }
    for key in ("rows", "cols"):
        side = given[key].integer()
        chosen[key] = given[key].refine(partial(whole, key, side, 1, LARGEST_SIDE))
    if "double_buffered" in given:
        chosen["double_buffered"] = given["double_buffered"].boolean()
    return chosen


def _attention(value: Value) -> Attention:
    entries = value.record(("unit", "array"), ("parameters",))
    unit = _unit(entries["unit"], entries.get("parameters"))
    return Attention(unit=unit, **_array(entries["array"], _ATTENTION_CHOICES))


def _unit(family: Value, parameters: Value | None) -> UnitSpec:
    name = family.choice("unit", FAMILIES)
    given = {} if parameters is None else parameters.mapping()
    values = {key: one.text() if one.is_text else str(one.integer()) for key, one in given.items()}
    place = parameters or family
    unit = place.refine(partial(make, name, **values))
    place.refine(partial(mode, unit))
    return unit


def _formats(value: Value, unit: UnitSpec, attention: Attention | None) -> LayerFormats:
    entries = value.record((), ("kv_cache", "overrides"))
    overrides = {
        pattern: {tensor: one.text() for tensor, one in formats.record((), TENSORS).items()}
        for pattern, formats in (
            entries["overrides"].mapping().items() if "overrides" in entries else ()
        )
    }
    kv_cache = entries["kv_cache"].text() if "kv_cache" in entries else None
    return value.refine(partial(formats_of, unit, attention, kv_cache, overrides))


def _memories(sram: Value, dram: Value) -> Memories:
    entries = sram.record(("table", "node", "weights", "inputs", "outputs"))
    given = dram.record(("kind", "bandwidth"), ("boundary",))
    boundary = given["boundary"].text() if "boundary" in given else None
    kind, bandwidth = given["kind"].text(), given["bandwidth"].number()
    return Memories(
        weights=_sram(entries["weights"]),
        inputs=_sram(entries["inputs"]),
        outputs=_sram(entries["outputs"]),
        dram=dram.refine(lambda: Dram(kind=kind, bandwidth=bandwidth, boundary=boundary)),
        table=entries["table"].text(),
        node=entries["node"].integer(),
    )


def _sram(value: Value) -> Sram:
    entries = value.record(("capacity", "width", "banks"), ("double_buffered",))
    sizes = {key: entries[key].integer() for key in ("capacity", "width", "banks")}
    double = entries["double_buffered"].boolean() if "double_buffered" in entries else True
    return value.refine(lambda: Sram(**sizes, double_buffered=double))
