"""Vectors from elsewhere become a space that is like any other, and nothing that got lost stays unsaid."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import une_ray
from tests.helpers.lakes import fill, items
from tests.helpers.pictures import png
from une_ray.cli.main import app
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake as Files
from une_ray.run.shard import images_table

IDS = [f"i{n}" for n in range(10)]  # i3 is a reject of the lake
Z = np.random.default_rng(0).standard_normal((10, 6)).astype(np.float32)


@pytest.fixture
def lake(tmp_path) -> une_ray.Lake:
    made = fill(create(Files(str(tmp_path / "lake")), "x:1", iter(items(10)), 4))
    return une_ray.open(made.url)


def npy(folder, z=Z, ids=IDS):
    np.save(folder / "z.npy", z)
    (folder / "ids.txt").write_text("".join(f"{image_id}\n" for image_id in ids))
    return {"source": folder / "z.npy", "ids": folder / "ids.txt", "model": "ours"}


def test_an_array_and_its_ids(lake, tmp_path):
    said = lake.import_space("mine", **npy(tmp_path))
    assert (said.joined, said.without, list(said.strange)) == (9, 1, []) and "9 vectors joined" in str(said)
    latents = lake.space("mine").latents()
    assert latents.image_ids == [image_id for image_id in IDS if image_id != "i3"]
    assert np.array_equal(latents.z, Z[[0, 1, 2, 4, 5, 6, 7, 8, 9]].astype(np.float16))
    assert any("space mine: 9 latents of length 6" in line for line in lake.verify())
    assert lake.space("mine").fingerprint["model"] == "ours" and lake.space("mine").role == "model"


def test_the_same_again_changes_nothing_and_others_are_refused(lake, tmp_path):
    lake.import_space("mine", **npy(tmp_path))
    lake.import_space("mine", **npy(tmp_path))
    with pytest.raises(UneError, match="built with another fingerprint") as refusal:
        lake.import_space("mine", **npy(tmp_path, Z + 1))
    _, line, remedy = str(refusal.value).splitlines()
    assert line.startswith("  weights: lake has 'sha256:") and len(line) < 170
    assert remedy == f"Take another --space, or first: une space remove {lake.url} mine"


def test_vectors_of_no_number_and_a_model_of_no_word_are_refused(lake, tmp_path):
    with pytest.raises(UneError, match=r"z.npy holds vectors of no number, of shape \(10, 0\); make them"):
        lake.import_space("mine", **npy(tmp_path, Z[:, :0]))
    pq.write_table(
        pa.table({"id": ["i0"], "z": pa.array([[]], pa.list_(pa.float32()))}), tmp_path / "v.parquet"
    )
    with pytest.raises(UneError, match=r"v.parquet holds vectors of no number, of shape \(1, 0\)"):
        lake.import_space("mine", tmp_path / "v.parquet", "ours")
    with pytest.raises(UneError, match="model=' ' says nothing; say what made the vectors"):
        lake.import_space("mine", **npy(tmp_path) | {"model": " "})
    assert "mine" not in lake.spaces


def test_parquet_by_the_ends_of_paths_in_any_order(lake, tmp_path):
    order = [7, 2, 5]
    table = {"path": [f"/data/photos/i{n}" for n in order], "emb": list(Z[order]), "note": ["x"] * 3}
    pq.write_table(pa.table(table), tmp_path / "v.parquet")
    said = lake.import_space("mine", tmp_path / "v.parquet", "ours")
    assert (said.joined, said.without) == (3, 7)
    assert np.array_equal(lake.space("mine").latents().z, Z[[2, 5, 7]].astype(np.float16))
    assert lake.rows("SELECT count(*) FROM rejects WHERE space = 'mine' AND error LIKE 'no vector in%'") == [
        (6,)
    ]
    pq.write_table(pa.table({"path": ["i1"], "mine": [[1.0]]}), tmp_path / "w.parquet")
    with pytest.raises(UneError, match="none of the columns .*it has path, mine: name yours with --column"):
        lake.import_space("other", tmp_path / "w.parquet", "ours")
    assert lake.import_space("other", tmp_path / "w.parquet", "ours", column="mine").joined == 1


def test_an_id_that_only_ends_in_an_images_name_is_not_taken_for_it(lake, tmp_path):
    said = lake.import_space("mine", **npy(tmp_path, Z[:3], ["i0", "i1", "sub/i1"]))
    assert said.joined == 2 and list(said.strange) == ["sub/i1"]
    with pytest.raises(UneError, match="below different folders, as 'train/i0' and 'val/i1'"):
        lake.import_space("other", **npy(tmp_path, Z[:2], ["train/i0", "val/i1"]))


def test_a_missing_vector_is_a_reject_and_a_bad_name_is_refused(lake, tmp_path):
    table = pa.table({"id": ["i0", "i1"], "emb": [[1.0, 2.0], None]})
    pq.write_table(table, tmp_path / "v.parquet")
    assert lake.import_space("mine", tmp_path / "v.parquet", "ours").joined == 1
    for name in ("", "a=b c//"):
        with pytest.raises(UneError):
            lake.import_space(name, tmp_path / "v.parquet", "ours")
    with pytest.raises(UneError, match="holds no vector"):
        lake.import_space("none", **npy(tmp_path, Z[:0], []))


def test_clip_retrievals_folder(lake, tmp_path):
    for name in ("img_emb", "metadata"):
        (tmp_path / "r" / name).mkdir(parents=True)
    for part, rows in enumerate((range(6), range(6, 10))):
        np.save(tmp_path / f"r/img_emb/img_emb_{part:02}.npy", Z[rows].astype(np.float16))
        metadata = pa.table({"image_path": [f"/x/i{n}" for n in rows], "caption": ["c"] * len(rows)})
        pq.write_table(metadata, tmp_path / f"r/metadata/metadata_{part:02}.parquet")
    assert lake.import_space("clip", tmp_path / "r", "ViT-L/14").joined == 9
    assert np.array_equal(lake.space("clip").latents().z[-1], Z[9].astype(np.float16))


def test_img2datasets_keys_are_names_without_folders_and_suffixes(tmp_path):
    """Its pictures are 00000/000000012.jpg, its tables and clip-retrieval's over its tars say 000000012."""
    names = [f"{shard:05d}/{shard:05d}{n:04d}.jpg" for shard in (0, 1) for n in range(3)]
    files = create(Files(str(tmp_path / "lake")), "x:1", iter([Item(name, "") for name in names]), 4)
    for shard in range(files.shards):
        rows = images_table(files.plan(shard), [png((4, 4), seed=n) for n in range(len(files.plan(shard)))])
        files.store.commit(f"images/shard-{shard:05d}.parquet", schema.parquet(rows, {}))
    lake = une_ray.open(files.url)
    table = {"url": ["u"] * 3, "key": ["000010001", "000000002", "000090000"], "embedding": list(Z[:3])}
    pq.write_table(pa.table(table), tmp_path / "00000.parquet")
    said = str(lake.import_space("mine", tmp_path / "00000.parquet", "ours"))
    assert said.startswith("mine: 2 vectors joined to images by names without suffixes; 1 are of no image")
    latents = lake.space("mine").latents()
    assert latents.image_ids == ["00000/000000002.jpg", "00001/000010001.jpg"]
    assert np.array_equal(latents.z, Z[[1, 0]].astype(np.float16))
    pq.write_table(
        pa.table(table | {"key": ["10001", "2", "9"]}), tmp_path / "00001.parquet"
    )  # as whole numbers
    with pytest.raises(UneError, match="none of 3 ids is an image .*'10001'.*--id-column"):
        lake.import_space("other", tmp_path / "00001.parquet", "ours")


def test_row_numbers_are_not_taken_for_the_names_of_files(tmp_path):
    items = [Item(f"{n}.jpg", "") for n in (1, 2, 3)]
    files = create(Files(str(tmp_path / "lake")), "x:1", iter(items), 4)
    rows = images_table(files.plan(0), [png((4, 4), seed=n) for n in range(3)])
    files.store.commit("images/shard-00000.parquet", schema.parquet(rows, {}))
    lake = une_ray.open(files.url)
    pq.write_table(pa.table({"id": [0, 1, 2], "embedding": list(Z[:3])}), tmp_path / "rows.parquet")
    with pytest.raises(
        UneError, match="1 of 3 ids are no image's name .* '0', .* row numbers would be taken"
    ):
        lake.import_space("mine", tmp_path / "rows.parquet", "ours", id_column="id")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["[0.1, 0.2]", "[0.3, 0.4]"], "string"),  # as pandas writes lists into CSV (Arize-ai/phoenix#22)
        ([Z[0].tobytes(), Z[1].tobytes()], "binary"),  # dask#6292
        ([[1, 2], [3, 4]], "list<.*int64>"),
        ([0.1, 0.2], "double"),
    ],
)
def test_vectors_written_as_texts_bytes_or_numbers_are_refused(lake, tmp_path, column, kind):
    pq.write_table(pa.table({"id": ["i0", "i1"], "embedding": column}), tmp_path / "v.parquet")
    with pytest.raises(UneError, match=f"column 'embedding' of .* is {kind}, and vectors are lists of"):
        lake.import_space("mine", tmp_path / "v.parquet", "ours")


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed"])
def test_lists_of_every_kind_are_vectors(lake, tmp_path, kind):
    kinds = {
        "list": pa.list_(pa.float16()),
        "large_list": pa.large_list(pa.float64()),
        "fixed": pa.list_(pa.float32(), 2),
    }
    embeddings = pa.array([[1.0, 2.0], None, [3.0, None]], kinds[kind])
    pq.write_table(pa.table({"id": ["i0", "i1", "i2"], "emb": embeddings}), tmp_path / "v.parquet")
    assert lake.import_space("mine", tmp_path / "v.parquet", "ours").joined == 1
    assert lake.space("mine").latents().z.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("name", ["v.npz", "v.pt", "v.csv", "v", "gone.parquet"])
def test_what_holds_no_vectors_is_refused_with_what_does(lake, tmp_path, name):
    if not name.startswith("gone"):
        (tmp_path / name).write_text("0.1,0.2\n")
    with pytest.raises(UneError, match="can't read vectors from .*it is to be an .npy or .safetensors with"):
        lake.import_space("mine", tmp_path / name, "ours")
    assert "mine" not in lake.spaces


def test_ids_stand_where_they_are_looked_for(lake, tmp_path):
    pq.write_table(pa.table({"id": ["i0", None], "emb": [[1.0]] * 2}), tmp_path / "v.parquet")
    with pytest.raises(UneError, match="row 2 has no id"):
        lake.import_space("mine", tmp_path / "v.parquet", "ours")
    (tmp_path / "ids.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(UneError, match="--id-column names it, --ids is of arrays alone"):
        lake.import_space("mine", tmp_path / "v.parquet", "ours", ids=tmp_path / "ids.txt")
    np.save(tmp_path / "z.npy", Z)
    with pytest.raises(UneError, match=r"can't read ids from .*ids\.txt: UnicodeDecodeError"):
        lake.import_space("mine", tmp_path / "z.npy", "ours", ids=tmp_path / "ids.txt")


def test_what_finds_no_partner_is_counted(lake, tmp_path):
    said = lake.import_space("mine", **npy(tmp_path, Z[:3], ["i0", "gone", "i2"]))
    assert list(said.strange) == ["gone"] and (said.joined, said.without) == (2, 8)
    assert "1 are of no image of the lake (gone" in str(said) and "8 images have none" in str(said)


def test_vectors_that_a_lake_can_not_hold_are_rejects(lake, tmp_path):
    """Very small ones would be zeros in float16, in silence; i3 is unreadable whatever its vector is."""
    z = Z.copy()
    z[4, 1], z[5, 0], z[6] = np.nan, 1e6, Z[6] * 1e-8
    z[3] = np.inf
    said = lake.import_space("mine", **npy(tmp_path, z))
    assert (said.joined, said.without, said.unfit) == (6, 1, 3)
    assert "3 vectors do not fit into float16 and are rejects too" in str(said)
    assert "6 latents" in "".join(line for line in lake.verify() if "space mine" in line)
    errors = "SELECT image_id, error FROM rejects WHERE space = 'mine' ORDER BY image_id"
    assert lake.rows(errors) == [
        ("i4", "vector is not finite"),
        ("i5", "vector is too large for float16"),
        ("i6", "vector is too small for float16"),
    ]


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1e-9, "too small for float16.*; multiply all of them by one number"),
        (1e6, "too large for float16.*; multiply all of them by one number"),
        (np.nan, "not finite.*; make them again"),
    ],
)
def test_vectors_of_which_none_fits_are_refused_and_leave_nothing(lake, tmp_path, factor, said):
    with pytest.raises(UneError, match=f"no vector of .*fits into a lake's float16.*vector is {said}"):
        lake.import_space("mine", **npy(tmp_path, Z * np.float32(factor)))
    assert "mine" not in lake.spaces


def test_bfloat16_of_safetensors_is_read(lake, tmp_path):
    """PyTorch's own file, and PyTorch's own rounding."""
    import torch
    from safetensors.torch import save_file

    given, z = npy(tmp_path), torch.from_numpy(Z).bfloat16()
    save_file({"z": z, "other": z.int()}, tmp_path / "z.safetensors")
    lake.import_space("mine", **given | {"source": tmp_path / "z.safetensors"})
    expected = z.float().numpy()[[n for n in range(10) if n != 3]]
    assert np.array_equal(lake.space("mine").latents().z, expected.astype(np.float16))


def test_ids_in_an_array_of_texts_are_read_and_pickled_ones_refused(lake, tmp_path):
    given = npy(tmp_path) | {"ids": tmp_path / "ids.npy"}
    np.save(tmp_path / "ids.npy", np.array(IDS))
    assert lake.import_space("mine", **given).joined == 9
    np.save(tmp_path / "ids.npy", np.array(IDS, object), allow_pickle=True)
    with pytest.raises(UneError, match="can't read .*Object arrays cannot be loaded"):
        lake.import_space("other", **given)


@pytest.mark.parametrize(
    ("z", "ids", "said"),
    [
        (Z, ["i1"] * 10, "image 'i1' has two vectors"),
        (Z[:2], ["a", "b"], "none of 2 ids is an image .*'a'.*'i0'"),
        (Z, IDS[:9], "10 vectors and 9 ids, from 'i0' to 'i8': .*without a first line of names"),
        (Z.astype(int), IDS, "vectors are floats"),
        (Z[0], IDS, "vectors are floats"),
    ],
)
def test_what_can_not_be_joined_is_refused_and_leaves_nothing(lake, tmp_path, z, ids, said):
    with pytest.raises(UneError, match=said):
        lake.import_space("mine", **npy(tmp_path, z, ids))
    assert "mine" not in lake.spaces


@pytest.mark.parametrize("suffix", [".npy", ".safetensors", ".parquet", ""])
def test_what_is_exported_can_be_read_and_imported_again(lake, tmp_path, suffix, capsys):
    path = tmp_path / f"out{suffix}"
    lake.import_space("mine", **npy(tmp_path))
    assert lake.space("mine").export(path) == 9
    assert capsys.readouterr() == ("", ""), "no bar of a library's"
    with pytest.raises(UneError, match="there already"):
        lake.space("mine").export(path)
    expected = lake.space("mine").latents().z
    if suffix == ".npy":
        lake.import_space("again", path, "ours", ids=path.with_suffix(".ids.txt"))
    elif suffix == ".parquet":
        lake.import_space("again", path, "ours")
    elif suffix == ".safetensors":
        from safetensors.numpy import load_file

        assert np.array_equal(load_file(path)["z"], expected)
        lake.import_space("again", path, "ours", ids=path.with_suffix(".ids.txt"))
    else:
        import datasets

        rows = datasets.load_from_disk(str(path))
        assert np.array_equal(np.array(rows["z"], np.float32), expected) and "Even" in rows.column_names
        lake.import_space("again", path, "ours")
    assert np.array_equal(lake.space("again").latents().z, expected)


def test_lance_is_written_where_its_writer_is(lake, tmp_path):
    lance = pytest.importorskip("lance")
    lake.import_space("mine", **npy(tmp_path))
    assert lake.space("mine").export(tmp_path / "out.lance") == 9
    table = lance.dataset(tmp_path / "out.lance").to_table()
    assert table.schema.field("z").type == pa.list_(pa.float16(), 6) and "Even" in table.column_names
    latents = lake.space("mine").latents()
    assert table["image_id"].to_pylist() == latents.image_ids
    assert np.array_equal(np.array(table["z"].to_pylist(), np.float32), latents.z)


def test_what_can_not_be_exported_is_refused_with_the_way_there(lake, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lance", None)
    lake.import_space("mine", **npy(tmp_path))
    with pytest.raises(UneError, match=r"pip install pylance, or export \.parquet"):
        lake.space("mine").export(tmp_path / "out.lance")
    with pytest.raises(UneError, match=r"out\.csv: a space is exported as \.npy"):
        lake.space("mine").export(tmp_path / "out.csv")


def une(*words: object) -> str:
    """What a command prints; it must succeed."""
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_clip_retrievals_vectors_are_verified_probed_and_exported_by_the_commands(tmp_path):
    """Planted: `Even` is the sign of one coordinate, `Coin` of none."""
    rng, count = np.random.default_rng(0), 400
    z = rng.standard_normal((count, 8)).astype(np.float32)
    corpus = [
        Item(f"faces/{n:04d}.jpg", "", None, None, {"Even": bool(z[n, 2] > 0), "Coin": rng.random() < 0.5})
        for n in range(count)
    ]
    files = create(Files(str(tmp_path / "lake")), "x:1", iter(corpus), 256)
    for shard in range(files.shards):
        rows = images_table(files.plan(shard), [png((4, 4), seed=n) for n in range(len(files.plan(shard)))])
        files.store.commit(f"images/shard-{shard:05d}.parquet", schema.parquet(rows, {}))
    for name in ("img_emb", "metadata"):
        (tmp_path / "emb" / name).mkdir(parents=True)
    order = rng.permutation(count)
    for part, rows in enumerate(np.array_split(order, 3)):
        np.save(tmp_path / f"emb/img_emb/img_emb_{part}.npy", z[rows].astype(np.float16))
        paths = [f"/data/web/faces/{n:04d}.jpg" for n in rows]
        pq.write_table(pa.table({"image_path": paths}), tmp_path / f"emb/metadata/metadata_{part}.parquet")
    lake = tmp_path / "lake"
    said = une("import", lake, "--space", "clip", "--from", tmp_path / "emb", "--model", "CLIP ViT-L/14")
    assert said.strip() == "clip: 400 vectors joined to images"
    assert "space clip: 400 latents of length 8" in une("verify", lake)
    assert "space clip: imported, there is no model" in une("verify", lake, "--recompute", 2)
    une("probe", lake, "--spaces", "clip", "--splits", 1, "--permutations", 0)
    asked = "SELECT attribute, round(auc, 1) FROM probe_metrics('clip') ORDER BY attribute"
    assert une_ray.open(lake).sql(asked).fetchall() == [("Coin", 0.5), ("Even", 1.0)]
    une("export", lake, "--space", "clip", "--to", tmp_path / "back.npy")
    ids = (tmp_path / "back.ids.txt").read_text().splitlines()
    assert ids == [item.image_id for item in corpus]
    assert np.array_equal(np.load(tmp_path / "back.npy"), z.astype(np.float16))


def test_the_commands_say_what_became_of_them(lake, tmp_path):
    npy(tmp_path)
    words = ["--from", str(tmp_path / "z.npy"), "--ids", str(tmp_path / "ids.txt"), "--model", "ours"]
    said = CliRunner().invoke(app, ["import", lake.url, "--space", "mine", *words], catch_exceptions=False)
    assert "mine: 9 vectors joined to images; 1 images have none" in said.output
    to = str(tmp_path / "out.parquet")
    said = CliRunner().invoke(
        app, ["export", lake.url, "--space", "mine", "--to", to], catch_exceptions=False
    )
    assert said.output.strip() == f"9 latents of mine in {to}"
