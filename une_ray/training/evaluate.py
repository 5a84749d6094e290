"""Every figure of the model cards, measured on held-out avatars (seed 2) through the package's own loading code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy import linalg
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from transformers import CLIPModel, CLIPTokenizer

from une_ray.corpora import avatars
from une_ray.diffusion.ddim import sample
from une_ray.diffusion.schedule import timesteps
from une_ray.models.registry import find_model
from une_ray.models.resolve import location
from une_ray.steps.invert import Invert, psnr
from une_ray.steps.space import Space, pixels
from une_ray.training.data import HELD_OUT_SEED, Pictures, pictures

IMAGES, GROUP = 4000, 100
Figures = dict[str, float]


def normalised(data: Pictures, rows: slice | np.ndarray) -> torch.Tensor:
    return pixels(np.ascontiguousarray(data.images[rows]), find_model("mini-sd-a").preprocessing, "cpu")


def generator(data: Pictures, name: str = "mini-sd-a", count: int = 256) -> Figures:
    """Autoencoder PSNR, round-trip PSNR of DDIM at 50 steps, and the statistics of the inverted noise."""
    step = Invert(Space.parse(f"{name}/ddim50"))
    x = normalised(data, slice(count))
    noise = torch.cat([step.noise(part) for part in x.split(32)])
    trips = torch.cat([psnr(step.image(n), part) for n, part in zip(noise.split(32), x.split(32))])
    alone = torch.cat([psnr(step.generator.decode(step.generator.encode(part)), part) for part in x.split(32)])
    return {
        "autoencoder PSNR, dB": alone.mean().item(), "DDIM-50 round trip PSNR, dB": trips.mean().item(),
        "mean ‖z‖² / dimension": noise.flatten(1).square().sum(1).mean().item() / noise[0].numel(),
    }  # fmt: skip


def generate(name: str, captions: list[str], steps: int = 50, guidance_scale: float = 3.0, seed: int = 0) -> torch.Tensor:
    """Pictures (n, 3, 64, 64) in [-1, 1] of the captions, with classifier-free guidance."""
    step = Invert(Space.parse(f"{name}/ddim{steps}"))
    g = step.generator
    states, empty = g.prompt_states(captions), g.prompt_states([""])
    noise = torch.randn(len(captions), *g.latent_shape, generator=torch.Generator().manual_seed(seed))
    found = []
    for x, text in zip(noise.split(50), states.split(50)):
        conditional, unconditional = g.denoiser(text), g.denoiser(empty)

        def guided(x: torch.Tensor, t: int, c=conditional, u=unconditional) -> torch.Tensor:
            base = u(x, t)
            return base + guidance_scale * (c(x, t) - base)

        found.append(g.decode(sample(guided, x, timesteps(steps), g.alphas_cumprod, g.prediction_type, clean=True)))
    return torch.cat(found)


def embeddings(name: str, data: Pictures) -> np.ndarray:
    """(n, dim) of a mini encoder."""
    step, names = Space.parse(name).load(), ["-"] * 256
    parts = [step(np.ascontiguousarray(data.images[i : i + 256]), names)["z"] for i in range(0, len(data.images), 256)]
    return np.concatenate(parts)


class Matcher:
    """Cosines between pictures and texts in mini-clip-a."""

    def __init__(self, name: str = "mini-clip-a") -> None:
        at = location(find_model(name))
        self.model, self.tokenizer = CLIPModel.from_pretrained(at).float().eval(), CLIPTokenizer.from_pretrained(at)

    @torch.no_grad()
    def texts(self, captions: list[str]) -> torch.Tensor:
        ids = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return torch.nn.functional.normalize(self.model.get_text_features(input_ids=ids).pooler_output, dim=-1)

    @torch.no_grad()
    def images(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(self.model.get_image_features(pixel_values=x).pooler_output, dim=-1)


def retrieval(images: torch.Tensor, texts: torch.Tensor) -> float:
    """Share of pictures whose own caption is the nearest of 100."""
    hits = [
        (images[i : i + GROUP] @ texts[i : i + GROUP].T).argmax(1).eq(torch.arange(GROUP)).float().mean()
        for i in range(0, len(images) - GROUP + 1, GROUP)
    ]  # fmt: skip
    return torch.stack(hits).mean().item()


def contrastive(data: Pictures, matcher: Matcher) -> Figures:
    """Retrieval among 100, and zero-shot AUC per attribute, averaged."""
    images = torch.cat([matcher.images(part) for part in normalised(data, slice(2000)).split(250)])
    texts = matcher.texts(data.captions()[:2000])
    labels = data.attributes()[:2000]
    aucs = []
    for column, attribute in enumerate(avatars.ATTRIBUTES):
        positive, negative = matcher.texts(list(avatars.PROMPTS[attribute]))
        aucs.append(roc_auc_score(labels[:, column], (images @ (positive - negative)).numpy()))
    return {
        "image→caption top-1 of 100": retrieval(images, texts), "zero-shot mean AUC": float(np.mean(aucs)),
        "zero-shot lowest AUC": float(np.min(aucs)),
    }  # fmt: skip


def probe_auc(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Test AUC per attribute of logistic probes: three quarters train, one quarter test."""
    cut = len(z) * 3 // 4
    scaler = StandardScaler().fit(z[:cut])
    train, test = scaler.transform(z[:cut]), scaler.transform(z[cut:])
    scores = [LogisticRegression(C=1.0, max_iter=500).fit(train, y[:cut]).decision_function(test) for y in labels.T]
    return np.array([roc_auc_score(y[cut:], score) for y, score in zip(labels.T, scores)])


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of two Gaussians fitted to rows (Heusel et al. 2017)."""
    mean = np.square(a.mean(0) - b.mean(0)).sum()
    ca, cb = np.cov(a.T), np.cov(b.T)
    return float(mean + np.trace(ca + cb) - 2 * np.sqrt(np.clip(linalg.eigvals(ca @ cb).real, 0, None)).sum())


def samples(data: Pictures, matcher: Matcher, count: int = 600) -> tuple[Figures, torch.Tensor]:
    """Prompt adherence and Fréchet distance of mini-sd-a's samples beside real pictures'; also the samples."""
    captions = data.captions()[:count]
    made = generate("mini-sd-a", captions)
    shown = Pictures(((made.permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy(), data.indices[:count], data.seed)
    real, other, fake = (embeddings("mini-dino", part) for part in (_part(data, 0, count), _part(data, count, 2 * count), shown))
    texts = matcher.texts(captions)
    return {
        "samples: own caption top-1 of 100": retrieval(matcher.images(made), texts),
        "samples: Fréchet distance (mini-dino)": frechet(fake, other), "real against real": frechet(real, other),
    }, made  # fmt: skip


def _part(data: Pictures, start: int, stop: int) -> Pictures:
    return Pictures(data.images[start:stop], data.indices[start:stop], data.seed)


def evaluate(work: Path, report: Callable[[str], None] = print) -> dict[str, Figures]:
    """All figures by model, printed as they come."""
    data = pictures(IMAGES, HELD_OUT_SEED, work)
    matcher, labels = Matcher(), data.attributes()
    figures = {"mini-clip-a": contrastive(data, matcher)}
    for name in ("mini-clip-a", "mini-dino"):
        aucs = probe_auc(embeddings(name, data), labels)
        figures.setdefault(name, {}).update({"linear-probe mean AUC": aucs.mean(), "linear-probe lowest AUC": aucs.min()})
    pixel = data.images.reshape(IMAGES, 16, 4, 16, 4, 3).mean((2, 4)).reshape(IMAGES, -1)
    figures["pixels, 16 × 16"] = {"linear-probe mean AUC": probe_auc(pixel, labels).mean()}
    figures["mini-sd-a"] = generator(data) | samples(data, matcher)[0]
    for name, found in figures.items():
        for key, value in found.items():
            report(f"{name:16} {key:40} {value:.4g}")
    return figures
