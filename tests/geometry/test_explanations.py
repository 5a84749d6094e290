"""Phrases of captions that a direction points to, on latents that carry a known word."""

import numpy as np
import pytest

from une_ray.geometry.explanations import explain, phrases_of

WORDS, DIM, ITEMS = ("hat", "beard", "red hair", "a smile", "glasses"), 40, 400


def planted():
    generator = np.random.default_rng(0)
    has = generator.random((ITEMS, len(WORDS))) < 0.4
    captions = ["a person with " + ", ".join(w for w, h in zip(WORDS, row) if h) for row in has]
    axes = np.linalg.qr(generator.normal(size=(DIM, DIM)))[0][: len(WORDS)]
    z = (has @ axes * 2 + generator.normal(size=(ITEMS, DIM))).astype(np.float32)
    return z, captions, axes, has


def test_a_words_own_direction_is_explained_by_it():
    z, captions, axes, has = planted()
    for axis, word, column in zip(axes, WORDS, has.T):
        found = explain(z, captions, axis.astype(np.float32))
        best = int(np.argmax(np.abs(found.correlations)))
        assert word in found.phrases[best]
        expected = np.corrcoef(z @ axis, column)[0, 1]
        assert found.correlations[best] == pytest.approx(expected, abs=1e-4)
        assert found.correlations[best] > found.random > found.shuffled and found.random_p < 0.02


def test_a_direction_without_words_is_no_stronger_than_random_ones():
    z, captions, axes, _ = planted()
    rest = np.linalg.svd(axes)[2][len(WORDS) :]  # orthogonal to all that captions say
    found = explain(z, captions, rest[0].astype(np.float32))
    assert np.abs(found.correlations).max() < found.random and found.random_p > 0.05


def test_phrases_are_words_and_pairs_that_tell_captions_apart():
    captions = ["a red hat", "a blue hat", "a red coat", "a blue coat"] * 25
    phrases, present = phrases_of(captions)
    assert "a" not in phrases  # all have it
    assert {"red hat", "blue coat"} <= set(phrases) and "a red" in phrases and "red" not in phrases
    assert present.shape == (100, len(phrases))
    assert phrases_of(["same"] * 10)[0] == []
