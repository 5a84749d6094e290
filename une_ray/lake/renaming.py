"""Another name for a space, or its end, with all that hangs on it: latents, fingerprint, and every result
that was computed from it.

A result's file is named by the hash of all that decides it, a space's name among it, and other results
name that hash in turn: a renamed space's results get new names, and so do those that were computed from
them. Every file is written under its new name before the old one goes, and the fingerprint goes last, so
that a call that was killed is finished by the same call.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from une_ray.errors import UneError, unknown
from une_ray.lake import results, schema
from une_ray.lake.files import is_unfinished, metadata
from une_ray.lake.layout import COMPACTION, Lake, fingerprint_file, space_folder
from une_ray.lake.names import check_name

FIRST = ("probes",)  # whose hashes other results name
COLUMNS = ("space", "source", "target", "judge", "captions")  # of tables of results, that hold a space's name


def rename_space(lake: Lake, name: str, to: str) -> None:
    """Give the space `name` the name `to`, in its files and in every result.

    Raises UneError for a space that the lake has not, a name that is taken or can't be one.
    """
    check_name(to)
    fingerprints = lake.fingerprints()
    if name not in fingerprints:
        raise unknown("space", name, fingerprints)
    marker = f"renames/{quote(name, safe='')}.json"
    names: dict[str, str] = json.loads(lake.store.read(marker)) if lake.store.exists(marker) else {}
    if names.get(name, to) != to:
        raise UneError(
            f"{name} of {lake.url} is being renamed to {names[name]}; finish that first, by the same command"
        )
    if not names and to in fingerprints:
        raise UneError(
            f"{lake.url} has a space {to!r} already; choose another name, or remove that one first"
        )
    _refuse_merging(lake, name)
    names[name] = to
    lake.store.commit(marker, json.dumps(names).encode())
    lake.register(to, fingerprints[name])
    for file in sorted(lake.store.names(space_folder(name))):
        _copy_shard(lake, f"{space_folder(name)}/{file}", f"{space_folder(to)}/{file}", to)
    for table, file in _results(lake, name, names):
        names |= _rewrite(lake, table, file, names)
        lake.store.commit(
            marker, json.dumps(names).encode()
        )  # before the file goes that the new hashes came from
        if not any(file == f"{new}.parquet" for new in names.values()):
            lake.store.remove(f"{table}/{file}")
    _restage(lake, name, to)
    lake.store.remove(space_folder(name))
    lake.store.remove(fingerprint_file(name))
    lake.store.remove(marker)


def what_hangs_on(lake: Lake, name: str) -> str:
    """What `remove_space` would take beside the latents, and what it would leave, in words."""
    fingerprints = lake.fingerprints()
    counts = Counter(table for table, _ in _results(lake, name, {}))
    gone = [f"{count} of {table}" for table, count in sorted(counts.items())]
    own = results.config_hash(fingerprints[name])
    made_of_it = [space for space, facts in fingerprints.items() if own in facts.get("sources", ())]
    words = f"with it go its latents and {sum(counts.values())} results" + (
        f" ({', '.join(gone)})" if gone else ""
    )
    if counts["edits"]:
        words += ", edits with their pictures and what other judges said of them"
    return words + (f"; {', '.join(made_of_it)}, made of it, stay" if made_of_it else "")


def remove_space(lake: Lake, name: str) -> None:
    """Remove the space `name`, its latents and every result that it had a part in. Raises UneError for a
    space that the lake has not."""
    fingerprints = lake.fingerprints()
    if name not in fingerprints:
        raise unknown("space", name, fingerprints)
    _refuse_merging(lake, name)
    for table, file in _results(lake, name, {}):
        lake.store.remove(f"{table}/{file}")
        lake.store.remove(f"{table}/{file.removesuffix('.parquet')}")  # pictures of edits
    _restage(lake, name, None)
    lake.store.remove(space_folder(name))
    lake.store.remove(fingerprint_file(name))


def _refuse_merging(lake: Lake, name: str) -> None:
    """Raise UneError while files are merged, or were by a call that was killed."""
    if lake.store.exists(COMPACTION) or is_unfinished(lake.store.names(space_folder(name))):
        raise UneError(f"files of {lake.url} are being merged; wait, or une compact {lake.url} finishes it")


def _restage(lake: Lake, name: str, to: str | None) -> None:
    """Have `runs` name the space's stage `to`, or have no rows of it: another space may get its name."""
    for file in sorted(lake.store.names("runs")):
        table = schema.read_parquet(lake.store.read(f"runs/{file}"))
        stages = [to if stage == name else stage for stage in table["stage"].to_pylist()]
        if stages != table["stage"].to_pylist():
            column = table.column_names.index("stage")
            renamed = table.set_column(column, "stage", pa.array(stages, pa.string()))
            kept = renamed.filter(pc.is_valid(renamed["stage"]))
            lake.store.commit(f"runs/{file}", schema.parquet(kept, {}))


def _copy_shard(lake: Lake, old: str, new: str, to: str) -> None:
    table = schema.read_parquet(lake.store.read(old))
    stamped = metadata(lake.store, old)
    lake.store.commit(new, schema.parquet(table, stamped | {"space": to}))


def _results(lake: Lake, name: str, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(table, file) of every result that names the space or a result that is being renamed: `names` grows
    while they are rewritten."""
    tables = sorted(results.tables(), key=lambda table: (table not in FIRST, table))
    for table in tables:
        for file in sorted(lake.store.names(table)):
            if file.endswith(".parquet") and file != "empty.parquet":
                content = schema.read_parquet(lake.store.read(f"{table}/{file}"))
                mentioned = {name, *names}
                if _mentions(_config(content), mentioned) or _mentions(_words(content), mentioned):
                    yield table, file


def _config(table: pa.Table) -> Any:
    return json.loads((table.schema.metadata or {}).get(b"config", b"null"))


def _words(table: pa.Table) -> list[str]:
    """The words of the command that a sweep's trial is done again by, lists of names taken apart."""
    if "command" not in table.column_names:
        return []
    return [
        part for words in table["command"].to_pylist() for word in words or [] for part in word.split(",")
    ]


def _mentions(value: Any, names: set[str]) -> bool:
    if isinstance(value, dict):
        return any(key in names or _mentions(item, names) for key, item in value.items())
    if isinstance(value, list):
        return any(_mentions(item, names) for item in value)
    return isinstance(value, str) and value in names


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Texts and keys that are in `names` by their new names, at any depth."""
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _rewrite(lake: Lake, table: str, file: str, names: dict[str, str]) -> dict[str, str]:
    """Write one file of results under its new name; the hashes that change by it, old → new."""
    content = schema.read_parquet(lake.store.read(f"{table}/{file}"))
    config = _config(content)
    renamed = _renamed(config, names)
    hashes = {results.config_hash(config): results.config_hash(renamed)}
    if isinstance(config, dict) and "edit" in config:
        hashes[results.config_hash(config["edit"])] = results.config_hash(renamed["edit"])
    rows = [_row(row, names | hashes) for row in content.to_pylist()]
    results.commit(lake, table, renamed, rows, replace=True)
    return hashes


def _row(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    row = {
        key: names.get(value, value) if key in (*COLUMNS, "config", "edit") else value
        for key, value in row.items()
    }
    if row.get("command"):
        row["command"] = [
            ",".join(names.get(part, part) for part in word.split(",")) for word in row["command"]
        ]
    return row
