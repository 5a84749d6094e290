"""Nothing that is alike stands on both sides of a split: copies of a picture, people, looks."""

import hashlib
import io
import json
import zlib

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.helpers.lakes import write
from tests.helpers.pictures import png
from une_ray.corpora import open_corpus
from une_ray.corpora.base import Item, split_of
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.latents import FOLDS, groups_of, image_ids, labels_and_folds, on_both_sides
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.parts import plan_digest
from une_ray.lake.verify import verify
from une_ray.run.shard import images_table
from une_ray.studies.probes.study import probe

COINS = [f"coin {n}" for n in range(12)]


def built(url: str, items: list[Item], pictures: dict[str, bytes], dim: int = 40) -> Lake:
    """A lake as a build leaves it: a space `enc` of random numbers, the same for equal pictures."""
    lake = create(Lake(url), "test:1", iter(items), 256)
    lake.register("enc", {"model": "m", "steps": 3})
    for shard in range(lake.shards):
        plan = lake.plan(shard)
        contents = [pictures[source] for source in plan["source"].to_pylist()]
        lake.store.commit(f"images/{shard_file(shard)}", schema.parquet(images_table(plan, contents), {}))
        latents = [np.random.default_rng(zlib.crc32(data)).standard_normal(dim) for data in contents]
        rows = [
            {"image_id": i, "status": "ok", "z": z.astype(np.float16), "norm": np.linalg.norm(z)}
            for i, z in zip(plan["image_id"].to_pylist(), latents)
        ]
        write(lake, f"{space_folder('enc')}/{shard_file(shard)}", rows, schema.SPACE)
    return lake


def copies(count: int, times: int, split=lambda image_id: None) -> tuple[list[Item], dict[str, bytes]]:
    """So many pictures, each under several names, and coins that were flipped once for each picture."""
    coins = np.random.default_rng(0).random((count, len(COINS))) < 0.5
    pictures = {str(n): png((8, 8), seed=n) for n in range(count)}
    named = [(f"copy-{time}-{n}", n) for time in range(times) for n in range(count)]
    items = [
        Item(name, str(n), split(name), None, dict(zip(COINS, map(bool, coins[n])))) for name, n in named
    ]
    return items, pictures


def test_copies_of_a_picture_stand_on_one_side_and_coins_stay_coins(tmp_path):
    lake = built(str(tmp_path / "lake"), *copies(250, 3))
    list(verify(lake))
    assert set(on_both_sides(lake, range(FOLDS)).values()) == {0}
    assert len(np.unique(groups_of(lake, image_ids(lake, "enc")))) == 250
    (row,) = probe(lake, permutations=19).table.to_pylist()
    assert row["auc"] == pytest.approx(0.5, abs=0.05)  # it was .978, and significant throughout
    assert row["significant"] < 0.2


def test_a_split_that_the_corpus_states_is_kept_and_pictures_on_both_sides_are_counted(tmp_path):
    items, pictures = copies(60, 3, split_of)
    lake, said = built(str(tmp_path / "lake"), items, pictures), []
    both = {source for _, source, split, *_ in map(vars_of, items) if split == "test"} & {
        source for _, source, split, *_ in map(vars_of, items) if split == "train"
    }
    assert on_both_sides(lake, [0, 1]) == {0: 3 * len(both), 1: 0}
    probe(lake, permutations=0, report=said.append)
    assert any(f"{3 * len(both)} pictures stand on both sides of split 0" in line for line in said)


def test_a_group_that_a_stated_split_tears_apart_is_counted(tmp_path):
    splits = ("train", "test", "train", "train", "test")
    groups = ("ann", "ann", "ben", None, None)
    items = [
        Item(f"i{n}", str(n), split, None, {"Male": n % 2 == 0}, split_group=group and f"group/{group}")
        for n, (split, group) in enumerate(zip(splits, groups))
    ]
    lake = built(str(tmp_path / "lake"), items, {str(n): png((8, 8), seed=n) for n in range(5)})
    assert on_both_sides(lake, [0, 1]) == {0: 2, 1: 0}


def test_probes_of_a_lake_with_copies_name_how_many_and_those_of_others_keep_their_name(tmp_path):
    """Probes that were fitted before copies counted are fitted again; others are not."""
    query = """
        SELECT decode("value")::JSON->>'copies'
        FROM parquet_kv_metadata(getvariable('lake') || '/probes/*.parquet')
        WHERE key = 'config'::BLOB AND file_name NOT LIKE '%empty%'"""
    for times, counted in ((2, "40"), (1, None)):
        lake = built(str(tmp_path / f"{times}"), *copies(40, times))
        probe(lake, splits=1, permutations=0)
        assert lake.rows(query) == [(counted,)]


def vars_of(item: Item) -> tuple:
    return item.image_id, item.source, item.split


def test_about_a_fifth_is_the_test_split():
    assert 0.17 < np.mean([split_of(f"sha256/{n}") == "test" for n in range(3000)]) < 0.23


def test_five_seeds_test_every_picture_once(tmp_path):
    lake = built(str(tmp_path / "lake"), *copies(100, 2))
    ids = image_ids(lake, "enc")
    _, tested = labels_and_folds(lake, ids, COINS, list(range(FOLDS)))
    assert (tested.sum(1) == 1).all()
    splits = dict(lake.rows("SELECT image_id, split FROM images"))
    assert [splits[image_id] == "test" for image_id in ids.to_pylist()] == tested[:, 0].tolist()


def test_a_split_that_is_not_the_hashs_is_found(tmp_path):
    lake = built(str(tmp_path / "lake"), *copies(20, 1))
    rows = lake.read_table("images/shard-00000.parquet").to_pylist()
    rows[3]["split"] = "train" if rows[3]["split"] == "test" else "test"
    write(lake, "images/shard-00000.parquet", rows, schema.IMAGES)
    with pytest.raises(UneError, match="stands in split"):
        list(verify(lake))


def test_a_lake_of_an_earlier_une_ray_keeps_its_split(tmp_path):
    """Its plan has no groups, its splits are by id: one shard is there, the other is built now."""
    items, pictures = copies(300, 1)
    lake, old = Lake(str(tmp_path / "lake")), pa.schema([f for f in schema.PLAN if f.name != "split_group"])
    plan = [
        {
            "image_id": item.image_id,
            "source": item.source,
            "split": split_of(item.image_id),
            "caption": None,
            "attributes": list(item.attributes.items()),
            "factors": [],
        }
        for item in items
    ]
    old_images = pa.schema([field for field in schema.IMAGES if field.name != "split_group"])
    write(lake, "images/empty.parquet", [], old_images)
    write(
        lake,
        "images/shard-00000.parquet",
        images_table(
            pa.Table.from_pylist(plan[:256], schema=old), [pictures[row["source"]] for row in plan[:256]]
        )
        .drop_columns(["split_group"])
        .to_pylist(),
        old_images,
    )
    for shard in (0, 1):
        write(lake, f"plan/{shard_file(shard)}", plan[256 * shard : 256 * (shard + 1)], old)
    manifest = {"version": 1, "corpus": "test:1", "images": 300, "shard_size": 256, "shards": 2}
    digest = plan_digest(plan[:256]), plan_digest(plan[256:])
    lake.store.commit("plan/corpus.json", json.dumps({"corpus": "test:1", "shard_size": 256}).encode())
    manifest["plan_sha256"] = hashlib.sha256(b"".join(digest)).hexdigest()
    lake.store.commit("noisezoo.json", json.dumps(manifest).encode())
    built(lake.url, items, pictures)
    list(verify(Lake(lake.url)))
    lake = Lake(lake.url)
    assert lake.rows("SELECT count(*), count(split_group) FROM images") == [(300, 0)]
    assert all(split == split_of(i) for i, split in lake.rows("SELECT image_id, split FROM images"))


@pytest.fixture
def celeba(tmp_path):
    """Ninety pictures of thirty people, all of the partition val but three."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    files = [f"{n:06}.jpg" for n in range(1, 91)]
    parts = {file: "0" if n < 3 else "1" for n, file in enumerate(files)}
    (folder / "list_attr_celeba.txt").write_text(
        "90\nMale\n" + "".join(f"{file} {1 if n % 3 else -1}\n" for n, file in enumerate(files))
    )
    (folder / "list_eval_partition.txt").write_text("".join(f"{file} {parts[file]}\n" for file in files))
    (folder / "identity_CelebA.txt").write_text("".join(f"{file} {n % 30}\n" for n, file in enumerate(files)))
    return folder


def test_one_partition_of_celeba_is_split_by_people(celeba, tmp_path):
    corpus = open_corpus(f"celeba:{celeba}?partition=val")
    assert "split is by hashed fifths" in corpus.remarks()[0]
    items = list(corpus.items())
    lake = built(
        str(tmp_path / "lake"), items, {item.source: png((8, 8), seed=n) for n, item in enumerate(items)}
    )
    list(verify(lake))
    _, tested = labels_and_folds(lake, image_ids(lake, "enc"), ["Male"], list(range(FOLDS)))
    assert (tested.sum(1) == 1).all() and tested.any(0).all()
    person = np.array([int(item.image_id[:6]) % 30 for item in items])
    for who in range(30):
        assert len(np.unique(tested[person == who], axis=0)) == 1


def test_all_of_celeba_keeps_its_partitions_and_says_what_it_lacks(celeba):
    items = list(open_corpus(f"celeba:{celeba}").items())
    assert [item.split for item in items[2:4]] == ["train", "val"] and items[0].split_group == "identity/0"
    assert open_corpus(f"celeba:{celeba}").remarks() == []
    (celeba / "identity_CelebA.txt").unlink()
    (remark,) = open_corpus(f"celeba:{celeba}").remarks()
    assert "pictures of one person" in remark


def test_a_folder_of_one_stated_split_is_obeyed_and_says_what_that_leaves(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(png(seed=ord(name)))
    (tmp_path / "labels.csv").write_text("file,split\na.png,val\nb.png,val\nc.png,val\n")
    corpus = open_corpus(f"folder:{tmp_path}?table={tmp_path}/labels.csv")
    assert [item.split for item in corpus.items()] == ["val"] * 3
    assert any("all are stated to be val" in line and "?skip=split" in line for line in corpus.remarks())
    by_hash = open_corpus(f"folder:{tmp_path}?table={tmp_path}/labels.csv&skip=split")
    assert [item.split for item in by_hash.items()] == [None] * 3


def saved_again(data: bytes, side: int, quality: int) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((side, side)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def test_pictures_that_look_alike_can_be_kept_on_one_side(tmp_path):
    avatars = open_corpus("avatars:60")
    for n, item in enumerate(avatars.items()):
        data = avatars.read(item.source)
        for name, picture in {
            "a": data,
            "b": saved_again(data, 96, 85),
            "c": saved_again(data, 64, 80),
        }.items():
            (tmp_path / f"{n:02}-{name}.png").write_bytes(picture)
    corpus = open_corpus(f"folder:{tmp_path}?group=phash")
    assert open_corpus(corpus.name) == corpus
    items = list(corpus.items())
    lake = built(str(tmp_path / "lake"), items, {item.source: corpus.read(item.source) for item in items})
    list(verify(lake))
    rows = lake.rows(
        "SELECT image_id[:2] AS looks, count(DISTINCT split_group) = 1 FROM images GROUP BY looks"
    )
    assert np.mean([alike for _, alike in rows]) > 0.9
    assert lake.rows("SELECT count(DISTINCT split_group) > 30 FROM images") == [(True,)]
