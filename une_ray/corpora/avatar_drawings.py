"""An avatar's features as a picture: drawings of `python-avatars` (MIT), rasterised by `resvg`."""

from __future__ import annotations

import re

import python_avatars as pa
import resvg_py

from une_ray.corpora.avatar_features import Dice, Features

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

HAIR_PAINTS = {
    "black": ("#2C1B18", "#1B1413"),
    "brown": ("#724133", "#6A3F2B"),
    "blond": ("#D6B370", "#E3C36C"),
    "red": ("#C93305", "#D24B1A"),
    "gray": ("#E8E1E1", "#BDB9B9"),
}
SKIN_PAINTS = {
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
CLOTHING_PAINTS = {
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


def render(f: Features, dice: Dice, size: int) -> bytes:
    """One avatar as PNG bytes, `size` × `size` RGB; `dice` decides between drawings that mean the same."""
    hair_drawings = {
        "short": SHORT_HAIR,
        "long": LONG_HAIR,
        "short curls": SHORT_CURLS,
        "long curls": LONG_CURLS,
        "bald": BALD,
    }
    top = pa.HatType[dice.pick(HATS)] if f.hair == "hat" else pa.HairType[dice.pick(hair_drawings[f.hair])]
    hair_color = dice.pick(HAIR_PAINTS[f.hair_color])
    svg = pa.Avatar(
        style=pa.AvatarStyle.TRANSPARENT,
        top=top,
        hat_color=dice.pick(tuple(CLOTHING_PAINTS.values())),
        eyebrows=pa.EyebrowType[dice.pick(EYEBROWS[f.eyebrows])],
        eyes=pa.EyeType[dice.pick(EYES[f.eyes])],
        nose=pa.NoseType.WIDE if f.male else pa.NoseType.SMALL,
        mouth=pa.MouthType[dice.pick(MOUTHS[f.mouth])],
        facial_hair=pa.FacialHairType[dice.pick(FACIAL_HAIR[f.facial_hair])],
        skin_color=dice.pick(SKIN_PAINTS[f.skin]),
        hair_color=hair_color,
        facial_hair_color=hair_color,
        accessory=pa.AccessoryType[dice.pick(GLASSES[f.glasses])],
        clothing=pa.ClothingType[dice.pick(CLOTHES[f.clothes])],
        clothing_color=CLOTHING_PAINTS[f.clothing_color],
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
