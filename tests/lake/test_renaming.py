"""A space gets another name, or goes, with all that hangs on it; killed anywhere, the same call finishes
it."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tests.helpers.lakes import fill, items
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.renaming import remove_space, rename_space, what_hangs_on
from une_ray.lake.status import status
from une_ray.lake.store import Store
from une_ray.lake.verify import verify

SPACE, NEW = "a/b", "c/d"
PROBES = {"space": SPACE, "method": "ridge"}
TRANSFER = {"source": "other", "target": SPACE, "probes": [[], [results.config_hash(PROBES)]]}
APART = {"source": "other", "target": "third", "probes": [[], []]}
EDIT = {
    "edit": {"space": "other", "judges": {SPACE: ["hash", [results.config_hash(PROBES)]]}},
    "images": ["i0"],
}


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = fill(create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4))
    results.commit(lake, "probes", PROBES, [{"space": SPACE, "attribute": "Even", "w": [1.0, 2.0]}])
    results.commit(lake, "transfers", TRANSFER, [{"source": "other", "target": SPACE}])
    results.commit(lake, "transfers", APART, [{"source": "other", "target": "third"}])
    edit = results.config_hash(EDIT["edit"])
    results.commit(
        lake,
        "edits",
        EDIT,
        [{"edit": edit, "space": "other", "judge": SPACE, "image_id": "i0", "alpha": 1.0}],
    )
    command = ["edit", "--space", "other", "--judges", f"third,{SPACE}"]
    results.commit(lake, "sweeps", {"sweep": "s", "settings": {}}, [{"study": "s", "command": command}])
    return lake


def latents(lake: Lake, space: str) -> np.ndarray:
    return np.array(
        [
            z
            for (z,) in Lake(lake.url).rows(
                "SELECT z FROM latents WHERE space = ? ORDER BY image_id", [space]
            )
        ]
    )


def assert_renamed(lake: Lake, before: np.ndarray) -> None:
    lake = Lake(lake.url)
    assert (
        list(lake.fingerprints()) == [NEW]
        and np.array_equal(latents(lake, NEW), before)
        and len(list(verify(lake))) == 3
    )
    assert lake.rows("SELECT DISTINCT space FROM readings") == [(NEW,)]
    probes = results.config_hash(PROBES | {"space": NEW})
    assert lake.rows("SELECT space, config FROM probes") == [(NEW, probes)]
    transfer = {"source": "other", "target": NEW, "probes": [[], [probes]]}
    assert set(lake.rows("SELECT target, config FROM transfers")) == {
        (NEW, results.config_hash(transfer)),
        ("third", results.config_hash(APART)),
    }
    edit = {"space": "other", "judges": {NEW: ["hash", [probes]]}}
    assert lake.rows("SELECT judge, edit, config FROM edits") == [
        (NEW, results.config_hash(edit), results.config_hash(EDIT | {"edit": edit}))
    ]
    assert lake.rows("SELECT command[5] FROM sweeps") == [(f"third,{NEW}",)]
    assert not lake.store.names("renames")


def test_a_renamed_space_is_the_same_under_its_new_name_and_so_is_all_that_was_computed_from_it(lake):
    before = latents(lake, SPACE)
    rename_space(lake, SPACE, NEW)
    assert_renamed(lake, before)


@pytest.mark.parametrize("calls", range(1, 26, 2))
def test_killed_anywhere_the_same_call_goes_on(lake, monkeypatch, calls):
    before, count = latents(lake, SPACE), [0]

    def dying(original):
        def call(self, *arguments, **options):
            count[0] += 1
            if count[0] > calls:
                raise KeyboardInterrupt
            return original(self, *arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit", dying(Store.commit))
        patch.setattr(Store, "remove", dying(Store.remove))
        try:
            rename_space(lake, SPACE, NEW)
        except KeyboardInterrupt:
            rename_needed = SPACE in Lake(lake.url).fingerprints()
            patch.undo()
            if rename_needed:
                rename_space(Lake(lake.url), SPACE, NEW)
            else:
                lake.store.remove("renames")
    assert_renamed(lake, before)


def test_a_removed_space_takes_with_it_what_it_had_a_part_in_and_nothing_else(lake):
    remove_space(lake, SPACE)
    lake = Lake(lake.url)
    assert not lake.fingerprints() and not lake.rows("FROM latents")
    assert lake.rows("SELECT target FROM transfers") == [("third",)]
    assert not lake.rows("FROM probes") and not lake.rows("FROM edits") and not lake.rows("FROM sweeps")


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("a/c", "x", "unknown space 'a/c'; known, nearest first: a/b"),
        (SPACE, "no name", "can't name a space"),
        (SPACE, "taken", "has a space 'taken' already"),
    ],
)
def test_what_cannot_be_renamed_says_why(lake, name, to, message):
    lake.register("taken", {"weights": "w"})
    with pytest.raises(UneError, match=message):
        rename_space(lake, name, to)


def test_a_rename_that_was_begun_is_finished_first(lake):
    lake.store.commit("renames/a%2Fb.json", json.dumps({SPACE: "e"}).encode())
    with pytest.raises(UneError, match="is being renamed to e"):
        rename_space(lake, SPACE, NEW)


def test_a_removal_says_beforehand_what_goes_and_asks(lake):
    said = what_hangs_on(lake, SPACE)
    assert "of probes" in said and "edits with their pictures and what other judges said" in said
    lake.register("made", {"kind": "derived", "sources": [results.config_hash(lake.fingerprints()[SPACE])]})
    assert what_hangs_on(Lake(lake.url), SPACE).endswith("; made, made of it, stay")
    for answer in ("n\n", ""):
        asked = CliRunner().invoke(app, ["space", "remove", lake.url, SPACE], input=answer)
        assert "--yes" in str(asked.exception) and "edits" in asked.output
    assert SPACE in Lake(lake.url).fingerprints()


def test_the_commands_take_the_lake_either_way(lake):
    renamed = CliRunner().invoke(app, ["space", "rename", lake.url, SPACE, NEW])
    assert renamed.exit_code == 0 and list(Lake(lake.url).fingerprints()) == [NEW], renamed.output
    short = CliRunner().invoke(app, ["space", "rename", lake.url, NEW])
    assert short.exit_code == 2 and "NAME and TO" in short.output
    removed = CliRunner().invoke(app, ["space", "remove", NEW, "--lake", lake.url, "--yes"])
    assert removed.exit_code == 0 and not Lake(lake.url).fingerprints(), removed.output


def test_runs_go_with_a_space_and_do_not_count_for_the_next_of_its_name(lake):
    run = {
        "run_id": "r",
        "images": 4,
        "rejects": 3,
        "seconds": 1.0,
        "started": datetime(2026, 1, 1, tzinfo=UTC),
    }
    rows = [run | {"shard": shard, "stage": stage} for shard in range(3) for stage in ("read", SPACE)]
    table = pa.Table.from_pylist(rows, schema=schema.RUNS)
    lake.store.commit("runs/r-00000.parquet", schema.parquet(table, {}))

    def rejects() -> dict[str, int]:
        return {table.name: table.rejects for table in status(Lake(lake.url)).tables}

    assert rejects() == {"images": 9, SPACE: 9}
    rename_space(lake, SPACE, NEW)
    assert rejects() == {"images": 9, NEW: 9}
    fill(Lake(lake.url), NEW)
    remove_space(Lake(lake.url), NEW)
    fill(Lake(lake.url), NEW)
    assert rejects() == {"images": 9, NEW: 1}  # counted in its files
