"""Texts without pictures: a text file of a prompt a line, a CSV or Parquet file, or a list in the package."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from une_ray.corpora.base import Item, Unreadable
from une_ray.corpora.columns import Rules, listed
from une_ray.corpora.files import absolute, identity
from une_ray.corpora.labels import Label, Labels, read_prompts
from une_ray.corpora.stated_splits import one_sided
from une_ray.errors import UneError

LISTS = Path(__file__).parent / "prompt_lists"
BAR, END = "|", "\r\n"
SHOWN = 5  # prompts that a remark names
RESERVED = ("prompt", "besides")  # stems of ids: of the first file, and of no file


@dataclass(frozen=True)
class Prompts:
    """`prompts:professions`, `prompts:mine.txt`, `prompts:words.csv?factors=category`, several with commas.

    `files` are absolute, or names of lists in the package. Prompts of the first have ids `prompt-ROW`, those
    of another `STEM-ROW`, and the texts `besides` them `besides-ROW`. A text counts once: of the first file,
    else besides, else of the first of the others; so a lake grows by further files and further texts besides.
    """

    files: tuple[str, ...]
    rules: Rules = Rules()
    besides: tuple[str, ...] = ()

    PICTURES: ClassVar[bool] = False
    FORM: ClassVar[str] = "prompts:FILE"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "besides": "prompts that are read besides, with bars between them, as a person|a man; one that has a"
        " bar itself in double quotes",
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
        files = _files(argument)
        besides = _between_bars(options.get("besides", ""))
        return cls(files, rules, tuple(dict.fromkeys(besides)))

    @property
    def name(self) -> str:
        values = {
            "besides": _with_bars(self.besides),
            "encoding": self.rules.encoding,
            "unknown": self.rules.unknown,
            "factors": ",".join(self.rules.factors),
            "metadata": ",".join(self.rules.metadata),
            "skip": ",".join(self.rules.skip),
        }
        options = "&".join(f"{key}={quote(value)}" for key, value in values.items() if value)
        return f"prompts:{','.join(self.files)}" + (f"?{options}" if options else "")

    @property
    def lineage(self) -> str:
        """The first file: a lake of it grows by more files and by prompts besides."""
        return f"prompts:{self.files[0]}"

    def items(self) -> Iterator[Item]:
        taken: set[str] = set()
        (_, first), *others = self._labels
        yield from _items("prompt", first.rows, taken)
        yield from _items("besides", {text: Label() for text in self.besides}, taken)
        for file, labels in others:
            yield from _items(Path(file).stem, labels.rows, taken)

    def stamp(self) -> str:
        """When the files were written."""
        try:
            return " ".join([self.name, *(identity(_path(file)) for file in self.files)])
        except FileNotFoundError:
            return f"{self.name} missing"  # listing it says so

    def remarks(self) -> list[str]:
        """What was left out, what comes twice, what is besides and in a file as well, and that one side of
        the split is empty."""
        remarks = [remark for _, labels in self._labels for remark in labels.remarks]
        texts = [text for _, labels in self._labels for text in labels.rows]
        if repeated := len(texts) - len(set(texts)):
            remarks.append(f"{repeated:,} prompts are in an earlier file as well")
        (_, first), *others = self._labels
        told = {text for _, labels in others for text in labels.rows} - set(first.rows)
        if both := [text for text in self.besides if text in told]:
            shown = ", ".join(map(repr, both))
            remarks.append(f"besides and in a file, whose columns say nothing of them then: {shown}")
        if alike := _alike([*dict.fromkeys([*texts, *self.besides])]):
            shown = ", ".join(map(repr, alike[:SHOWN])) + (" …" if len(alike) > SHOWN else "")
            remarks.append(
                f"{len(alike):,} prompts differ from others in capitals, blanks or Unicode form alone, which"
                f" most models read as one: {shown}"
            )
        alone = one_sided({label.split for _, labels in self._labels for label in labels.rows.values()})
        return [*remarks, *filter(None, [alone])]

    def read(self, source: str) -> bytes:
        raise Unreadable("a prompt has no picture")

    @cached_property  # a build counts, lists and remarks; workers, to whom a corpus travels, never read it
    def _labels(self) -> list[tuple[str, Labels]]:
        found = []
        for file in self.files:
            path = _path(file)
            if "://" not in path and not Path(path).exists():
                raise UneError(f"there is no file of prompts {file}; lists of the package are {_known()}")
            labels = read_prompts(path, self.rules)
            if not labels.rows:
                raise UneError(f"{file} holds no prompts; write one a line")
            found.append((file, labels))
        return found

    def __getstate__(self) -> dict[str, object]:
        return {"files": self.files, "rules": self.rules, "besides": self.besides}


def shipped() -> list[str]:
    """Names of the lists that are in the package; `prompt_lists/README.md` has their sources."""
    return sorted(path.stem for path in LISTS.glob("*.csv"))


def _known() -> str:
    return ", ".join(f"prompts:{name}" for name in shipped())


def _path(file: str) -> str:
    return str(LISTS / f"{file}.csv") if file in shipped() else file


def _files(argument: str) -> tuple[str, ...]:
    """Absolute paths, or names of the package's lists. Raises UneError for none, and for stems that would
    give two prompts one id."""
    if "," in argument and Path(absolute(argument)).exists():
        return (absolute(argument),)
    names = [name for name in argument.split(",") if name]
    if not names:
        raise UneError(f"prompts: names no file; it is a path, or a list of the package: {_known()}")
    taken: dict[str, str | None] = dict.fromkeys(RESERVED)
    for name in names[1:]:
        stem = Path(name).stem
        if stem in taken:
            whose = f"the ids of {taken[stem]}" if taken[stem] else "ids of une_ray's own"
            raise UneError(f"ids of the prompts of {name} would be {stem}-ROW, {whose}; rename the file")
        taken[stem] = name
    return tuple(name if name in shipped() else absolute(name) for name in names)


def _with_bars(texts: Sequence[str]) -> str:
    """As `?besides=` has them: a line of CSV with bars, in which a text with a bar stands in quotes."""
    line = io.StringIO()
    if texts:
        csv.writer(line, delimiter=BAR, lineterminator=END).writerow(texts)
    return line.getvalue().removesuffix(END)


def _between_bars(text: str) -> list[str]:
    """The texts of `_with_bars`. Raises UneError for a line break that is in no quotes."""
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=BAR))
    if len(rows) > 1:
        raise UneError(f"besides={text!r} has a line break; a prompt with one stands in double quotes")
    return rows[0] if rows else []


def _alike(texts: Sequence[str]) -> list[str]:
    """Texts that are an earlier one but for capitals, blanks and Unicode form."""
    seen: set[str] = set()
    found = []
    for text in texts:
        plain = " ".join(unicodedata.normalize("NFC", text).lower().split())
        if plain in seen:
            found.append(text)
        seen.add(plain)
    return found


def _items(stem: str, rows: Mapping[str, Label], taken: set[str]) -> Iterator[Item]:
    """One per prompt that is not taken yet, numbered by its row all the same."""
    for row, (text, label) in enumerate(rows.items()):
        if text in taken:
            continue
        taken.add(text)
        yield Item(
            image_id=f"{stem}-{row:06d}",
            source=f"{stem}/{row}" if stem != "prompt" else str(row),
            split=label.split,
            caption=text,
            attributes=label.attributes,
            factors=label.factors,
            metadata=label.metadata,
        )


CORPUS = Prompts
