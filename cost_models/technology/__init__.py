"""Fitted coefficients of technologies, one YAML file each, and their reader and writer.

A file holds what the estimate multiplies gate counts, paths and toggles with, where the numbers
come from, and how far the estimate was from synthesis on units that the fit did not see.
A file of a library of one's own, made by ``hwsim characterise``, serves like those that come with
the package. Other packages add technologies by entry points of the group ``hwsim.technologies``,
whose objects are paths of such files, and scripts by :func:`register` (:mod:`hwsim.registration`).
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import yaml

from cost_models import wires
from cost_models.bands import BAND, QUANTITIES, UNSEEN, UNSEEN_FAMILIES
from cost_models.netlist import GATES, TYPES
from cost_models.words import FEATURES
from hwsim import files
from hwsim.errors import InputError, unknown
from hwsim.registration import Registry

#: Coefficients by the name of the cell type.
Coefficients = dict[str, float]

#: Most values in a file.
MAX_VALUES = 1_000_000

#: What names of files end in.
SUFFIX = ".yaml"

#: The safe loader, in C where PyYAML has it: the pure one takes a second for a file.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Coefficients are far below it; sums of products with more would overflow.
_LARGEST = 1e30

#: What :mod:`cost_models.clock_gating` takes of a clock gate.
GATE_FIGURES = (
    "flip_flops",
    "area_um2",
    "leakage_nw",
    "closed_fj_per_cycle",
    "open_fj_per_cycle",
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")

#: Keys whose values have a coefficient for each of these types.
_TABLES = {
    "area_um2": TYPES,
    "leakage_nw": TYPES,
    "delay_ns": GATES,
    "energy_fj_per_toggle": TYPES,
    "glitch_fj_per_toggle": GATES,
}


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Delays of gates; all are non-negative.

    Attributes
    ----------
    delay_ns
        Through a gate of each type.
    delay_ns_per_doubling
        Added for each doubling of 1 + fan-out: ``delay_ns_per_doubling * log2(1 + fanout)``.
    clock_to_output_ns, setup_ns
        Of a flip-flop that a path starts from or ends at.
    """

    delay_ns: Coefficients
    delay_ns_per_doubling: float
    clock_to_output_ns: float
    setup_ns: float


@dataclass(frozen=True, kw_only=True)
class Sizing(Delays):
    """Coefficients of one end of every unit's curve; all are non-negative.

    Attributes
    ----------
    area_um2, leakage_nw
        Per cell of each type, flip-flops (``DFF``) included.
    area_um2_per_shared_gate
        Added for every gate that drives more than one pin.
    area_um2_per_critical_doubling
        Added to gates on long paths for each doubling of 1 + fan-out; see
        :func:`cost_models.estimate.critical_loads`.
    energy_fj_per_toggle
        For an output toggle of each type, flip-flops included.
    energy_fj_per_toggle_and_load
        Added for every gate input that the toggling net drives.
    glitch_fj_per_toggle
        For every toggle that hazards add to an output, of each gate type.
    glitch_fj_per_toggle_and_load
        Added for every gate input that it drives.
    clock_fj_per_cycle
        For the clock pin of one flip-flop, every cycle.
    """

    area_um2: Coefficients
    area_um2_per_shared_gate: float
    area_um2_per_critical_doubling: float
    leakage_nw: Coefficients
    energy_fj_per_toggle: Coefficients
    energy_fj_per_toggle_and_load: float
    glitch_fj_per_toggle: Coefficients
    glitch_fj_per_toggle_and_load: float
    clock_fj_per_cycle: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What lies between the ends of a curve, by how far a clock is from the one to the other.

    Attributes
    ----------
    area, energy
        Exponents: at a share x of the way from the slowest clock to the fastest, area has gone
        x**area of its way, energy and leakage likewise.
    """

    area: float
    energy: float


@dataclass(frozen=True, kw_only=True)
class Technology:
    """Coefficients of one technology.

    Attributes
    ----------
    name
        Its name.
    least_area, least_delay
        Those of units mapped for the one and for the other.
    curve
        What is between them.
    hazards
        Delays that hazards are simulated with, fitted to components alone.
    clock_ns
        Clock period in ns that sweeps run at unless they say otherwise.
    clock_gates
        The library's clock gates, the smallest first; None if it has none. Each has ``cell``, its
        name, and ``GATE_FIGURES``: the most ``flip_flops`` that it drives, area, leakage, and
        energy of a cycle in which it is closed, and of one in which it is open, without the clock
        pins behind it.
    provenance
        Tools, libraries, corner, date, sets.
    errors
        ``unseen_units`` and ``fitting_units``, the errors of these coefficients on the two sets of
        units at their least area, and those of other fits on held-out units: ``unseen_families``,
        to everything but what comes from the same generator, and ``components_only``; both also on
        all units, with ``_all_units`` behind the name. ``unseen_units_speed`` and
        ``unseen_units_clock`` are those of held-out units at the least delay, and at a clock half
        way between. Each has ``QUANTITIES``, each with ``mean_percent``, ``max_percent`` (absolute
        and relative to synthesis), ``rank`` (Spearman), and ``error_68_percent``,
        ``error_95_percent`` and ``ratio_error_90_percent``, see
        :func:`cost_models.fit.errors_of`, and ``units``, the number of units.
    screen
        What :mod:`cost_models.screen` multiplies counts of words with, ``um2``, and its errors on
        ``unseen_units`` and ``unseen_families``; None if no
        screen was fitted.
    bands
        What is printed behind ±: for each of ``QUANTITIES`` ``families``, a band for every family
        that was fitted to, and ``unseen_families``, the one of all others. Each has
        ``error_68_percent``, ``error_95_percent`` and ``ratio_error_90_percent``, see
        :func:`cost_models.conformal.bounds`.
    wires
        Figures and factors of wires that count instead of those of :mod:`cost_models.wires`; None
        for those. A file need not have the key.
    units
        The units of both sets, those fitted to first, with the figures of ``synthesis``,
        ``estimate`` and the two other fits, those at the least delay and at a clock, the multiplier
        styles of both, and the noise of synthesis (:func:`cost_models.fit.noise`).
    """

    name: str
    least_area: Sizing
    least_delay: Sizing
    curve: Curve
    hazards: Delays
    clock_ns: float
    clock_gates: list[dict[str, Any]] | None
    provenance: dict[str, Any]
    errors: dict[str, dict[str, dict[str, float | None]]]
    screen: dict[str, Any] | None
    bands: dict[str, dict[str, dict[str, Any]]]
    wires: dict[str, Any] | None = None
    units: list[dict[str, Any]]

    def band(self, family: str) -> dict[str, dict[str, float | None]]:
        """Return the band of a family by quantity; of unseen families if it has none."""
        return {
            quantity: found["families"].get(family, found[UNSEEN_FAMILIES])
            for quantity, found in self.bands.items()
        }


#: Keys whose values are coefficients.
_SETS: Mapping[str, type[Any]] = {
    "least_area": Sizing,
    "least_delay": Sizing,
    "curve": Curve,
    "hazards": Delays,
}


def shipped() -> list[str]:
    """Return the names of the technologies that come with this package."""
    found = (entry.name for entry in resources(__name__).iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))


def names() -> list[str]:
    """Return the names of the technologies of this package, and of those that others registered."""
    return list(_registry())


def register(technology: Technology) -> None:
    """Make a technology known by its name; InputError if the name is taken."""
    name = getattr(technology, "name", "")
    _registry().register(name, technology)


def load(name: str) -> Technology:
    """Return the technology of a name, or the one in a file.

    Parameters
    ----------
    name
        Its name, or the path of a YAML file, which ends in ``.yaml``.

    Raises
    ------
    InputError
        For an unknown name or what is no text, and as :func:`read`.
    """
    if not isinstance(name, str):
        raise InputError(f"technology={name!r}: allowed: {', '.join(names())}, or FILE.yaml")
    if name.endswith(SUFFIX):
        return read(Path(name))
    return _registry()[name]


def load_all(technologies: Iterable[str | Technology]) -> list[Technology]:
    """Return technologies of different names, those given by name loaded.

    Raises
    ------
    InputError
        For one that is neither name nor technology, a name that two of them have, and as
        :func:`load`.
    """
    if isinstance(technologies, str) or not isinstance(technologies, Iterable):
        raise InputError(f"technologies={technologies!r}: allowed: several names")
    loaded = [one if isinstance(one, Technology) else load(one) for one in technologies]
    for k, one in enumerate(loaded):
        if one.name in [other.name for other in loaded[:k]]:
            raise InputError(f"the technology {one.name} is given twice")
    return loaded


@cache
def _registry() -> Registry[Technology]:
    own = {name: name for name in shipped()}
    return Registry("technology", "hwsim.technologies", own, _check_registered, _shipped)


def _check_registered(name: str, found: Any) -> Technology:
    """Return the technology that another package or a script has by this name."""
    if callable(getattr(found, "read_text", None)):
        found = parse(found.read_text(encoding="utf-8"), str(found))
    if not isinstance(found, Technology):
        raise InputError(f"{found!r} is no technology; allowed: one, or the path of its YAML file")
    check_name("name", name)
    if found.name != name:
        raise InputError(f"the technology's name is {found.name!r}; allowed: that of the entry")
    return found


@lru_cache
def _shipped(name: str) -> Technology:
    return parse(resources(__name__).joinpath(name + SUFFIX).read_text(), name)


def unseen() -> list[Technology]:
    """Return technologies of libraries that no term of the model was chosen with.

    They show what ``hwsim characterise`` makes of a library of one's own; none is offered for
    estimates by its name.
    """
    found = (entry for entry in resources(__name__).joinpath("unseen").iterdir())
    entries = sorted((e for e in found if e.name.endswith(SUFFIX)), key=lambda e: e.name)
    return [parse(entry.read_text(), entry.name) for entry in entries]


def read(path: Path) -> Technology:
    """Return the technology in a YAML file.

    Raises
    ------
    InputError
        If the file cannot be read or is not a technology.
    """
    return parse(files.read_text(path, "technology"), str(path))


def write(technology: Technology, path: Path) -> None:
    """Write ``technology`` as YAML; InputError if the file cannot be written."""
    content = asdict(technology)
    last = ("bands", "units")
    text = yaml.safe_dump(
        {key: value for key, value in content.items() if key not in last},
        sort_keys=False, width=100,
    )  # fmt: skip
    # A line a figure would be thousands of lines.
    text += yaml.safe_dump(
        {key: content[key] for key in last}, sort_keys=False, width=100, default_flow_style=None
    )
    files.write_text(path, text)


def parse(text: str, source: str) -> Technology:
    """Return the technology that ``text`` describes in YAML; ``source`` is for messages.

    Raises
    ------
    InputError
        With the line: for text that is no YAML, keys that are missing, unknown or there twice,
        coefficients that are missing, negative or no numbers, and missing errors.
    """
    if not isinstance(text, str):
        raise InputError(f"{source}: text={text!r}: allowed: YAML text")
    data, lines = _load(text, source)
    known = Technology.__dataclass_fields__
    if not isinstance(data, dict):
        raise InputError(f"{source}: not a technology, which has the keys {', '.join(known)}")
    for key, line in lines.items():
        if key not in known:
            raise InputError(f"{source}:{line}: {unknown('key', str(key), known)}")
    for key in known:
        if key == "wires":
            continue
        if key not in data:
            raise InputError(f"{source}: the key {key} is missing")
    for key, kind in _SETS.items():
        _check_set(f"{source}:{lines[key]}: {key}", data[key], kind)
    _check(f"{source}:{lines['clock_ns']}: clock_ns", data["clock_ns"])
    if not data["clock_ns"]:
        raise InputError(f"{source}:{lines['clock_ns']}: clock_ns must be positive, not 0")
    check_name(f"{source}:{lines['name']}: name", data["name"])
    for key, kind, what in (("provenance", dict, "a mapping"), ("units", list, "a list")):
        if not isinstance(data[key], kind):
            raise InputError(f"{source}:{lines[key]}: {key} must be {what}, not {data[key]!r}")
    _check_values(source, data)
    _check_errors(f"{source}:{lines['errors']}: errors", data["errors"])
    if data["clock_gates"] is not None:
        _check_gates(f"{source}:{lines['clock_gates']}: clock_gates", data["clock_gates"])
    _check_bands(f"{source}:{lines['bands']}: bands", data["bands"])
    if data["screen"] is not None:
        _check_screen(f"{source}:{lines['screen']}: screen", data["screen"])
    if data.get("wires") is not None:
        wires.check(data["wires"], f"{source}:{lines['wires']}: wires")
    return Technology(**data | {key: kind(**data[key]) for key, kind in _SETS.items()})


def _load(text: str, source: str) -> tuple[Any, dict[Any, int]]:
    """Return what YAML text reads as, and the line of each of its keys."""
    try:
        loader = _LOADER(text)
        node = loader.get_single_node()
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        keys = [(loader.construct_object(key, deep=True), key) for key, _ in entries]
        data = loader.construct_document(node) if node else None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{source}{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{source}: {error}") from None
    except RecursionError:
        raise InputError(f"{source}: nested too deeply") from None
    lines: dict[Any, int] = {}
    for key, place in keys:
        line = place.start_mark.line + 1
        if key in lines:
            raise InputError(f"{source}:{line}: the key {key} is there twice")
        lines[key] = line
    return data, lines


def _check_values(source: str, data: Any) -> None:
    """Refuse what JSON does not have, and aliases that multiply to more than any fit has."""
    pending, count = [data], 0
    while pending:
        value = pending.pop()
        count += 1
        if count > MAX_VALUES:
            raise InputError(f"{source}: more than {MAX_VALUES} values; no technology has as many")
        if isinstance(value, dict):
            pending += [*value, *value.values()]
        elif isinstance(value, list):
            pending += value
        elif not isinstance(value, str | int | None) and not (
            isinstance(value, float) and math.isfinite(value)
        ):
            raise InputError(f"{source}: {value!r} is neither text nor a finite number")


def _check_set(place: str, found: Any, kind: type[Any]) -> None:
    """Refuse what are not the coefficients of a set."""
    known = [field.name for field in fields(kind)]
    if not isinstance(found, Mapping):
        raise InputError(f"{place} must be a mapping with {', '.join(known)}")
    for key in found:
        if key not in known:
            raise InputError(f"{place}: {unknown('key', str(key), known)}")
    for key in known:
        if key not in found:
            raise InputError(f"{place}: the key {key} is missing")
        if key in _TABLES:
            _check_table(f"{place}.{key}", found[key], _TABLES[key])
        else:
            _check(f"{place}.{key}", found[key])


def _check_table(place: str, table: Any, types: tuple[str, ...]) -> None:
    if not isinstance(table, Mapping) or set(table) != set(types):
        raise InputError(f"{place} must have one number for each of {', '.join(types)}")
    for name, value in table.items():
        _check(f"{place}.{name}", value)


def _check_gates(place: str, gates: Any) -> None:
    """Refuse clock gates that lack a figure."""
    if not isinstance(gates, list) or not gates:
        raise InputError(f"{place} must be a list of clock gates or null, not {gates!r}")
    for number, gate in enumerate(gates):
        wanted = ("cell", *GATE_FIGURES)
        if not isinstance(gate, Mapping) or set(gate) != set(wanted):
            raise InputError(f"{place}[{number}] must have {', '.join(wanted)}")
        for name in GATE_FIGURES:
            _check(f"{place}[{number}].{name}", gate[name])


def _check_screen(place: str, screen: Any) -> None:
    """Refuse a screen without a coefficient for every feature, or without its errors."""
    if not isinstance(screen, Mapping):
        raise InputError(f"{place} must be a mapping or null, not {screen!r}")
    _check_table(f"{place}.um2", screen.get("um2"), FEATURES)
    for kind in ("unseen_units", "unseen_families"):
        if not isinstance(errors := screen.get(kind), Mapping):
            raise InputError(f"{place}.{kind} is missing")
        _check_table(f"{place}.{kind}", errors, ("mean_percent", "max_percent", "rank"))


def _check(place: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LARGEST:
        raise InputError(f"{place} must be a non-negative number, not {value!r}")


def check_name(place: str, name: Any) -> None:
    """Refuse with InputError a name that cannot be a part of names of files."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{place} must be up to 64 letters, digits, '_', '.', '+' and '-', not {name!r}"
        )


def _check_errors(place: str, errors: Any) -> None:
    """Refuse errors of other quantities, such as those of files of earlier versions."""
    if not isinstance(errors, Mapping) or UNSEEN not in errors:
        raise InputError(f"{place}: {UNSEEN} is missing")
    wanted = {"mean_percent", "max_percent", "rank", "units", *BAND}
    for kind, quantities in errors.items():
        if not isinstance(quantities, Mapping) or set(quantities) != set(QUANTITIES):
            raise InputError(
                f"{place}.{kind} must have {', '.join(QUANTITIES)}; "
                "make the file again with hwsim characterise"
            )
        for quantity, error in quantities.items():
            if not isinstance(error, Mapping) or set(error) != wanted:
                raise InputError(
                    f"{place}.{kind}.{quantity} must have {', '.join(sorted(wanted))}; "
                    "make the file again with hwsim characterise"
                )
            for measure, value in error.items():
                # Too few units have no error that 95 % of them stay within.
                if measure != "rank" and value is not None:
                    _check(f"{place}.{kind}.{quantity}.{measure}", value)


def _check_bands(place: str, bands: Any) -> None:
    """Refuse bands of other quantities, or without what a band consists of."""
    if not isinstance(bands, Mapping) or set(bands) != set(QUANTITIES):
        raise InputError(f"{place} must have {', '.join(QUANTITIES)}")
    for quantity, found in bands.items():
        at = f"{place}.{quantity}"
        if not isinstance(found, Mapping) or set(found) != {"families", UNSEEN_FAMILIES}:
            raise InputError(f"{at} must have families, {UNSEEN_FAMILIES}")
        if not isinstance(families := found["families"], Mapping):
            raise InputError(f"{at}.families must be a mapping, not {families!r}")
        for name, band in {**families, UNSEEN_FAMILIES: found[UNSEEN_FAMILIES]}.items():
            if not isinstance(band, Mapping) or set(band) != set(BAND):
                raise InputError(f"{at}: the band of {name} must have {', '.join(BAND)}")
            for key, value in band.items():
                # Too few units have no bound that 95 % of them stay within.
                if value is not None:
                    _check(f"{at}: {key} of {name}", value)
