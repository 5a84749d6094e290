"""Avatars: cartoon faces with known attributes and a documented joint distribution, rendered from (seed, index).

A CelebA with no faces in it. The drawings are `python-avatars` (MIT), rasterised by `resvg`; what is ours
is the sampling of features. `sample_features` is the generative model, top to bottom: presenting gender and
age first, then everything that depends on them, so every correlation in the corpus is written down here
(and measured by `une corpus avatars:20000`). `Dark_Background` and `Wearing_Hoodie` depend on nothing:
they are the controls.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import python_avatars as pa
import resvg_py

from une_ray.corpora.base import Item, split_of
from une_ray.errors import UneError

SIZE = 64
VIEW_BOX = "34 34 196 196"  # the head fills the picture, as in CelebA's aligned crops

SHORT_HAIR = (
    "CAESAR",
    "CAESAR_SIDE_PART",
    "SHORT_FLAT",
    "SHORT_ROUND",
    "SHORT_WAVED",
    "QUIFF",
    "ELVIS",
    "SHAGGY",
)
LONG_HAIR = ("BOB", "LONG_NOT_TOO_LONG", "MIA_WALLACE", "STRAIGHT_1", "STRAIGHT_STRAND")
SHORT_CURLS = ("SHORT_CURLY", "SHORT_DREADS_1", "SHORT_DREADS_2")
LONG_CURLS = ("BIG_HAIR", "CURVY", "CURLY", "DREADS")
BALD = ("NONE", "SIDES")
HATS = ("HAT", "WINTER_HAT_1", "WINTER_HAT_3", "TURBAN")

HAIR_COLORS = {
    "black": ("#2C1B18", "#1B1413"),
    "brown": ("#724133", "#6A3F2B"),
    "blond": ("#D6B370", "#E3C36C"),
    "red": ("#C93305", "#D24B1A"),
    "gray": ("#E8E1E1", "#BDB9B9"),
}
SKIN_COLORS = {
    "pale": ("#FFDBB4", "#FCE0C4"),
    "medium": ("#EDB98A", "#D9A066"),
    "dark": ("#614335", "#7A4A2E"),
}
CLOTHES = {
    "suit": ("BLAZER_SHIRT", "BOND_SUIT", "SHIRT_WICK"),
    "hoodie": ("HOODIE",),
    "shirt": ("SHIRT_CREW_NECK", "SHIRT_V_NECK"),
    "sweater": ("COLLAR_SWEATER",),
    "overall": ("OVERALL",),
}
CLOTHING_COLORS = {
    "black": "#262E33",
    "blue": "#5199E4",
    "red": "#FF5C5C",
    "green": "#5FB878",
    "yellow": "#F2D25C",
    "white": "#F2F2F2",
}
BACKGROUNDS = {
    "light": ("#E6E6FA", "#DDF3E4", "#FFF1D6", "#F4F4F4"),
    "dark": ("#2F3E55", "#4A3550", "#33473B", "#3D3D3D"),
}
EYES = {"open": ("DEFAULT", "SIDE", "SQUINT"), "closed": ("CLOSED", "HAPPY"), "wide": ("SURPRISED",)}
EYEBROWS = {
    "level": ("DEFAULT", "FLAT_NATURAL"),
    "raised": ("RAISED_EXCITED",),
    "angry": ("ANGRY",),
    "sad": ("SAD_CONCERNED",),
}
MOUTHS = {
    "smile": ("TWINKLE",),
    "open smile": ("SMILE", "BIG_SMILE"),
    "serious": ("SERIOUS",),
    "open": ("SCREAM_OPEN", "DISBELIEF"),
    "sad": ("SAD",),
}
GLASSES = {
    "none": ("NONE",),
    "glasses": ("PRESCRIPTION_2", "ROUND"),
    "sunglasses": ("SUNGLASSES", "WAYFARERS"),
}
FACIAL_HAIR = {
    "none": ("NONE",),
    "mustache": ("MOUSTACHE_FANCY", "MOUSTACHE_MAGNUM"),
    "beard": ("BEARD_MEDIUM", "BEARD_MAGESTIC"),
}


@dataclass(frozen=True)
class Features:
    """Everything that decides one picture. The strings are keys of the tables above."""

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
    """Named draws from one uniform stream; only `Generator.random` is used, whose stream NumPy keeps stable."""

    def __init__(self, *key: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

    def chance(self, probability: float) -> bool:
        return bool(self._generator.random() < probability)

    def pick(self, options: Sequence[str]) -> str:
        """One of the options, uniformly."""
        return options[int(self._generator.random() * len(options))]

    def weighted(self, weights: dict[str, float]) -> str:
        """One key, with probability proportional to its weight."""
        edges = np.cumsum(list(weights.values()))
        return list(weights)[int(np.searchsorted(edges, self._generator.random() * edges[-1], side="right"))]

    def shuffled(self, options: Sequence[str]) -> list[str]:
        keys = self._generator.random(len(options))
        return [options[i] for i in np.argsort(keys)]


def sample_features(dice: Dice) -> Features:
    """The joint distribution of the corpus, in topological order: read it as the model it is."""
    male = dice.chance(0.5)
    young = dice.chance(0.7)
    skin = dice.weighted({"pale": 0.4, "medium": 0.35, "dark": 0.25})
    if young:
        by_skin = {
            "pale": (0.15, 0.3, 0.38, 0.15, 0.02),
            "medium": (0.35, 0.4, 0.15, 0.08, 0.02),
            "dark": (0.7, 0.2, 0.05, 0.03, 0.02),
        }
        weights = by_skin[skin]
    else:
        weights = (0.1, 0.1, 0.05, 0.02, 0.73)
    hair_color = dice.weighted(dict(zip(HAIR_COLORS, weights)))
    hat = dice.chance(0.16 if young else 0.06)
    bald = dice.chance((0.06 if young else 0.4) if male else 0.01)
    curls = dice.chance(0.55 if skin == "dark" else 0.25)
    long = dice.chance(0.06 if male else 0.9)
    hair = "hat" if hat else "bald" if bald else f"{'long' if long else 'short'}{' curls' if curls else ''}"
    facial_hair = dice.weighted({"none": 0.45, "mustache": 0.2, "beard": 0.35}) if male else "none"
    glasses = dice.weighted(
        {"none": 0.72, "glasses": 0.16, "sunglasses": 0.12}
        if young
        else {"none": 0.4, "glasses": 0.55, "sunglasses": 0.05}
    )
    smiling = dice.chance(0.38 if male else 0.62)
    opened = dice.chance(0.5 if smiling else 0.3)
    mouth = (
        ("open smile" if opened else "smile")
        if smiling
        else "open"
        if opened
        else dice.weighted({"serious": 0.6, "sad": 0.4})
    )
    eyes = (
        "closed" if dice.chance(0.15) else "wide" if dice.chance(0.5 if mouth == "open" else 0.04) else "open"
    )
    eyebrows = dice.weighted(
        {"level": 0.3, "raised": 0.6, "angry": 0.05, "sad": 0.05}
        if mouth == "open"
        else {"level": 0.6, "raised": 0.2, "angry": 0.1, "sad": 0.1}
        if smiling
        else {"level": 0.4, "raised": 0.1, "angry": 0.3, "sad": 0.2}
    )
    hoodie = dice.chance(0.25)
    suit = dice.chance((0.3 if young else 0.6) if male else 0.12)
    clothes = (
        "hoodie"
        if hoodie
        else "suit"
        if suit
        else dice.weighted({"shirt": 0.5, "sweater": 0.25, "overall": 0.25})
    )
    clothing_color = dice.pick(tuple(CLOTHING_COLORS))
    background = "dark" if dice.chance(0.4) else "light"
    return Features(
        male,
        young,
        hair,
        hair_color,
        skin,
        facial_hair,
        glasses,
        mouth,
        eyes,
        eyebrows,
        clothes,
        clothing_color,
        background,
    )


def attributes_of(f: Features) -> dict[str, bool]:
    """The 26 true/false attributes, under CelebA's names where CelebA has them. Hair under a hat is not labelled."""
    hair_shown = f.hair not in ("bald", "hat")
    return {
        "Male": f.male,
        "Young": f.young,
        "Smiling": f.mouth in ("smile", "open smile"),
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


# How to say each attribute and its absence, for zero-shot classifiers.
PROMPTS = {
    "Male": ("a man", "a woman"),
    "Young": ("a young person", "an old person"),
    "Smiling": ("a person with a smile", "a person with a serious mouth"),
    "Mouth_Open": ("a person with an open mouth", "a person with a serious mouth"),
    "Eyeglasses": ("a person with glasses", "a person"),
    "Sunglasses": ("a person with sunglasses", "a person"),
    "No_Beard": ("a person", "a man with a beard"),
    "Mustache": ("a man with a mustache", "a person"),
    "Bald": ("a person with a bald head", "a person with short hair"),
    "Black_Hair": ("a person with black hair", "a person with brown hair"),
    "Brown_Hair": ("a person with brown hair", "a person with black hair"),
    "Blond_Hair": ("a person with blond hair", "a person with brown hair"),
    "Red_Hair": ("a person with red hair", "a person with brown hair"),
    "Gray_Hair": ("a person with gray hair", "a person with brown hair"),
    "Long_Hair": ("a person with long hair", "a person with short hair"),
    "Curly_Hair": ("a person with curly hair", "a person with hair"),
    "Wearing_Hat": ("a person with a hat", "a person with hair"),
    "Wearing_Suit": ("a person wearing a suit", "a person wearing a shirt"),
    "Wearing_Hoodie": ("a person wearing a hoodie", "a person wearing a shirt"),
    "Pale_Skin": ("a person with pale skin", "a person with dark skin"),
    "Dark_Skin": ("a person with dark skin", "a person with pale skin"),
    "Eyes_Closed": ("a person with closed eyes", "a person"),
    "Wide_Eyes": ("a person with wide eyes", "a person"),
    "Raised_Eyebrows": ("a person with raised eyebrows", "a person with angry eyebrows"),
    "Angry_Eyebrows": ("a person with angry eyebrows", "a person with raised eyebrows"),
    "Dark_Background": ("a person with a dark background", "a person with a light background"),
}


def caption_of(f: Features, dice: Dice) -> str:
    """One English caption: a template, the noun, then a shuffled subset of what can be seen."""
    noun = ("man" if f.male else "woman") if dice.chance(0.85) else "person"
    age = dice.pick(("young ", "")) if f.young else dice.pick(("old ", "elderly ", ""))
    hair = " ".join([*dice.shuffled((f.hair.replace("curls", "curly"), f.hair_color)), "hair"])
    hair = {"bald": "a bald head", "hat": "a hat"}.get(f.hair, hair)
    parts = [hair]
    if f.glasses != "none":
        parts.append(f.glasses)
    if f.facial_hair != "none":
        color = f"{f.hair_color} " if dice.chance(0.5) else ""
        parts.append(f"a {color}{f.facial_hair}")
    parts.append(
        {
            "smile": "a smile",
            "open smile": "a big open smile",
            "serious": "a serious mouth",
            "open": "an open mouth",
            "sad": "a sad mouth",
        }[f.mouth]
    )
    if f.eyes != "open" and f.glasses != "sunglasses":
        parts.append(f"{f.eyes} eyes")
    if f.eyebrows != "level":
        parts.append(f"{f.eyebrows} eyebrows")
    if f.skin != "medium" or dice.chance(0.3):
        parts.append(f"{f.skin} skin")
    clothing = f.clothes if f.clothes == "suit" else f"{f.clothing_color} {f.clothes}"
    parts.append(f"{dice.pick(('a', 'wearing a'))} {clothing}")
    if dice.chance(0.6):
        parts.append(f"a {f.background} background")
    kept = [part for part in parts if dice.chance(0.85)] or parts[:1]
    order = dice.shuffled(kept)
    listed = (
        ", ".join(order)
        if dice.chance(0.5)
        else " and ".join([", ".join(order[:-1]), order[-1]] if len(order) > 1 else order)
    )
    template = dice.pick(
        (
            "a {age}{noun} with {listed}",
            "a portrait of a {age}{noun} with {listed}",
            "{age}{noun}, {listed}",
            "a picture of a {age}{noun}: {listed}",
        )
    )
    return re.sub(r"\ba (?=[aeo])", "an ", template.format(age=age, noun=noun, listed=listed)).strip()


def render(f: Features, dice: Dice, size: int = SIZE) -> bytes:
    """One avatar as PNG bytes, `size` × `size` RGB; `dice` decides between drawings that mean the same."""
    hair_drawings = {
        "short": SHORT_HAIR,
        "long": LONG_HAIR,
        "short curls": SHORT_CURLS,
        "long curls": LONG_CURLS,
        "bald": BALD,
    }
    top = pa.HatType[dice.pick(HATS)] if f.hair == "hat" else pa.HairType[dice.pick(hair_drawings[f.hair])]
    hair_color = dice.pick(HAIR_COLORS[f.hair_color])
    svg = pa.Avatar(
        style=pa.AvatarStyle.TRANSPARENT,
        top=top,
        hat_color=dice.pick(tuple(CLOTHING_COLORS.values())),
        eyebrows=pa.EyebrowType[dice.pick(EYEBROWS[f.eyebrows])],
        eyes=pa.EyeType[dice.pick(EYES[f.eyes])],
        nose=pa.NoseType.WIDE if f.male else pa.NoseType.SMALL,
        mouth=pa.MouthType[dice.pick(MOUTHS[f.mouth])],
        facial_hair=pa.FacialHairType[dice.pick(FACIAL_HAIR[f.facial_hair])],
        skin_color=dice.pick(SKIN_COLORS[f.skin]),
        hair_color=hair_color,
        facial_hair_color=hair_color,
        accessory=pa.AccessoryType[dice.pick(GLASSES[f.glasses])],
        clothing=pa.ClothingType[dice.pick(CLOTHES[f.clothes])],
        clothing_color=CLOTHING_COLORS[f.clothing_color],
        shirt_graphic=pa.ClothingGraphic.NONE,
    ).render()
    svg = re.sub(r'viewBox="[^"]*"', f'viewBox="{VIEW_BOX}"', svg, count=1)
    svg = re.sub(
        r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', rf'\1 width="{size}" height="{size}"', svg, count=1
    )
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        width=size,
        height=size,
        background=dice.pick(BACKGROUNDS[f.background]),
        skip_system_fonts=True,
    )


@functools.lru_cache(maxsize=4096)
def features(seed: int, index: int) -> Features:
    """The features of avatar `index` under `seed`."""
    return sample_features(Dice(seed, index, 0))


def caption(seed: int, index: int, variant: int = 0) -> str:
    """A caption of avatar `index`; other variants say the same picture in other words."""
    return caption_of(features(seed, index), Dice(seed, index, 1, variant))


def picture(seed: int, index: int, size: int = SIZE) -> bytes:
    """PNG bytes of avatar `index` under `seed`."""
    return render(features(seed, index), Dice(seed, index, 2), size)


@dataclass(frozen=True)
class Avatars:
    """`avatars:N`, `avatars:N?seed=7`: N avatars. Seeds 1 and up are free; the mini zoo was trained on seed 1."""

    count: int
    seed: int = 0

    OPTIONS = ("seed",)

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Avatars:
        if not argument.isdecimal() or int(argument) == 0:
            raise UneError(f"avatars needs a number of images, as in avatars:2000; got {argument!r}")
        if not options.get("seed", "0").isdecimal():
            raise UneError(f"the seed of avatars is a whole number; got {options['seed']!r}")
        return cls(int(argument), int(options.get("seed", 0)))

    @property
    def name(self) -> str:
        return f"avatars:{self.count}" + (f"?seed={self.seed}" if self.seed else "")

    def items(self) -> Iterator[Item]:
        for index in range(self.count):
            image_id = f"avatar-{self.seed}-{index:08d}"
            attributes = attributes_of(features(self.seed, index))
            yield Item(
                image_id, f"{self.seed}/{index}", split_of(image_id), caption(self.seed, index), attributes
            )

    def read(self, source: str) -> bytes:
        seed, index = source.split("/")
        return picture(int(seed), int(index))
