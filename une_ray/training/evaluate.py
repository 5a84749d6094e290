"""Every figure of the model cards, on held-out avatars (seed 2), through the package's own loading code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from une_ray.corpora import avatars
from une_ray.geometry.kernel_distance import kernel_distance
from une_ray.models.contrastive import Contrastive, load_contrastive
from une_ray.models.table import find_model
from une_ray.pictures.tensors import to_uint8
from une_ray.spaces.ddim import Invert, psnr
from une_ray.spaces.space import Space
from une_ray.training import copying
from une_ray.training.data import HELD_OUT_SEED, Pictures, pictures
from une_ray.training.sampling import generate, normalised

IMAGES, GROUP = 4000, 100
Figures = dict[str, float]

# Samples are judged by the contrastive model whose pictures and text tower the generator never saw.
JUDGES = {
    "mini-sd-a": "mini-clip-b",
    "mini-sd-b": "mini-clip-a",
    "mini-sd-dup": "mini-clip-b",
    "mini-sd-z": "mini-clip-b",
}
COPYING = ("mini-sd-dup", "mini-sd-a")  # mini-sd-a never saw the titles
CONTRASTIVE = ("mini-clip-a", "mini-clip-b")
ENCODERS = (*CONTRASTIVE, "mini-dino", "mini-resnet", "random-mini-dino", "pixels-16")


def round_trips(data: Pictures, name: str, count: int = 128) -> Figures:
    """Autoencoder PSNR, round-trip PSNR of DDIM at 50 steps, and the statistics of the inverted noise."""
    step = Invert(Space.parse(f"{name}/ddim50"))
    x = normalised(data, slice(count))
    noise = torch.cat([step.noise(part) for part in x.split(32)])
    trips = torch.cat([psnr(step.image(n), part) for n, part in zip(noise.split(32), x.split(32))])
    alone = torch.cat(
        [psnr(step.generator.decode(step.generator.encode(part)), part) for part in x.split(32)]
    )
    return {
        "autoencoder PSNR, dB": alone.mean().item(),
        "DDIM-50 round trip PSNR, dB": trips.mean().item(),
        "mean ‖z‖² / dimension": noise.flatten(1).square().sum(1).mean().item() / noise[0].numel(),
    }


def embeddings(name: str, data: Pictures) -> np.ndarray:
    """(n, dim) of an encoder."""
    step, names = Space.parse(name).load(), ["-"] * 256
    parts = [step(np.array(data.images[i : i + 256]), names)["z"] for i in range(0, len(data.images), 256)]
    return np.concatenate(parts)


def retrieval(images: torch.Tensor, texts: torch.Tensor) -> float:
    """Share of pictures whose own caption is the nearest of 100."""
    hits = [
        (images[i : i + GROUP] @ texts[i : i + GROUP].T).argmax(1).eq(torch.arange(GROUP)).float().mean()
        for i in range(0, len(images) - GROUP + 1, GROUP)
    ]
    return torch.stack(hits).mean().item()


def contrastive(data: Pictures, matcher: Contrastive) -> Figures:
    """Retrieval among 100, and zero-shot AUC per attribute, averaged."""
    images = torch.cat([matcher.images(part) for part in normalised(data, slice(2000)).split(250)])
    texts = matcher.texts(data.captions()[:2000])
    labels = data.attributes()[:2000]
    aucs = []
    for column, attribute in enumerate(avatars.ATTRIBUTES):
        positive, negative = matcher.texts(list(avatars.PROMPTS[attribute]))
        aucs.append(roc_auc_score(labels[:, column], (images @ (positive - negative)).numpy()))
    return {
        "image→caption top-1 of 100": retrieval(images, texts),
        "zero-shot mean AUC": float(np.mean(aucs)),
        "zero-shot lowest AUC": float(np.min(aucs)),
    }


def probe_auc(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Test AUC per attribute of logistic probes: three quarters train, one quarter test."""
    cut = len(z) * 3 // 4
    scaler = StandardScaler().fit(z[:cut])
    train, test = scaler.transform(z[:cut]), scaler.transform(z[cut:])
    scores = [
        LogisticRegression(C=1.0, max_iter=500).fit(train, y[:cut]).decision_function(test) for y in labels.T
    ]
    return np.array([roc_auc_score(y[cut:], score) for y, score in zip(labels.T, scores)])


def samples(data: Pictures, name: str, count: int = 400) -> Figures:
    """Prompt adherence and kernel distance of a generator's samples, beside real pictures'."""
    captions, judge = data.captions()[:count], load_contrastive(find_model(JUDGES[name]))
    made = generate(name, captions)
    shown = Pictures(images=to_uint8(made), indices=data.indices[:count], seed=data.seed)
    own, other = data.rows(slice(count)), data.rows(slice(count, 2 * count))
    real, apart, fake = (embeddings("mini-dino", part) for part in (own, other, shown))
    texts = judge.texts(captions)
    return {
        "samples: own caption top-1 of 100": retrieval(judge.images(made), texts),
        "pictures: own caption top-1 of 100": retrieval(judge.images(normalised(own, slice(None))), texts),
        **_distances("samples", fake, apart),
        **_distances("pictures", real, apart),
    }


def _distances(what: str, a: np.ndarray, b: np.ndarray) -> Figures:
    distance = kernel_distance(a, b)
    return {
        f"{what}: kernel distance (KID)": distance.value,
        f"{what}: kernel distance (KID): ±": distance.margin,
    }


def probed(data: Pictures, name: str) -> Figures:
    """Linear probes of an encoder."""
    aucs = probe_auc(embeddings(name, data), data.attributes())
    return {"linear-probe mean AUC": float(aucs.mean()), "linear-probe lowest AUC": float(aucs.min())}


def matched(data: Pictures, name: str) -> Figures:
    """Retrieval and zero-shot of an encoder that reads text."""
    return contrastive(data, load_contrastive(find_model(name)))


def copied(data: Pictures, name: str) -> Figures:
    """How often a duplicated picture comes back by heart, with an exact 95 % interval over titles."""
    figures: Figures = {}
    for dose, share in copying.curve(name).items():
        what = f"copies of pictures trained on {dose:,} ×"
        figures |= {what: share.value, f"{what}: from": share.low, f"{what}: to": share.high}
    return figures


def parts(name: str) -> dict[str, Callable[[Pictures, str], Figures]]:
    """What is measured of a model, in parts that are kept as they come."""
    measures: dict[str, Callable[[Pictures, str], Figures]] = {"probes": probed}
    if name in CONTRASTIVE:
        measures["texts"] = matched
    if name in JUDGES:
        measures = {"round trips": round_trips, "samples": samples}
    if name in COPYING:
        measures["copies"] = copied
    return measures


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The figures of one part of one model, and the hash of the weights that they are of."""

    weights: str
    figures: Figures


def evaluate(folder: Path, again: bool = False, report: Callable[[str], None] = print) -> dict[str, Figures]:
    """All figures by model, printed as they come and kept part by part in `folder/figures.json`.

    Those of weights that were measured before are read from there, unless `again`.
    """
    data, path = pictures(IMAGES, HELD_OUT_SEED, folder), folder / "figures.json"
    stored = json.loads(path.read_text()) if path.exists() and not again else {}
    measured = {place: Measured(**entry) for place, entry in stored.items()}
    found: dict[str, Figures] = {}
    for name in (*ENCODERS, *JUDGES):
        weights = Space.parse(f"{name}/ddim50" if name in JUDGES else name).pinned()[1]["weights"]
        for part, measure in parts(name).items():
            place = f"{name}: {part}"
            if place not in measured or measured[place].weights != weights:
                figures = {key: float(value) for key, value in measure(data, name).items()}
                measured[place] = Measured(weights=weights, figures=figures)
                path.write_text(
                    json.dumps({place: asdict(entry) for place, entry in measured.items()}, indent=1)
                )
            for key, value in measured[place].figures.items():
                report(f"{name:18} {key:40} {value:.4g}")
            found[name] = found.get(name, {}) | measured[place].figures
    return found
