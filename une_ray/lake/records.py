"""The lake's records: small JSON files that say what it is. A damaged or lost one is said with its remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from une_ray.errors import UneError
from une_ray.lake.store import Store

GROWTH = re.compile(r"growth-(\d{5,})\.json")
PLANNED = {"corpus": str, "images": int, "shards": int, "plan_sha256": str}
"""What `noisezoo.json` and every record of growth say, and of what type it is."""
FROM_A_COPY = "restore it from a copy"


def growth_file(number: int) -> str:
    """The record of a lake's first growth, or its second, …"""
    return f"plan/growth-{number:05d}.json"


def read_record(
    store: Store,
    name: str,
    remedy: str = FROM_A_COPY,
    keys: Mapping[str, type] = MappingProxyType({}),
) -> dict[str, Any]:
    """What a record says. Raises FileNotFoundError, and UneError with the remedy where it is no JSON object
    or lacks one of `keys`."""
    try:
        record = json.loads(store.read(name))
    except IsADirectoryError as error:
        raise UneError(f"{store.url}/{name} is a folder, not a file; {remedy}") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise UneError(f"{store.url}/{name} is not JSON ({error}); {remedy}") from error
    if not isinstance(record, dict):
        raise UneError(f"{store.url}/{name} is {_shown(record)}, not a JSON object; {remedy}")
    refuse_lacking(store, name, record, keys, remedy)
    return record


def refuse_lacking(
    store: Store,
    name: str,
    record: Mapping[str, Any],
    keys: Mapping[str, type],
    remedy: str = FROM_A_COPY,
) -> None:
    """Raise UneError where a record lacks one of `keys`, or has something of another type."""
    for key, kind in keys.items():
        if key not in record:
            raise UneError(f"{store.url}/{name} lacks {key!r}: it is damaged; {remedy}")
        if not isinstance(record[key], kind):
            raise UneError(f"{store.url}/{name} has {key} {_shown(record[key])}: it is damaged; {remedy}")


def refuse_lost_growth(store: Store) -> None:
    """Raise UneError where a record of growth is gone and a later one is there: without it the later shards
    would be of no plan, and the next growth would take their numbers."""
    found = {int(match[1]) for match in map(GROWTH.fullmatch, store.names("plan", "growth-")) if match}
    lost = set(range(1, max(found, default=0))) - found
    if lost:
        raise UneError(
            f"{store.url}/{growth_file(min(lost))} is lost, and {growth_file(max(found))} is there; restore"
            " it from a copy, or build into another --lake. Delete none of the shards: they are sound"
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
