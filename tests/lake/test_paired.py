"""Images that several spaces have; the oracle is how the lake was made."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.planted import Planted
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.corpora.base import split_of
from une_ray.lake import results
from une_ray.lake.paired import left_out, paired_images
from une_ray.lake.stored_maps import STORED
from une_ray.studies.edits.images import selected
from une_ray.studies.maps.columns import MAPS
from une_ray.studies.maps.study import fit_maps
from une_ray.studies.shared.columns import SHARED_MAPS
from une_ray.studies.shared.study import shared_space
from une_ray.studies.transfer.columns import TABLE as TRANSFERS
from une_ray.studies.transfer.section import QUERY
from une_ray.studies.transfer.study import transfer


@pytest.fixture(scope="module")
def made() -> Planted:
    return Planted(count=3000, spaces=("enc", "gen/ddim50"))


@pytest.fixture(scope="module")
def lake(made, tmp_path_factory) -> Lake:
    return open_lake(made.lake(str(tmp_path_factory.mktemp("paired") / "lake")).url)


def test_their_order_is_the_same_in_every_run_as_random_draws_are_by_place(made, lake):
    images = paired_images(lake, ["enc", "gen/ddim50"], made.attributes)
    assert images.train.to_pylist() == sorted(made.ids[~made.test].tolist())
    assert images.test.to_pylist() == sorted(made.ids[made.test].tolist())
    assert (images.train_labels == made.labels[~made.test]).all()


def with_copies(made: Planted) -> Planted:
    """The same with two copies of every third picture, at the end, on the side of its own."""
    copied, first = (
        Planted(count=len(made.ids), spaces=tuple(made.z)),
        np.arange(0, len(made.ids), 3).repeat(2),
    )
    names = [
        next(name for n in range(place, 10**6, len(first)) if split_of(name := f"{i}-{n}") == split_of(i))
        for place, i in enumerate(made.ids[first])
    ]
    copied.ids, copied.bytes = np.concatenate([made.ids, names]), [*made.ids, *made.ids[first]]
    copied.labels = np.concatenate([made.labels, made.labels[first]])
    copied.z = {space: np.concatenate([z, z[first]]) for space, z in made.z.items()}
    copied.captions = copied.groups = [None] * len(copied.ids)
    return copied


def test_exact_copies_count_once_in_what_is_fitted_measured_and_edited(tmp_path: Path, capsys):
    """Oracle: a lake without them."""
    spaces = ["enc", "gen/ddim50"]
    made = Planted(count=300, spaces=tuple(spaces))
    copied = with_copies(made)
    plain, lake = (each.lake(str(tmp_path / name)) for name, each in (("plain", made), ("copied", copied)))
    images, once = paired_images(lake, spaces), paired_images(plain, spaces)
    assert (images.train, images.test) == (once.train, once.test) and (images.copies, once.copies) == (200, 0)
    assert not left_out(lake, spaces, images)
    every = paired_images(lake, spaces, with_copies=True)
    assert (len(every.train) + len(every.test), every.copies) == (500, 0)
    edited = selected(lake, spaces, 10_000)
    assert len(edited) == len(once.test) and {i.split("-")[0] for i in edited} == set(once.test.to_pylist())

    classes = ["Attribute 0", "Attribute 3"]
    fits = [fit_maps(each, "gen/ddim50", "enc", classes=classes, draws=2).fits for each in (plain, lake)]
    alike = [each.drop_columns(["config"]) for each in fits]
    assert len(alike[0]) > 20 and alike[0] == alike[1]
    copied.probe(lake, ["enc"])
    rows = transfer(lake, ["gen/ddim50"], ["enc"]).table.to_pylist()
    assert {(row["train"], row["test"]) for row in rows} == {(len(once.train), len(once.test))}
    assert capsys.readouterr().err.count("left out: 200 exact copies of other images") == 2


def test_what_an_earlier_version_fitted_with_copies_gives_way(tmp_path: Path, monkeypatch, capsys):
    spaces = ["enc", "gen/ddim50"]
    made = Planted(count=300, spaces=tuple(spaces))
    copied = with_copies(made)
    lake = copied.lake(str(tmp_path / "lake"))
    copied.probe(lake, ["enc"])
    images = paired_images(lake, spaces)
    with monkeypatch.context() as earlier:
        whole = partial(paired_images, with_copies=True)
        for study in ("maps", "shared", "transfer"):
            earlier.setattr(f"une_ray.studies.{study}.study.paired_images", whole)
        for table in (MAPS, SHARED_MAPS, TRANSFERS):
            columns = pa.schema([field for field in table.schema if field.name != "copies"])
            earlier.setitem(results.tables(), table.name, replace(table, schema=columns))
        fit_maps(lake, "gen/ddim50", "enc", draws=2)
        transfer(lake, ["gen/ddim50"], ["enc"])
        shared_space(lake, spaces, "both", dim=3)
    for table in ("maps", "shared_maps", "transfers"):
        assert lake.rows(f"SELECT DISTINCT train > ?, copies FROM {table}", [len(images.train)]) == [
            (True, None)
        ]
    fit_maps(lake, "gen/ddim50", "enc", draws=2)
    transfer(lake, ["gen/ddim50"], ["enc"])
    stored = lake.rows(STORED, ["gen/ddim50", "enc", "ridge", True, 0, *prints(lake, "gen/ddim50", "enc")])
    newer = lake.rows("SELECT sha256 FROM maps WHERE copies = 200 AND map = 'ridge'")
    assert len(newer) == 1 and newer[0][0] in stored[0]
    rows = lake.rows(QUERY)
    expected = lake.rows("SELECT map, r2 FROM transfers WHERE copies = 200 AND attribute IS NULL")
    assert {(row[2], row[5]) for row in rows} == set(expected) and len(expected) == 3
    capsys.readouterr()
    shared_space(lake, spaces, "both", dim=3)
    assert "both was fitted with copies by an earlier une_ray: remove the space" in capsys.readouterr().err


def prints(lake, *spaces: str) -> list[str]:
    return [results.config_hash(lake.fingerprints()[space]) for space in spaces]
