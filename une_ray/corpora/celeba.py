"""CelebA (Liu et al. 2015) as published: a folder of `img_align_celeba/`, `list_attr_celeba.txt` and
`list_eval_partition.txt`; or as it circulates, with two CSV files and the pictures one folder deeper.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from une_ray.corpora.base import PHASH, Item, phash_alone
from une_ray.corpora.files import absolute, identity, open_folder, read_within
from une_ray.errors import UneError, unknown

IMAGES, ATTRIBUTES, PARTITIONS = "img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"
IDENTITIES = "identity_CelebA.txt"
SPLITS = {"0": "train", "1": "val", "2": "test"}


@dataclass(frozen=True)
class CelebA:
    """`celeba:/data/celeba`, or one of its partitions with `?partition=train|val|test`.

    Of one partition no picture is left to test on: its split is by hashed fifths, as the split seeds 1 to 4
    of all. Those go by `identity_CelebA.txt` where it lies beside the other tables.
    """

    url: str
    partition: str | None = None
    group: str | None = None

    FORM: ClassVar[str] = "celeba:PATH"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "partition": "train, val or test: that one alone, split by hashed fifths",
        "group": "phash: pictures of one perceptual hash stand on one side of the splits by hash; if not "
        "given, those of one identity, where identity_CelebA.txt is there",
    }

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> CelebA:
        partition = options.get("partition")
        if partition is not None and partition not in SPLITS.values():
            raise unknown("CelebA partition", partition, SPLITS.values())
        return cls(absolute(argument), partition, PHASH if phash_alone("celeba", options) else None)

    @property
    def name(self) -> str:
        values = {"partition": self.partition, "group": self.group}
        options = "&".join(f"{option}={value}" for option, value in values.items() if value)
        return f"celeba:{self.url}" + (f"?{options}" if options else "")

    def items(self) -> Iterator[Item]:
        filesystem, root = open_folder(self.url)
        deeper = filesystem.isdir(f"{root}/{IMAGES}/{IMAGES}")
        images = f"{IMAGES}/{IMAGES}" if deeper else IMAGES
        as_csv = filesystem.exists(f"{root}/{ATTRIBUTES.replace('.txt', '.csv')}")
        attributes, rows, partitions = self._tables_of_csv() if as_csv else self._tables()
        groups = self._identities()
        for file, *values in rows:
            if partitions.get(file) not in SPLITS:
                raise UneError(f"{self.url}: {file} has no partition of 0, 1 or 2")
            split = SPLITS[partitions[file]]
            if len(values) != len(attributes):
                raise UneError(
                    f"{self.url}: {file} has {len(values)} values for {len(attributes)} attributes"
                )
            if strange := set(values) - {"1", "-1"}:
                raise UneError(f"{self.url}: {file} has the value {min(strange)!r}; CelebA's are 1 and -1")
            if self.partition in (None, split):
                labels = {name: value == "1" for name, value in zip(attributes, values, strict=True)}
                own, group = None if self.partition else split, self.group or groups.get(file)
                yield Item(file, f"{images}/{file}", own, None, labels, split_group=group)

    def remarks(self) -> list[str]:
        """How it is split, where its own partitions do not say."""
        lines = []
        if self.partition:
            lines.append(f"partition {self.partition} alone: the split is by hashed fifths, not CelebA's own")
        if not self.group and not self._identities():
            lines.append(
                f"warning: without {IDENTITIES} pictures of one person may stand on both sides of splits by"
                " hash; it comes with CelebA's annotations"
            )
        return lines

    def _identities(self) -> dict[str, str]:
        """The group of each file, empty where CelebA's list of persons is not there."""
        filesystem, root = open_folder(self.url)
        if not filesystem.exists(f"{root}/{IDENTITIES}"):
            return {}
        try:
            return {file: f"identity/{who}" for file, who in map(str.split, self._lines(IDENTITIES))}
        except ValueError as error:
            raise UneError(
                f"{self.url}: {IDENTITIES} is not as published ({error}); download it again"
            ) from error

    def stamp(self) -> str:
        """When the tables were written, and how deep the pictures lie."""
        filesystem, root = open_folder(self.url)
        deeper = filesystem.isdir(f"{root}/{IMAGES}/{IMAGES}")
        names = [
            name
            for name in (ATTRIBUTES, PARTITIONS, IDENTITIES)
            for name in (name, name.replace(".txt", ".csv"))
        ]
        present = [f"{self.url}/{name}" for name in names if filesystem.exists(f"{root}/{name}")]
        return f"{self.name} {deeper} {' '.join(map(identity, present))}"

    def _tables(self) -> tuple[list[str], list[list[str]], dict[str, str]]:
        """Attributes, rows of a file and its values, and partitions, of the two text files."""
        try:
            partitions = dict(line.split() for line in self._lines(PARTITIONS))
            count, header, *lines = self._lines(ATTRIBUTES)
            announced = int(count)
        except ValueError as error:
            raise UneError(
                f"{self.url}: {PARTITIONS} or {ATTRIBUTES} is not as published ({error}); download it again"
            ) from error
        if announced != len(lines):
            raise UneError(
                f"{self.url}/{ATTRIBUTES} announces {count} rows and has {len(lines)}; download it again"
            )
        return header.split(), [line.split() for line in lines], partitions

    def _tables_of_csv(self) -> tuple[list[str], list[list[str]], dict[str, str]]:
        """The same of the two CSV files."""
        header, *rows = csv.reader(self._lines(ATTRIBUTES.replace(".txt", ".csv")))
        (_, *named), *partitions = csv.reader(self._lines(PARTITIONS.replace(".txt", ".csv")))
        if header[0] != "image_id" or named != ["partition"] or any(len(row) != 2 for row in partitions):
            raise UneError(f"{self.url}: its CSV files do not begin with image_id, or lack the partition")
        return header[1:], rows, dict((file, part) for file, part in partitions)

    def read(self, source: str) -> bytes:
        return read_within(self.url, source)

    def _lines(self, name: str) -> list[str]:
        try:
            return read_within(self.url, name).decode("utf-8-sig").strip().splitlines()
        except FileNotFoundError as error:
            raise UneError(
                f"{self.url} has no {name}; a CelebA folder holds {IMAGES}/, {ATTRIBUTES} and {PARTITIONS}"
            ) from error


CORPUS = CelebA
