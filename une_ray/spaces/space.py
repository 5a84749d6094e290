"""A space: what one model under one setting sees of an image. Its name, its fingerprint, and how to load
it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL

from une_ray.errors import UneError
from une_ray.lake.derived import DERIVED
from une_ray.lake.importing import IMPORTED
from une_ray.lake.names import check_name
from une_ray.models.adhoc import complete
from une_ray.models.fresh import initialisation
from une_ray.models.recognised import is_folder
from une_ray.models.resolve import as_pinned, pin
from une_ray.models.spec import NO_WEIGHTS, ModelSpec, Parts, Preprocessing
from une_ray.models.table import find_model, kind_defaults
from une_ray.registry import MODEL_KINDS, SPACE_KINDS
from une_ray.spaces.kind import Compiling, Modality, Role, SpaceKind, Step
from une_ray.spaces.names import EMBEDDING, is_kind, parse_kind

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Space:
    """What one model under one setting sees of an image: `kind` says how the model is read, `compiled` by
    which mode of torch.compile it runs, if by any, and the others what `names.Reading` says of them."""

    name: str
    model: ModelSpec
    kind: str = EMBEDDING
    steps: int | None = None
    spacing: str | None = None
    timestep: int | None = None
    seeds: int | None = None
    flat: bool = False
    compiled: str | None = None

    @classmethod
    def parse(cls, text: str) -> Space:
        """`mini-sd-a/ddim50`, `sd15/leak50-trailing`, `mini-sd-a/latents`, `mini-dino`,
        `faces=stable-diffusion:/data/model/ddim100`.

        Raises UneError for an unknown model or kind, or a name that can't be a folder's.
        """
        given, equals, rest = text.rpartition("=")
        head, _, last = rest.rpartition("/")
        is_path = ":" in head or is_folder(rest)  # whose last part may be a folder
        source, kind = (head, last) if head and (is_kind(last) or not is_path) else (rest, "")
        model = find_model(source)
        if ":" in rest and not equals:
            raise UneError(f"a model that is not in the table needs a name for its space: NAME={text}")
        name = given if equals else rest
        check_name(name)
        return cls(name, model, **asdict(parse_kind(kind, model)))

    @classmethod
    def from_fingerprint(cls, name: str, fingerprint: dict[str, Any]) -> Space:
        """A space as a lake has it, networks and autoencoder in float32 so that they run anywhere. Raises
        UneError for vectors that were imported or made by a map, which no model here can make."""
        if fingerprint["kind"] == IMPORTED:
            raise UneError(f"space {name!r} was imported: there is no model here that could read a picture")
        if fingerprint["kind"] == DERIVED:
            raise UneError(
                f"space {name!r} was made from other spaces by a map: no model reads a picture for it"
            )
        preprocessing: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in fingerprint["preprocessing"].items()
        }
        model = replace(
            kind_defaults(fingerprint["kind"]),
            id=fingerprint["model"],
            source=fingerprint["source"],
            dtype="float32",
            preprocessing=Preprocessing(**preprocessing),
            prompt=fingerprint.get("prompt", ""),
            pooling=fingerprint.get("pooling", ""),
            init_seed=fingerprint.get("init", {}).get("seed"),
            noise_variance=fingerprint.get("noise_variance", 1.0),
        )
        model = as_pinned(model, fingerprint["weights"])
        methods = {kind.method: kind_name for kind_name, kind in SPACE_KINDS.items()}
        kind = methods[fingerprint.get("method", "embedding")]
        said = ("steps", "spacing", "timestep", "seeds")
        settings = {setting: fingerprint.get(setting) for setting in said}
        return cls(name, model, kind, **settings, flat=fingerprint.get("flat", False))

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Space:
        """The space that `dataclasses.asdict` made a dictionary of, also behind a way through JSON."""
        model = _plain(said["model"], tuple)
        parts = Parts(**_plain(model["parts"], tuple)) if model["parts"] else None
        preprocessing = Preprocessing(**_plain(model["preprocessing"], tuple))
        return cls(**said | {"model": ModelSpec(**model | {"parts": parts, "preprocessing": preprocessing})})

    @classmethod
    def refuse_changed(cls, name: str, fingerprint: dict[str, Any]) -> None:
        """Raise UneError where a model's folder no longer holds the weights that a lake's space was built
        with.

        A hub's revision is fixed.
        """
        model = cls.from_fingerprint(name, fingerprint).model
        if model.source.startswith("hub:"):
            return
        _, weights = pin(model)
        if weights != fingerprint["weights"]:
            raise UneError(
                f"space {name!r} was built with the weights {fingerprint['weights']}, but {model.source} now"
                f" has {weights}; put those back, or build the space into another lake"
            )

    def as_in(self, fingerprint: dict[str, Any] | None) -> Space:
        """A hub model as a lake's fingerprint has it: from the same of its files, and where it has no
        revision but `main` at the same commit, as `main` may have moved on."""
        if fingerprint is None or fingerprint["source"] != self.model.source:
            return self
        model, given = as_pinned(self.model, fingerprint["weights"]), self.model.revision
        return replace(self, model=model if given in (None, "main") else replace(model, revision=given))

    def with_dtype(self, dtype: str | None) -> Space:
        """Read in `dtype` in place of the model's own. Raises UneError for one that models don't run in."""
        if dtype not in (None, *DTYPES):
            raise UneError(f"dtype {dtype!r}; it is {', '.join(DTYPES[:-1])} or {DTYPES[-1]}")
        return self if dtype is None else replace(self, model=replace(self.model, dtype=dtype))

    @property
    def schedule(self) -> tuple[int, str]:
        """Steps and spacing. Raises UneError for a space that has no schedule."""
        if self.steps is None or self.spacing is None:
            raise UneError(f"{self.name} has no schedule of timesteps; its kind is {self.kind}")
        return self.steps, self.spacing

    @property
    def role(self) -> Role:
        """Whether it is there to explain others away: by its kind, its model's kind, or weights that were
        never trained."""
        return "control" if "control" in (self.model.role, self._kind.role) else "model"

    @property
    def modality(self) -> Modality:
        """What of an item it reads."""
        return self._kind.modality

    @property
    def encodes(self) -> bool:
        """Whether it reads pictures through a generator's autoencoder."""
        return self.model.is_generator and self.modality == "pictures"

    @property
    def runs_in_half(self) -> bool:
        """Whether the network that its model's row gives a number type runs in half precision."""
        runs = self._kind.denoises if self.model.is_generator else self.model.source != NO_WEIGHTS
        return runs and self.model.dtype != "float32"

    @property
    def compiles(self) -> bool:
        """Whether it has a network that torch.compile may have."""
        return self._kind.compiles and self.model.source != NO_WEIGHTS

    @property
    def gflops(self) -> float | None:
        """What one item costs on average, None where its kind or its model's row does not say."""
        return self._kind.gflops(self)

    @property
    def dim(self) -> int | None:
        """How long its latents are, None where its kind or its model's row does not say."""
        return self._kind.dim(self)

    @property
    def _kind(self) -> SpaceKind:
        return SPACE_KINDS.find(self.kind)

    def pinned(self) -> tuple[Space, dict[str, Any]]:
        """The space with its model's revision fixed, and its full fingerprint: everything that decides its
        numbers."""
        model, weights = pin(self.model)
        model = model if model.dim else complete(model)
        fingerprint = {
            "model": model.id,
            "kind": model.kind,
            "source": model.source,
            "weights": weights,
            "pooling": model.pooling,
            "preprocessing": _plain(asdict(model.preprocessing)),
            "backend": self._backend,
            "dtype": model.dtype,
        }
        if self.kind != EMBEDDING:
            fingerprint |= {"method": self._kind.method, **self._kind.facts(replace(self, model=model))}
            del fingerprint["pooling"]
        if self.encodes and model.vae_dtype != "float32":
            fingerprint["vae_dtype"] = model.vae_dtype
        if model.init_seed is not None:
            fingerprint["init"] = initialisation(model)
        return replace(self, model=model), fingerprint | {"role": self.role}

    @property
    def _backend(self) -> str:
        """What makes the model's input of an item: Pillow, or the library of the tokenizer."""
        if self.modality == "pictures":
            return f"pillow {PIL.__version__.split('.')[0]}"
        library = MODEL_KINDS.find(self.model.kind).library or "transformers"
        return f"{library} {version(library).split('.')[0]}"

    def load(self, device: str = "cpu") -> Step[Any]:
        """The model on `device`, ready to read batches."""
        step = self._kind.load(self, device)
        if self.compiled is not None:
            assert isinstance(step, Compiling), f"{self.kind} says that it compiles"
            step.compile(self.compiled)
        return step


def _plain(value: dict[str, Any], sequence: type = list) -> dict[str, Any]:
    """As JSON gives it back: tuples become lists. Or the other way."""
    return {key: sequence(item) if isinstance(item, tuple | list) else item for key, item in value.items()}


def pixels(pictures: np.ndarray, preprocessing: Preprocessing, device: str) -> torch.Tensor:
    """(b, h, w, 3) uint8 → (b, 3, h, w) float32 on `device`, (x/255 − mean)/std, channels last in memory."""
    import torch

    x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor(preprocessing.mean, device=device).view(3, 1, 1)
    std = torch.tensor(preprocessing.std, device=device).view(3, 1, 1)
    return (x - mean) / std
