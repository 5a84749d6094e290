"""A lake whose spaces are known linear views of one latent."""

from __future__ import annotations

import hashlib

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import accuracy_score, roc_auc_score

from tests.helpers.lakes import write
from une_ray.corpora import Item
from une_ray.corpora.base import split_of
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder

CONTROLS = ("pixels-4", "gen/leak50")
HIDDEN, DIMS = 6, {"gen/ddim50": 16, "enc": 10, "pixels-4": 12, "gen/leak50": 16}
NOISE = {"gen/ddim50": 0.5, "enc": 0.1, "pixels-4": 1.5, "gen/leak50": 4.0}


class Planted:
    """Views of one hidden latent, and ten attributes of it, the later the fainter.

    `z`: {space: (n, dim)}; `labels`: (n, 10) bool of `attributes`; `ids`: (n,); `captions`: n, none
    unless they are set.
    """

    def __init__(self, count: int = 600, spaces: tuple[str, ...] = tuple(DIMS), seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        hidden = random.standard_normal((count, HIDDEN))
        view = lambda space: hidden @ random.standard_normal((HIDDEN, DIMS[space]))  # noqa: E731
        self.z = {
            s: (view(s) + NOISE[s] * random.standard_normal((count, DIMS[s])) + 2)
            .astype(np.float16)
            .astype(float)
            for s in spaces
        }
        directions = random.standard_normal((HIDDEN, 10))
        directions[:, 1] = directions[:, 0] + 0.3 * directions[:, 1]
        faint = np.linspace(0.1, 2.5, 10) * np.linalg.norm(directions, axis=0)
        self.labels = hidden @ directions + faint * random.standard_normal((count, 10)) > 0.3
        self.ids = np.array([f"i{n:04}" for n in range(count)])
        self.attributes = [f"Attribute {n}" for n in range(10)]
        self.test = np.array([split_of(i) == "test" for i in self.ids])
        self.captions: list[str | None] = [None] * count
        self.groups: list[str | None] = [None] * count
        self.bytes: list[str | None] = [None] * count  # what images of the same bytes share

    def lake(self, url: str, rejected: dict[str, set[str]] | None = None) -> Lake:
        """A finished lake of it; `rejected` names the images that a space lacks."""
        planned = (
            Item(
                i,
                f"{i}.png",
                split_of(i),
                caption,
                dict(zip(self.attributes, map(bool, row))),
                split_group=group,
            )
            for i, row, caption, group in zip(self.ids, self.labels, self.captions, self.groups)
        )
        lake = create(Lake(url), f"test:{len(self.ids)}", planned, 256)
        z = {space: dict(zip(self.ids, rows)) for space, rows in self.z.items()}
        for space in z:
            lake.register(space, fingerprint(space))
        for shard in range(lake.shards):
            plan = lake.plan(shard).to_pylist()
            sha256 = dict(zip(self.ids, self.bytes))
            read = [row | {"status": "ok", "sha256": sha256[row["image_id"]]} for row in plan]
            write(lake, f"images/{shard_file(shard)}", read, schema.IMAGES)
            for space, latents in z.items():
                lacking = (rejected or {}).get(space, set())
                rows = [
                    {"image_id": i, "status": "reject", "error": "not finite"}
                    if i in lacking
                    else {
                        "image_id": i,
                        "status": "ok",
                        "z": latents[i].astype(np.float16),
                        "norm": np.linalg.norm(latents[i]),
                    }
                    for i in (row["image_id"] for row in plan)
                ]
                write(
                    lake, f"{space_folder(space)}/{shard_file(shard)}", rows, schema.SPACE, fingerprint(space)
                )
        return lake

    def probe(self, lake: Lake, spaces: list[str], split_seed: int = 0, method: str = "ridge") -> None:
        """Probes of every attribute by scikit-learn, as `une probe` leaves them."""
        test = fold(self.ids, split_seed)
        for space in spaces:
            fitted = [RidgeClassifier().fit(self.z[space][~test], labels[~test]) for labels in self.labels.T]
            rows = [
                self.probe_row(space, attribute, probe, test, split_seed, method)
                for attribute, probe in zip(range(10), fitted)
            ]
            results.commit(lake, "probes", {"space": space, "split_seed": split_seed, "method": method}, rows)

    def probe_row(self, space, attribute, probe, test, split_seed, method) -> dict:
        labels, scores = self.labels[test, attribute], probe.decision_function(self.z[space][test])
        return {
            "space": space,
            "attribute": self.attributes[attribute],
            "method": method,
            "engine": "fast",
            "split_seed": split_seed,
            "status": "ok",
            "w": probe.coef_.ravel(),
            "b": np.ravel(probe.intercept_)[0],
            "train": int((~test).sum()),
            "test": int(test.sum()),
            "accuracy": accuracy_score(labels, scores > 0),
            "auc": roc_auc_score(labels, scores),
            "majority": max(labels.mean(), 1 - labels.mean()),
            "permutations": 20,
            "permuted_auc": 0.51,
            "p_value": 1 / 21,
        }


def fingerprint(space: str) -> dict:
    return {
        "model": space,
        "method": "ddim-inversion" if space.endswith("ddim50") else "embedding",
        "role": "control" if space in CONTROLS else "model",
    }


def fold(ids: np.ndarray, split_seed: int) -> np.ndarray:
    """Which images are tested on, by the definition."""
    values = [int.from_bytes(hashlib.sha256(f"split/{i}".encode()).digest()[:8], "big") / 2**64 for i in ids]
    return np.array([split_seed / 5 <= value < (split_seed + 1) / 5 for value in values])
