"""What of one space can be read in another, through one linear map?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.roles import Roles
from une_ray.report.section import Section, Source
from une_ray.report.tables import figure_or_dash, table
from une_ray.report.theme import Colour

ORDER = 80
NOTE = (
    "Ridge regression from each space to each other, judged on test images by the target's own fixed probes."
    " Most of the raw cosine is the target's mean: beside it stands that of predicting the mean for everyone;"
    " the centred cosine and R² are about the image. Shuffled: the same regression on mixed-up pairs. Drop:"
    " native less mapped accuracy of the target's probes, in percentage points, means over attributes; below"
    " zero the source tells them more than the target itself. Small, below every number of the heat maps:"
    " mixed-up pairs. Means over split seeds. Fidelity counts only as far as it beats that of the control"
    " spaces."
)

# Of several runs over one pair, the one with the most images, no copies among them.
QUERY = """
    SELECT source, target, map, avg(cosine), avg(centred_cosine), avg(r2), avg(accuracy_native), avg(accuracy)
    FROM (SELECT * FROM transfers WHERE attribute IS NULL
        QUALIFY row_number() OVER (
            PARTITION BY source, target, map, split_seed ORDER BY copies IS NULL, train DESC, config) = 1)
    GROUP BY source, target, map"""


@dataclass(frozen=True)
class MapFigures:
    """How near one map comes to the target, and what the target's probes read in its images; means over
    split seeds."""

    cosine: float
    centred_cosine: float
    r2: float
    accuracy_native: float
    accuracy: float

    @property
    def drop(self) -> float:
        """Percentage points."""
        return 100 * (self.accuracy_native - self.accuracy)


Pair = tuple[str, str]
"""(source, target)"""

Maps = dict[Pair, dict[str, MapFigures]]
"""Pair → 'ridge', 'mean' and 'shuffled'."""


def section(source: Source) -> Section | None:
    maps: Maps = {}
    for origin, target, name, *figures in source.rows(QUERY):
        maps.setdefault((origin, target), {})[name] = MapFigures(*figures)
    if not maps:
        return None
    spaces = source.roles.in_order(space for pair in maps for space in pair)
    maps = dict(sorted(maps.items(), key=lambda item: [spaces.index(space) for space in item[0]]))
    height = 1.5 + 0.42 * len({origin for origin, _ in maps})
    picture = svg(lambda axes: draw(axes, maps, spaces), panels=2, width=4.3, height=height, is_heat_map=True)
    return Section("Transfer between spaces", NOTE, picture + numbers(maps), summary(maps, source.roles))


def draw(axes: list[Axes], maps: Maps, spaces: list[str]) -> None:
    """Source by target: centred cosine on the first axis, accuracy drop on the second."""
    heat(axes[0], maps, spaces, lambda figures: figures.centred_cosine, "{:.2f}", "Blues", (0.0, 1.0))
    axes[0].set(title="centred cosine", ylabel="source")
    drops = [abs(of_pair[name].drop) for of_pair in maps.values() for name in ("ridge", "mean")]
    reach = max(drops) or 1.0
    heat(axes[1], maps, spaces, lambda figures: figures.drop, "{:+.1f}", "RdBu_r", (-reach, reach))
    axes[1].set(title="accuracy drop, percentage points")
    axes[1].set_yticklabels([])


def heat(
    axis: Axes,
    maps: Maps,
    spaces: list[str],
    value_of: Callable[[MapFigures], float],
    form: str,
    colours: str,
    reach: tuple[float, float],
) -> None:
    """One figure of every pair's ridge map, as colour and as number; below it that of mixed-up pairs."""
    origins, targets = (
        [space for space in spaces if any(pair[side] == space for pair in maps)] for side in (0, 1)
    )
    values = np.full((len(origins), len(targets)), np.nan)
    for (origin, target), of_pair in maps.items():
        row, column = origins.index(origin), targets.index(target)
        value = value_of(of_pair["ridge"])
        values[row, column] = value
        ink = Colour.PAPER if abs(value) > 0.6 * reach[1] else Colour.INK
        axis.text(column, row, form.format(value), ha="center", va="bottom", fontsize=8, color=ink)
        null = form.format(value_of(of_pair["shuffled"]))
        axis.text(column, row + 0.06, null, ha="center", va="top", fontsize=6, color=ink)
    axis.imshow(values, aspect="auto", cmap=colours, vmin=reach[0], vmax=reach[1])
    axis.set_xticks(range(len(targets)), targets, rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(origins)), origins)
    axis.set(xlabel="target")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def numbers(maps: Maps) -> str:
    header = [
        "source",
        "target",
        "cosine",
        "of the mean",
        "centred",
        "shuffled",
        "R²",
        "shuffled",
        "native %",
        "mapped %",
    ]
    header += ["drop", "mean's drop", "shuffled's drop"]
    rows = []
    for pair, of_pair in maps.items():
        ridge, mean, shuffled = (of_pair[name] for name in ("ridge", "mean", "shuffled"))
        fidelity = (ridge.cosine, mean.cosine, ridge.centred_cosine, shuffled.centred_cosine)
        explained = (ridge.r2, shuffled.r2)
        shares = (100 * ridge.accuracy_native, 100 * ridge.accuracy, ridge.drop, mean.drop, shuffled.drop)
        rows.append(
            (
                *pair,
                *(figure_or_dash(value, ".3f") for value in (*fidelity, *explained)),
                *(f"{value:.2f}" for value in shares),
            )
        )
    return table(header, rows, numeric=2)


def summary(maps: Maps, roles: Roles) -> str:
    """The pair of models that maps best, beside its shuffled pairs and the best that a control reaches
    into the same target."""
    models = [pair for pair in maps if not any(map(roles.is_control, pair))] or list(maps)
    origin, target = best = max(models, key=lambda pair: maps[pair]["ridge"].centred_cosine)
    figures = {name: of_map.centred_cosine for name, of_map in maps[best].items()}
    controls = {
        control: of_pair["ridge"].centred_cosine
        for (control, end), of_pair in maps.items()
        if end == target and roles.is_control(control)
    }
    beside = [f"shuffled pairs {figures['shuffled']:.3f}"]
    if controls:
        control = max(controls, key=controls.__getitem__)
        beside.append(f"best control {control} {controls[control]:.3f}")
    return f"Best is {origin} → {target}: centred cosine {figures['ridge']:.3f} ({', '.join(beside)})."
