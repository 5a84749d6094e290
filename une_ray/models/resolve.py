"""Where a model's files are and which exactly they are: a folder, or a commit of the hub."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from une_ray.errors import UneError
from une_ray.models.spec import NO_WEIGHTS, ModelSpec


def _packaged() -> Path:
    """The weights beside this code; code that came with a cluster job has none, and takes those of the
    une_ray installed there."""
    beside = Path(__file__).parent / "weights"
    if beside.is_dir():
        return beside
    try:
        installed = distribution("une_ray")
    except PackageNotFoundError:
        return beside
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    root = url2pathname(urlparse(origin["url"]).path) if editable else str(installed.locate_file(""))
    return Path(root) / "une_ray" / "models" / "weights"


PACKAGED = _packaged()
WEIGHTS = ("*.safetensors",)  # what else holds weights is pickled, and may run code when it is read
# Scheduler, tokenizer, architecture: they decide the numbers as much as the weights do.
SETTINGS = ("*.json", "*.txt")
PICKLED = (".bin", ".pt", ".pth", ".ckpt")
REMEDY = "load the model with its library and save it again (save_pretrained), as safetensors"
ADAPTERS = ("adapter_config.json", "pytorch_lora_weights.safetensors")
FP16, FP16_ENDINGS = "+fp16:", ("fp16.safetensors", "safetensors.index.fp16.json")
POINTER, LARGEST_POINTER = b"version https://git-lfs", 1024


def location(spec: ModelSpec) -> str:
    """A folder, or the hub id that `from_pretrained` takes. Raises UneError where a folder is missing."""
    scheme, _, rest = spec.source.partition(":")
    if scheme == "hub":
        return rest
    folder = PACKAGED / rest if scheme == "package" else Path(os.path.expanduser(spec.source))
    if not folder.is_dir():
        hint = "train it with: python jobs/train_mini_zoo.py" if scheme == "package" else "is the path right?"
        raise UneError(f"model {spec.id!r}: {folder} is not a folder; {hint}")
    return str(folder.resolve())


def pin(spec: ModelSpec) -> tuple[ModelSpec, str]:
    """The spec with its revision fixed, and a hash of its weights for the fingerprint; `none` for a model
    without weights.

    Folders: SHA-256 over names and contents of its weights and configuration files, or of the latter alone
    for an encoder whose weights are drawn anew. Hub: the commit that the revision is now, asked from the hub,
    or from the local cache where there is no network; every worker then loads that commit. Parts that run in
    half precision are read from their half-precision files, where the commit has such: they are half as
    long, and stand behind the commit.
    """
    if spec.source == NO_WEIGHTS:
        return spec, "none"
    if not spec.source.startswith("hub:"):
        fresh = spec.init_seed is not None and not spec.is_generator
        return spec, _hash_folder(location(spec), SETTINGS if fresh else WEIGHTS)
    commit, files = _commit(location(spec), spec.revision)
    parts = _fp16_parts(spec, files) if spec.fp16_parts is None else spec.fp16_parts
    weights = f"{spec.source}@{commit}" + (FP16 + ",".join(parts) if parts else "")
    return replace(spec, revision=commit, fp16_parts=parts), weights


def as_pinned(spec: ModelSpec, weights: str) -> ModelSpec:
    """The spec that `pin` gave these `weights` for: of the hub, at that commit and from those files."""
    if not weights.startswith("hub:"):
        return spec
    commit, _, parts = weights.rpartition("@")[2].partition(FP16)
    return replace(spec, revision=commit, fp16_parts=tuple(parts.split(",")) if parts else ())


def _fp16_parts(spec: ModelSpec, files: Collection[str]) -> tuple[str, ...]:
    """Parts of a generator that run in half precision and have a file, or an index of some, for it."""
    dtypes = {"unet": spec.dtype if spec.init_seed is None else "", "vae": spec.vae_dtype}
    return tuple(
        part
        for part, dtype in dtypes.items()
        if spec.is_generator
        and dtype == "float16"
        and any(f"{part}/diffusion_pytorch_model.{ending}" in files for ending in FP16_ENDINGS)
    )


def _hash_folder(folder: str, needed: tuple[str, ...]) -> str:
    """SHA-256 of a folder, read again where a file of it was written since: a notebook may train on."""
    paths = {path for pattern in (*needed, *SETTINGS) for path in Path(folder).rglob(pattern)}
    if adapters := sorted(path for path in paths if path.name in ADAPTERS):
        raise UneError(
            f"{adapters[0]} is of an adapter (LoRA), which the libraries leave out unless peft is installed:"
            " merge it into the weights (peft's merge_and_unload, diffusers' fuse_lora) and save those"
        )
    facts = [(path.as_posix(), path.stat()) for path in sorted(paths)]
    return _digest(folder, needed, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts))


@lru_cache(maxsize=64)
def _digest(folder: str, needed: tuple[str, ...], _written: tuple[tuple[str, int, int], ...]) -> str:
    if not any(path for pattern in needed for path in Path(folder).rglob(pattern)):
        what = "weights" if needed is WEIGHTS else "configuration"
        pickled = sorted(path.name for path in Path(folder).rglob("*") if path.suffix in PICKLED)
        raise UneError(
            f"{folder} holds no {what} ({', '.join(needed)})"
            + (f", and {pickled[0]} is pickled, which may run code: {REMEDY}" if pickled else "")
        )
    for path in (path for pattern in needed for path in Path(folder).rglob(pattern)):
        if path.stat().st_size < LARGEST_POINTER and path.read_bytes().startswith(POINTER):
            raise UneError(f"{path} is a pointer of Git LFS, not the file: git lfs pull brings it")
    digest = hashlib.sha256()
    for path in sorted({path for pattern in (*needed, *SETTINGS) for path in Path(folder).rglob(pattern)}):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


@lru_cache(maxsize=64)
def _commit(repository: str, revision: str | None) -> tuple[str | None, frozenset[str]]:
    """Which commit it is, and what files that has; without a network, those in the local cache."""
    from huggingface_hub import HfApi, snapshot_download

    # The hub's client has a dozen error types; the cache decides whether any of them matters.
    try:
        found = HfApi().model_info(repository, revision=revision, timeout=20)
        return found.sha, frozenset(file.rfilename for file in found.siblings or ())
    except Exception as online:
        try:
            at = Path(snapshot_download(repository, revision=revision, local_files_only=True))
            return at.name, frozenset(path.relative_to(at).as_posix() for path in at.rglob("*"))
        except Exception:
            raise UneError(
                f"can't reach {repository!r} on the model hub ({type(online).__name__}) and it is not in the "
                "local cache; fetch it where there is a network (set HF_HOME to a shared folder), or name a "
                "folder: KIND:/path/to/model"
            ) from online
