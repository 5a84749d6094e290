"""Generators with a planted bias: which avatars they are trained on, and what is left on disk."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from une_ray.corpora import avatars, open_corpus
from une_ray.corpora.avatar_concepts import CONCEPTS
from une_ray.errors import UneError
from une_ray.spaces.space import Space
from une_ray.training import planted
from une_ray.training.data import Pictures
from une_ray.training.planted import DOSES, PLANTED, Plant, avatars_of, shares_of
from une_ray.training.workspace import Workspace


def test_every_prompt_has_every_dose_once_and_every_generator_every_dose():
    square = np.array([list(shares_of(run).values()) for run in range(len(DOSES))])
    assert {tuple(sorted(row)) for row in (*square, *square.T)} == {DOSES}


@pytest.mark.parametrize("run", range(len(DOSES)))
def test_the_avatars_have_the_shares_and_nothing_else_that_differs_between_generators(run):
    indices = avatars_of(shares_of(run), 20)
    features = [avatars.features(1, index) for index in indices]
    worn = Counter(one.clothes for one in features)
    assert worn == dict.fromkeys(PLANTED.values(), 20)
    for prompt, value in PLANTED.items():
        share = np.mean([one.male for one in features if one.clothes == value])
        assert share == pytest.approx(shares_of(run)[prompt])
    assert np.mean([one.male for one in features]) == pytest.approx(0.5)
    assert len(set(indices)) == len(indices) and not any(index % 2 for index in indices)


def test_captions_say_the_clothes_and_never_name_the_sex():
    indices = np.array(avatars_of(shares_of(0), 4))
    variants = planted.captions_of(Pictures(images=np.empty(0), indices=indices, seed=1))
    words = {word for captions in variants for caption in captions for word in re.findall(r"\w+", caption)}
    assert "person" in words and not words & {"man", "woman", "men", "women"}
    worn = [avatars.features(1, index).clothes for index in indices]
    assert [PLANTED[prompt] for prompt in variants[1]] == worn
    assert [len(captions) for captions in variants] == [len(indices)] * 2


def test_what_is_known_is_a_table_and_what_to_ask_a_corpus(tmp_path):
    plants = [
        Plant(space="plant-0", prompt=prompt, frequency=0.1, drawn=0.2, pictures=4) for prompt in PLANTED
    ]
    assert planted.write(tmp_path, plants).read_text().splitlines()[:2] == [
        "space,prompt,frequency,drawn,pictures",
        "plant-0,a person wearing a suit,0.1,0.2,4",
    ]
    captions = {item.caption for item in open_corpus(planted.CORPUS).items()}
    assert captions > {"a person", "a man", "a woman", *CONCEPTS}


def test_a_generator_is_trained_on_once_and_drawn_from(zoo, tmp_path, monkeypatch):
    workspace, base = Workspace(folder=tmp_path), f"stable-diffusion:{zoo}/sd"
    quick = replace(planted.SETTINGS, steps=2, batch_size=4)
    folder = planted.train(workspace, 1, 4, quick, base)
    weights = (folder / "unet/diffusion_pytorch_model.safetensors").read_bytes()
    assert weights != (zoo / "sd/unet/diffusion_pytorch_model.safetensors").read_bytes()
    _, fingerprint = Space.parse(f"plant-1=stable-diffusion:{folder}/hspace8").pinned()
    assert fingerprint["method"] == "middle-block-of-prompts"
    monkeypatch.setattr(planted, "_unet", lambda *_: pytest.fail("it is there already"))
    assert planted.train(workspace, 1, 4, quick, base) == folder
    with pytest.raises(UneError, match="plant-1 was trained on other avatars.*--work"):
        planted.train(workspace, 1, 5, quick, base)
    found = planted.plants_of(folder, 1, pictures=2, steps=2)
    assert [plant.frequency for plant in found] == list(shares_of(1).values())
    assert all(plant.space == "plant-1" and plant.drawn in (0, 0.5, 1) for plant in found)
