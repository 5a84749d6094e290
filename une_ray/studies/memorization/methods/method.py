"""What a method against memorisation is: it changes the rows that the U-Net sees of a prompt, or samples in a
way of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from une_ray.errors import UneError
from une_ray.settings import Setting, Value, check_settings, settings_of
from une_ray.studies.memorization.window import Window

if TYPE_CHECKING:  # names and settings are read without torch
    import torch

    from une_ray.studies.memorization.sampling import Sampling
    from une_ray.studies.memorization.token_rows import TokenRows

WINDOW = settings_of(Window)


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """With `window`, the method has the settings of `Window`, and the sampling is the plain one outside of
    it."""

    window: bool = True

    @property
    @abstractmethod
    def own_settings(self) -> dict[str, Setting]:
        """Name → setting of all but the window."""

    @abstractmethod
    def sample(self, sampling: Sampling, values: Mapping[str, Value]) -> torch.Tensor:
        """(b, c, h, w): where the sampling leads under values of its own settings."""

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """Name → setting, in the order of help and documentation."""
        return self.own_settings | (WINDOW if self.window else {})

    @property
    def defaults(self) -> dict[str, Value]:
        """Every setting's value where nothing else is said."""
        return {name: setting.default for name, setting in self.settings.items()}

    def check(self, name: str, values: Mapping[str, Value]) -> None:
        """Raise UneError for values that can't be settings of the method `name`: unknown ones, and those of
        another kind or range."""
        check_settings(self.settings, values, name)
        self.split(values)

    def split(self, values: Mapping[str, Value]) -> tuple[Window | None, dict[str, Value]]:
        """The window, None where it is all of the sampling, and the other values. Raises UneError for a
        window without timesteps."""
        window = Window(**{name: int(value) for name, value in values.items() if name in WINDOW})
        own = {name: value for name, value in values.items() if name not in WINDOW}
        return None if window == Window() else window, own

    def latents(self, sampling: Sampling, values: Mapping[str, Value]) -> torch.Tensor:
        """(b, c, h, w): what the sampling leads to under the method with these of its settings, checked
        before."""
        window, own = self.split(values)
        return self.sample(sampling.within(window), own)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How, not what, a row method changes.

    The twin encoding is that of a tower that pads with "!". A zeroed row is an attention sink of logit 0, a
    removed one is not there.
    """

    padding: Annotated[
        Literal["own", "exclamation"], "encoding that it acts on: the tower's own, or that with ! for pads"
    ] = "own"
    by: Annotated[
        Literal["zeros", "removal"], "rows zeroed, or taken out of the cross-attention's softmax"
    ] = "zeros"


ENCODING = settings_of(Encoding)


@dataclass(frozen=True, kw_only=True)
class RowMethod(Method):
    """`change` makes the rows (b, 77, d) that the U-Net sees of TokenRows; its keywords are the settings.

    `padding` and `by` say whether it has those settings of `Encoding`; `by` is for a method that zeroes rows.
    `zeros_only` are settings that mean nothing where rows are removed. It works on pipelines of diffusers too
    (`mitigate`).
    """

    change: Callable[..., torch.Tensor]
    padding: bool = False
    by: bool = False
    zeros_only: tuple[str, ...] = ()

    @property
    def own_settings(self) -> dict[str, Setting]:
        by = {"by": ENCODING["by"]} if self.by else {}
        return self.row_settings | by

    @property
    def row_settings(self) -> dict[str, Setting]:
        """Name → setting of those that decide the rows themselves."""
        padding = {"padding": ENCODING["padding"]} if self.padding else {}
        return settings_of(self.change) | padding

    def check(self, name: str, values: Mapping[str, Value]) -> None:
        super().check(name, values)
        for setting in self.zeros_only:
            if values.get("by") == "removal" and setting in values:
                raise UneError(
                    f"{setting} of {name} is of rows that are zeroed, and by=removal takes them out instead; "
                    f"leave one of by and {setting} away"
                )

    def sample(self, sampling: Sampling, values: Mapping[str, Value]) -> torch.Tensor:
        how = Encoding(**{name: value for name, value in values.items() if name in ENCODING})  # type: ignore[arg-type]  # checked
        rows, change = self._applied(sampling.encode(), values)
        if how.by == "zeros":
            return sampling.latents(change(rows))
        remaining = rows.mask(change)
        if not change(rows)[remaining].equal(rows.embeddings[remaining]):
            raise UneError(
                f"{self.change.__name__} changes rows that it does not zero, which by=removal would leave as"
                " they are; define its METHOD without by=True"
            )
        return sampling.without(rows, remaining)

    def embeddings(self, rows: TokenRows, values: Mapping[str, Value]) -> torch.Tensor:
        """(b, 77, d): what it makes of `rows` under values of `row_settings`."""
        rows, change = self._applied(rows, values)
        return change(rows)

    def _applied(
        self, rows: TokenRows, values: Mapping[str, Value]
    ) -> tuple[TokenRows, Callable[[TokenRows], torch.Tensor]]:
        """The encoding that the method acts on, and what it does to it."""
        own: dict[str, Any] = {name: value for name, value in values.items() if name not in ENCODING}
        twin = values.get("padding") == "exclamation"
        return rows.twin() if twin else rows, partial(self.change, **own)


@dataclass(frozen=True, kw_only=True)
class SamplingMethod(Method):
    """`run` makes latents (b, c, h, w) of a Sampling in its own way; its keywords are the settings."""

    run: Callable[..., torch.Tensor]

    @property
    def own_settings(self) -> dict[str, Setting]:
        return settings_of(self.run)

    def sample(self, sampling: Sampling, values: Mapping[str, Value]) -> torch.Tensor:
        return self.run(sampling, **values)
