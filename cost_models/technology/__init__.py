"""Fitted coefficients of technologies, one YAML file each, and their reader and writer.

A file holds what the estimate multiplies gate counts, paths and toggles with, where the numbers
come from, and how far the estimate was from synthesis on units that the fit did not see.
A file of a library of one's own, made by ``hwsim characterise``, serves like those that come with
the package.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from cost_models.bands import LEVELS, QUANTITIES, error_key
from cost_models.netlist import GATES, TYPES
from hwsim.errors import InputError, unknown

#: Coefficients by the name of the cell type.
Coefficients = dict[str, float]

#: Most values in a file.
MAX_VALUES = 1_000_000

#: What names of files end in.
SUFFIX = ".yaml"

#: The safe loader, in C where PyYAML has it: the pure one takes a second for a file.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Technology:
    """Coefficients of one technology; all are non-negative.

    Attributes
    ----------
    name
        Its name.
    area_um2, leakage_nw
        Per cell of each type, flip-flops (``DFF``) included.
    area_um2_per_shared_gate
        Added for every gate that drives more than one pin.
    area_um2_per_critical_doubling
        Added to gates on long paths for each doubling of 1 + fan-out; see
        :func:`cost_models.estimate.critical_loads`.
    delay_ns
        Through a gate of each type.
    delay_ns_per_doubling
        Added for each doubling of 1 + fan-out: ``delay_ns_per_doubling * log2(1 + fanout)``.
    clock_to_output_ns, setup_ns
        Of a flip-flop that a path starts from or ends at.
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
    provenance
        Tools, libraries, corner, date, sets.
    errors
        ``unseen_units`` and ``fitting_units``, the errors of these coefficients on the two sets of
        units, and those of other fits on held-out units: ``unseen_families``, to everything but
        what comes from the same generator, and ``components_only``; both also on all units, with
        ``_all_units`` behind the name. Each has ``QUANTITIES``, each with ``mean_percent``,
        ``max_percent`` (absolute and relative to synthesis), ``rank`` (Spearman), and, for each of
        ``LEVELS``, ``error_68_percent`` and so on, see :func:`cost_models.fit.errors_of`, and
        ``units``, the number of units.
    units
        The units of both sets, those fitted to first, with the figures of ``synthesis``,
        ``estimate`` and the two other fits, the multiplier styles of both, and the noise of
        synthesis (:func:`cost_models.fit.noise`).
    """

    name: str
    area_um2: Coefficients
    area_um2_per_shared_gate: float
    area_um2_per_critical_doubling: float
    leakage_nw: Coefficients
    delay_ns: Coefficients
    delay_ns_per_doubling: float
    clock_to_output_ns: float
    setup_ns: float
    energy_fj_per_toggle: Coefficients
    energy_fj_per_toggle_and_load: float
    glitch_fj_per_toggle: Coefficients
    glitch_fj_per_toggle_and_load: float
    clock_fj_per_cycle: float
    provenance: dict[str, Any]
    errors: dict[str, dict[str, dict[str, float | None]]]
    units: list[dict[str, Any]]


def names() -> list[str]:
    """Return the names of the technologies that come with the package."""
    found = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))


def load(name: str) -> Technology:
    """Return a technology that comes with the package, or the one in a file.

    Parameters
    ----------
    name
        Its name, or the path of a YAML file, which ends in ``.yaml``.

    Raises
    ------
    InputError
        For an unknown name, and as :func:`read`.
    """
    if name.endswith(SUFFIX):
        return read(Path(name))
    if name not in names():
        raise unknown("technology", name, names())
    return _shipped(name)


@lru_cache
def _shipped(name: str) -> Technology:
    return parse(files(__name__).joinpath(name + SUFFIX).read_text(), name)


def unseen() -> list[Technology]:
    """Return technologies of libraries that no term of the model was chosen with.

    They show what ``hwsim characterise`` makes of a library of one's own; none is offered for
    estimates by its name.
    """
    found = (entry for entry in files(__name__).joinpath("unseen").iterdir())
    entries = sorted((e for e in found if e.name.endswith(SUFFIX)), key=lambda e: e.name)
    return [parse(entry.read_text(), entry.name) for entry in entries]


def read(path: Path) -> Technology:
    """Return the technology in a YAML file.

    Raises
    ------
    InputError
        If the file cannot be read or is not a technology.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the technology {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read the technology {path}: the text is not UTF-8") from None
    return parse(text, str(path))


def write(technology: Technology, path: Path) -> None:
    """Write ``technology`` as YAML."""
    content = vars(technology) | {"units": []}
    text = yaml.safe_dump(content, sort_keys=False, width=100).removesuffix("units: []\n")
    # A line a figure would be thousands of lines.
    rows = yaml.safe_dump(technology.units, sort_keys=False, width=100, default_flow_style=None)
    path.write_text(f"{text}units:\n{rows}" if technology.units else f"{text}units: []\n")


def parse(text: str, source: str) -> Technology:
    """Return the technology that ``text`` describes in YAML; ``source`` is for messages.

    Raises
    ------
    InputError
        For text that is no YAML, keys that are missing or unknown, values that JSON does not have
        (a date, NaN), coefficients that are missing, negative, or no numbers, or errors of other
        quantities.
    """
    try:
        data = yaml.load(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{source}:{line}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    known = Technology.__dataclass_fields__
    if not isinstance(data, dict):
        raise InputError(f"{source}: not a technology, which has the keys {', '.join(known)}")
    for key in data:
        if key not in known:
            raise unknown(f"key in {source}", str(key), known)
    for key, field in known.items():
        if key not in data:
            raise InputError(f"{source}: the key {key} is missing")
        if field.type is float:
            _check(source, key, data[key])
    if not isinstance(data["name"], str):
        raise InputError(f"{source}: name must be text, not {data['name']!r}")
    for key, types in (
        ("area_um2", TYPES),
        ("leakage_nw", TYPES),
        ("delay_ns", GATES),
        ("energy_fj_per_toggle", TYPES),
        ("glitch_fj_per_toggle", GATES),
    ):
        _check_table(source, key, data[key], types)
    _check_values(source, data)
    _check_errors(source, data["errors"])
    return Technology(**data)


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


def _check_table(source: str, key: str, table: Any, types: tuple[str, ...]) -> None:
    if not isinstance(table, Mapping) or set(table) != set(types):
        raise InputError(f"{source}: {key} must have one number for each of {', '.join(types)}")
    for name, value in table.items():
        _check(source, f"{key}.{name}", value)


def _check_errors(source: str, errors: Any) -> None:
    """Refuse errors of other quantities, such as those of files of earlier versions."""
    if not isinstance(errors, Mapping):
        raise InputError(f"{source}: errors must be a mapping, not {errors!r}")
    wanted = {"mean_percent", "max_percent", "rank", "units", *map(error_key, LEVELS)}
    for kind, quantities in errors.items():
        if not isinstance(quantities, Mapping) or set(quantities) != set(QUANTITIES):
            raise InputError(
                f"{source}: errors.{kind} must have {', '.join(QUANTITIES)}; "
                "make the file again with hwsim characterise"
            )
        for quantity, error in quantities.items():
            if not isinstance(error, Mapping) or set(error) != wanted:
                raise InputError(
                    f"{source}: errors.{kind}.{quantity} must have {', '.join(sorted(wanted))}; "
                    "make the file again with hwsim characterise"
                )


def _check(source: str, key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < math.inf):
        raise InputError(f"{source}: {key} must be a non-negative number, not {value!r}")
