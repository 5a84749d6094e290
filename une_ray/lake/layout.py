"""A lake on disk: `noisezoo.json`, the plan of its shards, and one file per shard and table."""

from __future__ import annotations

import bisect
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from os.path import commonprefix
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.files import ShardFile, current, metadata, read_merged, shard_file, shard_files, spans
from une_ray.lake.parts import Part, read_shard
from une_ray.lake.records import PLANNED, growth_file, read_record, refuse_lacking
from une_ray.lake.store import Store

if TYPE_CHECKING:
    import duckdb

MANIFEST = "noisezoo.json"
ADDED_LATER = (
    "role",
)  # keys that fingerprints of earlier une_rays lack; the view `spaces` says what they would be
NAMED_BY = {"derived": "--name", "imported": "--space"}  # kinds of spaces that no `une build` makes
SHOWN = 60  # characters of a value in a message
TRIES = 3  # of a query under which files are merged
REWRITTEN = "restore it from a copy, or delete it: what made the space writes it again, as its shards have it"
COMPACTION = "compaction.json"  # there while `une compact` is at work: who it is


def space_folder(space: str) -> str:
    """`mini-sd-a/ddim50` → `spaces/space=mini-sd-a%2Fddim50`: hive naming, which DuckDB and pyarrow
    decode."""
    return f"spaces/space={quote(space, safe='')}"


def fingerprint_file(space: str) -> str:
    """Where all that decides a space's numbers is written down."""
    return f"fingerprints/{quote(space, safe='')}.json"


def _text(fingerprint: dict[str, Any]) -> bytes:
    return json.dumps(fingerprint, indent=1, sort_keys=True).encode()


def _differing(present: dict[str, Any], fingerprint: dict[str, Any]) -> list[str]:
    """Keys in which a registered fingerprint is not `fingerprint`; one of before they were added lacks
    some."""
    wanted = {key: value for key, value in fingerprint.items() if key in present or key not in ADDED_LATER}
    return sorted(key for key in {*present, *wanted} if present.get(key) != wanted.get(key))


def _shown(*values: object) -> Iterator[str]:
    """Values as a message has them, long ones from shortly before where they begin to differ."""
    texts = ["nothing" if value is None else repr(value) for value in values]
    start = max(len(commonprefix(texts)) - SHOWN // 2, 0) if max(map(len, texts)) > SHOWN else 0
    for text in texts:
        end = "…" if len(text) > start + SHOWN else ""
        yield ("…" if start else "") + text[start : start + SHOWN] + end


@dataclass(frozen=True)
class Lake:
    """One lake. Opening never writes; `lake.create` plans its shards, `lake.growing` adds to them."""

    url: str

    def __getstate__(self) -> dict[str, Any]:
        """What travels to workers: the address. A session of SQL is of the process that opened it."""
        return {"url": self.url}

    @property
    def store(self) -> Store:
        return Store(self.url)

    @property
    def session(self) -> duckdb.DuckDBPyConnection:
        """The lake in SQL: one DuckDB with its views and macros, opened when it is first asked. Raises
        UneError where there is no lake."""
        from une_ray.lake.session import choose_files

        for name, lake in {"": self, **self.beside}.items():
            merging = lake.store.is_local and lake.store.exists(COMPACTION)
            if merging or self._seen.get(name):
                # else a result that is being read would be disturbed for nothing
                choose_files(self._session, lake, name)
            self._seen[name] = merging
        return self._session

    @cached_property
    def beside(self) -> dict[str, Lake]:
        """Other lakes in its session, by the names of their schemas."""
        return {}

    @cached_property
    def _seen(self) -> dict[str, bool]:
        """Of which lakes `une compact` was at work when the session was last asked for."""
        return {}

    @cached_property
    def _session(self) -> duckdb.DuckDBPyConnection:
        from une_ray.lake.session import connect

        return connect(self)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Another session of the same DuckDB, with variables and temporary tables of its own: for a
        stream, or for another thread."""
        from une_ray.lake.session import cursor

        return cursor(self.session, self)

    def rows(self, query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """What a query of the lake's SQL gives. One that files were merged under is asked again."""
        from une_ray.lake.session import is_of_a_merge

        for _ in range(TRIES):
            try:
                return self.session.execute(query, parameters).fetchall()
            except Exception as error:
                if not is_of_a_merge(error):
                    raise
        return self.session.execute(query, parameters).fetchall()

    def exists(self) -> bool:
        return self.store.exists(MANIFEST)

    def existing(self) -> Self:
        """Itself. Raises UneError where there is no lake, or one of a newer format."""
        self.manifest  # noqa: B018 - reading it is the check
        return self

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Version, corpus, images, shard_size and shards of the whole lake, whatever it has grown by."""
        first, *growths = self.generations
        totals = {key: first[key] + sum(growth[key] for growth in growths) for key in ("images", "shards")}
        return first | totals | {"corpus": self.generations[-1]["corpus"]}

    @cached_property
    def generations(self) -> list[dict[str, Any]]:
        """`noisezoo.json` and a record of every growth: each has its corpus, images, shards and plan hash."""
        records = [self._first()]
        while True:
            try:
                keys = PLANNED | {"parts": list}
                records.append(read_record(self.store, growth_file(len(records)), keys=keys))
            except FileNotFoundError:
                return records

    @cached_property
    def parts(self) -> list[Part]:
        """Files of the plan, in the order of their shards; of an early une_ray's, one file per shard."""
        first = self.generations[0]
        size, last = first["shard_size"], first["shards"] - 1
        early = [] if "parts" in first else range(first["shards"])
        parts = [
            Part(
                file=f"plan/{shard_file(shard)}",
                first=shard,
                shards=1,
                images=first["images"] - size * last if shard == last else size,
            )
            for shard in early
        ]
        return parts + [Part(**part) for record in self.generations for part in record.get("parts", [])]

    def _first(self) -> dict[str, Any]:
        """`noisezoo.json`. Refuses lakes that are newer than us."""
        try:
            manifest = read_record(self.store, MANIFEST)
        except FileNotFoundError as error:
            raise UneError(
                f"no lake at {self.url} ({MANIFEST} is missing); make one with: une build --lake {self.url} …"
            ) from error
        refuse_lacking(self.store, MANIFEST, manifest, {"version": int})
        if manifest["version"] > schema.VERSION:
            raise UneError(
                f"{self.url} has lake format {manifest['version']}, this une_ray reads up to"
                f" {schema.VERSION}; upgrade une_ray"
            )
        refuse_lacking(self.store, MANIFEST, manifest, PLANNED | {"shard_size": int})
        return manifest

    @property
    def shards(self) -> int:
        return self.manifest["shards"]

    def images_in(self, shards: Collection[int] | np.ndarray) -> int:
        """How many images the plan has in `shards`; only a part's last shard may be short."""
        size = self.manifest["shard_size"]
        return len(shards) * size - sum(less for last, less in self._short.items() if last in shards)

    @cached_property
    def _short(self) -> dict[int, int]:
        """How many images shards lack that are not full."""
        size = self.manifest["shard_size"]
        less = {part.first + part.shards - 1: part.shards * size - part.images for part in self.parts}
        return {shard: count for shard, count in less.items() if count}

    def read_table(self, name: str) -> pa.Table:
        return schema.read_parquet(self.store.read(name))

    def plan(self, shard: int, **options: Any) -> pa.Table:
        """The planned items of one shard; `options` are pyarrow's, for reading. Raises FileNotFoundError
        where the plan's file is gone."""
        part = self.parts[bisect.bisect_right(self._firsts, shard) - 1]
        return read_shard(self.store, part, shard, **options)

    @cached_property
    def _firsts(self) -> list[int]:
        return [part.first for part in self.parts]

    def committed(self, folder: str) -> set[int]:
        """Shard numbers that are in a file in `folder`; one listing, however many shards."""
        return {shard for file in shard_files(self.store.names(folder)) for shard in file.shards}

    def are_committed(self, folder: str) -> np.ndarray:
        """(shards,) bool: which are in a file in `folder`; in a byte each, however many there are."""
        found = np.zeros(self.shards, bool)
        for _, first, last in spans(self.store.names(folder)):
            found[first : last + 1] = True
        return found

    def files(self, folder: str) -> list[ShardFile]:
        """The files in `folder` that count, in the order of their shards."""
        return current(self.store.names(folder))

    def has_shard(self, folder: str, shard: int) -> bool:
        """Whether a shard is committed in `folder`, in a file of its own or in a merged one."""
        alone = self.store.exists(f"{folder}/{shard_file(shard)}")
        return alone or any(shard in file.shards for file in self._merged(folder))

    def _merged(self, folder: str) -> list[ShardFile]:
        return current(self.store.names(folder, "merged-"))

    def read_shard(self, folder: str, shard: int, **options: Any) -> pa.Table:
        """One shard's table in `folder`; `options` are pyarrow's, for reading. Raises FileNotFoundError where
        it is not committed."""
        name = f"{folder}/{shard_file(shard)}"
        try:
            return schema.read_parquet(self.store.read(name), **options)
        except FileNotFoundError:
            for file in self._merged(folder):
                if shard in file.shards:
                    return read_merged(self.store, folder, file, shard, **options)
            raise

    def fingerprints(self) -> dict[str, dict[str, Any]]:
        """Every registered space and its full fingerprint."""
        files = (name for name in sorted(self.store.names("fingerprints")) if name.endswith(".json"))
        return {
            unquote(name.removesuffix(".json")): read_record(self.store, f"fingerprints/{name}", REWRITTEN)
            for name in files
        }

    def fingerprint(self, space: str) -> dict[str, Any] | None:
        """That of one space, None where it is not registered; asked by name, for a listing may be older
        than the registration."""
        try:
            return read_record(self.store, fingerprint_file(space), REWRITTEN)
        except FileNotFoundError:
            return None

    def register(self, space: str, fingerprint: dict[str, Any]) -> None:
        """Fix what `space` means in this lake; refuses another meaning, showing what differs, unless nothing
        was written yet under that. What a shard is stamped with is what the space means."""
        file, text = fingerprint_file(space), _text(fingerprint)
        is_new = self.fingerprint(space) is None and self.store.commit(file, text, replace=False)
        present = self.fingerprint(space)
        if present is not None and present != fingerprint and self._is_empty(space):
            is_new = self.store.commit(file, text)
        if is_new:  # a shard may be there whose file was lost, or another build's came meanwhile
            for _ in range(TRIES):
                stamped = self._stamped(space, present)
                if stamped is None or stamped == self.fingerprint(space):
                    break
                self.store.commit(file, _text(stamped))
        self.refuse_another(space, fingerprint)

    def commit_shard(
        self,
        space: str,
        shard: int,
        table: pa.Table,
        fingerprint: dict[str, Any],
        metadata: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Write a shard of `space`, stamped with the registered fingerprint; nothing where it is there.

        Raises UneError, and leaves nothing behind, where `fingerprint` is not the registered one: before a
        space has its first shard another build may register its name for something else. That is asked
        before and after, as the other asks for shards before and after it registers: one of them sees it.
        """
        name = f"{space_folder(space)}/{shard_file(shard)}"
        if any(shard in file.shards for file in self._merged(space_folder(space))):
            self._stamp(space, fingerprint)
            return
        stamp: dict[str, Any] = {"space": space, "shard": str(shard)}
        stamp |= {"fingerprint": self._stamp(space, fingerprint), **metadata}
        wrote = self.store.commit(name, schema.parquet(table, stamp), replace=False)
        try:
            self._stamp(space, fingerprint)
        except UneError:
            if wrote:
                self.store.remove(name)
            raise
        if wrote:
            self.withdraw_merged(space_folder(space), shard)

    def withdraw_merged(self, folder: str, shard: int) -> None:
        """Remove a shard's own file where a merged one has it already: while this build read the shard,
        another committed it and `une compact` merged it, and its rows would count twice."""
        if any(shard in file.shards for file in self._merged(folder)):
            self.store.remove(f"{folder}/{shard_file(shard)}")

    def _stamp(self, space: str, fingerprint: dict[str, Any]) -> dict[str, Any]:
        """The registered fingerprint, which is `fingerprint` but for keys that were added later."""
        present = self.fingerprint(space)
        if present is None:  # another build of the same failed, and forgot the space
            self.register(space, fingerprint)
            present = self.fingerprint(space) or fingerprint
        if differing := _differing(present, fingerprint):
            raise UneError(
                f"space {space!r} of {self.url} was registered anew by another build while this one read it,"
                f" {', '.join(differing)} differ: build one of them under another name, --spaces NAME=MODEL"
            )
        return present

    def forget_empty(self, fingerprints: Mapping[str, dict[str, Any]]) -> None:
        """Leave nothing behind of spaces that never got a shard, as of a model that can't be read; another's
        registration stays."""
        for space, fingerprint in fingerprints.items():
            if self._is_empty(space) and self.fingerprint(space) == fingerprint:
                self.store.remove(fingerprint_file(space))
                if stamped := self._stamped(space, fingerprint):  # another build's first came meanwhile
                    self.store.commit(fingerprint_file(space), _text(stamped), replace=False)

    def _stamped(self, space: str, otherwise: dict[str, Any] | None) -> dict[str, Any] | None:
        """The fingerprint that a shard of `space` is stamped with, `otherwise` where its file does not say;
        None where there is no shard. One footer is read."""
        for _ in range(TRIES):
            files = self.files(space_folder(space))
            if not files:
                return None
            try:
                said = metadata(self.store, f"{space_folder(space)}/{files[0].name}")
                return json.loads(said.get("fingerprint", "null")) or otherwise
            except FileNotFoundError:  # it was merged meanwhile, or withdrawn
                continue
            except (pa.ArrowInvalid, OSError, ValueError):  # which `une verify` names
                break
        return otherwise

    def _is_empty(self, space: str) -> bool:
        return not self.committed(space_folder(space))

    def refuse_another(self, space: str, fingerprint: dict[str, Any]) -> None:
        """Raise UneError where `space` is registered with another fingerprint; one of before there were
        roles says nothing of its own."""
        present = self.fingerprint(space)
        if present is None or self._is_empty(space):
            return
        if keys := _differing(present, fingerprint):
            shown = [(key, *_shown(present.get(key), fingerprint.get(key))) for key in keys]
            lines = [f"  {key}: lake has {theirs}, this build has {ours}" for key, theirs, ours in shown]
            remedy = "Build into another lake, or under another name: --spaces NAME=MODEL"
            if option := NAMED_BY.get(fingerprint.get("kind", "")):
                remedy = f"Take another {option}"
                if present.get("kind") == fingerprint["kind"]:  # what was made so can be made again
                    remedy += f", or first: une space remove {self.url} {space}"
            raise UneError(
                f"space {space!r} of {self.url} was built with another fingerprint; results would mix:\n"
                + "\n".join([*lines, remedy])
            )
