"""The generative model behind the avatars: what is drawn by chance, and on what each draw depends."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

HAIR_COLORS = ("black", "brown", "blond", "red", "gray")
CLOTHING_COLORS = ("black", "blue", "red", "green", "yellow", "white")
SMILES = ("smile", "open smile")


@dataclass(frozen=True, kw_only=True)
class Features:
    """Everything that decides one picture. The strings are keys of the tables in `avatar_drawings`."""

    male: bool
    young: bool
    hair: str  # short | long | short curls | long curls | bald | hat
    hair_color: str
    skin: str
    facial_hair: str
    glasses: str
    mouth: str
    eyes: str
    eyebrows: str
    clothes: str
    clothing_color: str
    background: str


class Dice:
    """Draws from one uniform stream; only `Generator.random` is used, whose stream NumPy keeps stable."""

    def __init__(self, *key: int) -> None:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))
        self._draw = generator.random

    def chance(self, probability: float) -> bool:
        return self._draw() < probability

    def pick(self, options: Sequence[str]) -> str:
        """One of the options, uniformly."""
        return options[int(self._draw() * len(options))]

    def weighted(self, weights: dict[str, float]) -> str:
        """One key, with probability proportional to its weight."""
        edges = list(accumulate(weights.values()))
        return list(weights)[bisect_right(edges, self._draw() * edges[-1])]

    def shuffled(self, options: Sequence[str]) -> list[str]:
        keys = self._draw(len(options)).tolist()
        return [options[i] for i in sorted(range(len(keys)), key=keys.__getitem__)]


def sample_features(dice: Dice) -> Features:
    """The joint distribution of the corpus, in topological order: read it as the model it is.

    The order of the draws is part of it.
    """
    male = dice.chance(0.5)
    young = dice.chance(0.7)
    skin = dice.weighted({"pale": 0.4, "medium": 0.35, "dark": 0.25})
    hair_color = dice.weighted(dict(zip(HAIR_COLORS, _hair_color_weights(young, skin), strict=True)))
    hair = _sample_hair(dice, male, young, skin)
    facial_hair = dice.weighted({"none": 0.45, "mustache": 0.2, "beard": 0.35}) if male else "none"
    glasses = dice.weighted(
        {"none": 0.72, "glasses": 0.16, "sunglasses": 0.12}
        if young
        else {"none": 0.4, "glasses": 0.55, "sunglasses": 0.05}
    )
    mouth = _sample_mouth(dice, male)
    return Features(
        male=male,
        young=young,
        hair=hair,
        hair_color=hair_color,
        skin=skin,
        facial_hair=facial_hair,
        glasses=glasses,
        mouth=mouth,
        eyes=_sample_eyes(dice, mouth),
        eyebrows=_sample_eyebrows(dice, mouth),
        clothes=_sample_clothes(dice, male, young),
        clothing_color=dice.pick(CLOTHING_COLORS),
        background="dark" if dice.chance(0.4) else "light",
    )


def _hair_color_weights(young: bool, skin: str) -> tuple[float, ...]:
    """Of black, brown, blond, red and gray."""
    if not young:
        return (0.1, 0.1, 0.05, 0.02, 0.73)
    return {
        "pale": (0.15, 0.3, 0.38, 0.15, 0.02),
        "medium": (0.35, 0.4, 0.15, 0.08, 0.02),
        "dark": (0.7, 0.2, 0.05, 0.03, 0.02),
    }[skin]


def _sample_hair(dice: Dice, male: bool, young: bool, skin: str) -> str:
    hat = dice.chance(0.16 if young else 0.06)
    bald = dice.chance((0.06 if young else 0.4) if male else 0.01)
    curls = dice.chance(0.55 if skin == "dark" else 0.25)
    long = dice.chance(0.06 if male else 0.9)
    if hat or bald:
        return "hat" if hat else "bald"
    return ("long" if long else "short") + (" curls" if curls else "")


def _sample_mouth(dice: Dice, male: bool) -> str:
    smiling = dice.chance(0.38 if male else 0.62)
    opened = dice.chance(0.5 if smiling else 0.3)
    if smiling:
        return "open smile" if opened else "smile"
    return "open" if opened else dice.weighted({"serious": 0.6, "sad": 0.4})


def _sample_eyes(dice: Dice, mouth: str) -> str:
    if dice.chance(0.15):
        return "closed"
    return "wide" if dice.chance(0.5 if mouth == "open" else 0.04) else "open"


def _sample_eyebrows(dice: Dice, mouth: str) -> str:
    if mouth == "open":
        return dice.weighted({"level": 0.3, "raised": 0.6, "angry": 0.05, "sad": 0.05})
    if mouth in SMILES:
        return dice.weighted({"level": 0.6, "raised": 0.2, "angry": 0.1, "sad": 0.1})
    return dice.weighted({"level": 0.4, "raised": 0.1, "angry": 0.3, "sad": 0.2})


def _sample_clothes(dice: Dice, male: bool, young: bool) -> str:
    hoodie = dice.chance(0.25)
    suit = dice.chance((0.3 if young else 0.6) if male else 0.12)
    if hoodie or suit:
        return "hoodie" if hoodie else "suit"
    return dice.weighted({"shirt": 0.5, "sweater": 0.25, "overall": 0.25})


def attributes_of(f: Features) -> dict[str, bool]:
    """The 26 true/false attributes, under CelebA's names where it has them; hair under a hat has no label."""
    hair_shown = f.hair not in ("bald", "hat")
    return {
        "Male": f.male,
        "Young": f.young,
        "Smiling": f.mouth in SMILES,
        "Mouth_Open": f.mouth in ("open", "open smile"),
        "Eyeglasses": f.glasses == "glasses",
        "Sunglasses": f.glasses == "sunglasses",
        "No_Beard": f.facial_hair != "beard",
        "Mustache": f.facial_hair == "mustache",
        "Bald": f.hair == "bald",
        "Black_Hair": hair_shown and f.hair_color == "black",
        "Brown_Hair": hair_shown and f.hair_color == "brown",
        "Blond_Hair": hair_shown and f.hair_color == "blond",
        "Red_Hair": hair_shown and f.hair_color == "red",
        "Gray_Hair": hair_shown and f.hair_color == "gray",
        "Long_Hair": f.hair.startswith("long"),
        "Curly_Hair": f.hair.endswith("curls"),
        "Wearing_Hat": f.hair == "hat",
        "Wearing_Suit": f.clothes == "suit",
        "Wearing_Hoodie": f.clothes == "hoodie",
        "Pale_Skin": f.skin == "pale",
        "Dark_Skin": f.skin == "dark",
        "Eyes_Closed": f.eyes == "closed" and f.glasses != "sunglasses",
        "Wide_Eyes": f.eyes == "wide" and f.glasses != "sunglasses",
        "Raised_Eyebrows": f.eyebrows == "raised",
        "Angry_Eyebrows": f.eyebrows == "angry",
        "Dark_Background": f.background == "dark",
    }


ATTRIBUTES = tuple(attributes_of(sample_features(Dice(0, 0))))
