"""Encoders and decoders by torch's own convolutions, and architectures that can't be."""

import pytest
import torch
from torch.nn import functional

from une_ray.errors import UneError
from une_ray.models.convolutional import Architecture, Patches, Unpatches, decoder, encoder


def test_patches_are_a_convolution_whose_kernel_is_its_stride():
    layer, x = Patches(3, 5, 2), torch.randn(4, 3, 8, 8)
    expected = functional.conv2d(x, layer.weight.view(5, 3, 2, 2), layer.bias, stride=2)
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_unpatches_are_its_transpose():
    layer, x = Unpatches(5, 3, 2), torch.randn(4, 5, 4, 4)
    weight = layer.weight.view(3, 2, 2, 5).permute(3, 0, 1, 2)
    expected = functional.conv_transpose2d(x, weight, stride=2) + layer.bias.view(1, 3, 2, 2).repeat(
        1, 1, 4, 4
    )
    assert torch.allclose(layer(x), expected, atol=1e-6)


@pytest.mark.parametrize("layers", [((4, 4, 2), (8, 4, 2)), ((4, 4, 4), (8, 2, 2))])
def test_the_decoder_gives_back_what_the_encoder_takes(layers):
    architecture = Architecture(channels=3, size=16, latents=6, layers=layers)
    codes = encoder(architecture, 6)(torch.rand(2, 3, 16, 16))
    assert codes.shape == (2, 6) and decoder(architecture)(codes).shape == (2, 3, 16, 16)
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_an_architecture_that_can_t_be_is_refused():
    with pytest.raises(UneError, match="do not divide"):
        Architecture(channels=1, size=20, layers=((4, 4, 2), (4, 4, 4)))
    with pytest.raises(UneError, match="can't be read"):
        Architecture.from_json({"channels": 1})
