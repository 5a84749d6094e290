"""DDIM as an ordinary differential equation, both ways (Song et al. 2021, eq. 12 with σ = 0).

The state is float32 whatever the network runs in: a float16 state floors the round trip. Going up the
timesteps (`invert`) and down (`sample`) visit the same nodes, so with a network that did not depend on x
they would undo each other exactly; what remains in practice is the discretisation error, O(1/steps).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from une_ray.errors import UneError, unknown

Denoiser = Callable[[torch.Tensor, int], torch.Tensor]
"""(x (b, …) float32, timestep) → the network's output, of x' shape and any float type."""


def invert(
    denoiser: Denoiser,
    z0: torch.Tensor,
    timesteps: Sequence[int],
    alphas_cumprod: torch.Tensor,
    prediction_type: str = "epsilon",
    callback: Callable[[int, torch.Tensor], None] | None = None,
) -> torch.Tensor:
    """Inverted noise x_T (b, …) float32 of the clean latent `z0` (b, …), the state at the first timestep.

    `timesteps` ascend; each step from t to u costs one network call at t, so S timesteps cost S − 1 calls:
    x ← √ᾱ_u · x̂₀(x, t) + √(1−ᾱ_u) · ε̂(x, t). Guidance is 1 by construction. `callback(timestep, x)` sees
    every state. Raises UneError for an unknown prediction type, and for ε-prediction where the walk reaches
    ᾱ = 0.
    """
    return _walk(denoiser, z0, list(timesteps), alphas_cumprod, prediction_type, callback)


def sample(
    denoiser: Denoiser,
    x_T: torch.Tensor,
    timesteps: Sequence[int],
    alphas_cumprod: torch.Tensor,
    prediction_type: str = "epsilon",
    clean: bool = False,
    callback: Callable[[int, torch.Tensor], None] | None = None,
) -> torch.Tensor:
    """The latent (b, …) float32 that `x_T` leads to: `invert` backwards over the same ascending `timesteps`.

    With `clean`, one more call at the first timestep removes the noise left there: wanted when x_T was
    drawn, not when it was inverted (the inversion took z0 as the state at the first timestep). Raises as
    `invert` does.
    """
    x = _walk(denoiser, x_T, list(timesteps)[::-1], alphas_cumprod, prediction_type, callback)
    if clean:
        x, _ = predict(
            denoiser(x, timesteps[0]).float(), x, alphas_cumprod[timesteps[0]].to(x), prediction_type
        )
    return x


def _walk(
    denoiser: Denoiser,
    x: torch.Tensor,
    nodes: list[int],
    alphas_cumprod: torch.Tensor,
    prediction_type: str,
    callback: Callable[[int, torch.Tensor], None] | None,
) -> torch.Tensor:
    x = x.float()
    # All nodes at once, also the end of the way up, where no network is asked: a question per step would have
    # a GPU wait for its answer.
    refuse_undetermined(alphas_cumprod.cpu()[nodes], prediction_type)
    alphas = alphas_cumprod.to(x)
    for t, u in zip(nodes, nodes[1:]):
        clean, noise = _predicted(denoiser(x, t).float(), x, alphas[t], prediction_type)
        x = alphas[u].sqrt() * clean + (1 - alphas[u]).sqrt() * noise
        if callback is not None:
            callback(u, x)
    return x


def predict(
    output: torch.Tensor, x: torch.Tensor, alpha: torch.Tensor, prediction_type: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """(x̂₀, ε̂) from a network's output where ᾱ = `alpha` (Salimans & Ho 2022, section 4 and appendix D).

    Raises UneError for an unknown prediction type, and for ε-prediction at ᾱ = 0, where x₀ is not determined.
    """
    refuse_undetermined(alpha, prediction_type)
    return _predicted(output, x, alpha, prediction_type)


def _predicted(
    output: torch.Tensor, x: torch.Tensor, alpha: torch.Tensor, prediction_type: str
) -> tuple[torch.Tensor, torch.Tensor]:
    signal, noise = alpha.sqrt(), (1 - alpha).sqrt()
    if prediction_type == "epsilon":
        return (x - noise * output) / signal, output
    if prediction_type == "v_prediction":
        return signal * x - noise * output, signal * output + noise * x
    if prediction_type == "sample":
        return output, (x - signal * output) / noise
    raise unknown("prediction type", prediction_type, ("epsilon", "v_prediction", "sample"))


def refuse_undetermined(alphas: torch.Tensor, prediction_type: str) -> None:
    """Raise UneError where ε-prediction meets ᾱ = 0.

    The state is all noise there, and x₀ does not follow from it.
    """
    if prediction_type == "epsilon" and (alphas == 0).any():
        raise UneError(
            "an ε-prediction says nothing of x₀ where ᾱ = 0; zero-terminal-SNR models predict v, "
            "others stop short with leading spacing"
        )
