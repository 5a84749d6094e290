"""`une transfer` with a cluster finds what one process does, pairing every image with the same other one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.helpers import in_turn
from tests.helpers.planted import Planted
from une_ray.errors import UneError
from une_ray.geometry import partners
from une_ray.lake.compact import compact
from une_ray.lake.files import shard_file, sizes
from une_ray.lake.layout import Lake, space_folder
from une_ray.run.cluster import Cluster
from une_ray.studies.transfer import spread, study
from une_ray.studies.transfer.study import transfer

SPACES = ("enc", "gen/ddim50", "pixels-4")
REJECTED = {"enc": {"i0003", "i0700"}, "gen/ddim50": {"i1199"}}


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted(1200, SPACES)


def lake_of(planted: Planted, folder, merged: bool = False) -> Lake:
    """Five shards of three spaces, the last a short one, with other rejects in each."""
    lake = planted.lake(str(folder), REJECTED)
    planted.probe(lake, list(SPACES))
    if merged:  # of one space two by two, of another three by three
        bytes_of = sizes(lake.store, space_folder("gen/ddim50"))[shard_file(0)]
        list(compact(lake, int(2.6 * bytes_of), grace=0))
        ends = [{file.last for file in lake.files(space_folder(space))} for space in SPACES[:2]]
        assert ends[1] - ends[0]
    return Lake(lake.url)


def rows_of(lake: Lake, **options) -> list[dict]:
    transfer(lake, ["enc", "gen/ddim50"], ["pixels-4", "enc"], **options)
    query = "SELECT * EXCLUDE (config) FROM transfers ORDER BY source, target, map, attribute"
    return Lake(lake.url).session.sql(query).to_arrow_table().to_pylist()


def assert_alike(ours: list[dict], theirs: list[dict]) -> None:
    assert len(ours) == len(theirs) == 3 * 3 * 11
    for one, other in zip(ours, theirs):
        for key, value in one.items():
            approx = pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value
            assert other[key] == approx, key


@pytest.fixture(scope="module", params=[8192, 200])
def alone(request, planted, tmp_path_factory) -> Iterator[list[dict]]:
    """What one process finds where all images are partners, or a sample of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partners, "MOST", request.param)
        yield rows_of(lake_of(planted, tmp_path_factory.mktemp("alone") / "lake"))


@pytest.mark.parametrize(("rows", "merged"), [(1, False), (500, True), (1, True), (5000, False)])
def test_in_one_part_or_many_maps_are_those_of_one_process(
    planted, tmp_path, monkeypatch, alone, rows, merged
):
    monkeypatch.setattr(spread, "reduced", in_turn.reduced)
    joint = spread.joint_moments
    monkeypatch.setattr(study, "joint_moments", lambda *given: joint(*given, rows=rows))
    lake = lake_of(planted, tmp_path / "spread", merged)
    assert_alike(alone, rows_of(lake, cluster=in_turn.Nobody()))


@pytest.mark.usefixtures("shared_ray")
def test_on_rays_workers_too_and_a_fault_has_its_own_words(planted, tmp_path, monkeypatch):
    joint = spread.joint_moments
    monkeypatch.setattr(study, "joint_moments", lambda *given: joint(*given, rows=1))
    expected = rows_of(lake_of(planted, tmp_path / "alone"))
    lake = lake_of(planted, tmp_path / "spread")
    assert_alike(expected, rows_of(lake, cluster=Cluster(actors=1)))
    kept = planted.z["enc"][600, 2]
    planted.z["enc"][600, 2] = np.nan
    try:
        broken = planted.lake(str(tmp_path / "broken"), REJECTED)
    finally:
        planted.z["enc"][600, 2] = kept
    planted.probe(broken, list(SPACES))
    for cluster in (None, Cluster(actors=1)):
        with pytest.raises(UneError, match="^space 'enc' has a latent that is not finite; find it with"):
            rows_of(broken, cluster=cluster)
