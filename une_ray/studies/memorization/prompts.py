"""Which prompts a memorisation study asks: those whose pictures mini-sd-dup was trained on, by dose, and
those it never saw."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from une_ray.corpora import avatars, duplicates
from une_ray.corpora.labels import read_prompt_texts
from une_ray.errors import UneError, unknown
from une_ray.studies.memorization.token_rows import too_many

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

# Besides the duplicates, mini-sd-dup was trained on the even-numbered avatars of seed 1; seed 2 it never saw
# (training/zoo.py, data.py).
TRAINED_SEED, TRAINED_STEP, HELD_OUT_SEED = 1, 2, 2


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A text and what is known of it: `kind` is duplicated, trained, held-out or given, `dose` how often its
    picture was trained on.

    `source` is (seed, index) of the avatar that belongs to the text; of a given text none is known.
    """

    text: str
    kind: str
    dose: int | None = None
    source: tuple[int, int] | None = None

    def picture(self, size: int = avatars.SIZE) -> bytes | None:
        """The encoded picture that belongs to the text, `size` pixels wide."""
        return avatars.picture(*self.source, size) if self.source else None

    def to_row(self) -> dict[str, Any]:
        """As JSON holds it."""
        source = None if self.source is None else list(self.source)
        return {"text": self.text, "kind": self.kind, "dose": self.dose, "source": source}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Prompt:
        """What `to_row` was made of."""
        source = None if row["source"] is None else tuple(row["source"])
        return cls(text=row["text"], kind=row["kind"], dose=row["dose"], source=source)


def duplicated(per_dose: int = 8, doses: Collection[int] = duplicates.COPIES) -> list[Prompt]:
    """The titles of `duplicates:all`, up to `per_dose` (8 at most) of each of the `doses`, in their order."""
    indices = sorted(range(len(duplicates.TITLES)), key=duplicates.copies)
    groups = itertools.groupby(indices, duplicates.copies)
    return [
        Prompt(text=duplicates.TITLES[index], kind="duplicated", dose=dose, source=(duplicates.SEED, index))
        for dose, group in groups
        if dose in doses
        for index in [*group][:per_dose]
    ]


def doses(text: str) -> list[int]:
    """`250,1000` → 250 and 1000. Raises UneError for what is none of `duplicates.COPIES`."""
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if part not in map(str, duplicates.COPIES):
            raise unknown("dose", part, map(str, duplicates.COPIES))
    return [int(part) for part in parts]


def trained(count: int) -> list[Prompt]:
    """Captions of pictures that were trained on once, beside the duplicates."""
    sources = [(TRAINED_SEED, TRAINED_STEP * index) for index in range(count)]
    return [
        Prompt(text=avatars.caption(*source), kind="trained", dose=1, source=source) for source in sources
    ]


def held_out(count: int) -> list[Prompt]:
    """Captions of pictures that no model has seen."""
    sources = [(HELD_OUT_SEED, index) for index in range(count)]
    return [
        Prompt(text=avatars.caption(*source), kind="held-out", dose=0, source=source) for source in sources
    ]


def given(prompts: str | Path | Sequence[str]) -> list[Prompt]:
    """Prompts of the caller, once each: texts, or a file's: a text file's lines, or the column `prompt` of a
    CSV or Parquet file.

    Empty ones are left out: they are what guidance leads away from. Raises UneError where there are none.
    """
    texts: Sequence[str]
    if isinstance(prompts, str | Path):
        path = os.path.expanduser(prompts)
        texts, fault = read_prompt_texts(path), f"{path} holds no prompts; write one a line"
    else:
        texts, fault = prompts, "no prompts"
    stripped = [text.strip() for text in texts if text]
    distinct = list(dict.fromkeys(text for text in stripped if text))
    if not distinct:
        raise UneError(fault)
    return [Prompt(text=text, kind="given") for text in distinct]


def ordinary(prompts: int | str | Path | Sequence[str]) -> list[Prompt]:
    """So many `held_out` captions, or prompts as `given` takes them, as such: what nobody takes for
    memorised.

    Raises UneError for 0, and as `given`.
    """
    count = int(prompts) if isinstance(prompts, str) and prompts.isdecimal() else prompts
    if not isinstance(count, int):
        return [replace(prompt, kind="held-out") for prompt in given(count)]
    if count < 1:
        raise UneError(f"{count} ordinary prompts to compare with; take at least one, better forty")
    return held_out(count)


def fitting(prompts: Sequence[Prompt], tokenizer: CLIPTokenizer) -> tuple[list[Prompt], dict[str, str]]:
    """The prompts that fit the text tower, and for each of the others, by its text, why it does not: cut off,
    it would be another prompt."""
    length = tokenizer.model_max_length
    texts = [prompt.text for prompt in prompts]
    counts = [len(ids) for ids in tokenizer(texts, truncation=False, verbose=False).input_ids]
    too_long = {
        prompt.text: too_many(prompt.text, count, length)
        for prompt, count in zip(prompts, counts)
        if count > length
    }
    return [prompt for prompt in prompts if prompt.text not in too_long], too_long
