"""The 77 rows of an encoded prompt, sot | prompt | eot | pad: the text tower's final output, of the
conditional branch.

Kim and No 2026, "Memorization In Stable Diffusion Is Unexpectedly Driven by CLIP Embeddings" (arXiv
2605.02908). What is written into them is a file in `methods/` each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch

from une_ray.errors import UneError

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer

SOT, PROMPT, EOT, PAD = range(4)
CLASSES = ("sot", "prompt", "eot", "pad")


def token_classes(token_ids: torch.Tensor, eot_token_id: int) -> torch.Tensor:
    """(b, n) int64 of SOT, PROMPT, EOT and PAD by position: the first end-of-text token ends the prompt, all
    after it is padding.

    Position, not id, decides: Stable Diffusion 1.x pads with end-of-text itself, 2.x with "!", which may
    stand in a prompt too. Raises UneError where a row of `token_ids` (b, n) has no end-of-text token.
    """
    is_eot = token_ids == eot_token_id
    is_ended = is_eot.any(1)
    if not is_ended.all():
        prompt = int((~is_ended).nonzero()[0])
        raise UneError(f"prompt {prompt} has no end-of-text token (id {eot_token_id}): it was cut off")
    position = torch.arange(token_ids.shape[1], device=token_ids.device)
    eot = is_eot.int().argmax(1, keepdim=True)
    classes = torch.where(position < eot, PROMPT, torch.where(position == eot, EOT, PAD))
    return classes.index_fill(1, position[:1], SOT)


@dataclass(frozen=True)
class TokenRows:
    """Encoded prompts: `embeddings` (b, 77, d), `classes` (b, 77), and `exclaimed` (b, 77, d), the same
    prompts with "!" for pads."""

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

    def twin(self) -> TokenRows:
        """The twin encoding, as a tower that pads with "!" gives it."""
        return replace(self, embeddings=self.exclaimed)

    def mask(self, change: Callable[[TokenRows], torch.Tensor]) -> torch.Tensor:
        """(b, 77) bool for the U-Net's `encoder_attention_mask`: False for the rows that a change zeroes."""
        ones = torch.ones_like(self.embeddings)
        return change(replace(self, embeddings=ones, exclaimed=ones)).any(-1)


class Encoder(Protocol):
    """What encodes a prompt: a Generator, or a StableDiffusionPipeline."""

    @property
    def tokenizer(self) -> CLIPTokenizer: ...
    @property
    def text_encoder(self) -> CLIPTextModel: ...
    @property
    def unet(self) -> Any: ...


@torch.no_grad()
def encode(model: Encoder, prompts: Sequence[str]) -> TokenRows:
    """The prompts through `model`'s tokenizer and text tower, with its own pads and with "!" instead.

    The embeddings have the U-Net's float type, on the text tower's device. Raises UneError for a prompt that
    does not fit: cut off, it would have no pads, and be no case of the paper.
    """
    tokenizer, tower = model.tokenizer, model.text_encoder
    length = tokenizer.model_max_length
    tokens = tokenizer(list(prompts), padding="max_length", max_length=length, truncation=False).input_ids
    for prompt, row in zip(prompts, tokens):
        if len(row) > length:
            raise UneError(too_many(prompt, len(row), length))
    ids = torch.tensor(tokens, device=tower.device)
    classes = token_classes(ids, tokenizer.eos_token_id)
    swapped = torch.where(classes == PAD, tokenizer.convert_tokens_to_ids("!"), ids)
    own, exclaimed = tower(torch.cat([ids, swapped])).last_hidden_state.to(model.unet.dtype).chunk(2)
    return TokenRows(own, classes, exclaimed)


def too_many(prompt: str, tokens: int, length: int) -> str:
    """What is said of a prompt that does not fit."""
    return (
        f"{prompt[:60]!r}… has {tokens} tokens with start and end; the text tower takes {length}: shorten it"
    )
