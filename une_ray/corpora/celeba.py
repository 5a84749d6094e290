"""CelebA as published: a folder of `img_align_celeba/`, `list_attr_celeba.txt` and `list_eval_partition.txt`.

Liu et al. 2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from une_ray.corpora.base import Item
from une_ray.corpora.files import absolute, open_folder, read_within
from une_ray.errors import UneError, unknown

IMAGES, ATTRIBUTES, PARTITIONS = "img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"
SPLITS = {"0": "train", "1": "val", "2": "test"}


@dataclass(frozen=True)
class CelebA:
    """`celeba:/data/celeba`, or one of its partitions with `?partition=train|val|test`."""

    url: str
    partition: str | None = None

    FORM: ClassVar[str] = "celeba:PATH"
    OPTIONS: ClassVar[Mapping[str, str]] = {"partition": "train, val or test: that one alone"}

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> CelebA:
        partition = options.get("partition")
        if partition is not None and partition not in SPLITS.values():
            raise unknown("CelebA partition", partition, SPLITS.values())
        return cls(absolute(argument), partition)

    @property
    def name(self) -> str:
        return f"celeba:{self.url}" + (f"?partition={self.partition}" if self.partition else "")

    def items(self) -> Iterator[Item]:
        open_folder(self.url)
        try:
            splits = dict(line.split() for line in self._lines(PARTITIONS))
            count, header, *rows = self._lines(ATTRIBUTES)
            announced, attributes = int(count), header.split()
        except ValueError as error:
            raise UneError(
                f"{self.url}: {PARTITIONS} or {ATTRIBUTES} is not as published ({error}); download it again"
            ) from error
        if announced != len(rows):
            raise UneError(
                f"{self.url}/{ATTRIBUTES} announces {count} rows and has {len(rows)}; download it again"
            )
        for row in rows:
            file, *values = row.split()
            if file not in splits or splits[file] not in SPLITS:
                raise UneError(f"{self.url}/{PARTITIONS} gives {file} no partition of 0, 1 or 2")
            split = SPLITS[splits[file]]
            if len(values) != len(attributes):
                count_of = f"{len(values)} values for {len(attributes)} attributes"
                raise UneError(f"{self.url}/{ATTRIBUTES}: {file} has {count_of}")
            if self.partition in (None, split):
                labels = {name: value == "1" for name, value in zip(attributes, values, strict=True)}
                yield Item(file, f"{IMAGES}/{file}", split, None, labels)

    def read(self, source: str) -> bytes:
        return read_within(self.url, source)

    def _lines(self, name: str) -> list[str]:
        try:
            return read_within(self.url, name).decode().strip().splitlines()
        except FileNotFoundError as error:
            raise UneError(
                f"{self.url} has no {name}; a CelebA folder holds {IMAGES}/, {ATTRIBUTES} and {PARTITIONS}"
            ) from error


CORPUS = CelebA
