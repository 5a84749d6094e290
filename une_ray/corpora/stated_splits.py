"""Splits that a table or a path states, obeyed as they stand: train, val and test in their known forms."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from une_ray.corpora.columns import whole
from une_ray.errors import UneError

WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
NUMBERS = {"0": "train", "1": "val", "2": "test"}


def split_said(value: str) -> str | None:
    """The split that a table's cell means; None for one that means none."""
    text = whole(value)
    return WORDS.get(text) or NUMBERS.get(text)


def split_of_path(name: str) -> str | None:
    """The split that the outermost of a path's folders with such a name means, as in `Train/cats/1.jpg`. A
    number is no such name: folders 0 and 1 are classes as often."""
    folders = name.split("/")[:-1]
    return next((WORDS[folder.lower()] for folder in folders if folder.lower() in WORDS), None)


def splits_of_groups(
    table: str, column: str | None, pairs: Iterable[tuple[str | None, str | None]]
) -> dict[str, str]:
    """The split that some item of a group states, for all of the group, from pairs of both. Raises UneError
    for two of them."""
    splits: dict[str, str] = {}
    for group, split in pairs:
        if group and split and splits.setdefault(group, split) != split:
            raise UneError(
                f"{table}: {column} {group!r} stands in {splits[group]} and in {split}; probes would be"
                " tested on what they were fitted on. Mend the split, or leave it out (?skip=split)"
            )
    return splits


def one_sided(splits: Collection[str | None]) -> str:
    """What it means that all items stand on one side of the stated split; empty where they do not."""
    if not splits or None in splits or {"test"} < set(splits):
        return ""
    lacking = "fitted on" if "test" in splits else "tested on"
    said = " and ".join(sorted(filter(None, splits), key=[*NUMBERS.values()].index))
    return (
        f"all are stated to be {said}, so nothing of that split is left to be {lacking}: une probe has split"
        " seeds 1 to 4 alone, and what needs the stated split refuses; ?skip=split splits by hash"
    )
