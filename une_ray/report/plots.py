"""Matplotlib figures as inline SVG, in one style."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8f98",
    "axes.labelcolor": "#3b414b",
    "xtick.color": "#5b616b",
    "ytick.color": "#5b616b",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.prop_cycle": matplotlib.cycler(color=["#3b6fb6", "#d1603d", "#4d9a6a", "#8d6bb8", "#b8860b"]),
    "svg.fonttype": "none",
    "svg.hashsalt": "une_ray",
    "legend.frameon": False,
}


def svg(draw: Callable[[list[Axes]], None], panels: int = 1, width: float = 4.2, height: float = 3.0) -> str:
    """What `draw(axes)` draws on `panels` axes side by side, as an <svg> element."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width * panels, height), layout="constrained")
        draw(list(figure.subplots(1, panels, squeeze=False)[0]))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    text = out.getvalue()
    return re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text[text.index("<svg") :], count=1)
