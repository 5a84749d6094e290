"""Every mitigation, ablation and peer under one signature, so that a study can run any of them: what it makes of one guided sampling."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from une_ray.diffusion.ddim import Denoiser, sample
from une_ray.diffusion.guidance import guided
from une_ray.errors import UneError, unknown
from une_ray.models.generators import Generator
from une_ray.studies.memorization.attention import edited, removal
from une_ray.studies.memorization.peers.delayed_guidance import delayed_guidance, opposite_guidance
from une_ray.studies.memorization.peers.masked_attention import masked_attention
from une_ray.studies.memorization.peers.prompt_tuning import tuned_embeddings
from une_ray.studies.memorization.peers.random_additions import add_random_numbers, add_random_tokens
from une_ray.studies.memorization.token_rows import ABLATIONS, MITIGATIONS, attention_mask, encode, exclaimed
from une_ray.studies.memorization.window import WINDOW, split, windowed


@dataclass(frozen=True)
class Sampling:
    """Guided DDIM sampling of one picture per prompt: `x_T` (b, c, h, w), ascending `timesteps`, the guidance scale.

    With a `window` of timesteps (from, to), a walk is the plain one outside of it.
    """

    generator: Generator
    prompts: Sequence[str]
    x_T: torch.Tensor
    timesteps: Sequence[int]
    guidance_scale: float
    window: tuple[int, int] | None = None

    def latents(self, states: torch.Tensor) -> torch.Tensor:
        """(b, c, h, w): the plain sampling under `states` (b, 77, d)."""
        return self.walk(self.generator.denoiser(states), self.unconditional(), self.guidance_scale)

    def unconditional(self) -> Denoiser:
        return self.generator.denoiser(self.generator.prompt_states([""]))

    def walk(
        self, conditional: Denoiser, unconditional: Denoiser, guidance_scale: float | Callable[[int], float]
    ) -> torch.Tensor:
        g = self.generator
        denoiser = guided(conditional, unconditional, guidance_scale)
        if self.window:
            plain = g.denoiser(encode(g, list(self.prompts)).embeddings)
            denoiser = windowed(
                denoiser, guided(plain, self.unconditional(), self.guidance_scale), self.window
            )
        return sample(denoiser, self.x_T, self.timesteps, g.alphas_cumprod, g.prediction_type, clean=True)


def latents(sampling: Sampling, method: str, settings: dict) -> torch.Tensor:
    """(b, c, h, w): what the sampling leads to under a method. `check` says whether there is such a one."""
    window, settings = split(settings)
    sampling = replace(sampling, window=window)
    return (
        _under_rows(sampling, method, **settings) if method in ROWS else PEERS[method](sampling, **settings)
    )


def defaults(method: str) -> dict:
    """A method's settings and their defaults. Raises UneError for an unknown method."""
    functions = ROWS | PEERS
    if method not in functions:
        raise unknown("method against memorisation", method, functions)
    _, *known = inspect.signature(functions[method]).parameters.values()
    own = {setting.name: setting.default for setting in known} | {
        name: choices[0] for name, (choices, able) in CHOICES.items() if method in able
    }
    return own if method == "none" else own | WINDOW


def check(method: str, settings: dict) -> None:
    """Raise UneError for an unknown method, setting or choice, with the known ones, numbers of no meaning, and removed rows to be scaled."""
    known = defaults(method)
    for setting, value in settings.items():
        if not known:
            raise UneError(f"{method} has no settings; got {setting!r}")
        if setting not in known:
            raise unknown(f"setting of {method}", setting, known)
        if setting in CHOICES and value not in CHOICES[setting][0]:
            raise unknown(f"{setting} of {method}", value, CHOICES[setting][0])
        if (kind := type(known[setting])) in (int, float):
            low, high = RANGES.get(setting, (-math.inf, math.inf))
            if (
                isinstance(value, bool)
                or not isinstance(value, kind if kind is int else (int, float))
                or not math.isfinite(value)
            ):
                raise UneError(
                    f"{setting} of {method} is {value!r}; it is a {'whole ' * (kind is int)}number"
                )
            if not low <= value <= high:
                raise UneError(
                    f"{setting} of {method} is {value!r}; it is {f'between {low} and {high}' if high < math.inf else f'at least {low}'}"
                )
    if settings.get("by") == "removal" and "scale" in settings:
        raise UneError(f"{method}: rows that are removed can't be scaled; leave one of by and scale away")


def wen(
    sampling: Sampling, learning_rate: float = 0.05, iterations: int = 10, target: float = 3.0
) -> torch.Tensor:
    """Wen et al. 2024: embeddings tuned at the sampling's first step, on its own noise.

    `target` is for latents of 4 × 64 × 64 and is scaled to the generator's by the root of their sizes' ratio, as a norm is.
    """
    states = encode(sampling.generator, list(sampling.prompts)).embeddings
    scaled = target * (sampling.x_T[0].numel() / (4 * 64 * 64)) ** 0.5
    tuned = tuned_embeddings(
        sampling.generator, states, sampling.x_T, sampling.timesteps[-1], learning_rate, iterations, scaled
    )
    return sampling.latents(tuned)


def ren(sampling: Sampling, sot_scale: float = 1.25, both_halves: bool = True) -> torch.Tensor:
    """Ren et al. 2024: pads removed from the cross-attention, in both branches unless told otherwise, and sot's logit scaled."""
    rows = encode(sampling.generator, list(sampling.prompts))

    def branch(denoiser: Denoiser, with_prompt: bool) -> Denoiser:
        conditional = torch.full((len(rows.classes),), with_prompt, device=rows.classes.device)
        return edited(
            sampling.generator.unet,
            denoiser,
            masked_attention(rows.classes, conditional, sot_scale, both_halves),
        )

    plain = sampling.generator.denoiser(rows.embeddings)
    return sampling.walk(
        branch(plain, True), branch(sampling.unconditional(), False), sampling.guidance_scale
    )


def random_tokens(sampling: Sampling, count: int = 4, seed: int = 0) -> torch.Tensor:
    """Somepalli et al. 2023, RTA."""
    return _reworded(
        sampling, lambda prompt: add_random_tokens(prompt, sampling.generator.tokenizer, count, seed)
    )


def random_numbers(sampling: Sampling, count: int = 4, seed: int = 0) -> torch.Tensor:
    """Somepalli et al. 2023, RNA."""
    return _reworded(sampling, lambda prompt: add_random_numbers(prompt, count, seed))


def delayed(sampling: Sampling, transition: int = 500) -> torch.Tensor:
    """Jain et al. 2025: no guidance until the timestep falls below `transition`."""
    return _guided_by(
        sampling, partial(delayed_guidance, transition=transition, after=sampling.guidance_scale)
    )


def opposite(sampling: Sampling, transition: int = 650, before: float = -2.0) -> torch.Tensor:
    """Jain et al. 2025: away from the prompt until the timestep falls below `transition`."""
    return _guided_by(
        sampling,
        partial(opposite_guidance, transition=transition, before=before, after=sampling.guidance_scale),
    )


def _under_rows(
    sampling: Sampling, method: str, padding: str = "own", by: str = "zeros", **settings
) -> torch.Tensor:
    """A row method on the own or the twin encoding; `by` removal, the rows that it would zero are taken out of the softmax instead."""
    rows = encode(sampling.generator, list(sampling.prompts))
    rows = exclaimed(rows) if padding == "exclamation" else rows
    if by == "zeros":
        return sampling.latents(ROWS[method](rows, **settings))
    mask = removal(attention_mask(rows, method, **settings))
    conditional = edited(sampling.generator.unet, sampling.generator.denoiser(rows.embeddings), mask)
    return sampling.walk(conditional, sampling.unconditional(), sampling.guidance_scale)


def _reworded(sampling: Sampling, change: Callable[[str], str]) -> torch.Tensor:
    return sampling.latents(
        encode(sampling.generator, [change(prompt) for prompt in sampling.prompts]).embeddings
    )


def _guided_by(sampling: Sampling, schedule: Callable[[int], float]) -> torch.Tensor:
    states = encode(sampling.generator, list(sampling.prompts)).embeddings
    return sampling.walk(sampling.generator.denoiser(states), sampling.unconditional(), schedule)


ROWS = MITIGATIONS | ABLATIONS
"""Name → function of TokenRows giving (b, 77, d)."""

CHOICES = {
    "padding": (("own", "exclamation"), {"zero-pads", *ABLATIONS}),
    "by": (("zeros", "removal"), {"zero-pads", "ablation-a", "ablation-c", "ablation-f", "ablation-h"}),
}
"""Settings of row methods about how, not what: name → (choices, the default first; the methods that have it). Plain under the padding
"exclamation" is M1a, pad-swap-keeping-eot. A zeroed row is an attention sink of logit 0, a removed one is not there."""

RANGES = {
    "fraction": (0, 1),
    "count": (1, 8),
    "iterations": (1, math.inf),
    "learning_rate": (0, math.inf),
    "target": (0, math.inf),
    "sot_scale": (0, math.inf),
}
"""The least and the largest value of settings that are numbers; others may be any."""

PEERS = {
    "wen": wen,
    "ren": ren,
    "random-tokens": random_tokens,
    "random-numbers": random_numbers,
    "delayed-guidance": delayed,
    "opposite-guidance": opposite,
}
"""Name → function of a Sampling giving latents."""
