"""Which prompts a memorisation study asks: those whose pictures mini-sd-dup was trained on, by dose, and those it never saw."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from une_ray.corpora import avatars, duplicates
from une_ray.errors import UneError, unknown
from une_ray.studies.memorization.token_rows import too_many

# Besides the duplicates, mini-sd-dup was trained on the even-numbered avatars of seed 1; seed 2 it never saw (training/zoo.py, data.py).
TRAINED_SEED, TRAINED_STEP, HELD_OUT_SEED = 1, 2, 2


@dataclass(frozen=True)
class Prompt:
    """A text and what is known of it: `kind` is duplicated, trained, held-out or given, `dose` how often its picture was trained on.

    `source` is (seed, index) of the avatar that belongs to the text; of a given text none is known.
    """

    text: str
    kind: str
    dose: int | None = None
    source: tuple[int, int] | None = None

    def picture(self, size: int = avatars.SIZE) -> bytes | None:
        """The encoded picture that belongs to the text, `size` pixels wide."""
        return avatars.picture(*self.source, size) if self.source else None


def duplicated(per_dose: int = 8, doses: Collection[int] = duplicates.COPIES) -> list[Prompt]:
    """The titles of `duplicates:all`, up to `per_dose` (8 at most) of each of the `doses`, in their order."""
    indices = sorted(range(len(duplicates.TITLES)), key=duplicates.copies)
    groups = itertools.groupby(indices, duplicates.copies)
    return [
        Prompt(duplicates.TITLES[index], "duplicated", dose, (duplicates.SEED, index))
        for dose, group in groups
        if dose in doses
        for index in [*group][:per_dose]
    ]


def doses(text: str) -> list[int]:
    """`250,1000` → 250 and 1000. Raises UneError for what is none of `duplicates.COPIES`."""
    found = [part.strip() for part in text.split(",")]
    for part in found:
        if part not in map(str, duplicates.COPIES):
            raise unknown("dose", part, map(str, duplicates.COPIES))
    return list(map(int, found))


def trained(count: int) -> list[Prompt]:
    """Captions of pictures that were trained on once, beside the duplicates."""
    sources = [(TRAINED_SEED, TRAINED_STEP * index) for index in range(count)]
    return [Prompt(avatars.caption(*source), "trained", 1, source) for source in sources]


def held_out(count: int) -> list[Prompt]:
    """Captions of pictures that no model has seen."""
    return [
        Prompt(avatars.caption(HELD_OUT_SEED, index), "held-out", 0, (HELD_OUT_SEED, index))
        for index in range(count)
    ]


def given(path: str | Path) -> list[Prompt]:
    """The prompts of a file, once each: a text file's lines, or the column `prompt` of a Parquet file.

    Empty ones are left out: they are what guidance leads away from. Raises UneError where there are none.
    """
    path = Path(path).expanduser()
    try:
        texts = _column(path) if path.suffix == ".parquet" else path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise UneError(f"can't read prompts from {path}: {error}") from error
    found = list(dict.fromkeys(text.strip() for text in texts if text and text.strip()))
    if not found:
        raise UneError(f"{path} holds no prompts; write one a line")
    return [Prompt(text, "given") for text in found]


def ordinary(text: str) -> list[Prompt]:
    """So many `held_out` captions, or a file's prompts as such: what nobody takes for memorised. Raises UneError for 0, and as `given`."""
    if not text.isdecimal():
        return [replace(prompt, kind="held-out") for prompt in given(text)]
    if int(text) == 0:
        raise UneError("no ordinary prompts to compare with: take at least one, better forty")
    return held_out(int(text))


def fitting(prompts: Sequence[Prompt], tokenizer) -> tuple[list[Prompt], dict[str, str]]:
    """The prompts that fit the text tower, and for each of the others, by its text, why it does not: cut off, it would be another prompt."""
    length = tokenizer.model_max_length
    counts = [
        len(ids)
        for ids in tokenizer([prompt.text for prompt in prompts], truncation=False, verbose=False).input_ids
    ]
    too_long = {
        prompt.text: too_many(prompt.text, count, length)
        for prompt, count in zip(prompts, counts)
        if count > length
    }
    return [prompt for prompt in prompts if prompt.text not in too_long], too_long


def _column(path: Path) -> Sequence[str | None]:
    if "prompt" not in (names := pq.read_schema(path).names):
        raise UneError(f"{path} has no column 'prompt'; its columns are {', '.join(names)}")
    return pq.read_table(path, columns=["prompt"])["prompt"].to_pylist()
