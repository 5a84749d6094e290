"""What one model is: a frozen row of facts. The table of all of them is `models/table.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from une_ray.registry import MODEL_KINDS

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
NO_WEIGHTS = "none"

Role = Literal["model", "control"]


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the model's input: Pillow resizing, then (x/255 − mean)/std.

    `fit`: "crop" takes the centre square and resizes it to `size`; "shortest" resizes the shortest side to
    `resize` and takes the centre `size`; "stretch" makes it `resize` × `resize` whatever the shape, and takes
    the centre `size`. Without `resize` it is `size`.
    """

    size: int
    fit: str = "shortest"
    resize: int | None = None
    resample: str = "bicubic"
    crop_offset: str = "floor"  # of an odd margin: transformers rounds down, torchvision (open_clip) to even
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD


@dataclass(frozen=True, kw_only=True)
class Parts:
    """GFLOPs of a generator's parts, for one picture each: `encoder` and `decoder` are its autoencoder's,
    `to_middle` is a U-Net call that ends at the middle block, whose output is (c, h, w), `middle`."""

    encoder: float
    decoder: float
    to_middle: float
    middle: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model under one id. `dim` is the length of its latent or embedding; `gflops` is one forward pass
    per image (for a generator one U-Net call), `text_gflops` one of its text tower per text, `parts` those of
    a generator beside the whole U-Net; one that `is_distilled` is a latent consistency model. `parameters`
    are millions (of a generator's three parts, of an encoder's image tower). `source` is `package:NAME`,
    `hub:OWNER/NAME`, a folder, or `none` where there are no weights.

    `spacing` is that of a generator's timesteps where a space names none; `noise_variance` is the mean
    square of its inverted noise, 1 where nobody has measured it, which the leak's control has too;
    `text_model` is the image–text model of the table whose text tower it is conditioned by, if any is. With
    `init_seed` the weights are not read but drawn anew under that seed: all of an encoder's, the U-Net's of
    a generator. `vae_dtype` is what a generator's autoencoder is read in, and `vae_dtypes` are those besides
    float32 that it is known to run in. `fp16_parts` are those of a hub's generator whose half-precision files
    are read where it has both, None until `pin` has decided. A kind's defaults have no id, kind or source.
    """

    id: str = ""
    kind: str = ""  # a file of `models/kinds`: how it is loaded and read
    source: str = ""
    preprocessing: Preprocessing
    dim: int | None = None
    gflops: float | None = None
    text_gflops: float | None = None
    parts: Parts | None = None
    is_distilled: bool = False
    parameters: float | None = None
    gpus: float = 1.0
    batch_size: int = 32
    dtype: str = "float32"
    vae_dtype: str = "float32"
    vae_dtypes: tuple[str, ...] = ()
    revision: str | None = None
    fp16_parts: tuple[str, ...] | None = None
    pooling: str = "pooler"
    prompt: str = ""
    spacing: str = "leading"
    text_model: str | None = None
    noise_variance: float = 1.0
    init_seed: int | None = None
    licence: str = ""

    @property
    def is_generator(self) -> bool:
        """Whether its spaces are read from a diffusion model, not from an encoder."""
        return MODEL_KINDS.find(self.kind).generates

    @property
    def role(self) -> Role:
        """`control` for what was never trained: a kind without weights, or weights drawn anew."""
        return "control" if self.init_seed is not None else MODEL_KINDS.find(self.kind).role
