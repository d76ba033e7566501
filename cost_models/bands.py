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

#: Percentages of units that errors are stated for.
LEVELS = (68, 95)


def error_key(level: int) -> str:
    """Return the name of the error that ``level`` percent of units stay within."""
    return f"error_{level}_percent"
