"""What wires are like in a technology, and by how much they add to its estimates.

Estimates know nothing of a placement. They take factors, fitted to placed netlists of the
technology (:mod:`cost_models.synthesis.wires`): what wires add to delay, energy and clock, as a
share of what is there without them, is ``share * (area / area_um2) ** exponent``. That is the form
of Donath's mean length of wires of N gates, which grows like N^(p - 1/2) with Rent's exponent p
(Donath, IEEE Trans. CAS 26(4), 1979).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import least_squares

from hwsim.errors import InputError, unknown

_DATA = "wires.yaml"

#: Exponents that a fit may have: p - 1/2, with a Rent exponent p from 1/2 (wires to neighbours) to
#: 1 (wires to anywhere, as long as the core).
_EXPONENTS = (0.0, 0.5)


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


@dataclass(frozen=True)
class Growth:
    """A share that grows with the area of a unit's cells.

    Attributes
    ----------
    share
        At ``area_um2``.
    exponent
        Of the area.
    """

    share: float
    exponent: float

    def at(self, area_um2: float, reference_um2: float) -> float:
        """Return the share of a unit with ``area_um2`` of cells."""
        return self.share * (area_um2 / reference_um2) ** self.exponent


@dataclass(frozen=True, kw_only=True)
class Factors:
    """What wires add in a technology, as shares of what is there without them.

    Attributes
    ----------
    utilisation
        Share of the core that cells cover.
    area_um2
        Area of cells at which the shares hold.
    delay, data, clock
        Of the delay; of the energy of all but clock pins, with hazards; of that of clock pins.
    units
        Number of units that they were fitted to.
    errors
        Of ``delay``, ``data`` and ``clock``, on units that were left out: the mean, in percent of
        the total with wires.
    """

    utilisation: float
    area_um2: float
    delay: Growth
    data: Growth
    clock: Growth
    units: int
    errors: Mapping[str, float]


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
    site = data["site_um"]
    if not isinstance(site, list | tuple) or len(site) != 2:
        raise InputError(f"{place}.site_um must be a width and a height, not {site!r}")
    for key in ("clock_buffer", "source"):
        if not isinstance(data[key], str) or not data[key]:
            raise InputError(f"{place}.{key} must be text, not {data[key]!r}")
    fanout = data["clock_fanout"]
    if not isinstance(fanout, int) or isinstance(fanout, bool) or fanout < 2:
        raise InputError(f"{place}.clock_fanout must be a number from 2 up, not {fanout!r}")
    width, height = (_positive(f"{place}.site_um", value) for value in site)
    return Figures(
        site_um=(width, height),
        clock_buffer=data["clock_buffer"],
        clock_fanout=fanout,
        source=data["source"],
        **{
            key: _positive(f"{place}.{key}", data[key])
            for key in _keys(Figures)
            if key.endswith("_per_um")
        },
    )


def read_factors(data: Any, place: str) -> Factors:
    """Return the factors in a mapping; ``place`` is for the messages of InputErrors."""
    _check_keys(data, Factors, place)
    growths = {}
    for key in ("delay", "data", "clock"):
        _check_keys(data[key], Growth, f"{place}.{key}")
        share = _number(f"{place}.{key}.share", data[key]["share"])
        if share < 0:
            raise InputError(f"{place}.{key}.share must not be negative, not {share!r}")
        growths[key] = Growth(share, _number(f"{place}.{key}.exponent", data[key]["exponent"]))
    utilisation = _positive(f"{place}.utilisation", data["utilisation"])
    if utilisation > 1:
        raise InputError(f"{place}.utilisation must be at most 1, not {utilisation!r}")
    errors = data["errors"]
    if not isinstance(errors, Mapping) or set(errors) != set(growths):
        raise InputError(f"{place}.errors must have {', '.join(growths)}, not {errors!r}")
    return Factors(
        utilisation=utilisation,
        area_um2=_positive(f"{place}.area_um2", data["area_um2"]),
        units=int(_positive(f"{place}.units", data["units"])),
        errors={key: _number(f"{place}.errors.{key}", errors[key]) for key in growths},
        **growths,
    )


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


def fit(samples: Sequence[Sample], utilisation: float) -> Factors:
    """Return the factors fitted to some units, with the errors of those fitted to all others.

    What counts is the squared error of the total with wires, relative to it.

    Raises
    ------
    InputError
        For fewer than 3 units, or units to which wires add nothing.
    """
    if len(samples) < 3:
        raise InputError(
            f"{len(samples)} units are too few to fit factors of wires to, 3 are needed"
        )
    area = np.array([sample.area_um2 for sample in samples])
    reference = float(f"{np.exp(np.mean(np.log(area))):.3g}")
    size = np.log(area / reference)
    growths, errors = {}, {}
    for key in ("delay", "data", "clock"):
        share = np.array([getattr(sample, key) for sample in samples])
        if share.min() <= 0:
            raise InputError(f"wires add no {key} to a unit; factors cannot be fitted")
        growths[key] = _growth(size, share)
        left_out = []
        for k in range(len(samples)):
            rest = np.arange(len(samples)) != k
            predicted = _growth(size[rest], share[rest]).at(area[k], reference)
            left_out.append(abs(predicted - share[k]) / (1 + share[k]))
        errors[key] = round(100 * float(np.mean(left_out)), 2)
    return Factors(
        utilisation=utilisation, area_um2=reference, units=len(samples), errors=errors, **growths
    )


def _growth(size: NDArray[np.float64], share: NDArray[np.float64]) -> Growth:
    """Return the growth with the least squared error of 1 + share, relative to it."""

    def errors(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values[0] * np.exp(values[1] * size) - share) / (1 + share)

    low, high = _EXPONENTS
    start = [share.mean(), (low + high) / 2]
    found = least_squares(errors, start, bounds=([0, low], [np.inf, high])).x
    return Growth(float(f"{found[0]:.4g}"), round(float(found[1]), 3))
