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
    for space in spaces:
        if said := left_out(lake, space, split_seeds):
            yield f"warning: {said}"


def warnings_of_maps(
    lake: Lake, spaces: Sequence[str], split_seeds: Sequence[int], tested: str
) -> Iterator[str]:
    """Of splits on whose test images a space's map was fitted; `tested` says what is measured on them."""
    for space in spaces:
        if said := seen_by_map(lake, space, split_seeds, tested):
            yield f"warning: {said}"


def seen_splits(lake: Lake, space: str, split_seeds: Sequence[int]) -> list[int] | None:
    """Those of the splits on whose test images a map behind the space was fitted; None where the lake no
    longer says by what map the space was made."""
    fitted = fitted_under(lake, space)
    return None if fitted is None else _seen(fitted, split_seeds)


def left_out(lake: Lake, space: str, split_seeds: Sequence[int]) -> str:
    """What to say of the splits whose probes `une probe` does not measure; as `seen_by_map`, where the lake
    can't say which those are."""
    fitted = fitted_under(lake, space)
    if fitted is None:
        return _not_known(space, split_seeds, "probes")
    seen = _seen(fitted, split_seeds)
    if not seen:
        return ""
    rest = [str(seed) for seed in split_seeds if seed not in seen]
    if rest:
        so = f"its figures are those of split {', '.join(rest)} alone"
    elif len(fitted) == 1:
        so = f"it has no figures; probe split {min(fitted)} too, or fit the map under another"
    else:
        so = "it has no figures; fit the maps behind it under one and the same split seed"
    return f"{_fitted_on(space, fitted, seen, 'probes')}: {so}"


def seen_by_map(lake: Lake, space: str, split_seeds: Sequence[int], tested: str = "probes") -> str:
    """What to say of what is `tested` of a derived space, of those splits; empty where no map has seen their
    test images."""
    fitted = fitted_under(lake, space)
    if fitted is None:
        return _not_known(space, split_seeds, tested)
    seen = _seen(fitted, split_seeds)
    if not seen:
        return ""
    unseen = f"; those of split {min(fitted)} do" if len(fitted) == 1 else ""
    of_others = f"there they say nothing of images that the map has not seen{unseen}"
    return f"{_fitted_on(space, fitted, seen, tested)}: {of_others}"


def _seen(fitted: frozenset[int], split_seeds: Sequence[int]) -> list[int]:
    """Every other split's test images are mostly train images of a map that was `fitted` under its seed."""
    return [seed for seed in split_seeds if fitted - {seed}]


def _fitted_on(space: str, fitted: frozenset[int], seen: Sequence[int], tested: str) -> str:
    seeds, splits = " and ".join(map(str, sorted(fitted))), ", ".join(map(str, seen))
    return (
        f"{space} was made by a map that was fitted under split seed {seeds}, on most of the images that"
        f" {tested} of split {splits} are tested on"
    )


def _not_known(space: str, split_seeds: Sequence[int], tested: str) -> str:
    return (
        f"{space} was made by a map or of a space that this lake no longer has: {tested} of split"
        f" {', '.join(map(str, split_seeds))} may be tested on images that the map has seen"
    )
