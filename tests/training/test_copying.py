"""A copy is much nearer to its own training picture than to any other."""

import torch

from une_ray.training.copying import is_copy


def test_a_copy_is_at_most_half_as_far_from_its_picture_as_from_any_other():
    trained = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 12.0]])
    made = torch.tensor([[[3.0, 0.0], [4.0, 0.0]], [[10.0, 1.0], [5.0, 0.0]]])  # two pictures, two seeds
    assert is_copy(made, trained).tolist() == [[True, False], [True, False]]
