"""A kind of model: what all models of one architecture and file layout take for granted, and their loaders.

A kind is one file of `une_ray/models/kinds`, or of another package by an entry point of the group
`une_ray.model_kinds`, that defines `KIND`. The file's name is the kind's. Its functions import transformers,
diffusers or open_clip themselves, so that finding a kind stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from une_ray.models.spec import ModelSpec, Role

if TYPE_CHECKING:
    import torch

    from une_ray.models.contrastive import TextTower

Embed: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"
"""(b, 3, h, w) normalised pixels → (b, dim), never unit-normalised."""


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """`defaults` are the facts of a model in no row of the table, `KIND:FOLDER` or
    `KIND:OWNER/NAME@REVISION`: preprocessing, placement, batch size, dtype, pooling. `complete(spec)` gives
    it `dim` and preprocessing from its own configuration files.

    `load(spec, device)` makes an encoder's embedding function, `text_tower(spec, device)` that of an
    image–text model's texts, into the same space. Where `spec.init_seed` is set, `load` builds the
    architecture by `models.fresh.fresh`; `library` is the distribution whose version then decides the
    numbers beside torch's, and whose tokenizer reads texts. Without `library` there is no `random-` model of
    the kind.

    `recognises` says of what stands in the file `sign` of a folder, {} where there is none, whether a model
    of this kind lies there.

    A kind that `generates` has neither loader: it is in diffusers' folder layout, which
    `models/generators.py` reads. `weights=False` is a kind with nothing to read, whose only ad hoc source is
    `none`.
    """

    defaults: ModelSpec
    complete: Callable[[ModelSpec], ModelSpec]
    load: Callable[[ModelSpec, str], Embed] | None = None
    text_tower: Callable[[ModelSpec, str], TextTower] | None = None
    library: str | None = None
    generates: bool = False
    weights: bool = True
    sign: str = "config.json"
    recognises: Callable[[Mapping[str, Any]], bool] = lambda config: False
    role: Role = "model"
