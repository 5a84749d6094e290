import subprocess
import sys

import numpy as np
import pytest

from une_ray.corpora import avatars, open_corpus
from une_ray.corpora.avatar_features import Dice
from une_ray.corpora.avatars import ATTRIBUTES, PROMPTS, attributes_of, caption, features, picture
from une_ray.errors import UneError
from une_ray.pictures.decode import decode

ITEMS = list(open_corpus("avatars:3000").items())


def phi(a: str, b: str) -> float:
    rows = np.array([[item.attributes[a], item.attributes[b]] for item in ITEMS], float)
    return float(np.corrcoef(rows.T)[0, 1])


def test_a_picture_is_the_same_in_another_process():
    code = "import sys; from une_ray.corpora.avatars import picture; sys.stdout.buffer.write(picture(3, 41))"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert elsewhere == picture(3, 41) != picture(3, 42)


def test_a_picture_does_not_depend_on_how_many_there_are():
    assert list(open_corpus("avatars:5").items()) == ITEMS[:5]


def test_pictures_are_64_pixels_square():
    assert decode(picture(0, 0)).size == (avatars.SIZE, avatars.SIZE)


def test_there_are_at_least_twenty_attributes_and_each_has_prompts_and_both_values():
    assert len(ATTRIBUTES) >= 20 and set(PROMPTS) == set(ATTRIBUTES)
    for name in ATTRIBUTES:
        assert 0.03 < np.mean([item.attributes[name] for item in ITEMS]) < 0.97, name


@pytest.mark.parametrize(
    ("a", "b", "sign"),
    [
        ("Male", "Long_Hair", -1),
        ("Male", "No_Beard", -1),
        ("Young", "Gray_Hair", -1),
        ("Young", "Eyeglasses", -1),
        ("Eyeglasses", "Gray_Hair", 1),
        ("Male", "Wearing_Suit", 1),
        ("Male", "Smiling", -1),
        ("Dark_Skin", "Black_Hair", 1),
    ],
)
def test_documented_spurious_correlations_are_there(a, b, sign):
    assert sign * phi(a, b) > 0.15


@pytest.mark.parametrize("control", ["Dark_Background", "Wearing_Hoodie"])
def test_control_attributes_depend_on_nothing_but_what_excludes_them(control):
    others = set(ATTRIBUTES) - {control, "Wearing_Suit", "Wearing_Hoodie"}
    assert max(abs(phi(control, other)) for other in others) < 4 / np.sqrt(len(ITEMS))


def test_captions_say_only_what_is_true():
    for i in range(500):
        have, text = attributes_of(features(0, i)), caption(0, i)
        assert have["Eyeglasses"] or "glasses" not in text.replace("sunglasses", "")
        assert have["Sunglasses"] or "sunglasses" not in text
        assert have["Male"] or " man" not in f" {text}".replace("woman", "")
        assert have["Bald"] or "bald" not in text
        assert have["Dark_Background"] or "dark background" not in text


def test_caption_variants_differ_in_words_only():
    assert len({caption(0, 1, variant) for variant in range(8)}) > 4


@pytest.mark.parametrize("text", ["avatars:many", "avatars:0", "avatars:-3", "avatars:5?seed=x"])
def test_a_bad_count_or_seed_is_refused(text):
    with pytest.raises(UneError):
        open_corpus(text)


def test_another_seed_is_another_corpus():
    other = next(open_corpus("avatars:1?seed=9").items())
    assert other.image_id != ITEMS[0].image_id and open_corpus("avatars:1?seed=9").name == "avatars:1?seed=9"


def test_dice_draw_as_numpy_would_to_the_last_bit():
    """The corpus is what these draws make of it: a cheaper way must not be another."""
    rng = np.random.default_rng(0)
    for key in range(500):
        dice, stream = Dice(3, key, 0), np.random.default_rng(np.random.SeedSequence((3, key, 0)))
        weights = dict(zip("abcdefg", rng.random(int(rng.integers(1, 8))).tolist()))
        edges = np.cumsum(list(weights.values()))
        chosen = np.searchsorted(edges, stream.random() * edges[-1], side="right")
        assert dice.weighted(weights) == list(weights)[chosen]
        assert dice.shuffled("abcdefgh") == ["abcdefgh"[i] for i in np.argsort(stream.random(8))]
        assert dice.pick("abc") == "abc"[int(stream.random() * 3)]
        assert dice.chance(0.5) == (stream.random() < 0.5)
