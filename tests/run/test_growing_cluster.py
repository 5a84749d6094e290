"""A cluster that is scaled from nothing: a build waits for the GPUs that it was promised, where they were
asked for, and is watched at work."""

import os
import re
import shutil
import tempfile
import threading
import time
from pathlib import Path
from unittest.mock import patch

import pytest
import ray
import requests
from ray import cluster_utils

from tests.faults import jobs
from tests.faults.scene import Left
from une_ray.cli.build import labels
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.lake.status import status
from une_ray.lake.verify import verify
from une_ray.run import ray_data
from une_ray.run.build import build
from une_ray.run.cluster import Cluster

MEMORY = {"object_store_memory": 80_000_000}
A100 = {"ray.io/accelerator-type": "A100"}
PATIENCE = 120.0
COUNTED = re.compile(
    r'^ray_une_images_total\{[^}]*stage="pixels-16"[^}]*status="ok"[^}]*\} [1-9]', re.MULTILINE
)


class Slow(ray_data.ReadSpace):
    """Half a second for a shard, so that one actor is not enough."""

    def read(self, packed, suspect):
        time.sleep(0.5)
        return super().read(packed, suspect)


@pytest.fixture
def cluster(own_ray):
    apart = tempfile.mkdtemp(prefix="une-", dir="/tmp")
    head = {
        "num_cpus": 0,
        "include_dashboard": False,
        "_system_config": {"metrics_report_interval_ms": 1000},
        **MEMORY,
    }
    with patch.dict(os.environ, RAY_TMPDIR=apart):
        found = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        ray.init(found.address, log_to_driver=False)
        yield found
    finally:
        ray.shutdown()
        found.shutdown()
        shutil.rmtree(apart, ignore_errors=True)


def until(what) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def scrape() -> str:
    """All nodes' Prometheus pages."""
    pages = [
        f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
        for node in ray.nodes()
        if node["Alive"]
    ]
    return "".join(requests.get(page, timeout=10).text for page in pages)


@pytest.mark.slow
def test_a_build_waits_for_promised_gpus_follows_the_cluster_as_it_grows_and_counts(cluster, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    options = {"shard_size": 2, "cluster": Cluster(gpus=2), "place": {"pixels-16": A100}}
    job = threading.Thread(
        target=build, args=(lake.url, "avatars:60", ["pixels-16"]), kwargs=options, daemon=True
    )
    with patch.object(ray_data, "stage", lambda space: Slow):
        job.start()
        until(lake.exists)
        cluster.add_node(num_cpus=2, num_gpus=1, labels={"ray.io/accelerator-type": "L4"}, **MEMORY)
        until(lambda: lake.committed("images"))
        time.sleep(5)
        assert not list(Path(lake.url).glob("spaces/*/shard-*")), "a node of another kind was taken"
        cluster.add_node(num_cpus=1, num_gpus=1, labels=A100, **MEMORY)
        until(lambda: COUNTED.search(scrape()))
        images, space = status(lake).tables
        assert 1 <= space.shards < space.shards_total == 30 and images.shards >= space.shards
        job.join(PATIENCE)
    assert len(list(verify(lake))) == 3
    devices = (
        connect(lake)
        .execute("SELECT count(DISTINCT device), min(device) FROM runs WHERE stage = 'pixels-16'")
        .fetchone()
    )
    assert devices == (1, "cpu:0")


@pytest.mark.slow
def test_tasks_wait_for_promised_gpus(cluster, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    cluster.add_node(num_cpus=2, **MEMORY)
    job = threading.Thread(target=jobs.work, args=(lake, Cluster(gpus=1)), daemon=True)
    job.start()
    job.join(25)
    assert job.is_alive() and not lake.store.names(jobs.KIND), "CPUs were taken"
    cluster.add_node(num_cpus=1, num_gpus=1, **MEMORY)
    job.join(PATIENCE)
    assert jobs.left(None, lake) == Left(lost=0, doubled=0, different=0)


@pytest.mark.parametrize("place", ["sd15", "sd15:gpu", ":a=b", "sd15:=b", "sd15:a="])
def test_a_place_that_is_none_says_what_would_be(place):
    with pytest.raises(UneError, match="SPACE:LABEL=VALUE"):
        labels([place])


def test_places_are_collected_per_space_and_must_be_of_the_build():
    place = labels(["a/b:ray.io/accelerator-type=A100", "a/b:ray.io/market-type=on-demand", "c:x=y"])
    assert place == {"a/b": {**A100, "ray.io/market-type": "on-demand"}, "c": {"x": "y"}}
    with pytest.raises(UneError, match="unknown space 'a/b'; known, nearest first: pixels-16"):
        build("/nowhere", "avatars:5", ["pixels-16"], place=place)
