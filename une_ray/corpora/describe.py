"""What a corpus holds: counts, attribute frequencies, strongest correlations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from une_ray.corpora import Item, open_corpus
from une_ray.corpora.base import PHASH, has_pictures, remarks, split_of

BY_HASH = "split by hash (one in five is test)"
FEW_GROUPS = 20  # of which one fold in a hundred has none
PAIRS = 30  # correlations that the text shows


class Correlation(NamedTuple):
    """φ of two attributes: Pearson's correlation of their 0/1 values where all attributes are known."""

    first: str
    second: str
    phi: float


@dataclass(frozen=True, kw_only=True)
class Description:
    """Items of each split, the first item, each attribute's share of true among the known, every pair's φ,
    the strongest first, and how many values every factor and metadata key has. `str()` of it is a table for
    people."""

    name: str
    splits: dict[str, int]
    first: Item | None
    shares: dict[str, float]
    correlations: tuple[Correlation, ...] = ()
    factors: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    items: str = "images"

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(self.splits.values())

    def __str__(self) -> str:
        splits = ", ".join(
            split if count == self.images else f"{count:,} {split}" for split, count in self.splits.items()
        )
        held = f"{self.images:,} {self.items}; {splits}" if self.images else f"no {self.items}"
        lines = [f"{self.name}: {held}", *self.remarks]
        if self.first is not None:
            lines.append(f"first: {self.first.image_id}, caption: {self.first.caption or '(none)'}")
        for kind, values in (("factors", self.factors), ("metadata", self.metadata)):
            if values:
                lines.append(f"{kind}: {', '.join(f'{key} ({n:,} values)' for key, n in values.items())}")
        if not self.shares:
            return "\n".join([*lines, "no attributes"])
        lines += ["", f"{'attribute':18} {'share':>6}"]
        lines += [f"{attribute:18} {share:6.3f}" for attribute, share in self.shares.items()]
        if self.correlations:
            lines += ["", f"strongest correlations (φ) of {len(self.correlations)} pairs:"]
            lines += [
                f"{pair.first:18} {pair.second:18} {pair.phi:+.3f}" for pair in self.correlations[:PAIRS]
            ]
        return "\n".join(lines)


def describe(name: str) -> Description:
    """Read all items of the corpus of that name, no picture. Raises UneError where there is none."""
    corpus = open_corpus(name)
    splits: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    labels: list[dict[str, bool]] = []
    factors: defaultdict[str, set[int]] = defaultdict(set)
    metadata: defaultdict[str, set[str]] = defaultdict(set)
    first = None
    for item in corpus.items():
        splits[item.split or BY_HASH] += 1
        if item.split is None and item.split_group not in (None, PHASH):
            groups[item.split_group] += 1
        labels.append(item.attributes)
        for factor, level in item.factors.items():
            factors[factor].add(level)
        for key, text in item.metadata.items():
            metadata[key].add(text)
        first = first or item
    attributes = _attributes(labels)
    values = np.array([[row.get(attribute, np.nan) for attribute in attributes] for row in labels], float)
    shares = np.nanmean(values, 0).tolist() if attributes else []
    return Description(
        name=corpus.name,
        splits=dict(sorted(splits.items())),
        first=first,
        shares=dict(zip(attributes, shares, strict=True)),
        correlations=_correlations(values, attributes) if attributes else (),
        factors={factor: len(levels) for factor, levels in factors.items()},
        metadata={key: len(texts) for key, texts in metadata.items()},
        remarks=(*remarks(corpus), *_grouped(groups)),
        items="images" if has_pictures(corpus) else "prompts",
    )


def _grouped(groups: Mapping[str, int]) -> list[str]:
    """How the groups that a hash places fall, which of few of them is anything but one in five."""
    if not groups:
        return []
    tested = sum(count for group, count in groups.items() if split_of(group) == "test")
    images = sum(groups.values())
    said = f"{images:,} of them are in {len(groups):,} groups, which stay together: {tested:,} test"
    few = f"; so few groups leave folds without a test image: take {FEW_GROUPS} or more"
    return [said + (few if len(groups) < FEW_GROUPS else "")]


def _attributes(labels: list[dict[str, bool]]) -> list[str]:
    """All names: in the first item's order where it has them all, else in that of the alphabet."""
    if labels and all(labels[0].keys() >= row.keys() for row in labels):
        return list(labels[0])
    return sorted({attribute for row in labels for attribute in row})


def _correlations(values: np.ndarray, attributes: list[str]) -> tuple[Correlation, ...]:
    """φ of every pair of attributes that vary, the largest |φ| first; values (n, k), NaN where unknown."""
    known = values[~np.isnan(values).any(1)]
    if len(known) <= 2:
        return ()
    varies = known.std(0) > 0
    names = [attribute for attribute, vary in zip(attributes, varies, strict=True) if vary]
    if len(names) < 2:
        return ()
    phi = np.corrcoef(known[:, varies].T)
    pairs = sorted(((abs(phi[i, j]), i, j) for i in range(len(names)) for j in range(i)), reverse=True)
    return tuple(Correlation(names[j], names[i], float(phi[i, j])) for _, i, j in pairs)
