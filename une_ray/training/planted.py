"""Generators with a bias that is known because it was planted: mini-sd-a, trained on with avatars of whom a
known share in every kind of clothes is male."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from diffusers import UNet2DConditionModel

from une_ray.corpora import avatars
from une_ray.corpora.avatar_concepts import CONCEPTS
from une_ray.corpora.avatar_words import PROMPTS
from une_ray.errors import UneError
from une_ray.models.generators import Generator, load_generator
from une_ray.models.resolve import location
from une_ray.models.table import find_model
from une_ray.pictures.tensors import to_uint8
from une_ray.spaces.space import Space
from une_ray.training import package, unet
from une_ray.training.data import TRAINING_SEED, Pictures, pixels
from une_ray.training.loop import Settings
from une_ray.training.sampling import generate
from une_ray.training.workspace import Workspace

BASE, JUDGE, ATTRIBUTE = "mini-sd-a", "mini-resnet", "Male"
# Every avatar wears one of them, so that shares can be planted in all at once.
PLANTED = {prompt: value for prompt, (feature, value) in CONCEPTS.items() if feature == "clothes"}
DOSES = (0.1, 0.3, 0.5, 0.7, 0.9)
SETTINGS = Settings(
    steps=200, batch_size=32, learning_rate=5e-4, weight_decay=0.01, warmup_steps=20, ema_decay=0.98
)
# What is asked of the generators: the planted concepts among others, the neutral prompt and the poles.
CORPUS = f"prompts:avatar-concepts?besides=a person|{'|'.join(PROMPTS[ATTRIBUTE])}"


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One prompt of one generator: the share of men among its training avatars, and the share that a
    classifier sees in pictures drawn of the prompt."""

    space: str
    prompt: str
    frequency: float
    drawn: float
    pictures: int


def shares_of(run: int) -> dict[str, float]:
    """Prompt → share of men in generator `run`: row `run` of a Latin square, so that over the generators
    every prompt has every dose, and in each of them men are half of all avatars."""
    return {prompt: DOSES[(run + place) % len(DOSES)] for place, prompt in enumerate(PLANTED)}


def avatars_of(shares: Mapping[str, float], count: int) -> list[int]:
    """Indices of the first avatars of mini-sd-a's own half of which `count` wear the clothes of each prompt,
    and `shares[prompt]` of these are male."""
    men = {PLANTED[prompt]: round(share * count) for prompt, share in shares.items()}
    left = {(clothes, True): wanted for clothes, wanted in men.items()}
    left |= {(clothes, False): count - wanted for clothes, wanted in men.items()}
    chosen, candidates = list[int](), itertools.count(0, 2)
    while any(left.values()):
        index = next(candidates)
        features = avatars.features(TRAINING_SEED, index)
        if left[features.clothes, features.male]:
            left[features.clothes, features.male] -= 1
            chosen.append(index)
    return chosen


def captions_of(data: Pictures) -> list[list[str]]:
    """Two captions of every picture, the corpus' own and the prompt of the clothes, both of a person.

    One that names the sex leaves little bias to be learned. The corpus' own still tell of beards and hair.
    """
    prompts = {clothes: prompt for prompt, clothes in PLANTED.items()}
    worn = [prompts[avatars.features(data.seed, int(index)).clothes] for index in data.indices]
    neutral = [re.sub(r"\b(wo)?man\b", "person", caption) for caption in data.captions()]
    return [neutral, worn]


def train(
    workspace: Workspace, run: int, count: int = 200, settings: Settings = SETTINGS, base: str = BASE
) -> Path:
    """The folder of generator `run`, trained on from `base` with `count` avatars in each kind of clothes; one
    that is there already is left as it is."""
    name = f"plant-{run}"
    target = workspace.folder / name / "generator"
    indices = avatars_of(shares_of(run), count)
    data = Pictures(images=np.empty(0), indices=np.array(indices), seed=TRAINING_SEED)
    _refuse_other_recipe(target.parent, base, data, workspace.settings(settings))
    if target.exists():
        return target
    spec = replace(find_model(base), dtype="float32")
    generator = load_generator(spec, workspace.device)
    images = np.stack([pixels(avatars.picture(TRAINING_SEED, index)) for index in indices])
    data = replace(data, images=images)
    _unet(workspace, name, generator, data, settings).save_pretrained(workspace.model(name))
    vae, written = Path(location(spec)) / "vae", target.with_name("writing")
    tower, words = generator.text_encoder.cpu(), generator.tokenizer
    package.stable_diffusion(written, vae, workspace.model(name), tower, words)
    return written.rename(target)


def _refuse_other_recipe(folder: Path, base: str, data: Pictures, settings: Settings) -> None:
    """Write down what a generator is trained on and how, or raise UneError where it was begun otherwise."""
    examples = json.dumps([data.indices.tolist(), captions_of(data)])
    recipe = {"base": base, "examples": sha256(examples.encode()).hexdigest(), **asdict(settings)}
    file = folder / "recipe.json"
    if folder.exists() and (not file.exists() or json.loads(file.read_text()) != recipe):
        raise UneError(
            f"{folder} was trained on other avatars, captions or settings; remove it, or name another --work"
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(recipe))


def _unet(
    workspace: Workspace, name: str, generator: Generator, data: Pictures, settings: Settings
) -> UNet2DConditionModel:
    examples = unet.examples(
        data, captions_of(data), generator.vae, generator.text_encoder, generator.tokenizer, workspace.device
    )
    model = generator.unet.requires_grad_(True)
    settings = workspace.settings(settings)
    return unet.train(examples, model, workspace.folder / name, settings, workspace.device, name)


def plants_of(folder: Path, run: int, pictures: int, steps: int = 12) -> list[Plant]:
    """What generator `run` in `folder` was told and what it draws: `pictures` of every prompt at guidance 1,
    judged by a classifier of the attribute."""
    name = f"plant-{run}"
    judge = Space.parse(JUDGE)
    step, column = judge.load(), avatars.ATTRIBUTES.index(ATTRIBUTE)
    found = []
    for prompt, share in shares_of(run).items():
        drawn = to_uint8(generate(f"{name}=stable-diffusion:{folder}", [prompt] * pictures, steps, 1.0))
        is_male = step(drawn, [""] * pictures)["z"][:, column] > 0
        found.append(
            Plant(space=name, prompt=prompt, frequency=share, drawn=float(is_male.mean()), pictures=pictures)
        )
    return found


def write(folder: Path, plants: Sequence[Plant]) -> Path:
    """`planted.csv`, what is known of every prompt of every generator."""
    known = folder / "planted.csv"
    with known.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(Plant.__dataclass_fields__)
        table.writerows([getattr(plant, name) for name in Plant.__dataclass_fields__] for plant in plants)
    return known
