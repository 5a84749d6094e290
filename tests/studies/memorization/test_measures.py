"""What the measures say of pictures whose answer is known without them."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from une_ray.corpora import avatars
from une_ray.models.table import find_model
from une_ray.pictures.tensors import from_bytes
from une_ray.studies.memorization.copy_metrics.tiles import similarity
from une_ray.studies.memorization.measures import Alignment, Realness, copies, diversities
from une_ray.studies.memorization.prompts import Prompt, held_out

PROMPTS = held_out(40)


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    return torch.stack([from_bytes(prompt.picture()) for prompt in PROMPTS])


@pytest.fixture(scope="module")
def realness() -> Realness:
    return Realness.load("mini-dino", "cpu")


def mean(rows: list[dict]) -> float:
    return sum(row["distance_to_real"] for row in rows) / len(rows)


def test_real_pictures_are_nearest_to_real_ones_and_every_damage_is_seen(realness, faces):
    noise = torch.randn(faces.shape, generator=torch.Generator().manual_seed(0))
    real = mean(realness(PROMPTS, faces))
    damaged = {
        "blurred": avg_pool2d(faces, 7, 1, 3, count_include_pad=False),
        "noisy": (faces + 0.2 * noise).clamp(-1, 1),
        "two laid over each other": (faces + faces.roll(1, 0)) / 2,
        "upper half of one, lower of another": torch.cat([faces[:, :, :32], faces.roll(1, 0)[:, :, 32:]], 2),
    }
    assert real == pytest.approx(1.67, abs=0.1), "what the docstring says"
    for name, pictures in damaged.items():
        assert mean(realness(PROMPTS, pictures)) > real + 0.1, name


def test_of_given_prompts_nothing_is_known_to_compare_with(realness, faces):
    asked, shown = [Prompt(text="a cat", kind="given"), PROMPTS[0]], faces[[0, 1, 0, 1]]
    rows = realness(asked, shown)
    assert [row["distance_to_real"] is None for row in rows] == [True, True, False, False]
    assert [row["similarity"] is None for row in copies(asked, shown, shown.shape[-1])] == [
        True,
        True,
        False,
        False,
    ]


def test_a_prompts_own_picture_is_a_copy_and_anothers_is_not(faces):
    assert [row["is_copy"] for row in copies(PROMPTS[:2], faces[:2], 64)] == [True, True]
    assert [row["is_copy"] for row in copies(PROMPTS[:2], faces[:2].flip(0), 64)] == [False, False]


def test_pictures_fit_their_own_captions_better_than_others(faces):
    alignment = Alignment.load(find_model("mini-clip-b"), "cpu")
    own, others = (
        sum(row["alignment"] for row in alignment(PROMPTS, shown)) for shown in (faces, faces.roll(1, 0))
    )
    assert own > others + 0.1 * len(PROMPTS)


def test_diversity_is_the_mean_dissimilarity_to_the_other_seeds():
    pictures = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = [row["diversity"] for row in diversities(pictures, 3)]
    for i, value in enumerate(found):
        others = [j for j in range(i // 3 * 3, i // 3 * 3 + 3) if j != i]
        assert value == pytest.approx(
            1 - sum(similarity(pictures[i], pictures[j]).item() for j in others) / 2, abs=1e-6
        )
    assert diversities(pictures, 1)[0] == {"diversity": None}


def test_the_real_pictures_are_of_a_seed_that_no_prompt_is_of():
    from une_ray.corpora import duplicates
    from une_ray.studies.memorization import copy_metric, measures, prompts

    others = {prompts.TRAINED_SEED, prompts.HELD_OUT_SEED, duplicates.SEED, copy_metric.CALIBRATION_SEED}
    assert measures.REAL_SEED not in others and avatars.picture(measures.REAL_SEED, 0) != avatars.picture(
        prompts.HELD_OUT_SEED, 0
    )
