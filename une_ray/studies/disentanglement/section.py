"""Does each coordinate of a space say one thing? Principal, independent and probes' coordinates beside random
rotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import counted, figure_or_dash, table
from une_ray.report.theme import Colour
from une_ray.studies.disentanglement.metrics import HEADINGS, headings

ORDER = 85
CODES = {
    "axes": "own axes",
    "pca": "principal components",
    "ica": "independent components",
    "probes": "probes' scores",
}
ESTIMATES = {False: "full", True: "--fast", None: "full or --fast: an earlier une_ray did not say"}
COLOURS = (Colour.VIOLET, Colour.BLUE, Colour.ORANGE, Colour.GREEN)
PANELS = ("mig", "dci_disentanglement")
NOTE = (
    "Metrics of disentanglement of sets of coordinates of every space against the corpus' factors: its own"
    " axes, where they are few, principal and independent components, and probes."
    " Lines are 95 % intervals over images; the grey bar behind a mark is what random rotations of the same"
    " coordinates reach. A space that is Gaussian has no axes of its own: where principal and independent"
    " components stay within their rotations, none of them means more than another. In the table rotations"
    " stand in brackets, as means. Probes' scores know the factors, and are there to show what a good choice"
    " of axes would have."
)

QUERY = """
    SELECT space, codes, metric, control, score, low, high, note, labels, fast
    FROM largest_disentanglement WHERE control IS NULL OR control = 'rotated'"""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score with the ends of its interval, where there is one."""

    score: float
    low: float | None
    high: float | None


Scores = dict[tuple[str, str, str], dict[str | None, Score]]
"""(space, codes, metric) → the coordinates' own score under None, and that of their rotations."""


def section(source: Source) -> Section | None:
    scores: Scores = {}
    notes: dict[tuple[str, str], str] = {}
    against: dict[str, str] = {}
    for space, codes, metric, control, score, low, high, note, labels, fast in source.rows(QUERY):
        against[space] = f"{labels}, {ESTIMATES[fast]}"
        scores.setdefault((space, codes, metric), {})[control] = Score(score=score, low=low, high=high)
        if note:
            notes[space, codes] = note
    if not scores:
        return None
    spaces = source.roles.in_order(space for space, _, _ in scores)
    panels = [metric for metric in PANELS if any(metric == found for _, _, found in scores)]
    height = 1.3 + 0.45 * len(spaces)
    plot = (
        svg(lambda axes: draw(axes, scores, spaces, panels), panels=len(panels), height=height)
        if panels
        else ""
    )
    label = {space: source.roles.label(space) for space in spaces}
    shown = headings(metric for _, _, metric in scores)
    rows = [
        [label[space], CODES.get(codes, codes), *(_cell(scores, space, codes, metric) for metric in shown)]
        for space in spaces
        for codes in CODES
        if any((space, codes) == key[:2] for key in scores)
    ]
    cells = table(["space", "coordinates", *shown.values()], rows, numeric=2)
    said = "".join(f"<p>{label[space]}, {CODES[codes]}: {note}</p>" for (space, codes), note in notes.items())
    basis = "".join(f"<p>{line}</p>" for line in _compared(against, label))
    return Section("Disentanglement of coordinates", NOTE, plot + cells + basis + said, summary(scores))


def _compared(against: Mapping[str, str], label: Mapping[str, str]) -> list[str]:
    """What spaces were measured against and by which estimate, a line each; only spaces of one line may be
    compared."""
    return [
        f"Against {basis}: {', '.join(label[space] for space in label if against[space] == basis)}."
        for basis in sorted(set(against.values()))
    ]


def draw(axes: list[Axes], scores: Scores, spaces: list[str], panels: list[str]) -> None:
    """A panel per metric: a line per space, and in it a mark per set of coordinates over its rotations."""
    for axis, metric in zip(axes, panels):
        for place, (codes, colour) in enumerate(zip(CODES, COLOURS)):
            heights = [row + 0.2 * (place - 1.5) for row in range(len(spaces))]
            for height, space in zip(heights, spaces):
                found = scores.get((space, codes, metric), {})
                _bar(axis, height, found.get("rotated"))
                _mark(axis, height, found.get(None), colour, CODES[codes])
        axis.set_yticks(range(len(spaces)), spaces if axis is axes[0] else [""] * len(spaces))
        axis.invert_yaxis()
        axis.set(xlabel=HEADINGS[metric])
        axis.set_xlim(left=min(0, axis.get_xlim()[0]))
    handles, labels = axes[0].get_legend_handles_labels()
    by_label = dict(zip(labels, handles))
    axes[0].legend(by_label.values(), by_label, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=8)


def _bar(axis: Axes, height: float, rotated: Score | None) -> None:
    if rotated is not None and rotated.low is not None and rotated.high is not None:
        ends = [rotated.low, rotated.high]
        axis.plot(ends, [height] * 2, color=Colour.FAINT, linewidth=6, solid_capstyle="butt", zorder=1)


def _mark(axis: Axes, height: float, own: Score | None, colour: Colour, label: str) -> None:
    if own is None:
        return
    if own.low is not None and own.high is not None:
        axis.plot([own.low, own.high], [height] * 2, color=colour, linewidth=1.2, zorder=2)
    axis.plot([own.score], [height], "o", color=colour, markersize=5, label=label, zorder=3)


def _cell(scores: Scores, space: str, codes: str, metric: str) -> str:
    found = scores.get((space, codes, metric), {})
    own, rotated = found.get(None), found.get("rotated")
    text = figure_or_dash(own and own.score, ".2f")
    if own is not None and own.low is not None and own.high is not None:
        text += f" ± {(own.high - own.low) / 2:.2f}"
    return text if rotated is None else f"{text} ({rotated.score:.2f})"


def summary(scores: Scores) -> str:
    """In how many spaces the principal and the independent components have more MIG than any rotation of
    theirs."""
    metric = next((name for name in PANELS if any(name == found for _, _, found in scores)), None)
    if metric is None:
        return ""
    parts, spaces = [], {space for space, _, _ in scores}
    for codes in ("axes", "pca", "ica"):
        pairs = [
            (found[None], found["rotated"])
            for (_, kind, name), found in scores.items()
            if kind == codes and name == metric and None in found and "rotated" in found
        ]
        ahead = sum(own.score > (rotated.high or 0) for own, rotated in pairs)
        if pairs:
            parts.append(f"{CODES[codes]} of {ahead}")
    if not parts:
        return ""
    return (
        f"Of {counted(len(spaces), 'space')}, {', '.join(parts)} have a higher {HEADINGS[metric]} than"
        " every random rotation of them."
    )
