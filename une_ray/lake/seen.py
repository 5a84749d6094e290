"""Of which splits a study is tested on images that its own fit, or the map behind a space, has seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from une_ray.lake.derived import fitted_under
from une_ray.lake.latents import on_both_sides
from une_ray.lake.layout import Lake


def warnings_of(lake: Lake, spaces: Sequence[str], split_seeds: Sequence[int]) -> Iterator[str]:
    """Of splits whose test images the probes were fitted on, or the map that a space was made by."""
    for seed, images in on_both_sides(lake, split_seeds).items():
        if images:
            yield (
                f"warning: {images:,} pictures stand on both sides of split {seed}, byte for byte or by"
                " others of their group: probes are tested on what they were fitted on. A new lake splits"
                " by content, or by its corpus' groups, of which those with the same picture must be one,"
                " unless its corpus states the split"
            )
    yield from warnings_of_maps(lake, spaces, split_seeds, "probes")


def warnings_of_maps(
    lake: Lake, spaces: Sequence[str], split_seeds: Sequence[int], tested: str
) -> Iterator[str]:
    """Of splits on whose test images a space's map was fitted; `tested` says what is measured on them."""
    for space in spaces:
        if said := seen_by_map(lake, space, split_seeds, tested):
            yield f"warning: {said}"


def seen_by_map(lake: Lake, space: str, split_seeds: Sequence[int], tested: str = "probes") -> str:
    """What to say of what is `tested` of a derived space, of those splits; empty where no map has seen their
    test images."""
    fitted = fitted_under(lake, space)
    if fitted is None:
        return (
            f"{space} was made by a map or of a space that this lake no longer has: {tested} of split"
            f" {', '.join(map(str, split_seeds))} may be tested on images that the map has seen"
        )
    seen = [str(seed) for seed in split_seeds if fitted - {seed}]
    if not seen:
        return ""
    seeds = " and ".join(map(str, sorted(fitted)))
    return (
        f"{space} was made by a map that was fitted under split seed {seeds}, on most of the images that"
        f" {tested} of split {', '.join(seen)} are tested on: there they say nothing of images that the map"
        " has not seen" + (f"; those of split {seeds} do" if len(fitted) == 1 else "")
    )
