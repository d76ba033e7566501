"""Whole networks that compute, and what they lose where their tensors are quantised."""
