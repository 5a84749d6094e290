"""Oracles: diffusers' own attention, its encoder_attention_mask, and a softmax written out."""

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0, IPAdapterAttnProcessor2_0

from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.studies.memorization.attention import (
    Rescale,
    class_masses,
    cross_attention,
    edited,
    entropy,
    recorded,
    removal,
    token_weights,
)
from une_ray.studies.memorization.methods.ablation_h import zero_all_pads
from une_ray.studies.memorization.methods.ren import masked_attention
from une_ray.studies.memorization.token_rows import EOT, PAD, SOT

T = 481


def test_an_opened_network_computes_what_it_did(generator, rows, noise):
    plain = generator.denoiser(rows.embeddings)(noise, T)
    with cross_attention(generator.unet):
        assert torch.allclose(generator.denoiser(rows.embeddings)(noise, T), plain, atol=1e-5)


def test_the_weights_are_the_softmax_of_query_times_key(generator, rows, noise):
    layer_name = "mid_block.attentions.0.transformer_blocks.0.attn2"
    layer = generator.unet.get_submodule(layer_name)
    queries = []
    hook = layer.to_q.register_forward_hook(lambda module, inputs, output: queries.append(output))
    with recorded(generator.unet) as weights:
        generator.denoiser(rows.embeddings)(noise, T)
    hook.remove()
    width = queries[0].shape[-1] // layer.heads
    by_hand = 0
    for head in range(layer.heads):
        part = slice(head * width, (head + 1) * width)
        logits = (
            torch.einsum("bqd,bkd->bqk", queries[0][..., part], layer.to_k(rows.embeddings)[..., part])
            / width**0.5
        )
        by_hand = by_hand + torch.exp(logits) / torch.exp(logits).sum(-1, keepdim=True) / layer.heads
    assert torch.allclose(weights[layer_name], by_hand, atol=1e-5)
    assert by_hand.std() > 1e-3  # not the flat distribution that anything would equal


def test_masses_sum_to_one_and_follow_the_classes(generator, rows, noise):
    with recorded(generator.unet) as weights:
        generator.denoiser(rows.embeddings)(noise, T)
    found = token_weights(weights)
    masses = class_masses(found, rows.classes)
    assert masses.shape == (len(weights), 4, 4) and torch.allclose(masses.sum(-1), torch.ones(1))
    assert torch.allclose(masses[:, 0, SOT], found[:, 0, 0]) and torch.allclose(
        masses[:, 1, EOT], found[:, 1, 1]
    )
    assert torch.allclose(masses[:, 1, PAD], found[:, 1, 2:].sum(-1))


def test_entropy_of_known_distributions():
    assert torch.allclose(entropy(torch.full((77,), 1 / 77)), torch.tensor(77.0).log())
    assert entropy(torch.eye(5)).tolist() == [0] * 5


def test_a_zero_row_is_a_token_of_logit_zero_and_a_removed_one_has_weight_zero(generator, rows, noise):
    zeroed, pads = zero_all_pads(rows), rows.are(PAD)[..., 0]
    logits, weights = [], []
    with cross_attention(generator.unet, edit=lambda found: logits.append(found) or found):
        generator.denoiser(zeroed)(noise, T)
    with cross_attention(generator.unet, removal(~pads), watch=lambda layer, found: weights.append(found)):
        generator.denoiser(rows.embeddings)(noise, T)
    for found, removed in zip(logits, weights):
        assert (found.permute(0, 3, 1, 2)[pads] == 0).all() and (removed.permute(0, 3, 1, 2)[pads] == 0).all()
    layer = generator.unet.mid_block.attentions[0].transformer_blocks[0].attn2
    assert (layer.to_v(zeroed)[pads] == 0).all()
    kept = [found.softmax(-1).permute(0, 3, 1, 2)[pads].sum() for found in logits]
    assert all(mass > 1 for mass in kept)  # zeroed pads still draw attention


@pytest.mark.parametrize("method", ["zero-pads", "ablation-a", "ablation-c", "pad-swap"])
def test_removing_by_edit_is_removing_by_attention_mask(generator, rows, noise, method):
    remaining = rows.mask(MITIGATIONS.find(method).change)
    by_mask = generator.unet(
        noise, T, encoder_hidden_states=rows.embeddings, encoder_attention_mask=remaining, return_dict=False
    )[0]
    by_edit = edited(generator.unet, generator.denoiser(rows.embeddings), removal(remaining))(noise, T)
    assert torch.allclose(by_edit, by_mask, atol=1e-5)
    with cross_attention(generator.unet):  # the opened processor takes the mask of diffusers, too
        opened = generator.unet(
            noise,
            T,
            encoder_hidden_states=rows.embeddings,
            encoder_attention_mask=remaining,
            return_dict=False,
        )[0]
    assert torch.allclose(opened, by_mask, atol=1e-5)


def test_removing_is_not_zeroing(generator, rows, noise):
    remaining = rows.mask(zero_all_pads)
    removed = edited(generator.unet, generator.denoiser(rows.embeddings), removal(remaining))(noise, T)
    assert not torch.allclose(removed, generator.denoiser(zero_all_pads(rows))(noise, T), atol=1e-4)


def test_the_processors_come_back_even_after_a_failure(generator, rows, noise):
    before = dict(generator.unet.attn_processors)
    with pytest.raises(UneError, match="has 3 rows, the U-Net was called with 4"):
        with cross_attention(generator.unet, removal(torch.ones(3, 77, dtype=torch.bool))):
            generator.denoiser(rows.embeddings)(noise, T)
    after = generator.unet.attn_processors
    assert all(after[name] is processor for name, processor in before.items())
    assert all(isinstance(processor, AttnProcessor2_0) for processor in after.values())


def test_contexts_nest(generator, rows, noise):
    """A recording inside an edit, and one around it, see the edited weights."""
    kept = ~rows.are(PAD)[..., 0]
    plain = edited(generator.unet, generator.denoiser(rows.embeddings), removal(kept))
    with recorded(generator.unet) as outside:
        plain(noise, T)
    with cross_attention(generator.unet, removal(kept)), recorded(generator.unet) as inside:
        generator.denoiser(rows.embeddings)(noise, T)
    for weights in (outside, inside):
        assert (class_masses(token_weights(weights), rows.classes)[..., PAD] == 0).all()


def test_ren_acts_on_the_rows_it_is_given_in_any_layout(generator, rows, noise):
    """Unconditional and conditional rows interleaved, halved, or called apart: each image comes out the
    same."""
    empty = generator.prompt_states([""]).expand(4, -1, -1)
    without, with_prompt = torch.zeros(4, dtype=torch.bool), torch.ones(4, dtype=torch.bool)
    apart = [
        edited(generator.unet, generator.denoiser(states), masked_attention(rows.classes, which))(noise, T)
        for states, which in ((empty, without), (rows.embeddings, with_prompt))
    ]
    for order in (
        torch.arange(8),
        torch.arange(8).reshape(2, 4).T.flatten(),
        torch.randperm(8, generator=torch.Generator().manual_seed(1)),
    ):
        states, x = torch.cat([empty, rows.embeddings])[order], torch.cat([noise, noise])[order]
        edit = masked_attention(rows.classes.repeat(2, 1)[order], torch.cat([without, with_prompt])[order])
        together = edited(generator.unet, generator.denoiser(states), edit)(x, T)
        assert torch.allclose(together, torch.cat(apart)[order], atol=1e-5)


def test_ren_removes_pads_and_raises_sot_where_the_prompt_is(rows):
    edit = masked_attention(rows.classes, torch.tensor([True, False, True, False]), sot_scale=1.5)
    assert edit.scale[:, 0].tolist() == [1.5, 1, 1.5, 1] and (edit.scale[:, 1:] == 1).all()
    assert torch.equal(edit.removed, rows.classes == PAD)
    one_half = masked_attention(rows.classes, torch.tensor([True, False, True, False]), both_halves=False)
    assert one_half.removed.any(1).tolist() == [True, False, True, False]


def test_a_rescaled_logit_is_multiplied(generator):
    logits = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    edit = Rescale(torch.tensor([[1.25, 1, 1, 1]]), torch.tensor([[False, False, True, False]]))
    by_hand = torch.stack(
        [1.25 * logits[..., 0], logits[..., 1], torch.full((1, 2, 3), -torch.inf), logits[..., 3]], -1
    )
    assert torch.equal(edit(logits), by_hand)


def test_a_layer_with_a_processor_of_its_own_kind_is_refused(generator):
    layer = generator.unet.mid_block.attentions[0].transformer_blocks[0].attn2
    found = layer.processor
    layer.set_processor(IPAdapterAttnProcessor2_0(layer.query_dim, layer.cross_attention_dim))
    try:
        with pytest.raises(UneError, match="IPAdapterAttnProcessor2_0, which is more than attention"):
            with cross_attention(generator.unet):
                pass
    finally:
        layer.set_processor(found)
