"""Are attributes entangled in a space, or only in the corpus? Probe directions beside label correlations."""

from __future__ import annotations

from html import escape

import numpy as np
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import leaves_list, linkage

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.studies.probes.section import CHOSEN, in_order

LABELS, ROWS = 20_000, 4000
NOTE = (
    "Above the diagonal, twice: how the labels themselves correlate (φ). Below it, left: cosine of the probes' directions; right: correlation of "
    "their scores over test images, as a rule stronger than φ, since scores are smoother than labels. Where a space only repeats the corpus the two "
    "halves mirror each other; a pair that stands out in one half alone is entangled by the space, or untangled by it. A direction may turn where the "
    "space hardly varies at no cost to any score, so cosines are the weaker evidence. Attributes that go together stand together."
)


def section(source: Source) -> Section | None:
    probes: dict[str, dict[str, np.ndarray]] = {}
    for space, attribute, w in source.rows(f"SELECT space, attribute, w FROM {CHOSEN} WHERE split_seed = 0"):
        probes.setdefault(space, {})[attribute] = np.array(w)
    parts = []
    for space in in_order(set(probes)):
        names, phi = label_correlations(source, sorted(probes[space]))
        if len(names) > 1 and (z := tested(source, space)) is not None:
            w = np.stack([probes[space][name] for name in names], axis=1)
            parts.append(_space(space, names, phi, cosines(w), np.corrcoef((z @ w).T)))
    return Section("Entanglement", NOTE, "".join(parts)) if parts else None


def _space(space: str, names: list[str], phi: np.ndarray, directions: np.ndarray, scores: np.ndarray) -> str:
    below = np.tril_indices(len(names), -1)
    repeated = (
        [f"{np.corrcoef(matrix[below], phi[below])[0, 1]:+.2f}" for matrix in (directions, scores)]
        if len(names) > 3
        else []
    )
    said = (
        f"<p class=note>Over pairs of attributes, correlation with φ: cosines {repeated[0]}, scores {repeated[1]}.</p>"
        if repeated
        else ""
    )
    picture = svg(lambda axes: draw(axes, names, phi, directions, scores), panels=2, width=4.4, height=4.2)
    return f"<h3>{escape(space)}</h3>{said}{picture}"


def label_correlations(source: Source, names: list[str]) -> tuple[list[str], np.ndarray]:
    """φ of the labels, (k, k), over images that have all of them; the attributes that vary there, alike ones together."""
    query = """SELECT labels FROM (SELECT image_id, list_transform(?, lambda name: attributes[name]::INT) AS labels FROM images WHERE status = 'ok')
        WHERE list_count(labels) = len(labels) ORDER BY md5(image_id) LIMIT ?"""
    labels = np.array([row for (row,) in source.rows(query, names, LABELS)], dtype=float).reshape(
        -1, len(names)
    )
    varies = np.flatnonzero(labels.std(0) > 0) if len(labels) else []
    if len(varies) < 2:
        return [], np.empty((0, 0))
    phi = np.corrcoef(labels[:, varies].T)
    order = leaves_list(linkage(phi, "average", optimal_ordering=True))
    return [names[varies[i]] for i in order], phi[np.ix_(order, order)]


def tested(source: Source, space: str) -> np.ndarray | None:
    """Latents (n, dim) of test images: on those it was fitted on, a probe's scores echo their labels."""
    query = """SELECT z FROM latents SEMI JOIN (SELECT image_id FROM images WHERE split = 'test') USING (image_id)
        WHERE space = ? ORDER BY md5(image_id) LIMIT ?"""
    found = source.sql.sql(query, params=[space, ROWS]).to_arrow_table()["z"].combine_chunks()
    return found.flatten().to_numpy(zero_copy_only=False).reshape(len(found), -1) if len(found) > 1 else None


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
        shown = np.tril(matrix, -1) + np.triu(phi, 1)
        np.fill_diagonal(shown, np.nan)
        image = axis.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1)
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        axis.set_yticks(range(len(names)), names if axis is axes[0] else [""] * len(names), fontsize=size)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(title)
    axes[1].figure.colorbar(image, ax=axes[1], shrink=0.8).outline.set_visible(False)
