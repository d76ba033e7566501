"""How the errors of estimates, and corners of libraries, are put in words."""

from collections.abc import Mapping

from cost_models.bands import LEVELS, error_key

Errors = Mapping[str, Mapping[str, float | None]]


def errors_phrase(errors: Errors) -> str:
    """Return the errors of estimates on held-out units as one phrase; empty ones are unknown."""
    if not errors:
        return "error of the estimate unknown"
    return f"error of the estimate on units it was not fitted to: {percentages(errors)}"


def percentages(errors: Errors) -> str:
    """Return what 68 % and 95 % of units stay within, by quantity, as one phrase."""
    stated = [
        f"{quantity.replace('_', ' ')} "
        + " / ".join(_number(error[error_key(level)]) for level in LEVELS)
        for quantity, error in errors.items()
    ]
    units = max((error["units"] or 0 for error in errors.values()), default=0)
    shares = " / ".join(f"{level} %" for level in LEVELS)
    return f"{', '.join(stated)} (in %, for {shares} of {units:.0f} units)"


def corner_phrase(corner: Mapping[str, str | float]) -> str:
    """Return a corner, with as much of it as the library states, as one phrase."""
    units = (("name", ""), ("voltage_v", " V"), ("temperature_c", " °C"))
    known = [f"{corner[key]}{unit}" for key, unit in units if key in corner]
    return f"corner {', '.join(known)}" if known else "corner unknown"


def _number(percent: float | None) -> str:
    return "unknown" if percent is None else f"{percent:.1f}"
