"""A lake in an object store: the same build, SQL and verify over a real S3 protocol on this machine."""

import os

import duckdb
import pyarrow as pa
import pytest
import ray

from tests.helpers.lakes import fill, items, keys_of, rows_of_every_view
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect, connect_many
from une_ray.lake.store import Store
from une_ray.lake.verify import verify
from une_ray.run.build import build


@pytest.fixture(scope="module")
def bucket():
    """An S3 server of moto's on a free port, and an empty bucket. Workers find it through the environment."""
    import boto3
    import s3fs
    from moto.server import ThreadedMotoServer

    # Tests that end the shared Ray come last, by when this fixture is made anew: a client that fsspec kept
    # would still ask the first server.
    s3fs.S3FileSystem.clear_instance_cache()
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "*",
    }
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    boto3.client("s3").create_bucket(Bucket="zoo")
    yield "s3://zoo"
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.update({key: value})
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_a_commit_is_whole_and_the_first_stays(bucket):
    store = Store(f"{bucket}/store")
    assert store.commit("a/b", b"first", replace=False) and not store.commit("a/b", b"second", replace=False)
    assert store.read("a/b") == b"first" and store.names("a") == {"b"} and store.names("nothing") == set()


def test_what_is_removed_is_gone_though_it_was_listed_before_it_came(bucket):
    store = Store(bucket)
    assert store.names("sweeps/one") == set()
    for name in ("one/state.json", "one/trial/rows.json", "two/state.json"):
        store.commit(f"sweeps/{name}", b"{}")
    store.remove("sweeps/one")
    assert not store.names("sweeps/one") and store.names("sweeps") == {"two"}
    store.remove("sweeps/one")
    store.remove("sweeps/two/state.json")
    assert not store.names("sweeps/two")


def test_what_another_process_writes_is_there_at_once(bucket):
    """DuckDB's globs too: the driver of an edit looks at `edits/` before its workers write, and after."""
    import boto3

    lake = create(Lake(f"{bucket}/shared"), "made-up:1", iter([Item("one", "", "train", "", {})]), 1)
    ask = "SELECT count(*) FROM read_parquet(getvariable('lake') || '/edits/*.parquet')"
    assert connect(lake).execute(ask).fetchone() == (0,) and not lake.store.exists("edits/new.parquet")
    table = pa.Table.from_pylist([{"edit": "e", "alpha": 1.0}], schema=results.find_table("edits").schema)
    boto3.client("s3").put_object(
        Bucket="zoo", Key="shared/edits/new.parquet", Body=schema.parquet(table, {})
    )
    assert connect(lake).execute(ask).fetchone() == (1,) and lake.store.exists("edits/new.parquet")


def test_a_picture_in_a_bucket_costs_one_request_and_one_too_large_is_cut_off(bucket, monkeypatch):
    import s3fs

    from une_ray.corpora import files

    store, asked = Store(f"{bucket}/pictures"), []
    for name, data in {"a.png": b"picture", "empty.png": b"", "large.png": bytes(100)}.items():
        store.commit(name, data)
    call = s3fs.S3FileSystem._call_s3

    async def counted(self, method, *arguments, **options):
        asked.append((method, options.get("Range")))
        return await call(self, method, *arguments, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    monkeypatch.setattr(files, "MAX_BYTES", 20)
    assert files.read_within(store.url, "a.png") == b"picture"
    assert [method for method, _ in asked] == ["get_object"]
    assert files.read_within(store.url, "empty.png") == b""
    with pytest.raises(files.Unreadable, match="file of 21 bytes or more is over the limit of 20"):
        files.read_within(store.url, "large.png")
    with pytest.raises(FileNotFoundError):
        files.read_within(store.url, "none.png")


@pytest.mark.long
def test_a_lake_in_s3_is_built_verified_read_and_left_alone(bucket, own_ray, tiny_spaces):
    # One GPU for three models; its workers must have the bucket in their environment.
    ray.init("local", num_cpus=4, num_gpus=1, include_dashboard=False, log_to_driver=False)
    url = f"{bucket}/lake"
    assert build(url, "avatars:24", tiny_spaces, shard_size=8).shards_done == 3
    assert len(list(verify(Lake(url)))) == 2 + 3
    connection = connect(Lake(url))
    assert connection.execute("SELECT space, images FROM counts").fetchall() == [
        ("clip", 24),
        ("dino", 24),
        ("sd", 24),
    ]
    assert connection.execute("SELECT count(*) FROM nearest('dino', 'avatar-0-00000003', 4)").fetchone() == (
        4,
    )
    assert build(url, "avatars:24", tiny_spaces).shards_done == 0
    with pytest.raises(UneError, match="was made with"):
        build(url, "avatars:24?seed=1", tiny_spaces[1:])


def test_spaces_and_probes_are_read_from_s3_and_beside_another_lake(bucket, tmp_path):
    lake = create(Lake(f"{bucket}/asked"), "made-up:1", iter([Item("one", "", "train", "", {})]), 1)
    local = create(Lake(str(tmp_path / "lake")), "made-up:1", iter([Item("one", "", "train", "", {})]), 1)
    roles = "SELECT space, role FROM {}spaces ORDER BY space"
    assert connect(lake).execute(roles.format("")).fetchall() == []
    lake.register("a/b", {"kind": "clip"})
    lake.register("pixels 16", {"kind": "pixels"})
    probe = {"space": "a/b", "attribute": "Even", "method": "ridge", "engine": "fast", "split_seed": 0}
    row = probe | {"status": "ok", "w": [3.0, 4.0], "b": 0.0, "auc": 0.5}
    results.commit(lake, "probes", {"latents": 1, "penalties": [0.5]}, [row])
    direction = "SELECT norm FROM {}direction('a/b', 'Even')"
    settings = "SELECT penalties, latents FROM {}probe_settings"
    beside = connect_many({"a": local, "b": lake})
    for connection, prefix in ((connect(lake), ""), (beside, "b.")):
        rows = connection.execute(roles.format(prefix)).fetchall()
        assert rows == [("a/b", "model"), ("pixels 16", "control")]
        assert connection.execute(direction.format(prefix)).fetchall() == [(5.0,)]
        assert connection.execute(settings.format(prefix)).fetchall() == [([0.5], 1)]
    assert beside.execute(roles.format("")).fetchall() == []
    with pytest.raises(duckdb.Error, match="this lake has no latents yet; une build makes them"):
        connect(lake).execute("FROM nearest('a/b', 'one', 1)").fetchall()


LONGEST_KEY = 900  # S3 allows 1,024 bytes


@pytest.mark.slow  # some hundred requests for every path
def test_no_view_depends_on_the_keys_above_a_lake_in_a_bucket(bucket):
    """As tests/lake/test_hive.py has it of folders: split=train in the path is no column of any table. Views
    over other views say nothing of their own, and each costs a second of requests."""
    import boto3

    plain = fill(create(Lake(f"{bucket}/plain"), "x:1", iter(items(4)), 4))
    expected = rows_of_every_view(plain.url, "%read_%(%")
    assert len(expected) > 10 and "images" in expected
    prefixes, prefix = [], ""
    for key in keys_of(expected):  # all of them, in as few paths as they fit into
        if len(prefix) + len(key) > LONGEST_KEY:
            prefixes, prefix = [*prefixes, prefix], ""
        prefix += f"{key}=train/"
    client = boto3.client("s3")
    names = [item["Key"] for item in client.list_objects_v2(Bucket="zoo", Prefix="plain/")["Contents"]]
    for above in [*prefixes, prefix]:
        for name in names:
            key = f"{above}lake/{name.removeprefix('plain/')}"
            client.copy_object(Bucket="zoo", Key=key, CopySource={"Bucket": "zoo", "Key": name})
        assert rows_of_every_view(f"{bucket}/{above}lake", "%read_%(%") == expected, above
