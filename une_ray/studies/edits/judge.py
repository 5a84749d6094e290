"""The judge of an edit: probes of an encoder space that the edit did not use, applied to decoded pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from PIL import Image

from une_ray.errors import UneError, refuse_empty, unknown
from une_ray.lake.latents import attributes_of
from une_ray.lake.layout import Lake
from une_ray.lake.results import config_hash
from une_ray.pictures.decode import fit
from une_ray.spaces.space import Space
from une_ray.studies.edits.train_rows import targets_of, train_rows

PREFERRED = (
    "mini-resnet",
    "mini-dino",
    "mini-clip-b",
)  # none shares a tower or training with a mini generator

# What can judge: the embeddings of trained encoders, which `spaces` tells from controls.
ENCODERS = """
    SELECT space FROM spaces
    WHERE role = 'model' AND kind IS NOT NULL AND coalesce(method, 'embedding') = 'embedding'"""

PROBES = """
    SELECT attribute, w, b, config FROM best_probes
    WHERE space = ? AND split_seed = 0 AND status = 'ok' ORDER BY attribute"""


# Of those whose permutations can tell: fewer than 19 reach no .05.
NO_BETTER = """
    SELECT space, attribute, auc, p_value FROM best_probes
    WHERE space IN (SELECT unnest($spaces)) AND attribute IN (SELECT unnest($attributes)) AND split_seed = 0
        AND status = 'ok' AND permutations >= 19 AND p_value > .05
    ORDER BY list_position($spaces, space), attribute"""


class Judge:
    """A loaded encoder and its probes: `attributes` (k,), `w` (k, d), `b` (k,)."""

    def __init__(self, lake: Lake, space: str, device: str = "cpu") -> None:
        self.space = Space.from_fingerprint(space, lake.fingerprints()[space])
        self.embed = self.space.load(device)
        rows = probes(lake, space)
        self.attributes: list[str] = [row["attribute"] for row in rows]
        self.w, self.b = np.array([row["w"] for row in rows]), np.array([row["b"] for row in rows])
        self.of_train = train_rows(lake, space, self.attributes[0]).z @ self.w.T + self.b  # (n, k)

    def __call__(self, pictures: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings (n, d) float32 and the scores (n, k) float64 that the probes read in them."""
        model, parts = self.space.model, []
        for begin in range(0, len(pictures), model.batch_size):
            batch = np.stack(
                [fit(picture, model.preprocessing) for picture in pictures[begin : begin + model.batch_size]]
            )
            parts.append(self.embed(batch, [""] * len(batch))["z"])
        z = np.concatenate(parts)
        return z, z @ self.w.T + self.b

    def scales(self, attribute: str) -> list[tuple[str, float]]:
        """The standard deviation of every score that `named` gives, over the judge's train images."""
        named = self.named(self.of_train, attribute)
        scores = np.array([[score for _, score in row] for row in named])
        return list(zip([name for name, _ in named[0]], scores.std(0).tolist()))

    def named(self, scores: np.ndarray, attribute: str) -> list[list[tuple[str, float]]]:
        """Scores (n, k) as (attribute, score) pairs. Of several attributes that are moved together one more
        is the least of theirs: above 0 where the judge sees them all."""
        names, targets = self.attributes, targets_of(attribute, self.attributes)
        if len(targets) > 1:
            least = scores[:, [names.index(target) for target in targets]].min(1)
            names, scores = [*names, attribute], np.column_stack([scores, least])
        return [list(zip(names, row)) for row in scores.tolist()]


def judges(
    lake: Lake,
    edited: str,
    attribute: str,
    names: Sequence[str] | None = None,
    learnt_from: Collection[str] = (),
) -> list[str]:
    """The spaces that judge: those named, or the preferred ones that can, or all encoders that can.

    Raises UneError for the edited space itself and those that a direction was `learnt_from`, what is no
    encoder or has changed since, and where there is no probe of the attribute."""
    trained = [space for space in encoders(lake) if space not in learnt_from]
    able = [space for space in trained if can_judge(lake, space, attribute)]
    refuse_empty(names, "judge", "those that judge by default")
    for name in names or ():
        if name in learnt_from:
            raise UneError(
                f"{name} is a view of the shared space whose direction is judged, and can't judge it; "
                f"choose among: {', '.join(able) or 'none yet'}"
            )
        if name == edited:
            raise UneError(
                f"{name} is the space that is edited, and can't judge its own edits; "
                f"choose among: {', '.join(able) or 'none yet'}"
            )
        if name not in lake.fingerprints():
            raise UneError(f"{unknown('judge', name, able)}; to have it: {_how_to_build(lake, name)}")
        if name not in able:
            why = "it is not a trained encoder's space"
            if name in trained:
                why = f"it has no such probe; fit it with: une probe --lake {lake.url} --spaces {name}"
            raise UneError(f"{name} can't judge {attribute}: {why}")
    spaces = list(names or [space for space in PREFERRED if space in able] or able)
    if not spaces:
        raise UneError(
            f"no encoder space of {lake.url} has a probe of {attribute} to judge by; "
            f"to have one: {_how_to_build(lake, PREFERRED[1], trained)}"
        )
    for space in spaces:
        Space.refuse_changed(space, lake.fingerprints()[space])
    return spaces


def doubts(lake: Lake, edited: str, attribute: str, judging: Sequence[str]) -> list[str]:
    """Lines on the probes of the attribute that can't be told from probes of shuffled labels: what such a
    judge sees, or such a direction moves, may be anything."""
    attributes = list(targets_of(attribute, attributes_of(lake)))
    asked = {"spaces": [edited, *judging], "attributes": attributes}
    return [
        f"{space}: its probe of {name} can't be told from one of shuffled labels (AUC {auc:.3f}, p ="
        f" {p:.2f}): what it {'moves' if space == edited else 'scores'} may be something else"
        for space, name, auc, p in lake.rows(NO_BETTER, asked)
    ]


def encoders(lake: Lake) -> list[str]:
    """The lake's embeddings by trained encoders; pixels and fresh weights are controls, not judges."""
    trained = {space for (space,) in lake.session.execute(ENCODERS).fetchall()}
    return [space for space in lake.fingerprints() if space in trained]


def can_judge(lake: Lake, space: str, attribute: str) -> bool:
    """Whether a space has probes of the attribute, or of all that are moved together."""
    known = {row["attribute"] for row in probes(lake, space)}
    return set(targets_of(attribute, known)) <= known


def probes(lake: Lake, space: str) -> list[dict[str, Any]]:
    """attribute, w, b and config of the probes that a space judges by."""
    return lake.session.sql(PROBES, params=[space]).to_arrow_table().to_pylist()


def provenance(lake: Lake, names: Sequence[str]) -> dict[str, list[Any]]:
    """What decides the verdict of each of these judges: hashes of its fingerprint and of the configs that
    fitted its probes."""
    return {
        name: [
            config_hash(lake.fingerprints()[name]),
            sorted({probe["config"] for probe in probes(lake, name)}),
        ]
        for name in names
    }


def _how_to_build(lake: Lake, space: str, built: Sequence[str] = ()) -> str:
    """The commands that make a space and its probes, or only the probes of one that is there."""
    probing = f"une probe --lake {lake.url} --spaces {built[0] if built else space}"
    if built:
        return probing
    return f"une build --corpus {lake.manifest['corpus']} --lake {lake.url} --spaces {space} && {probing}"
