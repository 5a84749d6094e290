"""The one error that a user is meant to read: what was wrong, with the value, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sized

MOST_SHOWN = 60  # known names in an error


class UneError(Exception):
    """A fault in what the user asked for or gave us; the command line prints it without a traceback."""


class EmptyCorpus(UneError):
    """A corpus of nothing; whoever read it knows what was left out."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UneError:
    """The error for a name that is not in a table: the nearest known names first, then the rest; of many only
    the nearest."""
    known = list(known)
    if not known:
        return UneError(f"unknown {kind} {name!r}; there is none")
    if len(known) > MOST_SHOWN:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.0)
        return UneError(f"unknown {kind} {name!r}; the nearest of {len(known):,}: {', '.join(near)}")
    near = difflib.get_close_matches(name, known, n=len(known), cutoff=0.0)
    rest = [k for k in known if k not in near]
    return UneError(f"unknown {kind} {name!r}; known, nearest first: {', '.join(near + rest)}")


def refuse_empty(names: Sized | None, what: str, otherwise: str) -> None:
    """Raise UneError for a list that names nothing: only None, the argument left out, means `otherwise`."""
    if names is not None and not len(names):
        raise UneError(f"an empty list names no {what}; name one or more, or leave it out for {otherwise}")


def reason(error: Exception) -> str:
    """What a library's error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
