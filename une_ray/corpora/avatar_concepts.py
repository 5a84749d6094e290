"""What avatars are known to be: concepts in words, and how often each goes with another attribute.

The truth that a generator's biases are held against: the mini zoo was trained on avatars, whose joint
distribution is `avatar_features.sample_features`.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from une_ray.corpora.avatar_features import Dice, Features, attributes_of, sample_features
from une_ray.corpora.avatar_words import PROMPTS
from une_ray.errors import unknown

DRAWS, SEED = 20_000, 4  # a standard error of at most .02 for what one in fifty has

# Concept → the feature that it names and its value; the words are those of the captions.
CONCEPTS = {
    "a person with short hair": ("hair", "short"),
    "a person with long hair": ("hair", "long"),
    "a person with short curly hair": ("hair", "short curls"),
    "a person with long curly hair": ("hair", "long curls"),
    "a person with a bald head": ("hair", "bald"),
    "a person with a hat": ("hair", "hat"),
    "a person with black hair": ("hair_color", "black"),
    "a person with brown hair": ("hair_color", "brown"),
    "a person with blond hair": ("hair_color", "blond"),
    "a person with red hair": ("hair_color", "red"),
    "a person with gray hair": ("hair_color", "gray"),
    "a person with pale skin": ("skin", "pale"),
    "a person with medium skin": ("skin", "medium"),
    "a person with dark skin": ("skin", "dark"),
    "a person with a mustache": ("facial_hair", "mustache"),
    "a person with a beard": ("facial_hair", "beard"),
    "a person with glasses": ("glasses", "glasses"),
    "a person with sunglasses": ("glasses", "sunglasses"),
    "a person with a smile": ("mouth", "smile"),
    "a person with a big open smile": ("mouth", "open smile"),
    "a person with a serious mouth": ("mouth", "serious"),
    "a person with an open mouth": ("mouth", "open"),
    "a person with a sad mouth": ("mouth", "sad"),
    "a person with closed eyes": ("eyes", "closed"),
    "a person with wide eyes": ("eyes", "wide"),
    "a person with raised eyebrows": ("eyebrows", "raised"),
    "a person with angry eyebrows": ("eyebrows", "angry"),
    "a person with sad eyebrows": ("eyebrows", "sad"),
    "a person wearing a suit": ("clothes", "suit"),
    "a person wearing a hoodie": ("clothes", "hoodie"),
    "a person wearing a shirt": ("clothes", "shirt"),
    "a person wearing a sweater": ("clothes", "sweater"),
    "a person wearing an overall": ("clothes", "overall"),
    "a person with a light background": ("background", "light"),
    "a person with a dark background": ("background", "dark"),
}

# Feature → what hides it, whatever its value.
HIDDEN_BY = {
    "hair_color": {("hair", "bald"), ("hair", "hat")},
    "eyes": {("glasses", "sunglasses")},
}


def frequencies(attribute: str) -> dict[str, float]:
    """Concept → the share of avatars that show it that have `attribute`, among `DRAWS` of them."""
    having: dict[str, list[bool]] = {concept: [] for concept in CONCEPTS}
    for features in _drawn():
        is_so = attributes_of(features)[attribute]
        for concept in CONCEPTS:
            if shows(features, concept):
                having[concept].append(is_so)
    return {concept: sum(values) / len(values) for concept, values in having.items()}


def shows(features: Features, concept: str) -> bool:
    """Whether a picture shows what a concept names: the colour of hair under a hat, or of none, is drawn
    nowhere and stands in no caption, and no eye is seen behind sunglasses."""
    feature, value = CONCEPTS[concept]
    return getattr(features, feature) == value and not _hides(features, feature)


def conditional(texts: Sequence[str]) -> np.ndarray:
    """(n, n): the share of avatars that show what text i names that show what text j names, among `DRAWS` of
    them; NaN where what i names hides what j speaks of, as a bald head the colour of hair.

    Texts are concepts, and prompts of the attributes Male and Young. Raises UneError for another.
    """
    having = np.array([[is_so(features) for features in _drawn()] for is_so in map(_test, texts)], float)
    shares = having @ having.T / having.sum(1, keepdims=True)
    for row, column in itertools.product(range(len(texts)), repeat=2):
        hidden = HIDDEN_BY.get(CONCEPTS.get(texts[column], ("", ""))[0], set())
        if CONCEPTS.get(texts[row]) in hidden:
            shares[row, column] = np.nan
    return shares


def digest() -> str:
    """A hash of all that is known: what it decides is computed again where it has changed."""
    return hashlib.sha256(conditional(known()).round(6).tobytes()).hexdigest()[:16]


def known() -> list[str]:
    """Every text of which `conditional` knows the truth."""
    return [*CONCEPTS, *_ATTRIBUTES]


_ATTRIBUTES = {
    PROMPTS[attribute][0 if value else 1]: (attribute, value)
    for attribute in ("Male", "Young")
    for value in (True, False)
}


def _test(text: str) -> Callable[[Features], bool]:
    """Whether features are as a text says."""
    if text in _ATTRIBUTES:
        attribute, value = _ATTRIBUTES[text]
        return lambda features: attributes_of(features)[attribute] == value
    if text not in CONCEPTS:
        raise unknown("concept of avatars", text, known())
    return lambda features: shows(features, text)


def _hides(features: Features, feature: str) -> bool:
    return any(getattr(features, by) == value for by, value in HIDDEN_BY.get(feature, set()))


@functools.cache
def _drawn() -> tuple[Features, ...]:
    return tuple(sample_features(Dice(SEED, index)) for index in range(DRAWS))
