"""`une transfer`: ridge maps between a lake's spaces, judged on test images by the target's own fixed
probes (paper 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from une_ray.errors import UneError
from une_ray.geometry.agreement import direction_agreement
from une_ray.geometry.partners import MIXED
from une_ray.geometry.transfer import JointMoments, MapEvaluation, Probes, Ridge
from une_ray.lake import results
from une_ray.lake.latents import spaces_of
from une_ray.lake.layout import Lake
from une_ray.lake.paired import check_split_seed, paired_images, partners_of, said_copies, side_by_side
from une_ray.lake.seen import warnings_of_maps
from une_ray.lake.splits import refuse_one_sided
from une_ray.lake.tables import InALine
from une_ray.run.cluster import Cluster
from une_ray.run.progress import say
from une_ray.studies.transfer.spread import joint_moments

PROBES = """
    SELECT space, attribute, w, b, config FROM best_probes
    WHERE status = 'ok' AND split_seed = $seed AND space IN (SELECT unnest($spaces))
    ORDER BY space, attribute"""

PAIRS = """
    SELECT * FROM transfers WHERE attribute IS NULL AND config IN (SELECT unnest(?))
    ORDER BY source, target, map <> 'ridge', map"""


@dataclass(frozen=True, eq=False, repr=False)
class TransferResult(InALine):
    """`table`: rows of the view `transfers`, one per pair of spaces and map, without those of single
    attributes."""

    table: pa.Table


def transfer(
    lake: Lake,
    sources: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    split_seed: int = 0,
    cluster: Cluster | None = None,
) -> TransferResult:
    """Fit and judge a map for every pair of a source and another target (default: all spaces), beside both
    controls.

    All pairs use the same images, those that every one of the spaces has. Pairs that the lake has already
    are not done again. With a `cluster` its nodes read the train images, a range of files each; this process
    solves for the maps and judges them. Raises UneError for unknown spaces, targets without probes, and
    spaces that share no images.
    """
    pairs = _pairs(lake, sources, targets)
    study = _Study.open(lake, pairs, split_seed, cluster)
    for warning in warnings_of_maps(lake, sorted(study.fingerprints), [split_seed], "maps"):
        say(warning)
    settings = {pair: study.settings(*pair) for pair in pairs}
    left = [pair for pair in pairs if not results.is_done(lake, "transfers", settings[pair])]
    for pair, rows in study.judged(left):
        results.commit(lake, "transfers", settings[pair], rows)
    configs = [results.config_hash(setting) for setting in settings.values()]
    return TransferResult(lake.session.sql(PAIRS, params=[configs]).to_arrow_table())


def _pairs(lake: Lake, sources: Sequence[str] | None, targets: Sequence[str] | None) -> list[tuple[str, str]]:
    pairs = {
        (source, target)
        for source in spaces_of(lake, sources)
        for target in spaces_of(lake, targets)
        if source != target
    }
    if not pairs:
        raise UneError(
            f"a transfer needs a source and another target; {lake.url} has the spaces:"
            f" {', '.join(lake.fingerprints())}"
        )
    return sorted(pairs)


@dataclass(frozen=True)
class _Study:
    """What all pairs of a run share: spaces, their probes, train and test ids, test labels by attribute."""

    lake: Lake
    split_seed: int
    fingerprints: dict[str, dict[str, Any]]
    probes: dict[str, Probes]
    probed_by: dict[str, list[str]]
    train: pa.Array
    test: pa.Array
    copies: int
    labels: dict[str, np.ndarray]
    cluster: Cluster | None = None

    @classmethod
    def open(
        cls, lake: Lake, pairs: list[tuple[str, str]], split_seed: int, cluster: Cluster | None = None
    ) -> _Study:
        check_split_seed(split_seed)
        spaces = sorted({space for pair in pairs for space in pair})
        probes, probed_by = _probes(lake, spaces, sorted({target for _, target in pairs}), split_seed)
        attributes = sorted({attribute for own in probes.values() for attribute in own.attributes})
        fingerprints = {
            space: fingerprint for space, fingerprint in lake.fingerprints().items() if space in spaces
        }
        images = paired_images(lake, spaces, attributes, split_seed)
        for line in said_copies(images):
            say(line)
        labels = dict(zip(attributes, images.test_labels.T))
        folds = images.train, images.test, images.copies, labels
        return cls(lake, split_seed, fingerprints, probes, probed_by, *folds, cluster)

    def settings(self, source: str, target: str) -> dict[str, Any]:
        """All that decides a pair's rows."""
        return {
            "source": source,
            "target": target,
            "split_seed": self.split_seed,
            "train": len(self.train),
            "test": len(self.test),
            "fingerprints": [self.fingerprints[source], self.fingerprints[target]],
            "probes": [self.probed_by.get(source), self.probed_by[target]],
        } | (MIXED | ({"copies": self.copies} if self.copies else {}))

    def judged(self, pairs: list[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], list[dict[str, Any]]]]:
        """The rows of each pair: one pass over the train images for all of them, then one over the test
        images per source."""
        if not pairs:
            return
        moments = self._moments(sorted({space for pair in pairs for space in pair}))
        for source in sorted({source for source, _ in pairs}):
            ridge = Ridge(moments, source)
            evaluations = {
                target: MapEvaluation.begin(ridge, target, self.probes[target])
                for other, target in pairs
                if other == source
            }
            order = []
            for ids, batch in side_by_side(self.lake, [source, *evaluations], self.test):
                order.append(ids)
                for target, evaluation in evaluations.items():
                    evaluation.add(batch[source], batch[target])
            places = pc.index_in(pa.concat_arrays(order), self.test).to_numpy()
            labels = {attribute: values[places] for attribute, values in self.labels.items()}
            scatter = moments.scatter(source, source)
            for target, evaluation in evaluations.items():
                yield (source, target), self._pair(source, target, evaluation, labels, scatter)

    def _moments(self, spaces: list[str]) -> JointMoments:
        """Of all train images, in one pass, beside partners from all over the lake."""
        if self.cluster is not None:
            return joint_moments(self.cluster, self.lake, spaces, self.train)
        partners = partners_of(self.lake, spaces, self.train)
        moments = JointMoments({space: z.shape[1] for space, z in partners.rows.items()})
        for ids, batch in side_by_side(self.lake, spaces, self.train):
            moments.add(batch, partners.next(len(ids)))
        return moments

    def _pair(
        self,
        source: str,
        target: str,
        evaluation: MapEvaluation,
        labels: dict[str, np.ndarray],
        scatter: np.ndarray,
    ) -> list[dict[str, Any]]:
        """Per map a row per attribute, and one of the pair itself with the means over attributes."""
        made_of = {
            "source": source,
            "target": target,
            "split_seed": self.split_seed,
            "train": len(self.train),
            "test": len(self.test),
            "copies": self.copies,
            "source_fingerprint": results.config_hash(self.fingerprints[source]),
            "target_fingerprint": results.config_hash(self.fingerprints[target]),
        }
        native, rows = evaluation.accuracies_and_aucs("native", labels), []
        for name, linear in evaluation.maps.items():
            directions = _directions(self.probes.get(source), linear.pull_back(evaluation.probes), scatter)
            columns = (
                "accuracy_native",
                "auc_native",
                "accuracy",
                "auc",
                "direction_cosine",
                "score_correlation",
            )
            mapped = evaluation.accuracies_and_aucs(name, labels)
            figures = {
                a: dict(zip(columns, (*native[a], *mapped[a], *directions.get(a, (None, None)))))
                for a in mapped
            }
            means = {column: _mean([row[column] for row in figures.values()]) for column in columns}
            shared = made_of | {"map": name, "penalty": linear.penalty}
            rows.append(shared | evaluation.fidelity[name].figures() | means)
            rows += [shared | {"attribute": attribute} | row for attribute, row in figures.items()]
        return rows


def _probes(
    lake: Lake, spaces: list[str], targets: list[str], split_seed: int
) -> tuple[dict[str, Probes], dict[str, list[str]]]:
    """Each space's best probes, and the computations that they are of. Raises UneError where a target has
    none."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for space, *probe in lake.rows(PROBES, {"seed": split_seed, "spaces": spaces}):
        rows.setdefault(space, []).append(tuple(probe))
    missing = [target for target in targets if target not in rows]
    if missing:
        refuse_one_sided(lake, split_seed)
        raise UneError(
            f"no probes of {', '.join(missing)} at split seed {split_seed}, and they are what a transfer is"
            f" judged by; fit them with: une probe --lake {lake.url} --spaces {','.join(missing)}"
        )
    columns = {space: list(zip(*of_space)) for space, of_space in rows.items()}
    probes = {
        space: Probes(list(attributes), np.array(w).T, np.array(b))
        for space, (attributes, w, b, _) in columns.items()
    }
    return probes, {space: sorted(set(configs)) for space, (*_, configs) in columns.items()}


def _directions(
    own: Probes | None, theirs: Probes, scatter: np.ndarray
) -> dict[str, tuple[float | None, float | None]]:
    """Cosine and score correlation, by attribute, of the source's own probes and the target's, pulled
    back."""
    if own is None:
        return {}
    shared = [attribute for attribute in theirs.attributes if attribute in own.attributes]
    if not shared:
        return {}
    ours, others = (
        probes.w[:, np.array([probes.attributes.index(attribute) for attribute in shared])]
        for probes in (own, theirs)
    )
    cosines, correlations = direction_agreement(ours, others, scatter)
    return {
        attribute: (_known(cosine), _known(correlation))
        for attribute, cosine, correlation in zip(shared, cosines, correlations)
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
