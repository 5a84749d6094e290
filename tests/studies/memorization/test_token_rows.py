"""Oracles: diffusers' own encode_prompt with the tokenizer's pad swapped, and rows written out by hand."""

import pytest
import torch

from tests.helpers.prompts import PROMPTS
from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.studies.memorization.methods.ablation_g import prompt_and_eot_to_mean_pad
from une_ray.studies.memorization.methods.pad_swap import pad_swap
from une_ray.studies.memorization.methods.pad_swap_keeping_eot import pad_swap_keeping_eot
from une_ray.studies.memorization.methods.zero_pads import zero_pads
from une_ray.studies.memorization.token_rows import EOT, PAD, PROMPT, SOT, TokenRows, encode, token_classes

LENGTH, EOT_AT = 12, 3  # sot, two prompt rows, eot, eight pads
NUMBERED = torch.arange(1, LENGTH + 1.0)[None, :, None].expand(1, -1, 2)  # row i holds i + 1
ROWS = TokenRows(NUMBERED, torch.tensor([[SOT, PROMPT, PROMPT, EOT] + [PAD] * 8]), 100 + NUMBERED)


def values(method, **settings) -> list[float]:
    return method(ROWS, **settings)[0, :, 0].tolist()


def test_the_first_end_of_text_ends_the_prompt_under_both_paddings():
    ids = torch.tensor([[8, 5, 9, 9, 9], [8, 5, 9, 0, 0], [8, 0, 0, 9, 0], [8, 9, 9, 9, 9], [8, 1, 2, 3, 9]])
    expected = [
        [SOT, PROMPT, EOT, PAD, PAD],
        [SOT, PROMPT, EOT, PAD, PAD],
        [SOT, PROMPT, PROMPT, EOT, PAD],  # "!" in the prompt is no pad
        [SOT, EOT, PAD, PAD, PAD],
        [SOT, PROMPT, PROMPT, PROMPT, EOT],
    ]
    assert token_classes(ids, 9).tolist() == expected


def test_ids_without_an_end_are_refused():
    with pytest.raises(UneError, match=r"prompt 1 has no end-of-text token \(id 9\)"):
        token_classes(torch.tensor([[8, 9], [8, 1]]), 9)


def test_both_paddings_give_the_same_classes(pipe, exclaiming_pipe):
    assert torch.equal(encode(pipe, PROMPTS[:2]).classes, encode(exclaiming_pipe, PROMPTS[:2]).classes)


def test_exclamation_marks_in_a_prompt_are_prompt(exclaiming_pipe):
    classes = encode(exclaiming_pipe, ["wow!!! a man"]).classes[0]
    eot = int((classes == EOT).nonzero())
    ids = exclaiming_pipe.tokenizer(["wow!!! a man"]).input_ids[0]
    assert (
        ids.count(0) > 0
        and eot == len(ids) - 1
        and (classes[1:eot] == PROMPT).all()
        and (classes[eot + 1 :] == PAD).all()
    )


def test_encoding_is_the_pipelines_own(pipe, exclaiming_pipe):
    for model in (pipe, exclaiming_pipe):
        plain, _ = model.encode_prompt(PROMPTS, "cpu", 1, False)
        assert torch.equal(encode(model, PROMPTS).embeddings, plain)


def test_swapped_pads_are_those_of_a_pipeline_that_pads_with_exclamation_marks(pipe, exclaiming_pipe):
    prompts = [
        PROMPTS[0],
        PROMPTS[1],
        PROMPTS[3],
    ]  # without a "!" in them, which swapping the tokenizer's pad would change
    reference, _ = exclaiming_pipe.encode_prompt(prompts, "cpu", 1, False)
    rows = encode(pipe, prompts)
    assert torch.allclose(pad_swap_keeping_eot(rows), reference, atol=1e-6)
    assert not torch.allclose(rows.embeddings, reference, atol=1e-2)
    for row, prompt in enumerate(prompts):
        reference[row, len(pipe.tokenizer(prompt).input_ids) - 1] = 0
    assert torch.allclose(pad_swap(rows), reference, atol=1e-6)


def test_the_tower_is_causal_so_rows_before_the_pads_do_not_move(rows):
    before = ~rows.are(PAD)
    assert torch.allclose(rows.embeddings * before, rows.exclaimed * before, atol=1e-6)


def test_a_prompt_of_77_tokens_fits_and_one_more_is_refused_with_its_number(pipe):
    letters = ["a"] * 75
    assert encode(pipe, [" ".join(letters)]).classes[0].tolist() == [SOT, *[PROMPT] * 75, EOT]
    with pytest.raises(UneError, match="has 78 tokens with start and end; the text tower takes 77"):
        encode(pipe, [" ".join([*letters, "a"])])


def test_the_ablations_are_those_of_the_paper():
    n = [float(i) for i in range(1, LENGTH + 1)]
    expected = {
        "ablation-a": n[:3] + [0] * 9,
        "ablation-b": [1, 4, 4] + n[3:],
        "ablation-c": [1, 0, 0] + n[3:],
        "ablation-d": n[:4] + [4] * 8,
        "ablation-e": [1] + [4] * 11,
        "ablation-f": n[:3] + [0] + n[4:],
        "ablation-g": [1] + [8.5] * 3 + n[4:],
        "ablation-h": n[:4] + [0] * 8,
    }
    assert {name: values(MITIGATIONS.find(name).change) for name in expected} == expected


def test_the_mitigations_are_those_of_the_paper():
    n = [float(i) for i in range(1, LENGTH + 1)]
    swapped = [100 + i for i in n[4:]]
    expected = {
        "none": n,
        "pad-swap": n[:3] + [0] + swapped,
        "pad-swap-keeping-eot": n[:4] + swapped,
        "zero-pads": n[:4] + [0] * 5 + n[9:],  # ⌊.7 · 8⌋ = 5
    }
    assert {name: values(MITIGATIONS.find(name).change) for name in expected} == expected


def test_pads_are_zeroed_from_either_end_and_may_be_scaled_instead():
    n = [float(i) for i in range(1, LENGTH + 1)]
    assert values(zero_pads, fraction=0.25, end="last") == n[:10] + [0, 0]
    assert values(zero_pads, fraction=0.25, scale=0.5) == n[:4] + [2.5, 3.0] + n[6:]
    assert values(zero_pads, fraction=0.0) == n


@pytest.mark.parametrize("pads", [1, 50, 75])
def test_every_hundredth_of_the_pads_is_rounded_down_exactly(pads):
    rows = TokenRows(
        torch.ones(1, 2 + pads, 1), torch.tensor([[SOT, EOT] + [PAD] * pads]), torch.ones(1, 2 + pads, 1)
    )
    zeros = [int((zero_pads(rows, fraction=hundredths / 100) == 0).sum()) for hundredths in range(101)]
    assert zeros == [hundredths * pads // 100 for hundredths in range(101)]


def test_a_mask_removes_what_zeroing_would_zero():
    def remaining(name: str, **settings) -> list[bool]:
        change = MITIGATIONS.find(name).change
        return ROWS.mask(lambda rows: change(rows, **settings))[0].tolist()

    assert remaining("zero-pads", fraction=0.5) == [True] * 4 + [False] * 4 + [True] * 4
    assert remaining("ablation-a") == [True] * 3 + [False] * 9
    assert remaining("pad-swap") == [True] * 3 + [False] + [True] * 8
    assert remaining("none") == [True] * LENGTH


def test_a_prompt_without_pads_has_no_mean_pad():
    full = TokenRows(torch.ones(1, 3, 1), torch.tensor([[SOT, PROMPT, EOT]]), torch.ones(1, 3, 1))
    with pytest.raises(UneError, match="prompt 0 fills all rows"):
        prompt_and_eot_to_mean_pad(full)
