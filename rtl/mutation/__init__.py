"""What verification is worth: mutants of units, which it must tell from them, and their score."""

from rtl.mutation.mutants import Mutant, Mutants, draw
from rtl.mutation.score import Fate, Score, Trial, mutate

__all__ = ["Fate", "Mutant", "Mutants", "Score", "Trial", "draw", "mutate"]
