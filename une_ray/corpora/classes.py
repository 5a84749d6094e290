"""Class prompts of a lake's attributes, each said and denied through templates (Radford et al. 2021).

What `zero_shot` in SQL averages and normalises, as CLIP's zero-shot classifiers do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar
from urllib.parse import quote

from une_ray.corpora.avatar_words import PROMPTS
from une_ray.corpora.base import Item, Unreadable
from une_ray.corpora.columns import Rules
from une_ray.corpora.files import absolute
from une_ray.corpora.labels import read_prompts, read_text_rows
from une_ray.errors import UneError, unknown

TEMPLATES = ("{}", "a portrait of {}", "a picture of {}", "a photo of {}")


@dataclass(frozen=True)
class Classes:
    """`classes:LAKE`, `classes:LAKE?names=names.csv&templates=templates.txt`."""

    lake: str
    names: str | None = None
    templates: str | None = None

    PICTURES: ClassVar[bool] = False
    FORM: ClassVar[str] = "classes:LAKE"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "names": "a CSV or Parquet file with the columns attribute, true and false: how each is said and "
        "denied; without it the avatars' attributes have phrases of their own, and others are said by their "
        "names",
        "templates": "a text file, one a line, with {} where the class stands; if not given: "
        + ", ".join(f"`{template}`" for template in TEMPLATES),
    }

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Classes:
        files = {option: absolute(path) for option, path in options.items()}
        return cls(absolute(argument), **files)

    @property
    def name(self) -> str:
        values = {"names": self.names, "templates": self.templates}
        options = "&".join(f"{key}={quote(value)}" for key, value in values.items() if value)
        return f"classes:{self.lake}" + (f"?{options}" if options else "")

    def items(self) -> Iterator[Item]:
        for attribute, phrases in self._phrases.items():
            for value, phrase in zip((True, False), phrases, strict=True):
                for number, template in enumerate(self._templates):
                    image_id = f"class-{attribute}-{'true' if value else 'false'}-{number:02d}"
                    source = f"{attribute}/{value}/{template}"
                    caption, labels = template.replace("{}", phrase), {attribute: value}
                    factors = {"template": number}
                    yield Item(image_id, source, "test", caption, labels, factors)

    def remarks(self) -> list[str]:
        """Attributes whose class prompts are made of their names."""
        if self.names:
            return []
        plain = [attribute for attribute in self._attributes if attribute not in PROMPTS]
        shown = ", ".join(plain[:3]) + (", …" if len(plain) > 3 else "")
        return (
            [f"{len(plain):,} attributes said by their names: {shown}; ?names= says them better"]
            if plain
            else []
        )

    def read(self, source: str) -> bytes:
        raise Unreadable("a class prompt has no picture")

    @cached_property
    def _attributes(self) -> list[str]:
        """Of all items of the lake's corpus, in the order of the alphabet."""
        from une_ray.corpora import open_corpus

        corpus = open_corpus(_corpus_of(self.lake))
        found = sorted({attribute for item in corpus.items() for attribute in item.attributes})
        if not found:
            raise UneError(f"{corpus.name} of {self.lake} has no attributes, so there are no classes to name")
        return found

    @cached_property
    def _phrases(self) -> dict[str, tuple[str, str]]:
        """Attribute → how it is said and how it is denied."""
        if self.names is None:
            return {attribute: PROMPTS.get(attribute) or _plain(attribute) for attribute in self._attributes}
        rows = read_text_rows(self.names, ("attribute", "true", "false"))
        if unknown_names := [row[0] for row in rows if row[0] not in self._attributes]:
            raise unknown(f"attribute of {self.lake} in {self.names}", unknown_names[0], self._attributes)
        return {attribute: (said, denied) for attribute, said, denied in rows}

    @cached_property
    def _templates(self) -> list[str]:
        if self.templates is None:
            return list(TEMPLATES)
        templates = list(read_prompts(self.templates, Rules()).rows)
        if wrong := [template for template in templates if template.count("{}") != 1]:
            raise UneError(
                f"{self.templates}: template {wrong[0]!r} has no single {{}} where the class stands"
            )
        return templates

    def __getstate__(self) -> dict[str, object]:
        return {"lake": self.lake, "names": self.names, "templates": self.templates}


def _corpus_of(lake: str) -> str:
    import fsspec

    try:
        with fsspec.open(f"{lake}/noisezoo.json") as file:
            return json.loads(file.read())["corpus"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UneError(f"classes: there is no lake at {lake}; name one, as in classes:demo/lake") from error


def _plain(attribute: str) -> tuple[str, str]:
    words = attribute.replace("_", " ").strip().lower()
    return words, f"no {words}"


CORPUS = Classes
