"""The front door: a lake, and all that can be asked of it, in Python. Every command of `une` is one call
of this and a table.

Results carry Arrow tables with the columns that SQL shows: `.to_pandas()`, `polars.from_arrow(…)`,
`.to_pylist()`. What the lake has already is not done again. Where a cluster helps, `address`, `actors` and
`gpus` say which and how much of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown
from une_ray.lake import layout
from une_ray.space import Space

if TYPE_CHECKING:
    import duckdb
    from PIL import Image

    from une_ray.corpora.base import Corpus
    from une_ray.lake.compact import Compacted
    from une_ray.lake.importing import Imported
    from une_ray.lake.status import Status
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


def open(url: str | Path, /, *others: str | Path, **named: str | Path) -> Lake:
    """The lake at `url`. Others are read beside it in the same SQL: `others` as schemas b, c, …, `named`
    under their names.

    `une_ray.open("new", old="before").sql("SELECT * FROM best_probes JOIN old.best_probes USING
    (space, attribute, split_seed)")`. Raises UneError where there is no lake.
    """
    lake = Lake(absolute(str(url)))
    lake.manifest  # noqa: B018 - refuses a missing or newer lake at once
    beside = {chr(ord("b") + i): other for i, other in enumerate(others)} | named
    for name, other in beside.items():
        from une_ray.lake.session import attach

        attach(lake.session, layout.Lake(absolute(str(other))), name)
    return lake


def build(
    corpus: str,
    spaces: str | Sequence[str],
    lake: str | Path,
    *,
    shard_size: int | None = None,
    dtype: str | None = None,
    address: str | None = None,
    actors: int | None = None,
    gpus: float | None = None,
    place: Mapping[str, Mapping[str, str]] | None = None,
) -> Lake:
    """Invert and embed a corpus into a lake, and open it. Does only what is missing; kill it and call it
    again as you like.

    `corpus` and `spaces` are named as for `une build`. Raises UneError for whatever the caller can mend.
    """
    from une_ray.run.build import build as run

    names = _names(spaces)
    if not names:
        raise UneError("spaces is empty; name at least one, as in mini-dino")
    run(str(lake), corpus, names, shard_size, dtype, _cluster(address, actors, gpus), place or {})
    return open(lake)


class Lake(layout.Lake):
    """A lake and all that can be asked of it. `open` and `build` give one."""

    def sql(self, query: str, parameters: Any = None) -> duckdb.DuckDBPyRelation:
        """What a query gives, as DuckDB's relation: `.df()`, `.pl()`, `.to_arrow_table()`, `.fetchall()`.
        Raises UneError for faulty SQL."""
        import duckdb

        try:
            return self.session.sql(query, params=parameters)
        except duckdb.Error as error:
            raise UneError(f"SQL: {error}") from error

    @property
    def spaces(self) -> dict[str, str]:
        """Every space's name and its role, "model" or "control", in the order of names."""
        return dict(self.rows("SELECT space, role FROM spaces ORDER BY space"))

    def space(self, name: str) -> Space:
        """One space. Raises UneError for one that the lake has not, with those that it has."""
        if name not in self.fingerprints():
            raise unknown("space", name, self.fingerprints())
        return Space(self, name)

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

        return gaussianity(self, _names(spaces), directions, rows, seed, limit)

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
    ) -> ProbeResult:
        """Which attributes are linear in a space? See `une_ray.studies.probes.study.probe`."""
        from une_ray.studies.probes.study import probe

        choices = [penalties] if isinstance(penalties, int | float) else penalties
        return probe(self, _names(spaces), method, engine, choices, rank, splits, permutations)

    def transfer(self, source: Names = None, target: Names = None, *, split_seed: int = 0) -> TransferResult:
        """Do spaces map onto one another? See `une_ray.studies.transfer.study.transfer`."""
        from une_ray.studies.transfer.study import transfer

        return transfer(self, _names(source), _names(target), split_seed)

    def similarity(
        self, spaces: Names = None, *, draws: int = 3, permutations: int = 10, limit: int = 4096
    ) -> SimilarityResult:
        """How alike are spaces, beyond chance? See `une_ray.studies.similarity.study.similarities`."""
        from une_ray.studies.similarity.study import similarities

        return similarities(self, _names(spaces), draws, permutations, limit)

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

        words = None if texts is None else open(texts)

        return fit_maps(
            self,
            source,
            target,
            classes=_names(classes),
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
            _names(views) or [],
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
        `une_ray.Edit`. See `une_ray.studies.edits.study.edit`.
        """
        from une_ray.studies.edits.study import edit, edit_of

        wanted = edit_of(self, space, attribute, _names(keep), alphas, **settings)
        cluster = _cluster(address, actors, gpus)
        ids, named = [image_ids] if isinstance(image_ids, str) else image_ids, _names(judges)
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

        return disentanglement(self, _names(spaces), _names(codes), _names(metrics), labels, None, **settings)

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

        return bias(self, neutral, poles, _names(spaces), truth, resamples)

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

        return vote(self, space, judge, poles, cluster=_cluster(address, actors, gpus), **settings)

    def prompt_defaults(
        self, *, neutral: str = "a person", spaces: Names = None, **settings: Any
    ) -> DefaultsResult:
        """What is taken for granted of each prompt? See `une_ray.studies.prompts.defaults.defaults`."""
        from une_ray.studies.prompts.defaults import defaults

        return defaults(self, neutral, _names(spaces), **settings)

    def prompt_clusters(
        self, *, neutral: str = "a person", spaces: Names = None, categories: str = "category"
    ) -> ClustersResult:
        """Do prompts fall into known categories? See `une_ray.studies.prompts.clusters.cluster`."""
        from une_ray.studies.prompts.clusters import cluster

        return cluster(self, neutral, _names(spaces), categories)

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

    def explain(self, space: str, direction: str, *, split: str = "test") -> ExplainResult:
        """What do captions say of a direction, a query that gives one row with a list w? See
        `une_ray.studies.prompts.explain.explain`."""
        from une_ray.studies.prompts.explain import explain

        return explain(self, space, direction, split=split)

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

        return memorization(self, cluster=_cluster(address, actors, gpus), **settings)

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

        return audit(self, model=model, prompts=prompts, cluster=_cluster(address, actors, gpus), **settings)

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

        return sweep(self, kind, cluster=_cluster(address, actors, gpus), **settings)

    def report(self, out: str | Path | None = None) -> Path:
        """Draw one self-contained page of what the lake holds; returns its path."""
        from une_ray.report.page import write

        return write(self, None if out is None else Path(out))

    def status(self) -> Status:
        """How far the lake is, how fast it came, and who is building."""
        from une_ray.lake.status import status

        return status(self)

    def compact(self, size_mb: int = 256, grace: float = 60.0) -> list[Compacted]:
        """Merge the files of shards into ones of about `size_mb`. See `une_ray.lake.compact.compact`."""
        from une_ray.lake.compact import compact

        return list(compact(self, size_mb << 20, grace))

    def verify(self, recompute: int = 0) -> list[str]:
        """Every promise of the lake, checked: lines of what holds. With `recompute`, so many items of every
        space are also read again and compared. Raises UneError naming the first promise that does not hold.
        """
        from une_ray.lake.verify import verify

        lines = list(verify(self))
        if recompute:
            from une_ray.run.recompute import recompute as again

            lines += again(self, recompute)
        return lines

    def import_space(
        self,
        name: str,
        source: str | Path,
        model: str,
        ids: str | Path | None = None,
        column: str | None = None,
        id_column: str | None = None,
    ) -> Imported:
        """Make vectors that you have already a space: see `une_ray.lake.importing.import_space`."""
        from une_ray.lake.importing import import_space

        return import_space(self, name, source, model, ids, column, id_column)

    def rename_space(self, name: str, to: str) -> None:
        """Give a space another name, and with it all that was computed from it. Killed, the same call goes
        on."""
        from une_ray.lake.renaming import rename_space

        rename_space(self, name, to)

    def remove_space(self, name: str) -> None:
        """Remove a space and all that was computed from it. Killed, the same call goes on."""
        from une_ray.lake.renaming import remove_space

        remove_space(self, name)

    @cached_property
    def corpus(self) -> Corpus:
        """Where the lake's pictures come from."""
        from une_ray.corpora import open_corpus

        return open_corpus(self.manifest["corpus"])

    def picture(self, image_id: str) -> Image.Image:
        """The picture of an image, from its corpus. Raises UneError for an id that the lake has not, and
        for a picture that can't be read."""
        from une_ray.pictures.decode import Reject, decode

        rows = self.rows("SELECT source FROM images WHERE image_id = ?", [image_id])
        if not rows:
            raise UneError(f"no image {image_id!r} in {self.url}; its ids look like {self._an_id()!r}")
        try:
            return decode(self.corpus.read(rows[0][0]))
        except (OSError, Reject) as error:
            raise UneError(f"the picture of {image_id!r} can't be read: {error}") from error

    def contact_sheet(self, query: str, columns: int = 8) -> Image.Image:
        """The pictures of a query's `image_id`s on one sheet; its other columns are what stands below
        each."""
        from une_ray.report.pictures import contact_sheet

        rows = self.sql(query).to_arrow_table().to_pylist()
        if not rows or "image_id" not in rows[0]:
            raise UneError(
                f"the query of a contact sheet gives rows with an image_id; {query!r} gives"
                f" {f'{len(rows)} without' if rows else 'no rows'}"
            )
        captions = [
            ", ".join(_caption(name, row[name]) for name in row if name != "image_id") for row in rows
        ]
        return contact_sheet([self.picture(row["image_id"]) for row in rows], captions, columns)

    def _an_id(self) -> str | None:
        rows = self.rows("SELECT image_id FROM images LIMIT 1")
        return rows[0][0] if rows else None

    def _repr_html_(self) -> str:
        """What a notebook shows: corpus, items, spaces with their roles, and the studies that were done."""
        from une_ray.report.card import lake_html

        return lake_html(self)


def _names(names: Names) -> list[str] | None:
    """A comma-separated text or a sequence as a list; None stays."""
    if names is None:
        return None
    parts = names.split(",") if isinstance(names, str) else names
    return [part.strip() for part in parts if part.strip()]


def _cluster(address: str | None, actors: int | None, gpus: float | None) -> Cluster:
    from une_ray.run.cluster import Cluster

    return Cluster(address, actors, gpus)


def _caption(name: str, value: object) -> str:
    """A word says itself what it is; a number stands behind its column's name."""
    if isinstance(value, str):
        return value
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
