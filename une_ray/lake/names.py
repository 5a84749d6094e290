"""What a space may be called: a name that is a folder's, a column's value and a word of a command line."""

from __future__ import annotations

import re

from une_ray.errors import UneError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*(/[A-Za-z0-9][A-Za-z0-9._@+-]*)*")


def check_name(name: str) -> None:
    """Raise UneError for a name that no space can have."""
    if not NAME.fullmatch(name):
        raise UneError(f"{name!r} can't name a space; letters, digits, . _ @ + - and single slashes can")
