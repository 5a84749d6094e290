"""Colours of the page: every one has a name, a value by day and one by night, and plots are drawn in no
others."""

from __future__ import annotations

import re
from enum import StrEnum


class Colour(StrEnum):
    """The value by day, which Matplotlib draws with; the page puts `var(--name)` in its place, so that it
    follows the reader."""

    INK = "#22262d"
    AXIS = "#3b414b"
    SOFT = "#5b616b"
    RULE = "#8a8f98"
    FAINT = "#c9ced6"
    LINE = "#e3e6ea"
    PAPER = "#ffffff"
    GROUND = "#f5f6f8"
    BLUE = "#3b6fb6"
    ORANGE = "#d1603d"
    GREEN = "#4d9a6a"
    VIOLET = "#8d6bb8"
    GOLD = "#b8860b"
    TEAL = "#2a9d9d"
    PINK = "#c2557f"
    GREY = "#7d838d"
    PALE_GREY = "#a3a8b0"
    PALER_GREY = "#bcc1c8"


NIGHT = {
    Colour.INK: "#e4e8ee",
    Colour.AXIS: "#c9cfd8",
    Colour.SOFT: "#a3abb7",
    Colour.RULE: "#7f8793",
    Colour.FAINT: "#5a626e",
    Colour.LINE: "#333a45",
    Colour.PAPER: "#1c2128",
    Colour.GROUND: "#13171c",
    Colour.BLUE: "#79a7e6",
    Colour.ORANGE: "#ee8b67",
    Colour.GREEN: "#6fc091",
    Colour.VIOLET: "#b898e0",
    Colour.GOLD: "#ddb148",
    Colour.TEAL: "#55c3c3",
    Colour.PINK: "#e587ad",
    Colour.GREY: "#99a1ad",
    Colour.PALE_GREY: "#7c8490",
    Colour.PALER_GREY: "#676f7b",
}

HEX = re.compile("|".join(Colour))
SERIES = (Colour.BLUE, Colour.ORANGE, Colour.GREEN, Colour.VIOLET, Colour.GOLD, Colour.TEAL, Colour.PINK)
GREYS = (Colour.GREY, Colour.PALE_GREY, Colour.SOFT, Colour.PALER_GREY)


def variable(colour: Colour) -> str:
    """`--pale-grey`."""
    return f"--{colour.name.lower().replace('_', '-')}"


def by_day() -> str:
    """CSS declarations of every colour."""
    return " ".join(f"{variable(colour)}: {colour};" for colour in Colour)


def by_night() -> str:
    """The same for readers who like it dark."""
    return " ".join(f"{variable(colour)}: {night};" for colour, night in NIGHT.items())


def themed(svg: str) -> str:
    """A drawing with the page's variables in place of the colours that it was drawn with."""
    return HEX.sub(lambda match: f"var({variable(Colour(match[0]))}, {match[0]})", svg)
