"""Images that several spaces have; the oracle is how the lake was made."""

import pytest

from tests.helpers.planted import Planted
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.lake.paired import paired_images


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
