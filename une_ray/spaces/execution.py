"""How a build runs the networks of its spaces, where not as each model's own row says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from une_ray.errors import UneError, unknown
from une_ray.models.compiled import MODES
from une_ray.models.table import MODELS
from une_ray.spaces.space import DTYPES, Space


@dataclass(frozen=True, kw_only=True)
class Execution:
    """`dtype` of the networks and `vae_dtype` of generators' autoencoders decide numbers and stand in a
    space's fingerprint; `compile`, a mode of torch.compile, changes no more than another GPU does."""

    dtype: str | None = None
    vae_dtype: str | None = None
    compile: str | None = None

    def of_all(self, spaces: Sequence[Space]) -> list[Space]:
        """The spaces, run so. Raises UneError as `of` does, and for a setting that none of them has."""
        run = [self.of(space) for space in spaces]
        names = ", ".join(space.name for space in spaces)
        if self.compile is not None and not any(space.compiled for space in run):
            raise UneError(f"--compile: ddim spaces and encoders are compiled, and {names} is none of them")
        if self.vae_dtype is not None and not any(space.encodes for space in run):
            raise UneError(f"--vae-dtype: {names} reads no picture through an autoencoder")
        return run

    def of(self, space: Space) -> Space:
        """The space, run so as far as it goes. Raises UneError for a number type or a mode that there is
        not, and for an autoencoder that is not known to run in half precision."""
        space = space.with_dtype(self.dtype)
        if self.compile is not None and self.compile not in MODES:
            raise unknown("mode of torch.compile", self.compile, MODES)
        if self.compile is not None and space.compiles:
            space = replace(space, compiled=self.compile)
        if self.vae_dtype is not None and space.encodes:
            space = replace(space, model=replace(space.model, vae_dtype=self._checked(space)))
        return space

    def _checked(self, space: Space) -> str:
        assert self.vae_dtype is not None
        if self.vae_dtype not in DTYPES:
            raise unknown("number type of an autoencoder", self.vae_dtype, DTYPES)
        if self.vae_dtype not in ("float32", *space.model.vae_dtypes):
            known = [name for name, model in MODELS.items() if self.vae_dtype in model.vae_dtypes]
            whose = f"; those of {', '.join(known)} do" if known else ""
            raise UneError(
                f"{space.name}: the autoencoder of {space.model.id} is not known to run in {self.vae_dtype}"
                f" without overflow or coarse latents{whose}. Leave out --vae-dtype: it is read in float32"
            )
        return self.vae_dtype


AS_THEY_ARE = Execution()
