"""Whole networks that compute, and what they lose where their tensors are quantised."""

#: Tokens of a text that are taken, and of a window, where nothing else is asked for.
TOKENS, WINDOW = 2048, 512
