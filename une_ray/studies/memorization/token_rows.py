"""The 77 rows of an encoded prompt, sot | prompt | eot | pad, and what to write into them.

Kim and No 2026, "Memorization In Stable Diffusion Is Unexpectedly Driven by CLIP Embeddings" (arXiv 2605.02908): the mitigations
of section 4 and the ablations of sections 3.1 and 3.2. All act on the text tower's final output, of the conditional branch only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from une_ray.errors import UneError, unknown

SOT, PROMPT, EOT, PAD = range(4)
CLASSES = ("sot", "prompt", "eot", "pad")
ENDS = ("first", "last")


def token_classes(token_ids: torch.Tensor, eot_token_id: int) -> torch.Tensor:
    """(b, n) int64 of SOT, PROMPT, EOT and PAD by position: the first end-of-text token ends the prompt, all after it is padding.

    Position, not id, decides: Stable Diffusion 1.x pads with end-of-text itself, 2.x with "!", which may stand in a prompt too.
    Raises UneError where a row of `token_ids` (b, n) has no end-of-text token.
    """
    is_eot = token_ids == eot_token_id
    if not is_eot.any(1).all():
        raise UneError(
            f"prompt {int((~is_eot.any(1)).nonzero()[0])} has no end-of-text token (id {eot_token_id}): it was cut off"
        )
    position = torch.arange(token_ids.shape[1], device=token_ids.device)
    eot = is_eot.int().argmax(1, keepdim=True)
    classes = torch.where(position < eot, PROMPT, torch.where(position == eot, EOT, PAD))
    return classes.index_fill(1, position[:1], SOT)


@dataclass(frozen=True)
class TokenRows:
    """Encoded prompts: `embeddings` (b, 77, d), `classes` (b, 77), and `exclaimed` (b, 77, d), the same prompts with "!" for pads."""

    embeddings: torch.Tensor
    classes: torch.Tensor
    exclaimed: torch.Tensor

    def are(self, *classes: int) -> torch.Tensor:
        """(b, 77, 1) bool: whether a row is of one of the classes."""
        return torch.isin(self.classes, torch.tensor(classes, device=self.classes.device))[..., None]

    @property
    def eot(self) -> torch.Tensor:
        """(b, 1, d): each prompt's end-of-text row."""
        return (self.embeddings * self.are(EOT)).sum(1, keepdim=True)


@torch.no_grad()
def encode(model, prompts: list[str]) -> TokenRows:
    """The prompts through `model`'s tokenizer and text tower, with its own pads and with "!" instead.

    `model` is a Generator or a StableDiffusionPipeline. The embeddings have the U-Net's float type, on the text tower's device.
    Raises UneError for a prompt that does not fit: cut off, it would have no pads, and be no case of the paper.
    """
    tokenizer, tower = model.tokenizer, model.text_encoder
    length = tokenizer.model_max_length
    ids = tokenizer(prompts, padding="max_length", max_length=length, truncation=False).input_ids
    for prompt, row in zip(prompts, ids):
        if len(row) > length:
            raise UneError(too_many(prompt, len(row), length))
    ids = torch.tensor(ids, device=tower.device)
    classes = token_classes(ids, tokenizer.eos_token_id)
    exclaimed = torch.where(classes == PAD, tokenizer.convert_tokens_to_ids("!"), ids)
    embeddings, swapped = tower(torch.cat([ids, exclaimed])).last_hidden_state.to(model.unet.dtype).chunk(2)
    return TokenRows(embeddings, classes, swapped)


def too_many(prompt: str, tokens: int, length: int) -> str:
    """What is said of a prompt that does not fit."""
    return (
        f"{prompt[:60]!r}… has {tokens} tokens with start and end; the text tower takes {length}: shorten it"
    )


def exclaimed(rows: TokenRows) -> TokenRows:
    """The twin encoding, as a tower that pads with "!" gives it: mitigations and ablations then act on its rows."""
    return replace(rows, embeddings=rows.exclaimed)


def unchanged(rows: TokenRows) -> torch.Tensor:
    """No mitigation: the embeddings as they are."""
    return rows.embeddings


def pad_swap(rows: TokenRows) -> torch.Tensor:
    """M1 (section 4): pads re-encoded as "!", then the eot row zeroed.

    The tower is causal, so all rows before the pads stay as they were, and a "!" within the prompt keeps its tokens.
    """
    return pad_swap_keeping_eot(rows).masked_fill(rows.are(EOT), 0)


def pad_swap_keeping_eot(rows: TokenRows) -> torch.Tensor:
    """M1a (section 4): pads re-encoded as "!", the eot row kept."""
    return torch.where(rows.are(PAD), rows.exclaimed, rows.embeddings)


def zero_pads(rows: TokenRows, fraction: float = 0.7, end: str = "first", scale: float = 0.0) -> torch.Tensor:
    """M2(r) (section 4): the first ⌊r · pads⌋ pads, right after eot, multiplied by `scale`; or the last ones.

    A zero row is no removal: key and value have no bias, so it is a token of logit 0 and value 0. `attention_mask` removes.
    Raises UneError for a fraction outside 0…1 or an unknown end.
    """
    return torch.where(
        _some_pads(rows.classes, fraction, end)[..., None], rows.embeddings * scale, rows.embeddings
    )


def _some_pads(classes: torch.Tensor, fraction: float, end: str) -> torch.Tensor:
    if not 0 <= fraction <= 1:
        raise UneError(f"a fraction of {fraction} of the pads; it lies between 0 and 1")
    if end not in ENDS:
        raise unknown("end of the pads", end, ENDS)
    pads = classes == PAD
    count = pads.sum(1, keepdim=True)
    number = pads.cumsum(1)  # 1 at the first pad
    chosen = (count.double() * fraction + 1e-9).floor()  # .29 · 100 is 28.999… in floating point
    return pads & (number <= chosen if end == "first" else number > count - chosen)


def zero_eot_and_pads(rows: TokenRows) -> torch.Tensor:
    """Ablation (a) (section 3.1): eot and all pads zeroed."""
    return rows.embeddings.masked_fill(rows.are(EOT, PAD), 0)


def prompt_to_eot(rows: TokenRows) -> torch.Tensor:
    """Ablation (b) (section 3.1): every prompt row replaced by eot's."""
    return torch.where(rows.are(PROMPT), rows.eot, rows.embeddings)


def zero_prompt(rows: TokenRows) -> torch.Tensor:
    """Ablation (c) (section 3.1): every prompt row zeroed."""
    return rows.embeddings.masked_fill(rows.are(PROMPT), 0)


def pads_to_eot(rows: TokenRows) -> torch.Tensor:
    """Ablation (d) (section 3.2): every pad row replaced by eot's."""
    return torch.where(rows.are(PAD), rows.eot, rows.embeddings)


def all_to_eot(rows: TokenRows) -> torch.Tensor:
    """Ablation (e) (section 3.2): every row but sot's replaced by eot's."""
    return torch.where(rows.are(SOT), rows.embeddings, rows.eot)


def zero_eot(rows: TokenRows) -> torch.Tensor:
    """Ablation (f) (section 3.2): the eot row zeroed."""
    return rows.embeddings.masked_fill(rows.are(EOT), 0)


def prompt_and_eot_to_mean_pad(rows: TokenRows) -> torch.Tensor:
    """Ablation (g) (section 3.2): prompt and eot rows replaced by the mean of the pads. Raises UneError for a prompt without pads."""
    pads = rows.are(PAD)
    if not pads.any(1).all():
        raise UneError(
            f"prompt {int((~pads.any(1)).nonzero()[0, 0])} fills all rows: there is no pad to take the mean of"
        )
    mean = (rows.embeddings * pads).sum(1, keepdim=True) / pads.sum(1, keepdim=True)
    return torch.where(rows.are(PROMPT, EOT), mean.to(rows.embeddings), rows.embeddings)


def zero_all_pads(rows: TokenRows) -> torch.Tensor:
    """Ablation (h) (section 3.2): every pad row zeroed."""
    return zero_pads(rows, fraction=1.0)


MITIGATIONS = {
    "none": unchanged,
    "pad-swap": pad_swap,
    "pad-swap-keeping-eot": pad_swap_keeping_eot,
    "zero-pads": zero_pads,
}
ABLATIONS = {
    "ablation-a": zero_eot_and_pads,
    "ablation-b": prompt_to_eot,
    "ablation-c": zero_prompt,
    "ablation-d": pads_to_eot,
    "ablation-e": all_to_eot,
    "ablation-f": zero_eot,
    "ablation-g": prompt_and_eot_to_mean_pad,
    "ablation-h": zero_all_pads,
}


def row_method(name: str):
    """The function TokenRows → (b, 77, d) of a mitigation or an ablation. Raises UneError for an unknown name."""
    methods = MITIGATIONS | ABLATIONS
    if name not in methods:
        raise unknown("mitigation of token rows", name, methods)
    return methods[name]


def attention_mask(rows: TokenRows, name: str, **settings) -> torch.Tensor:
    """(b, 77) bool for the U-Net's `encoder_attention_mask`: removes the rows that the method would zero, and keeps the rest."""
    ones = torch.ones_like(rows.embeddings)
    return row_method(name)(replace(rows, embeddings=ones, exclaimed=ones), **settings).any(-1)
