"""What a space costs and how long its latents are, as its kind's file says, is what its step does."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from une_ray.models.table import MODELS
from une_ray.registry import SPACE_KINDS
from une_ray.spaces.ddim import ROUND_TRIPS, sampled_back
from une_ray.spaces.drawing import drawing_of
from une_ray.spaces.kind import WATCHED
from une_ray.spaces.space import Space

WATCHED_ID = next(id for id in map(str, range(1000)) if sampled_back(id, ROUND_TRIPS))
ENCODERS = ("mini-clip-a", "mini-clip-b", "mini-dino", "mini-resnet", "pixels-16", "random-mini-dino")
TEXTS = ("mini-clip-a/text", "mini-clip-b/text")
OF_A_GENERATOR = ("latents", "leak10", "ddim5", "ddim5-trailing", "hspace@500", "hspace@500-flat", "hspace2")
NAMES = (
    *ENCODERS,
    *TEXTS,
    *(f"mini-sd-a/{kind}" for kind in OF_A_GENERATOR),
    "random-mini-sd-b/hspace1-flat",
)


def counted(call) -> tuple[float, object]:
    """GFLOPs, and what the call gives."""
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        given = call()
    return counter.get_total_flops() / 1e9, given


@pytest.mark.parametrize("name", NAMES)
def test_a_space_costs_what_torch_counts_and_is_as_long_as_it_says(name):
    space = Space.parse(name)
    step, size = space.load(), space.model.preprocessing.size
    picture = np.zeros((1, size, size, 3), np.uint8)
    batch = ["a man"] if space.modality == "captions" else picture
    gflops, columns = counted(lambda: step(batch, [WATCHED_ID]))
    if columns.get(WATCHED):  # one image in 32 is
        gflops += counted(lambda: step.look_back([of for _, of in columns[WATCHED]]))[0] * ROUND_TRIPS
    assert space.gflops == pytest.approx(gflops, rel=0.03)
    assert space.dim == columns["z"].shape[1]


def test_no_kind_is_left_out():
    own = {name for name, kind in SPACE_KINDS.items() if kind.load.__module__.startswith("une_ray.")}
    assert {Space.parse(name).kind for name in NAMES} == own


def test_a_model_in_no_row_has_neither():
    for name in (
        "x=clip:/nowhere",
        "x=stable-diffusion:/nowhere/hspace",
        "x=stable-diffusion:/nowhere/ddim50",
    ):
        assert Space.parse(name).gflops is None and Space.parse(name).dim is None


def test_rows_say_of_every_generator_and_text_tower_what_its_spaces_cost():
    for model in MODELS.values():
        kinds = ("ddim50", "hspace") if model.is_generator else ("",) + ("/text",) * bool(model.text_gflops)
        for kind in kinds:
            space = Space.parse(f"{model.id}/{kind}" if model.is_generator else model.id + kind)
            assert space.gflops is not None and space.dim
        if model.is_generator and model.source.startswith("package:"):
            assert model.is_distilled == (drawing_of(model, "leading").scaling is not None)
