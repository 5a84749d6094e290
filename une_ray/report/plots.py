"""Matplotlib figures as inline SVG, in one style that follows the page by day and by night."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from une_ray.report.theme import SERIES, Colour, themed

PIXELS_PER_INCH = 96  # CSS; at this size the drawing's 9 points are the page's 12 pixels
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": Colour.RULE,
    "axes.labelcolor": Colour.AXIS,
    "axes.titlecolor": Colour.INK,
    "text.color": Colour.AXIS,
    "xtick.color": Colour.SOFT,
    "ytick.color": Colour.SOFT,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.prop_cycle": cycler(color=SERIES[:5]),
    "svg.fonttype": "none",
    "svg.hashsalt": "une_ray",
    "legend.frameon": False,
}


def svg(
    draw: Callable[[list[Axes]], None],
    panels: int = 1,
    width: float = 4.2,
    height: float = 3.0,
    is_heat_map: bool = False,
) -> str:
    """What `draw(axes)` draws on `panels` axes side by side, each `width` × `height` inches, as an <svg>
    element in its frame.

    By night the page turns the pictures inside a heat map, so that white, its middle, is dark: ink on them
    must be Colour.INK or Colour.PAPER, which turn too.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width * panels, height), layout="constrained")
        draw(list(figure.subplots(1, panels, squeeze=False)[0]))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    text = out.getvalue()
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text[text.index("<svg") :], count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")  # of equal width
    kind = "plot heat" if is_heat_map else "plot"
    return (
        f'<div class="{kind}" style="--width: {width * panels * PIXELS_PER_INCH:.0f}px">{themed(text)}</div>'
    )
