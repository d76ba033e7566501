"""Errors that a user can act on, and the nearest known name for a misspelt one."""

from collections.abc import Iterable
from difflib import get_close_matches


class HwsimError(Exception):
    """The base of all errors that hwsim raises on purpose; the message is for the user."""


class InputError(HwsimError, ValueError):
    """What the user asked for cannot be done; the message says what is allowed."""


class MissingToolError(HwsimError, RuntimeError):
    """A program that the requested step needs is not installed; the message says how to."""


class ToolError(HwsimError, RuntimeError):
    """A tool failed, or what it made cannot be used; the message has its last lines."""


def suggestion(name: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, or an empty string."""
    if not isinstance(name, str):
        return ""
    matches = get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return f"; did you mean {str(matches[0])!r}?" if matches else ""


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Return the error for a ``name`` that is none of the ``known`` ones."""
    names = list(known)
    hint = suggestion(name, names) or f"; known: {', '.join(names)}"
    return InputError(f"unknown {kind} {name!r}{hint}")


def check_known(kind: str, name: object, known: Iterable[str]) -> None:
    """Refuse with InputError a ``name`` that is none of the ``known`` ones, or no text."""
    names = list(known)
    if not isinstance(name, str) or name not in names:
        raise unknown(kind, name, names)
