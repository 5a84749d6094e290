"""Images that several spaces have; the oracle is how the lake was made."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.planted import Planted
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.corpora.base import split_of
from une_ray.lake.paired import left_out, paired_images
from une_ray.studies.edits.images import selected
from une_ray.studies.maps.study import fit_maps
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
    assert len(fits[0]) > 20 and fits[0] == fits[1]
    copied.probe(lake, ["enc"])
    rows = transfer(lake, ["gen/ddim50"], ["enc"]).table.to_pylist()
    assert {(row["train"], row["test"]) for row in rows} == {(len(once.train), len(once.test))}
    assert capsys.readouterr().err.count("left out: 200 exact copies of other images") == 2
