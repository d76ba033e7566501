"""Building blocks shared by the units."""
