"""The promises of a lake: what creating one fixes, what `une verify` finds, what a newer one does."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.lakes import fill, items, latent, write
from une_ray.errors import UneError
from une_ray.lake import parts, schema
from une_ray.lake.create import create, default_shard_size
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.session import connect
from une_ray.lake.verify import verify


@pytest.fixture
def lake(tmp_path) -> Lake:
    return fill(create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4))


def test_a_sound_lake_verifies(lake):
    lines = list(verify(lake))
    assert lines == [
        "plan: 10 images in 3 shards, every id once, hash as in the manifest",
        "images: 9 ok, 1 rejects, one row per id",
        "space a/b: 9 latents of length 4, one row per id, finite, fingerprint matches",
    ]


def space_rows(shard=0, **changes):
    return [latent(f"i{4 * shard + n}") | (changes if n == 0 else {}) for n in range(4)]


def other_plan(lake) -> bytes:
    rows = [row | {"caption": "another"} for shard in range(3) for row in lake.plan(shard).to_pylist()]
    return schema.parquet(pa.Table.from_pylist(rows, schema=schema.PLAN), {}, row_group_rows=4)


BREAKS = {
    "a row lost": (
        lambda lake: write(lake, f"{space_folder('a/b')}/{shard_file(0)}", space_rows()[1:], schema.SPACE),
        "lacks 'i0'",
    ),
    "a row twice": (
        lambda lake: write(
            lake, f"{space_folder('a/b')}/{shard_file(0)}", space_rows() + space_rows()[:1], schema.SPACE
        ),
        "repeats",
    ),
    "a row of elsewhere": (
        lambda lake: write(
            lake,
            f"{space_folder('a/b')}/{shard_file(0)}",
            space_rows(image_id="i99") + space_rows()[:1],
            schema.SPACE,
        ),
        "'i99' too many",
    ),
    "a latent not finite": (
        lambda lake: write(
            lake,
            f"{space_folder('a/b')}/{shard_file(0)}",
            space_rows(z=np.full(4, np.nan, np.float16)),
            schema.SPACE,
        ),
        "not finite",
    ),
    "a latent too short": (
        lambda lake: write(
            lake, f"{space_folder('a/b')}/{shard_file(0)}", space_rows(z=np.ones(3, np.float16)), schema.SPACE
        ),
        "several lengths",
    ),
    "a wrong norm": (
        lambda lake: write(
            lake, f"{space_folder('a/b')}/{shard_file(0)}", space_rows(norm=7.0), schema.SPACE
        ),
        "norms do not belong",
    ),
    "a reject without reason": (
        lambda lake: write(
            lake, f"{space_folder('a/b')}/{shard_file(0)}", space_rows(status="reject", z=None), schema.SPACE
        ),
        "a reject has a reason",
    ),
    "another fingerprint": (
        lambda lake: write(
            lake, f"{space_folder('a/b')}/{shard_file(0)}", space_rows(), schema.SPACE, {"model": "n"}
        ),
        "fingerprint is not the space's",
    ),
    "a torn file": (
        lambda lake: lake.store.commit(f"images/{shard_file(1)}", b"PAR1 torn"),
        "not readable Parquet",
    ),
    "a file lost": (
        lambda lake: lake.store.filesystem.rm(lake.store.path(f"images/{shard_file(1)}")),
        "images/shard-00001.parquet is missing",
    ),
    "another plan": (
        lambda lake: lake.store.commit(lake.parts[0].file, other_plan(lake)),
        "plan: its hash",
    ),
    "a stray file": (
        lambda lake: write(
            lake, f"{space_folder('a/b')}/copy-of-{shard_file(0)}", space_rows(), schema.SPACE
        ),
        "belongs to no shard",
    ),
    "a stray space": (
        lambda lake: write(lake, f"{space_folder('c')}/{shard_file(0)}", space_rows(), schema.SPACE),
        "is of no registered space",
    ),
    "a shard beyond the plan": (
        lambda lake: write(lake, f"images/{shard_file(3)}", [], schema.IMAGES),
        "shard-00003.parquet belongs to no shard .* restore plan/growth-00001.json if the lake grew by it",
    ),
    "a space whose fingerprint was lost": (
        lambda lake: lake.store.remove("fingerprints/a%2Fb.json"),
        "is of no registered space; .* where its fingerprint was lost, make the space as before",
    ),
    "rows in the empty file of images": (
        lambda lake: lake.store.commit("images/empty.parquet", lake.store.read(f"images/{shard_file(0)}")),
        "images/empty.parquet has 4 rows, which are of no shard; .* delete it",
    ),
    "rows in the empty file of no space": (
        lambda lake: write(lake, "spaces/space=none/empty.parquet", space_rows(), schema.SPACE),
        "spaces/space=none/empty.parquet has 4 rows",
    ),
    "a file of no space": (
        lambda lake: write(lake, f"spaces/space=none/{shard_file(0)}", space_rows(), schema.SPACE),
        "spaces/space=none/shard-00000.parquet belongs to no shard",
    ),
    "a changed label": (
        lambda lake: write(
            lake,
            f"images/{shard_file(0)}",
            [row | {"caption": "other"} for row in lake.read_table(f"images/{shard_file(0)}").to_pylist()],
            schema.IMAGES,
        ),
        "caption is not what the plan says",
    ),
    "a column too many": (
        lambda lake: lake.store.commit(f"images/{shard_file(0)}", schema.parquet(pa.table({"x": [1]}), {})),
        "are not those of format 1",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_verify_names_the_first_broken_promise(lake, what):
    damage, message = BREAKS[what]
    damage(lake)
    with pytest.raises(UneError, match=message):
        list(verify(Lake(lake.url)))


def test_a_latent_of_an_unreadable_image_is_found(lake):
    rows = [latent(f"i{n}") for n in range(3)] + [latent("i4") | {"image_id": "i3"}]
    write(lake, f"{space_folder('a/b')}/{shard_file(0)}", rows, schema.SPACE)
    with pytest.raises(UneError, match="'i3' has a latent, but images says"):
        list(verify(lake))


def test_making_the_same_lake_again_changes_nothing(lake):
    before = lake.store.read("noisezoo.json")
    create(Lake(lake.url), "test:10", iter(items()), 4)
    assert lake.store.read("noisezoo.json") == before


@pytest.mark.parametrize(
    ("corpus", "count", "size", "message"),
    [
        ("test:11", 10, 4, "was made with the corpus 'test:10', and this build names 'test:11'; use"),
        ("test:10", 10, 5, "was made with shards of 4 images, and this build asks for 5; use"),
        ("test:11", 10, 5, "the corpus 'test:10', .*; with shards of 4 images, .* 5; use the lake's own"),
        ("test:10", 9, 4, "1 of the 10 images of .* are in 'test:10' no more: 'i9'"),
    ],
)
def test_another_corpus_size_or_listing_is_refused(lake, corpus, count, size, message):
    with pytest.raises(UneError, match=message):
        create(Lake(lake.url), corpus, iter(items(count)), size)


def test_two_corpora_that_begin_one_lake_do_not_mix(tmp_path):
    """The first was killed before its manifest was there."""
    begun = Lake(str(tmp_path / "lake"))

    def killed():
        yield from items(6)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create(begun, "test:10", killed(), 4)
    other = create(begun, "other:3", iter(items(3)), 2)
    assert other.shards == 2 and next(verify(fill(other))).startswith("plan: 3 images")


def test_of_two_builds_that_make_one_lake_of_different_corpora_one_is_refused(tmp_path):
    lake = Lake(str(tmp_path / "lake"))

    def meanwhile():
        yield from items(6)
        create(Lake(lake.url), "other:3", iter(items(3)), 2)

    with pytest.raises(UneError, match="made meanwhile by another build, of 3 images of 'other:3'"):
        create(lake, "test:6", meanwhile(), 4)


def test_repeated_ids_and_empty_corpora_are_refused(tmp_path):
    with pytest.raises(UneError, match="'i0' comes 2 times"):
        create(Lake(str(tmp_path / "a")), "test:x", iter(items(3) + items(1)), 2)
    with pytest.raises(UneError, match="has no images"):
        create(Lake(str(tmp_path / "b")), "test:x", iter([]), 2)
    assert not Lake(str(tmp_path / "a")).exists()


def test_a_changed_fingerprint_is_refused_with_both_shown(lake):
    with pytest.raises(UneError, match="steps: lake has 3, this build has 50"):
        lake.register("a/b", {"model": "m", "steps": 50})
    lake.register("c/d", {"weights": f"{'same ' * 50}theirs"})
    lake.store.commit(f"{space_folder('c/d')}/{shard_file(0)}", b"latents")
    with pytest.raises(UneError, match=r"weights: lake has …[same ]{30}theirs', .* has …[same ]{30}ours'\n"):
        lake.register("c/d", {"weights": f"{'same ' * 50}ours"})


def test_a_lake_of_a_newer_version_is_refused(lake):
    newer = lake.manifest | {"version": 2}
    lake.store.commit("noisezoo.json", json.dumps(newer).encode())
    with pytest.raises(UneError, match="lake format 2, this une_ray reads up to 1; upgrade"):
        list(verify(Lake(lake.url)))


MANIFESTS = {
    "cut": (b'{"version": 1', "is not JSON .*; restore it from a copy"),
    "not UTF-8": (b"\xff\xfe", "is not JSON .*; restore it from a copy"),
    "a list": (b"[]", r"is \[\], not a JSON object; restore"),
    "nothing": (b"null", "is None, not a JSON object; restore"),
    "empty": (b"{}", "lacks 'version': it is damaged; restore"),
    "a version in words": (b'{"version": "2"}', "has version '2': it is damaged; restore"),
    "half": (b'{"version": 1, "corpus": "test:10"}', "lacks 'images': it is damaged; restore"),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_damaged_manifest_is_named_with_its_remedy(lake, what):
    data, message = MANIFESTS[what]
    lake.store.commit("noisezoo.json", data)
    for use in (lambda damaged: damaged.existing(), lambda damaged: list(verify(damaged))):
        with pytest.raises(UneError, match=f"noisezoo.json {message}"):
            use(Lake(lake.url))


def test_a_manifest_that_is_a_folder_is_no_lake(tmp_path):
    (tmp_path / "noisezoo.json").mkdir()
    with pytest.raises(UneError, match="noisezoo.json is a folder, not a file"):
        Lake(str(tmp_path)).existing()


def test_a_part_of_the_plan_that_is_cut_is_named(lake):
    data = lake.store.read(lake.parts[0].file)
    lake.store.commit(lake.parts[0].file, data[:30])
    parts.forget_parts()
    with pytest.raises(UneError, match="plan/part-0000000-.* is damaged .* shards 0 to 2; restore it"):
        lake.plan(0)
    with pytest.raises(UneError, match="plan/part-0000000-.* is damaged .* shards 0 to 2; restore it"):
        list(verify(Lake(lake.url)))


def test_a_part_that_a_build_left_cut_is_written_again_by_the_next(tmp_path):
    """The disk was full, or the power went, before the manifest was there."""
    lake = create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4)
    part = lake.parts[0].file
    lake.store.commit(part, lake.store.read(part)[:30])
    lake.store.remove("noisezoo.json")
    parts.forget_parts()
    assert list(verify(fill(create(Lake(lake.url), "test:10", iter(items()), 4))))


def test_a_folder_that_is_no_lake_says_how_to_make_one(tmp_path):
    with pytest.raises(UneError, match="make one with: une build"):
        Lake(str(tmp_path)).existing()


def test_shards_number_about_sixteen_within_bounds():
    assert [default_shard_size(n) for n in (1, 200, 1000, 20_000, 10**8)] == [32, 32, 64, 256, 256]


def test_a_lake_of_an_earlier_une_ray_gets_the_tables_that_it_lacks(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4)
    shutil.rmtree(tmp_path / "lake" / "probes")
    assert connect(lake).execute("SELECT count(*) FROM probes").fetchall() == [(0,)]


def test_a_space_built_before_fingerprints_had_a_role_is_gone_on_with(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4)
    lake.register("a/b", {"weights": "w"})
    lake.store.commit(f"{space_folder('a/b')}/{shard_file(0)}", b"latents")
    lake.refuse_another("a/b", {"weights": "w", "role": "model"})
    with pytest.raises(UneError, match="weights: lake has 'w', this build has 'v'"):
        lake.refuse_another("a/b", {"weights": "v", "role": "model"})


def test_a_space_without_a_shard_leaves_nothing_behind_and_may_become_another(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4)
    lake.register("a/b", {"weights": "broken"})
    lake.register("a/b", {"weights": "mended"})
    assert lake.fingerprints() == {"a/b": {"weights": "mended"}}
    lake.register("c", {"weights": "w"})
    lake.store.commit(f"{space_folder('c')}/{shard_file(0)}", b"latents")
    lake.forget_empty({"a/b": {"weights": "another's"}})
    assert "a/b" in lake.fingerprints()
    lake.forget_empty({"a/b": {"weights": "mended"}, "c": {"weights": "w"}, "never registered": {}})
    assert list(lake.fingerprints()) == ["c"]
