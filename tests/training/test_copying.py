"""A copy in a card is a copy in the bench."""

import torch

from une_ray.corpora import avatars
from une_ray.pictures.tensors import from_bytes
from une_ray.studies.memorization.copy_metric import slightly_changed
from une_ray.training.copying import is_copy


def test_a_picture_saved_again_is_a_copy_and_another_is_not():
    trained = torch.stack([from_bytes(avatars.picture(9, index)) for index in range(6)])
    others = torch.stack([from_bytes(avatars.picture(9, index)) for index in range(6, 12)])
    made = torch.stack([slightly_changed(trained)["JPEG of quality 50"], others], dim=1)
    found = is_copy(made, trained)
    assert found[:, 0].all() and not found[:, 1].any()
