"""Which spaces are models and which are controls, and how the page shows the difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from une_ray.report.theme import GREYS, SERIES, Colour

MARKERS = "osD^vPX"


@dataclass(frozen=True, kw_only=True)
class Look:
    """A space's colour and Matplotlib marker."""

    colour: Colour
    marker: str


@dataclass(frozen=True)
class Roles:
    """`of` has 'model' or 'control' for each space, as the view `spaces` says it; a space that is not
    registered is a model."""

    of: Mapping[str, str]

    def is_control(self, space: str) -> bool:
        """Whether a space is there to explain others away."""
        return self.of.get(space) == "control"

    def models(self, spaces: Iterable[str]) -> list[str]:
        """Those that are no controls."""
        return [space for space in spaces if not self.is_control(space)]

    def in_order(self, spaces: Iterable[str]) -> list[str]:
        """Each once, models first, controls last."""
        return sorted(set(spaces), key=lambda space: (self.is_control(space), space))

    def label(self, space: str) -> str:
        """`mini-dino`, `pixels-16 (control)`."""
        return f"{space} (control)" if self.is_control(space) else space

    def looks(self, spaces: Sequence[str]) -> dict[str, Look]:
        """Grey for controls; the same in every section that has the same spaces."""
        palettes = {False: cycle(SERIES), True: cycle(GREYS)}
        return {
            space: Look(colour=next(palettes[self.is_control(space)]), marker=marker)
            for space, marker in zip(spaces, cycle(MARKERS))
        }
