"""What a corpus holds, as text: counts, attribute frequencies, strongest correlations."""

from __future__ import annotations

from collections import Counter

import numpy as np

from une_ray.corpora import open_corpus

PAIRS = 30


def describe(name: str) -> str:
    """A table for people: frequency of every attribute and the pairs with the largest |φ| (Pearson on 0/1)."""
    corpus = open_corpus(name)
    splits, rows, example = Counter(), [], None
    for item in corpus.items():
        splits[item.split] += 1
        rows.append(item.attributes)
        example = example or item
    lines = [
        f"{corpus.name}: {sum(splits.values()):,} images; "
        + ", ".join(f"{count:,} {split}" for split, count in sorted(splits.items()))
    ]
    if example:
        lines.append(f"first: {example.image_id}, caption: {example.caption or '(none)'}")
    names = sorted(
        {key for row in rows for key in row},
        key=list(rows[0]).index if rows and all(rows[0].keys() >= r.keys() for r in rows) else None,
    )
    if not names:
        return "\n".join([*lines, "no attributes"])
    values = np.array([[row.get(key, np.nan) for key in names] for row in rows], float)
    lines += ["", f"{'attribute':18} {'share':>6}"]
    lines += [f"{key:18} {share:6.3f}" for key, share in zip(names, np.nanmean(values, 0))]
    known = values[~np.isnan(values).any(1)]
    if len(known) > 2:
        spread = known.std(0) > 0
        phi = np.corrcoef(known[:, spread].T)
        kept = [key for key, varies in zip(names, spread) if varies]
        pairs = sorted(((abs(phi[i, j]), i, j) for i in range(len(kept)) for j in range(i)), reverse=True)[
            :PAIRS
        ]
        lines += ["", f"strongest correlations (φ) of {len(kept) * (len(kept) - 1) // 2} pairs:"]
        lines += [f"{kept[j]:18} {kept[i]:18} {phi[i, j]:+.3f}" for _, i, j in pairs]
    return "\n".join(lines)
