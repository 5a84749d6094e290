"""What can be asked of a lake in Python: a method per study, which is one call of it.

Results hold Arrow tables, `.to_pandas()`, `polars.from_arrow(…)`, `.to_pylist()`; which, says each one's
class. What the lake has already is not done again. Where a cluster helps, `address`, `actors` and
`gpus` say which and how much of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from une_ray.arguments import of_their_kinds
from une_ray.corpora.files import absolute
from une_ray.lake import layout

if TYPE_CHECKING:
    from une_ray.run.cluster import Cluster
    from une_ray.studies.disentanglement.study import DisentanglementResult
    from une_ray.studies.edits.study import EditResult
    from une_ray.studies.gaussianity.study import GaussianityResult
    from une_ray.studies.maps.apply import Applied
    from une_ray.studies.maps.study import MapResult
    from une_ray.studies.memorization.audit import Audit
    from une_ray.studies.memorization.study import MemorizationResult
    from une_ray.studies.probes.study import ProbeResult
    from une_ray.studies.prompts.bias import BiasResult
    from une_ray.studies.prompts.clusters import ClustersResult
    from une_ray.studies.prompts.defaults import DefaultsResult
    from une_ray.studies.prompts.dose import DoseResult
    from une_ray.studies.prompts.explain import ExplainResult
    from une_ray.studies.prompts.vote import VoteResult
    from une_ray.studies.shared.study import SharedResult
    from une_ray.studies.similarity.study import SimilarityResult
    from une_ray.studies.sweeps.result import SweepResult
    from une_ray.studies.transfer.study import TransferResult

Names = str | Sequence[str] | None
"""One name, several, or None for all."""


@of_their_kinds
class Questions(layout.Lake):
    """A lake, and the studies of it."""

    def gaussianity(
        self,
        spaces: Names = None,
        *,
        directions: int = 5000,
        rows: int = 250,
        seed: int = 0,
        limit: int = 5000,
    ) -> GaussianityResult:
        """Is a space Gaussian? See `une_ray.studies.gaussianity.study.gaussianity`."""
        from une_ray.studies.gaussianity.study import gaussianity

        return gaussianity(self, names_of(spaces), directions, rows, seed, limit)

    def probe(
        self,
        spaces: Names = None,
        *,
        method: str = "ridge",
        engine: str = "fast",
        penalties: float | Sequence[float] | None = None,
        rank: int = 500,
        splits: int = 5,
        permutations: int = 20,
        address: str | None = None,
        actors: int | None = None,
    ) -> ProbeResult:
        """Which attributes are linear in a space? With an `address` the nodes of that Ray read the latents.
        See `une_ray.studies.probes.study.probe`."""
        from une_ray.run.cluster import readers_of
        from une_ray.studies.probes.study import probe

        choices = [penalties] if isinstance(penalties, int | float) else penalties
        settings = method, engine, choices, rank, splits, permutations
        return probe(self, names_of(spaces), *settings, cluster=readers_of(address, actors))

    def transfer(
        self,
        source: Names = None,
        target: Names = None,
        *,
        split_seed: int = 0,
        address: str | None = None,
        actors: int | None = None,
    ) -> TransferResult:
        """Do spaces map onto one another? With an `address` the nodes of that Ray read the train images. See
        `une_ray.studies.transfer.study.transfer`."""
        from une_ray.run.cluster import readers_of
        from une_ray.studies.transfer.study import transfer

        cluster = readers_of(address, actors)
        return transfer(self, names_of(source), names_of(target), split_seed, cluster)

    def similarity(
        self, spaces: Names = None, *, draws: int = 3, permutations: int = 10, limit: int = 4096
    ) -> SimilarityResult:
        """How alike are spaces, beyond chance? See `une_ray.studies.similarity.study.similarities`."""
        from une_ray.studies.similarity.study import similarities

        return similarities(self, names_of(spaces), draws, permutations, limit)

    def fit_map(
        self,
        source: str,
        target: str,
        *,
        classes: Names = None,
        draws: int = 5,
        split_seed: int = 0,
        texts: str | Path | None = None,
    ) -> MapResult:
        """Are two spaces a rotation apart? `texts` is a lake of class prompts. See
        `une_ray.studies.maps.study.fit_maps`."""
        from une_ray.studies.maps.study import fit_maps

        words = None if texts is None else layout.Lake(absolute(str(texts))).existing()
        return fit_maps(
            self,
            source,
            target,
            classes=names_of(classes),
            draws=draws,
            split_seed=split_seed,
            texts=words,
        )

    def apply_map(
        self,
        source: str,
        target: str,
        name: str,
        *,
        map: str = "orthogonal",
        centred: bool = True,
        split_seed: int = 0,
    ) -> Applied:
        """Write a space through a fitted map. See `une_ray.studies.maps.apply.apply_map`."""
        from une_ray.studies.maps.apply import apply_map

        return apply_map(self, source, target, name, map=map, centred=centred, split_seed=split_seed)

    def shared_space(
        self,
        views: Names,
        name: str,
        *,
        dim: int | None = None,
        ridge: float | None = None,
        rank: int = 500,
        split_seed: int = 0,
        shuffled: bool = False,
    ) -> SharedResult:
        """What several spaces share, as a space. See `une_ray.studies.shared.study.shared_space`."""
        from une_ray.studies.shared.study import shared_space

        return shared_space(
            self,
            names_of(views) or [],
            name,
            dim=dim,
            ridge=ridge,
            rank=rank,
            split_seed=split_seed,
            shuffled=shuffled,
        )

    def edit(
        self,
        space: str,
        attribute: str,
        *,
        keep: Names = None,
        alphas: Sequence[float] = (-3, -2, -1, 1, 2, 3),
        images: int = 64,
        image_ids: str | Sequence[str] | None = None,
        judges: Names = None,
        address: str | None = None,
        actors: int | None = None,
        gpus: float | None = None,
        **settings: Any,
    ) -> EditResult:
        """Move images along an attribute's direction, decode them, and have other spaces judge what changed.

        `keep` is names of attributes, "correlated" or "all"; `settings` are further fields of
        `une_ray.Edit`, whose help says what they do: method, inner_product, baselines, fit, penalty, rank,
        shrinkage, erasure, rounds, path, query and shared. See `une_ray.studies.edits.study.edit`.
        """
        from une_ray.studies.edits.study import edit, edit_of

        wanted = edit_of(self, space, attribute, names_of(keep), alphas, **settings)
        cluster = cluster_of(address, actors, gpus)
        ids, named = [image_ids] if isinstance(image_ids, str) else image_ids, names_of(judges)
        return edit(self, wanted, images=images, image_ids=ids, judges=named, cluster=cluster)

    def disentanglement(
        self,
        spaces: Names = None,
        *,
        codes: Names = None,
        metrics: Names = None,
        labels: str | None = None,
        **settings: Any,
    ) -> DisentanglementResult:
        """Does each coordinate of a space say one thing? `settings` are those of
        `une_ray.studies.disentanglement.study.Settings`."""
        from une_ray.studies.disentanglement.study import disentanglement

        return disentanglement(
            self, names_of(spaces), names_of(codes), names_of(metrics), labels, None, **settings
        )

    def prompt_bias(
        self,
        poles: Sequence[str] = ("a man", "a woman"),
        neutral: str = "a person",
        spaces: Names = None,
        *,
        truth: str | None = None,
        resamples: int = 1000,
    ) -> BiasResult:
        """To which of two poles does a model put each prompt? See `une_ray.studies.prompts.bias.bias`."""
        from une_ray.studies.prompts.bias import bias

        return bias(self, neutral, poles, names_of(spaces), truth, resamples)

    def prompt_vote(
        self,
        space: str,
        judge: str,
        *,
        poles: Sequence[str] = ("a man", "a woman"),
        address: str | None = None,
        actors: int | None = None,
        gpus: float | None = None,
        **settings: Any,
    ) -> VoteResult:
        """Which pole do drawn pictures of each prompt show? See `une_ray.studies.prompts.vote.vote`."""
        from une_ray.studies.prompts.vote import vote

        return vote(self, space, judge, poles, cluster=cluster_of(address, actors, gpus), **settings)

    def prompt_defaults(
        self, *, neutral: str = "a person", spaces: Names = None, **settings: Any
    ) -> DefaultsResult:
        """What is taken for granted of each prompt? See `une_ray.studies.prompts.defaults.defaults`."""
        from une_ray.studies.prompts.defaults import defaults

        return defaults(self, neutral, names_of(spaces), **settings)

    def prompt_clusters(
        self, *, neutral: str = "a person", spaces: Names = None, categories: str = "category"
    ) -> ClustersResult:
        """Do prompts fall into known categories? See `une_ray.studies.prompts.clusters.cluster`."""
        from une_ray.studies.prompts.clusters import cluster

        return cluster(self, neutral, names_of(spaces), categories)

    def prompt_dose(
        self,
        planted: str | Path,
        poles: Sequence[str] = ("a man", "a woman"),
        neutral: str = "a person",
    ) -> DoseResult:
        """How far does a bias follow what was planted in generators? See
        `une_ray.studies.prompts.dose.dose`."""
        from une_ray.studies.prompts.dose import dose

        return dose(self, str(planted), neutral, poles)

    def explain(
        self,
        space: str,
        direction: str,
        *,
        split: str | None = None,
        captions: str | None = None,
        map: str = "orthogonal",
    ) -> ExplainResult:
        """What do captions say of a direction, a query that gives one row with a list w? See
        `une_ray.studies.prompts.explain.explain`."""
        from une_ray.studies.prompts.explain import explain

        return explain(self, space, direction, split, captions, map)

    def memorization(
        self,
        *,
        address: str | None = None,
        actors: int | None = None,
        gpus: float | None = None,
        **settings: Any,
    ) -> MemorizationResult:
        """Who copies, and what stops it? See `une_ray.studies.memorization.study.memorization` for the
        settings."""
        from une_ray.studies.memorization.study import memorization

        return memorization(self, cluster=cluster_of(address, actors, gpus), **settings)

    def audit(
        self,
        model: str,
        prompts: str | Path | Sequence[str],
        *,
        address: str | None = None,
        actors: int | None = None,
        gpus: float | None = None,
        **settings: Any,
    ) -> Audit:
        """Which of somebody's prompts may a model have memorised? See
        `une_ray.studies.memorization.audit.audit`."""
        from une_ray.studies.memorization.audit import audit

        return audit(
            self, model=model, prompts=prompts, cluster=cluster_of(address, actors, gpus), **settings
        )

    def sweep(
        self,
        kind: str,
        *,
        address: str | None = None,
        actors: int | None = None,
        gpus: float | None = None,
        **settings: Any,
    ) -> SweepResult:
        """Search the settings of a study with Ray Tune. See `une_ray.studies.sweeps.study.sweep`."""
        from une_ray.studies.sweeps.study import sweep

        return sweep(self, kind, cluster=cluster_of(address, actors, gpus), **settings)


def names_of(names: Names) -> list[str] | None:
    """A comma-separated text or a sequence as a list; None stays."""
    if names is None:
        return None
    parts = names.split(",") if isinstance(names, str) else names
    return [part.strip() for part in parts if part.strip()]


def cluster_of(address: str | None, actors: int | None, gpus: float | None) -> Cluster:
    """Which Ray, and how much of it."""
    from une_ray.run.cluster import Cluster

    return Cluster(address, actors, gpus)
