"""How well mapped rows find their own in another space: cosine and retrieval (paper 2, metrics)."""

from __future__ import annotations

import numpy as np

from une_ray.geometry.arrays import Booleans, Floats, Integers
from une_ray.geometry.transfer import row_cosines
from une_ray.geometry.unit import unit_rows

BLOCK = 1024  # queries at a time: a square of all cosines is never in memory
DIGITS = 9  # of cosines that are compared: the rest is rounding, which differs between equal rows


def paired_cosine(mapped: Floats, true: Floats) -> float:
    """Mean cosine of each row (n, d) with its partner."""
    return float(row_cosines(mapped, true).mean())


def nearest(queries: Floats, gallery: Floats, without_itself: bool = False) -> Integers:
    """(n,) number of the gallery's row (m, d) with the largest cosine to each query (n, d).

    `without_itself`: row i is not an answer to query i.
    """
    queries, gallery = unit_rows(queries), unit_rows(gallery)
    found = []
    for start in range(0, len(queries), BLOCK):
        cosines = queries[start : start + BLOCK] @ gallery.T
        if without_itself:
            own = np.arange(len(cosines))
            cosines[own, start + own] = -np.inf
        found.append(cosines.argmax(1))
    return np.concatenate(found)


def item_retrieval(mapped: Floats, gallery: Floats) -> float:
    """Share of rows (n, d) whose nearest in the gallery (n, d) is the same item."""
    return float((nearest(mapped, gallery) == np.arange(len(mapped))).mean())


def class_retrieval(mapped: Floats, gallery: Floats, classes: Integers) -> float | None:
    """Share of rows whose nearest *other* item is of their class (n,); None where no class has two items."""
    repeated: Booleans = np.bincount(classes)[classes] > 1
    if not repeated.any():
        return None
    hits = classes[nearest(mapped, gallery, without_itself=True)] == classes
    return float(hits[repeated].mean())


def nearest_others(queries: Floats, gallery: Floats, count: int, seed: int = 0) -> Integers:
    """(n, count) numbers of the gallery's rows nearest to each query by cosine, its own number left out.

    Of rows that are as near, by cosines to nine digits, those count that come first in a random order, that
    of `seed`: of two spaces that are compared each takes its own, or ties are a likeness of row numbers.
    """
    queries, gallery = unit_rows(queries), unit_rows(gallery)
    order = np.random.default_rng(seed).permutation(len(gallery))
    place, shuffled = np.argsort(order), gallery[order].T
    found = []
    for start in range(0, len(queries), BLOCK):
        cosines = np.round(queries[start : start + BLOCK] @ shuffled, DIGITS)
        own = np.arange(len(cosines))
        cosines[own, place[start + own]] = -np.inf
        found.append(order[np.argpartition(-cosines, count - 1, axis=1)[:, :count]])
    return np.concatenate(found)


def overlap(one: Integers, other: Integers) -> float:
    """Mean share of neighbours (n, k) that two lists of them have in common, in any order."""
    shared = (one[:, :, None] == other[:, None, :]).any(2)
    return float(shared.mean())
