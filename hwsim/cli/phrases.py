"""How the errors of estimates are put in words."""

from collections.abc import Mapping


def errors_phrase(errors: Mapping[str, Mapping[str, float]]) -> str:
    """Return the errors of estimates on held-out units as one phrase."""
    return f"mean error of the estimate on units it was not fitted to: {percentages(errors)}"


def percentages(errors: Mapping[str, Mapping[str, float]]) -> str:
    """Return mean and largest errors by quantity as one phrase."""
    return ", ".join(
        f"{quantity.replace('_', ' ')} {error['mean_percent']:.1f} % "
        f"(at most {error['max_percent']:.1f} %)"
        for quantity, error in errors.items()
    )
