"""`une probe` with a cluster finds what one process does; oracle of the moments: NumPy, of all rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.helpers import in_turn
from tests.helpers.lakes import FINGERPRINT
from tests.helpers.probed import ROWS, TRAIN, fill
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.geometry.gram import train_grams
from une_ray.lake.compact import compact
from une_ray.lake.files import shard_file, sizes
from une_ray.lake.latents import image_ids
from une_ray.lake.layout import Lake, space_folder
from une_ray.run import spreading
from une_ray.run.cluster import Cluster
from une_ray.studies.probes import study
from une_ray.studies.probes.study import probe

RANDOM = np.random.default_rng(3)
LATENTS = (RANDOM.standard_normal((ROWS, 12)) + 0.5).astype(np.float16)  # no direction of theirs is faint
SCORES = (LATENTS.astype(float) - 0.5) @ RANDOM.standard_normal((12, 3)) + RANDOM.standard_normal((ROWS, 3))
ABSENT = {"Bald": 5, "Smiling": 7, "Young": ROWS}  # every so-manieth image has no label of it
LABELS: dict = {
    name: [None if n % period == 2 and period < ROWS else bool(each > 0) for n, each in enumerate(scores)]
    for (name, period), scores in zip(ABSENT.items(), SCORES.T)
} | {"Constant": np.ones(ROWS, bool)}


def lake_of(folder, z=LATENTS) -> Lake:
    """Ten shards, the last a short one; i007 has no latent; three patterns of labels."""
    lake = fill(folder, {"enc": z}, LABELS, 16)
    lake.register("enc", FINGERPRINT)
    return lake


def fitted(lake: Lake, **options) -> list[dict]:
    """Rows of the view `probes`, of three splits."""
    (config,) = probe(lake, splits=3, permutations=2, **options).configs
    query = "SELECT * EXCLUDE (config) FROM probes WHERE config = ? ORDER BY attribute, split_seed"
    return Lake(lake.url).session.sql(query, params=[config]).to_arrow_table().to_pylist()


def assert_alike(ours: list[dict], theirs: list[dict]) -> None:
    """To 1e-6, of the largest weight where it is one of them."""
    assert len(ours) == len(theirs) == 3 * len(LABELS)
    for one, other in zip(ours, theirs):
        unit = max(1.0, np.abs(one["w"] or [0]).max())
        for key, value in one.items():
            if isinstance(value, float | list):
                assert np.allclose(other[key], value, rtol=1e-6, atol=1e-6 * unit), (one["method"], key)
            else:
                assert other[key] == value, key


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, list[dict]]:
    """What one process finds, by method."""
    lake = lake_of(tmp_path_factory.mktemp("alone") / "lake")
    return {method: fitted(lake, method=method) for method in study.SPREAD_METHODS}


@pytest.fixture
def parts(monkeypatch):
    """Sets about how many rows a part has, and that this process does them in turn."""

    def of(rows: int, elsewhere: bool = False) -> None:
        if not elsewhere:
            monkeypatch.setattr(spreading, "reduced", in_turn.reduced)
        spread = spreading.on_cluster
        monkeypatch.setattr(study, "on_cluster", lambda *given, of_row: spread(*given, of_row, rows))

    return of


@pytest.mark.parametrize("rows", [1, 80, 1000])
@pytest.mark.parametrize("method", ["ridge", "least-squares", "lda", "mean-difference"])
def test_in_one_part_two_or_ten_probes_are_those_of_one_process(tmp_path, alone, parts, method, rows):
    parts(rows)
    assert_alike(alone[method], fitted(lake_of(tmp_path / "lake"), method=method, cluster=in_turn.Nobody()))


def test_so_they_are_where_files_were_merged(tmp_path, alone, parts):
    parts(1)
    lake, folder = lake_of(tmp_path / "lake"), space_folder("enc")
    list(compact(lake, int(3.5 * sizes(lake.store, folder)[shard_file(0)]), grace=0))
    assert 2 <= len(lake.store.names(folder)) <= 5
    assert_alike(alone["ridge"], fitted(Lake(lake.url), cluster=in_turn.Nobody()))


def broken(row: int) -> np.ndarray:
    z = LATENTS.copy()
    z[row, 3] = np.inf
    return z


@pytest.mark.usefixtures("shared_ray")
def test_on_rays_workers_too_and_a_fault_has_its_own_words(tmp_path, alone, parts, monkeypatch):
    parts(40, elsewhere=True)
    lake = lake_of(tmp_path / "lake")
    assert_alike(alone["ridge"], fitted(lake, cluster=Cluster(actors=1)))
    ids = image_ids(lake, "enc")
    signs = torch.ones(len(ids), 1)
    test = np.isin([int(i[1:]) for i in ids.to_pylist()], TRAIN)[:, None] ^ True
    spread = spreading.on_cluster(Cluster(actors=1), lake, "enc", ids, 0, rows=40)
    (gram,) = train_grams(lambda: [], signs, test, np.ones(len(ids), bool), spread=spread)
    expected = np.cov(LATENTS[TRAIN].astype(float).T) * (len(TRAIN) - 1)
    unit = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert gram.count == len(TRAIN) and np.abs((gram.scatter().numpy() - expected) / unit).max() < 1e-6
    messages = []
    for name, cluster in (("one", None), ("other", Cluster(actors=1))):
        with pytest.raises(UneError) as caught:
            fitted(lake_of(tmp_path / name, broken(103)), cluster=cluster)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] and "the first is 'i103'" in messages[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "sql", "--address", "auto"], "--address goes with --engine fast: sql is a query"),
        (["--method", "pca-logistic", "--address", "auto"], "pca-logistic reads them again at every step"),
        (["--actors", "2"], "--actors 2 is of a cluster's tasks: name the cluster by --address"),
    ],
)
def test_what_no_cluster_does_is_said(tmp_path, options, message):
    lake = lake_of(tmp_path / "lake")
    said = CliRunner().invoke(app, ["probe", lake.url, *options])
    assert said.exit_code and message in " ".join(str(said.exception or said.output).split())
