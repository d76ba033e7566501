"""What wires are like in a technology, and by how much they add to its estimates.

Synthesis places netlists (:mod:`cost_models.synthesis.wires`). Estimates know nothing of a
placement. They take factors, fitted to placed netlists of the technology: what wires add to delay,
energy and clock, as a share of what is there without them. A share is the same for all units: one
that grows with the area as ``area ** (p - 1/2)``, like Donath's mean length of wires with Rent's
exponent p (Donath, IEEE Trans. CAS 26(4), 1979), was hardly better on units left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from hwsim.errors import InputError, unknown

if TYPE_CHECKING:
    from cost_models.cost import Cost

Floats = NDArray[np.float64]

_DATA = "wires.yaml"

#: Share of the core that cells cover, unless another is asked for.
UTILISATION = 0.7

#: What :class:`Wires` are of.
PLACED, FACTORS = "placed netlist", "factors fitted to placed netlists"

#: What there are factors of.
SHARES = ("delay", "data", "clock")
#: What their errors are of.
ERRORS = ("left_out", "held_out")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Wires of a technology.

    Attributes
    ----------
    site_um
        Width and height of the sites that rows consist of.
    capacitance_ff_per_um, resistance_ohm_per_um
        Of wires for signals.
    clock_capacitance_ff_per_um
        Of the clock tree's wires.
    clock_buffer
        Library cell that the clock tree is made of.
    clock_fanout
        Flip-flops, or buffers, that one buffer drives.
    source
        Where the figures are from.
    """

    site_um: tuple[float, float]
    capacitance_ff_per_um: float
    resistance_ohm_per_um: float
    clock_capacitance_ff_per_um: float
    clock_buffer: str
    clock_fanout: int
    source: str


@dataclass(frozen=True, kw_only=True)
class Factors:
    """What wires add in a technology, as shares of what is there without them.

    Attributes
    ----------
    utilisation
        Share of the core that cells cover.
    areas_um2
        Smallest and largest area of cells that they were fitted to.
    delay, data, clock
        Of the delay; of the energy of all but clock pins, with hazards; of that of clock pins.
    errors
        ``left_out``, of units fitted to, by factors fitted to all others, and ``held_out``, of
        units of the held-out set; each the mean of ``delay``, ``data`` and ``clock`` in percent of
        the total with wires, and ``units``, their number.
    source
        Where they are from, and the figures of wires that the netlists were placed with.
    """

    utilisation: float
    areas_um2: tuple[float, float]
    delay: float
    data: float
    clock: float
    errors: Mapping[str, Mapping[str, float]]
    source: str


@dataclass(frozen=True, kw_only=True)
class Wires:
    """What wires and a clock tree add to the cost of a unit, whose own figures are without them.

    Attributes
    ----------
    utilisation
        Share of the core that cells cover.
    core_area_um2
        Area of the core. Buffers of the clock tree stand in what cells leave free.
    delay_ns
        By how much wires lengthen the shortest clock period. Clock edges are ideal.
    settled_pj, glitch_pj
        Energy of wires in a cycle, of settled toggles and of those that hazards add. Hazards are
        those of cells without wires.
    clock_pj
        Energy of the clock tree in a cycle: its wires and buffers, not the flip-flops' pins.
    length_um
        Sum of the lengths of wires, without the clock tree; None of an estimate.
    provenance
        ``of``, a placed netlist or factors, the ``source`` of the figures of wires, and what else
        is known of either.
    """

    utilisation: float
    core_area_um2: float
    delay_ns: float
    settled_pj: float
    glitch_pj: float
    clock_pj: float
    length_um: float | None
    provenance: Mapping[str, Any]


def figures(technology: str, given: Mapping[str, Any] | None = None) -> Figures:
    """Return the wires of a technology.

    Parameters
    ----------
    technology
        Its name.
    given
        What its file has under ``wires``; its ``figures`` count if they are there.

    Raises
    ------
    InputError
        If nothing is known, or for keys and values that are no figures.
    """
    return read_figures(*_part("figures", Figures, technology, given))


def factors(technology: str, given: Mapping[str, Any] | None = None) -> Factors:
    """Return what wires add to estimates of a technology; the parameters are those of `figures`.

    Raises
    ------
    InputError
        If nothing is known, or for keys and values that are no factors.
    """
    return read_factors(*_part("factors", Factors, technology, given))


def fitted() -> list[str]:
    """Return the technologies that factors come with hwsim for."""
    return [name for name, parts in _data().items() if "factors" in parts]


def estimated(cost: "Cost", its: Factors) -> Wires:
    """Return what wires add to an estimated cost by the factors of its technology."""
    return Wires(
        utilisation=its.utilisation,
        core_area_um2=cost.area_um2 / its.utilisation,
        delay_ns=its.delay * cost.delay_ns,
        settled_pj=its.data * (cost.settled_pj - cost.clock_pj),
        glitch_pj=its.data * cost.glitch_pj,
        clock_pj=its.clock * cost.clock_pj,
        length_um=None,
        provenance={
            "of": FACTORS,
            "source": its.source,
            "areas_um2": list(its.areas_um2),
            "errors": its.errors,
        },
    )


def check(given: Any, place: str) -> None:
    """Refuse with InputError what is no value of a technology file's key ``wires``."""
    if not isinstance(given, Mapping):
        raise InputError(f"{place} must be a mapping or null, not {given!r}")
    for key in given:
        if key not in _PARTS:
            raise InputError(f"{place}: {unknown('key', str(key), _PARTS)}")
    for key, read in _PARTS.items():
        if given.get(key) is not None:
            read(given[key], f"{place}.{key}")


def _part(
    part: str, kind: type, technology: str, given: Mapping[str, Any] | None
) -> tuple[Any, str]:
    """Return the figures or factors of a technology as they are in its file, or in ours."""
    if given is not None and given.get(part) is not None:
        return given[part], f"{technology}: wires.{part}"
    ours = _data().get(technology, {})
    if part not in ours:
        have = [name for name, parts in _data().items() if part in parts]
        raise InputError(
            f"nothing is known of the wires of {technology}; allowed: {', '.join(have)}, or a "
            f"technology file whose key wires has {part} with {', '.join(_keys(kind))}"
        )
    return ours[part], f"{_DATA}: {technology}.{part}"


def read_figures(data: Any, place: str) -> Figures:
    """Return the figures in a mapping; ``place`` is for the messages of InputErrors."""
    _check_keys(data, Figures, place)
    fanout = data["clock_fanout"]
    if not isinstance(fanout, int) or isinstance(fanout, bool) or fanout < 2:
        raise InputError(f"{place}.clock_fanout must be a number from 2 up, not {fanout!r}")
    return Figures(
        site_um=_pair(f"{place}.site_um", data["site_um"], "a width and a height"),
        clock_buffer=_text(f"{place}.clock_buffer", data["clock_buffer"]),
        clock_fanout=fanout,
        source=_text(f"{place}.source", data["source"]),
        **{
            key: _positive(f"{place}.{key}", data[key])
            for key in _keys(Figures)
            if key.endswith("_per_um")
        },
    )


def read_factors(data: Any, place: str) -> Factors:
    """Return the factors in a mapping; ``place`` is for the messages of InputErrors."""
    _check_keys(data, Factors, place)
    utilisation = _positive(f"{place}.utilisation", data["utilisation"])
    if utilisation > 1:
        raise InputError(f"{place}.utilisation must be at most 1, not {utilisation!r}")
    return Factors(
        utilisation=utilisation,
        areas_um2=_pair(f"{place}.areas_um2", data["areas_um2"], "a smallest and a largest area"),
        errors=_errors(f"{place}.errors", data["errors"]),
        source=_text(f"{place}.source", data["source"]),
        **{key: _positive(f"{place}.{key}", data[key]) for key in SHARES},
    )


def _errors(place: str, data: Any) -> dict[str, dict[str, float]]:
    named = ("units", *SHARES)
    for part, keys in (("", ERRORS), *((f".{kind}", named) for kind in ERRORS)):
        its = data[part[1:]] if part else data
        if not isinstance(its, Mapping) or set(its) != set(keys):
            raise InputError(f"{place}{part} must have {', '.join(keys)}, not {its!r}")
    return {
        kind: {key: _number(f"{place}.{kind}.{key}", data[kind][key]) for key in named}
        for kind in ERRORS
    }


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{place} must be text, not {value!r}")
    return value


def _pair(place: str, value: Any, what: str) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InputError(f"{place} must be {what}, not {value!r}")
    first, second = (_positive(place, one) for one in value)
    return first, second


def _check_keys(data: Any, kind: type, place: str) -> None:
    keys = _keys(kind)
    if not isinstance(data, Mapping):
        raise InputError(f"{place} must be a mapping with {', '.join(keys)}, not {data!r}")
    for key in data:
        if key not in keys:
            raise InputError(f"{place}: {unknown('key', str(key), keys)}")
    for key in keys:
        if key not in data:
            raise InputError(f"{place}: the key {key} is missing")


def _keys(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _number(place: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{place} must be a number, not {value!r}")
    return float(value)


def _positive(place: str, value: Any) -> float:
    if _number(place, value) <= 0:
        raise InputError(f"{place} must be positive, not {value!r}")
    return float(value)


#: What a technology's wires are described by, and how it is read.
_PARTS = {"figures": read_figures, "factors": read_factors}


@cache
def _data() -> dict[str, Any]:
    text = files("cost_models.data").joinpath(_DATA).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


@dataclass(frozen=True)
class Sample:
    """What wires add to one unit: its area of cells, and shares as in :class:`Factors`."""

    area_um2: float
    delay: float
    data: float
    clock: float


def fit(
    samples: Sequence[Sample], held_out: Sequence[Sample], utilisation: float, source: str
) -> Factors:
    """Return the factors fitted to some units, with their errors on units left out and held out.

    What counts is the squared error of the total with wires, relative to it.

    Raises
    ------
    InputError
        For fewer than 3 units to fit to, none held out, or units to which wires add nothing.
    """
    if len(samples) < 3 or not held_out:
        raise InputError(
            f"{len(samples)} units and {len(held_out)} held out are too few for factors of wires; "
            "3 to fit to and 1 held out are needed"
        )
    areas = [sample.area_um2 for sample in samples]
    shares: dict[str, float] = {}
    left_out: dict[str, float] = {"units": len(samples)}
    tried: dict[str, float] = {"units": len(held_out)}
    for key in SHARES:
        found, others = (
            np.array([getattr(sample, key) for sample in some]) for some in (samples, held_out)
        )
        if found.min() <= 0:
            raise InputError(f"wires add no {key} to a unit; factors cannot be fitted")
        shares[key] = float(f"{_share(found):.4g}")
        by_others = np.array([_share(np.delete(found, k)) for k in range(len(found))])
        left_out[key] = _mean_error(by_others, found)
        tried[key] = _mean_error(shares[key], others)
    return Factors(
        utilisation=utilisation,
        areas_um2=(float(f"{min(areas):.4g}"), float(f"{max(areas):.4g}")),
        errors=dict(zip(ERRORS, (left_out, tried), strict=True)),
        source=source,
        **shares,
    )


def _share(found: Floats) -> float:
    """Return the share with the least squared error of the total with wires, relative to it."""
    return float(np.average(found, weights=(1 + found) ** -2))


def _mean_error(predicted: Floats | float, found: Floats) -> float:
    """Return by how much totals with wires are off, relative to them, on average in percent."""
    return round(100 * float(np.mean(abs(predicted - found) / (1 + found))), 2)
