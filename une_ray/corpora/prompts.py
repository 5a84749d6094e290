"""Texts without pictures: a text file of a prompt a line, or a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar
from urllib.parse import quote

from une_ray.corpora.base import Item, Unreadable
from une_ray.corpora.columns import Rules, listed
from une_ray.corpora.files import absolute, identity
from une_ray.corpora.labels import Labels, read_prompts
from une_ray.errors import UneError


@dataclass(frozen=True)
class Prompts:
    """`prompts:professions.txt`, `prompts:words.csv?factors=category`."""

    url: str
    rules: Rules = Rules()

    PICTURES: ClassVar[bool] = False
    FORM: ClassVar[str] = "prompts:FILE"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "encoding": "the file's, as latin-1; UTF-8 if not given",
        "unknown": "the text that means that nobody knows, in every attribute and factor, as -1 or NA",
        "factors": "columns that are small whole numbers, comma-separated, as category",
        "metadata": "columns that stay text whatever they hold, comma-separated, as category",
        "skip": "columns that are not read, comma-separated",
    }
    COLUMNS: ClassVar[Mapping[str, str]] = {
        "prompt": "the text; the one column that must be there; an empty one is the prompt of no words",
        "split": "train, val or test in their usual spellings, or 0, 1, 2; empty: by the prompt's hash, one "
        "in five is test",
        "any other": "an attribute: true/false, yes/no, 1/0 or 1/-1, empty if unknown; else metadata",
    }

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Prompts:
        rules = Rules(
            encoding=options.get("encoding"),
            unknown=options.get("unknown"),
            factors=listed(options.get("factors")),
            metadata=listed(options.get("metadata")),
            skip=listed(options.get("skip")),
        )
        return cls(absolute(argument), rules)

    @property
    def name(self) -> str:
        values = {
            "encoding": self.rules.encoding,
            "unknown": self.rules.unknown,
            "factors": ",".join(self.rules.factors),
            "metadata": ",".join(self.rules.metadata),
            "skip": ",".join(self.rules.skip),
        }
        options = "&".join(f"{key}={quote(value)}" for key, value in values.items() if value)
        return f"prompts:{self.url}" + (f"?{options}" if options else "")

    def items(self) -> Iterator[Item]:
        for row, (text, label) in enumerate(self._prompts.rows.items()):
            yield Item(
                image_id=f"prompt-{row:06d}",
                source=str(row),
                split=label.split,
                caption=text,
                attributes=label.attributes,
                factors=label.factors,
                metadata=label.metadata,
            )

    def stamp(self) -> str:
        """When the file was written."""
        try:
            return f"{self.name} {identity(self.url)}"
        except FileNotFoundError:
            return f"{self.name} missing"  # listing it says so

    def remarks(self) -> list[str]:
        """What was left out."""
        return list(self._prompts.remarks)

    def read(self, source: str) -> bytes:
        raise Unreadable("a prompt has no picture")

    @cached_property  # a build counts, lists and remarks; workers, to whom a corpus travels, never read it
    def _prompts(self) -> Labels:
        labels = read_prompts(self.url, self.rules)
        if not labels.rows:
            raise UneError(f"{self.url} holds no prompts; write one a line")
        return labels

    def __getstate__(self) -> dict[str, object]:
        return {"url": self.url, "rules": self.rules}


CORPUS = Prompts
