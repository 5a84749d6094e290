"""Are attributes entangled in a space, or only in the corpus? Probe directions beside label correlations."""

from __future__ import annotations

from html import escape

import numpy as np
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import leaves_list, linkage

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source

LABELS, ROWS = 20_000, 4000
NOTE = (
    "Above the diagonal, twice: how the labels themselves correlate (φ). Below it, left: cosine of the"
    " probes' directions; right: correlation of their scores over test images, as a rule stronger than φ,"
    " since scores are smoother than labels. Where a space only repeats the corpus the two halves mirror each"
    " other; a pair that stands out in one half alone is entangled by the space, or untangled by it. A"
    " direction may turn where the space hardly varies at no cost to any score, so cosines are the weaker"
    " evidence. Attributes that go together stand together."
)
DIRECTIONS = "SELECT space, attribute, w FROM best_probes WHERE status = 'ok' AND split_seed = 0"
LABELLED = """SELECT labels FROM (
        SELECT image_id, list_transform(?, lambda name: attributes[name]::INT) AS labels FROM images
        WHERE status = 'ok')
    WHERE list_count(labels) = len(labels) ORDER BY md5(image_id) LIMIT ?"""


def section(source: Source) -> Section | None:
    probes: dict[str, dict[str, np.ndarray]] = {}
    for space, attribute, w in source.rows(DIRECTIONS):
        probes.setdefault(space, {})[attribute] = np.array(w)
    correlations: dict[tuple[str, ...], tuple[list[str], np.ndarray]] = {}
    parts = []
    for space in source.roles.in_order(probes):
        attributes = tuple(sorted(probes[space]))  # as a rule those of all other spaces too
        if attributes not in correlations:
            correlations[attributes] = label_correlations(source, list(attributes))
        names, phi = correlations[attributes]
        _, z = source.latents(
            space, ROWS, split="test"
        )  # on those it was fitted on, a probe's scores echo their labels
        if len(names) > 1 and len(z) > 1:
            w = np.stack([probes[space][name] for name in names], axis=1)
            parts.append(_space(space, names, phi, cosines(w), np.corrcoef((z @ w).T)))
    return Section("Entanglement", NOTE, "".join(parts)) if parts else None


def _space(space: str, names: list[str], phi: np.ndarray, directions: np.ndarray, scores: np.ndarray) -> str:
    picture = svg(
        lambda axes: draw(axes, names, phi, directions, scores),
        panels=2,
        width=4.4,
        height=4.2,
        is_heat_map=True,
    )
    return f"<h3>{escape(space)}</h3>{_repeated(phi, directions, scores)}{picture}"


def _repeated(phi: np.ndarray, directions: np.ndarray, scores: np.ndarray) -> str:
    """How far the space repeats the corpus; nothing of so few pairs that any two lists of them correlate."""
    if len(phi) <= 3:
        return ""
    below = np.tril_indices(len(phi), -1)
    of_cosines, of_scores = (np.corrcoef(matrix[below], phi[below])[0, 1] for matrix in (directions, scores))
    return (
        "<p class=note>Over pairs of attributes, correlation with φ: "
        f"cosines {of_cosines:+.2f}, scores {of_scores:+.2f}.</p>"
    )


def label_correlations(source: Source, names: list[str]) -> tuple[list[str], np.ndarray]:
    """φ of the labels, (k, k), over images that have all of them; the attributes that vary there, alike
    ones together."""
    rows = [labels for (labels,) in source.rows(LABELLED, names, LABELS)]
    labels = np.array(rows, dtype=float).reshape(-1, len(names))
    varying = np.flatnonzero(labels.std(0) > 0) if len(labels) else np.array([], int)
    if len(varying) < 2:
        return [], np.empty((0, 0))
    phi = np.corrcoef(labels[:, varying].T)
    order = leaves_list(linkage(phi, "average", optimal_ordering=True))
    return [names[varying[i]] for i in order], phi[np.ix_(order, order)]


def cosines(w: np.ndarray) -> np.ndarray:
    """(k, k) cosines between the columns of `w` (dim, k)."""
    unit = w / np.linalg.norm(w, axis=0)
    return unit.T @ unit


def draw(
    axes: list[Axes], names: list[str], phi: np.ndarray, directions: np.ndarray, scores: np.ndarray
) -> None:
    """Two heat maps, φ above each diagonal."""
    size = min(8.0, 220 / len(names))
    for axis, matrix, title in (
        (axes[0], directions, "directions \\ labels"),
        (axes[1], scores, "scores \\ labels"),
    ):
        cells = np.tril(matrix, -1) + np.triu(phi, 1)
        np.fill_diagonal(cells, np.nan)
        image = axis.imshow(cells, cmap="RdBu_r", vmin=-1, vmax=1)
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        axis.set_yticks(range(len(names)), names if axis is axes[0] else [""] * len(names), fontsize=size)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(title)
    axes[1].figure.colorbar(image, ax=axes[1], shrink=0.8).outline.set_visible(False)
