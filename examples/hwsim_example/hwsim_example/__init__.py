"""FP4 with its second zero put to use, and a unit that multiplies with it."""
