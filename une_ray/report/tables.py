"""HTML tables, and how figures are written in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

NOTHING = "–"


def table(header: Sequence[str], rows: Iterable[Sequence[object]], numeric: int = 1) -> str:
    """An HTML table; columns from number `numeric` on are aligned as numbers."""
    lines = [_line("th", header, numeric), *(_line("td", row, numeric) for row in rows)]
    return f"<div class=scroll><table>{''.join(lines)}</table></div>"


def _line(tag: str, values: Sequence[object], numeric: int) -> str:
    cells = (
        f"<{tag}{' class=n' if place >= numeric else ''}>{escape(str(value))}</{tag}>"
        for place, value in enumerate(values)
    )
    return f"<tr>{''.join(cells)}</tr>"


def figure_or_dash(value: object, form: str = "") -> str:
    """A value in a format of Python's; – where there is none."""
    return NOTHING if value is None else format(value, form)


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent, without the sign; – where there is none."""
    return NOTHING if share is None else f"{100 * share:.{digits}f}"


def within(value: object, half: object) -> str:
    """`0.93 ± 0.04`: a value with half its interval, alone where that is not known."""
    return figure_or_dash(value) if half is None else f"{value} ± {half}"


def counted(count: int, word: str) -> str:
    """`1 space`, `1,000 images`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
