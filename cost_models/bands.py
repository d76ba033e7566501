"""What the errors of estimates are stated of, and for which shares of units."""

#: What errors are stated of, and where the figures of ``units`` have it, in um^2, ns and pJ/cycle:
#: the product of these.
QUANTITIES = {
    "area": ("area_um2",),
    "delay": ("delay_ns",),
    "settled_energy": ("settled_pj",),
    "energy": ("energy_pj",),
    "area_times_delay": ("area_um2", "delay_ns"),
}

#: Errors of a technology that estimates are quoted with.
UNSEEN = "unseen_units"

#: Errors of units of families that a technology has no band of.
UNSEEN_FAMILIES = "unseen_families"

#: Percentages of units that errors are stated for.
LEVELS = (68, 95)


def error_key(level: int) -> str:
    """Return the name of the error that ``level`` percent of units stay within."""
    return f"error_{level}_percent"


#: Percentage of pairs of units that errors of ratios are stated for. They are as likely to favour
#: either unit, so a given one is favoured by more in at most 5 of 100 pairs.
RATIO_LEVEL = 90
#: The name of a unit's part in the error of a ratio of two units.
RATIO_ERROR = f"ratio_{error_key(RATIO_LEVEL)}"
#: What the band of a family consists of, for each quantity.
BAND = (*map(error_key, LEVELS), RATIO_ERROR)
