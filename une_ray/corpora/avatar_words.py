"""Avatars in words: captions of single pictures, and prompts that say an attribute and its absence."""

from __future__ import annotations

import re

from une_ray.corpora.avatar_features import Dice, Features

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

MOUTHS = {
    "smile": "a smile",
    "open smile": "a big open smile",
    "serious": "a serious mouth",
    "open": "an open mouth",
    "sad": "a sad mouth",
}
TEMPLATES = (
    "a {age}{noun} with {listed}",
    "a portrait of a {age}{noun} with {listed}",
    "{age}{noun}, {listed}",
    "a picture of a {age}{noun}: {listed}",
)


def caption_of(f: Features, dice: Dice) -> str:
    """One English caption: a template, the noun, then a shuffled subset of what can be seen."""
    noun = ("man" if f.male else "woman") if dice.chance(0.85) else "person"
    age = dice.pick(("young ", "")) if f.young else dice.pick(("old ", "elderly ", ""))
    phrases = _phrases(f, dice)
    said = [phrase for phrase in phrases if dice.chance(0.85)] or phrases[:1]
    order = dice.shuffled(said)
    if dice.chance(0.5) or len(order) == 1:
        listed = ", ".join(order)
    else:
        listed = f"{', '.join(order[:-1])} and {order[-1]}"
    text = dice.pick(TEMPLATES).format(age=age, noun=noun, listed=listed)
    return re.sub(r"\ba (?=[aeo])", "an ", text).strip()


def _phrases(f: Features, dice: Dice) -> list[str]:
    """All that can be said of the picture, in the order in which it is drawn by lot."""
    hair = " ".join([*dice.shuffled((f.hair.replace("curls", "curly"), f.hair_color)), "hair"])
    phrases = [{"bald": "a bald head", "hat": "a hat"}.get(f.hair, hair)]
    if f.glasses != "none":
        phrases.append(f.glasses)
    if f.facial_hair != "none":
        color = f"{f.hair_color} " if dice.chance(0.5) else ""
        phrases.append(f"a {color}{f.facial_hair}")
    phrases.append(MOUTHS[f.mouth])
    if f.eyes != "open" and f.glasses != "sunglasses":
        phrases.append(f"{f.eyes} eyes")
    if f.eyebrows != "level":
        phrases.append(f"{f.eyebrows} eyebrows")
    if f.skin != "medium" or dice.chance(0.3):
        phrases.append(f"{f.skin} skin")
    clothing = f.clothes if f.clothes == "suit" else f"{f.clothing_color} {f.clothes}"
    phrases.append(f"{dice.pick(('a', 'wearing a'))} {clothing}")
    if dice.chance(0.6):
        phrases.append(f"a {f.background} background")
    return phrases
