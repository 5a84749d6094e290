"""SSCD: Pizzi et al. 2022, "A Self-Supervised Descriptor for Image Copy Detection", arXiv 2202.10261: the
copy metric of the field.

Weights are one safetensors file in torchvision's layout: `backbone.conv1.weight` … `backbone.fc.weight` (512,
2048), `backbone.fc.bias`. The authors publish that layout as `sscd_disc_mixup.torchvision.pt`, which is
tensors alone and is read without running any code of it, as the TorchScript file is not:

    import torch, safetensors.torch
    weights = torch.load("sscd_disc_mixup.torchvision.pt", weights_only=True)
    safetensors.torch.save_file(weights, "sscd.safetensors")
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import normalize
from torchvision.models import resnet50
from torchvision.transforms import functional as transforms

from une_ray.errors import UneError
from une_ray.studies.memorization.copy_metrics import CopyMetric, MetricKind

SIDE = 288  # of the shorter edge: what the authors recommend
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
PREFIX = "backbone."
REMEDY = "make one of sscd_disc_mixup.torchvision.pt as une memorization --help says"


class GeM(nn.Module):
    """Generalised-mean pooling, p = 3, over all places: (n, c, h, w) ≥ 0 → (n, c, 1, 1)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=1e-6).pow(3).mean((2, 3), keepdim=True).pow(1 / 3)


@dataclass(frozen=True)
class SSCD:
    """Pictures (n, 3, h, w) in [-1, 1] → unit descriptors (n, 512) on the CPU: ResNet-50, GeM, one linear
    layer, L2 norm."""

    network: nn.Module
    device: str

    @torch.no_grad()
    def __call__(self, pictures: torch.Tensor, batch: int = 32) -> torch.Tensor:
        return torch.cat(
            [normalize(self.network(self.prepared(part))).cpu() for part in pictures.split(batch)]
        )

    def prepared(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) as the network takes them: the shorter edge resized to 288, ImageNet's mean and
        deviation."""
        resized = transforms.resize((pictures.to(self.device) + 1) / 2, SIDE, antialias=True)
        return transforms.normalize(resized, MEAN, STD)


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(…) of unit descriptors (…, 512), which broadcast."""
    return (a * b).sum(-1)


def load(file: str | Path, device: str = "cpu") -> SSCD:
    """The network with the weights of `file`. Raises UneError for what is no safetensors file, or not of the
    one layout."""
    network: nn.Module = resnet50(num_classes=512)
    network.avgpool = GeM()
    network.load_state_dict(_weights(Path(file), network.state_dict()))
    return SSCD(network.eval().requires_grad_(False).to(device), device)


def fingerprint(file: str | Path) -> str:
    """SHA-256 of the file."""
    with open(file, "rb") as opened:
        return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"


def _weights(file: Path, expected: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names without the prefix → tensors of just the shapes that are expected."""
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UneError(
            f"no SSCD weights in {file}: {error}; --copy-metric sscd:FILE takes a safetensors file, {REMEDY}"
        ) from error
    shapes = {PREFIX + name: value.shape for name, value in expected.items()}
    common = shapes.keys() & weights.keys()
    faults = {
        "missing": shapes.keys() - weights.keys(),
        "unexpected": weights.keys() - shapes.keys(),
        "of another shape": {name for name in common if shapes[name] != weights[name].shape},
    }
    if any(faults.values()):
        listed = "; ".join(f"{what}: {_named(names)}" for what, names in faults.items() if names)
        raise UneError(f"{file} is not SSCD's ResNet-50 in torchvision's layout: {listed}; {REMEDY}")
    return {name.removeprefix(PREFIX): value for name, value in weights.items()}


def _named(names: set[str], most: int = 4) -> str:
    """The first few, and how many more."""
    return ", ".join(sorted(names)[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


METRIC = MetricKind(load=lambda file, device: CopyMetric(load(file, device), cosine), fingerprint=fingerprint)
