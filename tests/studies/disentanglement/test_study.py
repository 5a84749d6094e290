"""`une disentanglement` on lakes whose spaces have axes, or have none: turned sources, and Gaussian noise."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tests.helpers.lakes import write
from une_ray.cli.main import app
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.report.section import Source
from une_ray.studies.disentanglement import codes, section
from une_ray.studies.disentanglement.columns import TABLE
from une_ray.studies.disentanglement.measure import measure
from une_ray.studies.disentanglement.metrics.sample import sample
from une_ray.studies.disentanglement.study import disentanglement

IMAGES, FACTORS = 600, 4
RANDOM = np.random.default_rng(0)
SIGNS = RANDOM.integers(0, 2, (IMAGES, FACTORS))
TURN = np.linalg.qr(RANDOM.standard_normal((FACTORS, FACTORS)))[0]
SOURCES = 2.0 * SIGNS - 1 + 0.3 * RANDOM.standard_normal((IMAGES, FACTORS))
GAUSS = RANDOM.standard_normal((IMAGES, FACTORS))
QUICK = {"metric_names": ["mig", "modularity"], "components": FACTORS, "halves": 4}


def made(folder, spaces, labels, kind="factors"):
    """A finished lake of `spaces` (n, d) whose images have `labels`."""

    def planned():
        for n, row in enumerate(labels):
            named = {f"f{column}": int(value) for column, value in enumerate(row)}
            both = {"factors": named, "attributes": {k: v > 0 for k, v in named.items()}}
            own = {key: value for key, value in both.items() if kind in (key, "both")}
            yield Item(f"i{n:04}", f"{n}.png", "train", **own)

    lake = create(Lake(str(folder / "lake")), f"test:{len(labels)}", planned(), 256)
    for space, z in spaces.items():
        fingerprint = {"model": space}
        lake.register(space, fingerprint)
        for shard in range(lake.shards):
            plan = lake.plan(shard).to_pylist()
            if not lake.store.exists(f"images/{shard_file(shard)}"):
                rows = [row | {"status": "ok"} for row in plan]
                write(lake, f"images/{shard_file(shard)}", rows, schema.IMAGES)
            latents = [
                {"image_id": row["image_id"], "status": "ok", "z": z[int(row["image_id"][1:])], "norm": 1.0}
                for row in plan
            ]
            write(lake, f"{space_folder(space)}/{shard_file(shard)}", latents, schema.SPACE, fingerprint)
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    wide = np.concatenate([SOURCES @ TURN, 0.01 * RANDOM.standard_normal((IMAGES, 8))], 1)
    labels = np.concatenate([SIGNS, np.zeros((IMAGES, 1), int)], 1)
    spaces = {"turned": wide.astype(np.float16), "gauss": GAUSS.astype(np.float16)}
    return made(tmp_path_factory.mktemp("axes"), spaces, labels)


@pytest.fixture(scope="module")
def result(lake):
    return disentanglement(lake, **QUICK)


def one(result, space, kind, metric="mig", control=None):
    (row,) = [
        row
        for row in result.table.to_pylist()
        if (row["space"], row["codes"], row["metric"], row["control"]) == (space, kind, metric, control)
    ]
    return row


def test_independent_components_find_the_axes_of_turned_sources(result):
    ica, rotated = one(result, "turned", "ica"), one(result, "turned", "ica", control="rotated")
    assert ica["score"] > 0.8 > rotated["high"] and rotated["score"] < 0.4 and ica["p_value"] == 1 / 20
    assert one(result, "turned", "probes")["score"] > 0.7
    assert one(result, "turned", "ica", "modularity")["score"] > 0.95


def test_a_gaussian_space_has_none(result):
    for kind in ("pca", "ica"):
        assert one(result, "gauss", kind)["score"] < 0.1
        assert (
            one(result, "gauss", kind)["score"] < one(result, "gauss", kind, control="rotated")["high"] + 0.05
        )


def test_permuted_factors_leave_chance_and_intervals_hold_their_score(result):
    for row in result.table.to_pylist():
        if row["control"] == "permuted" and row["metric"] == "mig":
            assert row["score"] < 0.05
        if row["control"] is None:
            assert row["low"] <= row["score"] <= row["high"] and row["draws"] == 4
            assert (row["images"], row["factors"], row["labels"]) == (IMAGES, FACTORS, "factors")


@pytest.mark.parametrize(("images", "fast"), [(3000, True), (900, True), (900, False)])
def test_an_interval_is_that_of_fresh_images(images, fast, tmp_path, monkeypatch):
    """Of the mean of the rows to train on, whose standard error is known, whether all images are read or the
    1,500 of --fast."""
    z = np.random.default_rng(9).standard_normal((images, 1))

    def mean(codes, factors, *, seed, fast):
        return {"mig": sample(codes, factors, seed, fast).train.codes.mean()}

    monkeypatch.setattr("une_ray.studies.disentanglement.metrics.find", lambda name: mean)
    lake = made(tmp_path, {"z": z.astype(np.float16)}, np.arange(images)[:, None] % 2)
    settings = {"metric_names": ["mig"], "rotations": 0, "halves": 300, "fast": fast}
    row = one(disentanglement(lake, codes=["axes"], **settings), "z", "axes")
    trained_on = min(1000, 2 * images // 3) if fast else 2 * images // 3
    error = (row["high"] - row["low"]) / 2 / 1.96
    assert error == pytest.approx(z.std() / np.sqrt(trained_on), rel=0.12)  # of 300 halves it is known to .04


def test_own_axes_are_read_of_narrow_spaces_alone(tmp_path):
    wide = np.concatenate([SOURCES, np.zeros((IMAGES, 40))], 1)
    lake = made(tmp_path, {"sources": SOURCES.astype(np.float16), "wide": wide.astype(np.float16)}, SIGNS)
    found = disentanglement(lake, **QUICK)
    axes, rotated = one(found, "sources", "axes"), one(found, "sources", "axes", control="rotated")
    assert axes["score"] > 0.8 > rotated["high"] and axes["p_value"] == 1 / 20
    assert {row["codes"] for row in found.table.to_pylist() if row["space"] == "wide"} == {
        "pca",
        "ica",
        "probes",
    }
    with pytest.raises(UneError, match="'wide' has 44 coordinates; own axes are read of 32 at most"):
        disentanglement(lake, codes=["axes"], **QUICK)


def test_own_axes_are_scored_as_a_comparison_scores_them(tmp_path):
    """A collapsed model has a FactorVAE score of 0 in both, and codes of a small scale the SAP of that
    scale; what is turned is standardised."""
    half = np.concatenate([SOURCES, 0.01 * RANDOM.standard_normal((IMAGES, 6))], 1)
    spaces = {"half": half.astype(np.float16), "collapsed": (0.01 * SOURCES).astype(np.float16)}
    lake = made(tmp_path, spaces, SIGNS)
    few = {"metric_names": ["factor-vae", "sap"], "halves": 0, "rotations": 3, "fast": True}
    found = disentanglement(lake, codes=["axes"], **few)
    assert one(found, "half", "axes", "factor_vae_active")["score"] == FACTORS
    assert one(found, "collapsed", "axes", "factor_vae")["score"] == 0
    assert one(found, "collapsed", "axes", "factor_vae", control="rotated")["low"] > 0.2
    ids = lake.rows("SELECT image_id FROM latents WHERE space = 'collapsed' ORDER BY md5(image_id)")
    order = [int(name[1:]) for (name,) in ids]
    for space, z in spaces.items():
        measured = measure(z[order], SIGNS[order], seed=0, fast=True)
        for metric in ("sap", "factor_vae"):
            assert one(found, space, "axes", metric)["score"] == pytest.approx(measured[metric], abs=0.01)


def test_constant_factors_are_left_out_and_named(result):
    assert result.remarks == ("left out, with fewer than 20 images of a second value: f4",)


def test_a_factor_that_varies_in_the_lake_but_not_in_what_is_read_is_left_out_and_named(tmp_path):
    """By --limit, or by the 1,500 images that --fast reads."""
    hashed = sorted(range(IMAGES), key=lambda n: hashlib.md5(f"i{n:04}".encode()).hexdigest())
    labels = SIGNS[:, :2].copy()
    labels[hashed[:300], 1] = 0  # and varies in the other half
    lake = made(tmp_path, {"z": SOURCES.astype(np.float16)}, labels)
    found = disentanglement(lake, codes=["pca", "axes"], limit=300, **QUICK)
    row = one(found, "z", "pca")
    assert row["note"] == "left out, with fewer than 20 of 300 images of a second value: f1"
    assert row["factors"] == 1 and disentanglement(lake, codes=["pca"], limit=300, **QUICK).table["note"][0]
    assert one(disentanglement(lake, codes=["pca"], **QUICK), "z", "pca")["factors"] == 2
    labels[hashed[:300]] = 0
    (tmp_path / "none").mkdir()
    lake = made(tmp_path / "none", {"z": SOURCES.astype(np.float16)}, labels)
    with pytest.raises(UneError, match="every factor is left out, .* 300 images .*: f0, f1; raise --limit"):
        disentanglement(lake, codes=["pca"], limit=300, **QUICK)


def test_too_few_images_for_halves_are_enough_without(tmp_path):
    lake = made(tmp_path, {"z": SOURCES[:59].astype(np.float16)}, SIGNS[:59])
    with pytest.raises(UneError, match="'z': halves of 59 images .* build 60 images, or take --halves 0"):
        disentanglement(lake, codes=["pca"], **QUICK)
    assert one(disentanglement(lake, codes=["pca"], **QUICK | {"halves": 0}), "z", "pca")["low"] is None


def test_what_was_done_is_not_done_again(lake, result, monkeypatch):
    monkeypatch.setattr(codes, "principal", None)
    monkeypatch.setattr("une_ray.studies.disentanglement.study.principal", None)
    assert disentanglement(lake, **QUICK).table.equals(result.table)


def test_the_view_has_the_axes_side_by_side(lake, result):
    ((axes, rotated_axes, pca, ica, rotated),) = lake.rows(
        "SELECT axes, rotated_axes, pca, ica, rotated FROM disentanglement_axes"
        " WHERE space = 'turned' AND metric = 'mig'"
    )
    assert axes == one(result, "turned", "axes")["score"]
    assert rotated_axes == one(result, "turned", "axes", control="rotated")["score"]
    assert pca == one(result, "turned", "pca")["score"] and ica == one(result, "turned", "ica")["score"]
    assert rotated == one(result, "turned", "pca", control="rotated")["score"]


def test_scores_side_by_side_are_of_one_kind_of_labels_and_one_estimate(tmp_path):
    """Of whatever was run, in whatever order: full ones of factors, and of these every metric."""
    lake = made(tmp_path, {"z": SOURCES.astype(np.float16)}, SIGNS, kind="both")
    few = {"rotations": 2, "halves": 2, "components": FACTORS}
    wanted = {
        (labels, fast): disentanglement(lake, ["z"], labels=labels, fast=fast, metric_names=["mig"], **few)
        for labels, fast in [("attributes", True), ("factors", True), ("attributes", False)]
    }
    seen = (
        "SELECT labels, fast, axes, pca, ica, probes, rotated FROM disentanglement_axes WHERE metric = 'mig'"
    )

    def row(labels, fast):
        found = wanted[labels, fast]
        own = [one(found, "z", kind)["score"] for kind in ("axes", "pca", "ica", "probes")]
        return (labels, fast, *own, one(found, "z", "pca", control="rotated")["score"])

    assert lake.rows(seen) == [row("attributes", False)], "a full estimate before factors"
    wanted["factors", False] = disentanglement(lake, ["z"], metric_names=["mig", "modularity"], **few)
    assert lake.rows(seen) == [row("factors", False)]
    assert "Against factors, full: z." in section.section(Source(lake)).html
    disentanglement(lake, ["z"], metric_names=["mig"], seed=1, **few | {"rotations": 5})
    metrics = lake.rows("SELECT metric FROM disentanglement_axes WHERE pca IS NOT NULL AND ica IS NOT NULL")
    assert metrics == [("mig",), ("modularity",)], "a later run of one metric hides no other"


def test_scores_of_an_earlier_une_ray_are_read_where_there_are_no_newer_ones(tmp_path):
    lake = made(tmp_path, {"z": SOURCES.astype(np.float16), "y": GAUSS.astype(np.float16)}, SIGNS)
    for name in lake.store.names("disentanglement"):  # as they were: no column `fast`
        table = lake.read_table(f"disentanglement/{name}").drop_columns(["fast"])
        lake.store.commit(f"disentanglement/{name}", schema.parquet(table, {}))
    row = {"codes": "pca", "metric": "mig", "score": 0.75, "draws": 9, "images": 9999, "labels": "factors"}
    old = [row | {"space": space, "config": "old"} for space in ("z", "y")]
    columns = [field for field in TABLE.schema if field.name != "fast"]
    lake.store.commit(
        "disentanglement/old.parquet", schema.parquet(pa.Table.from_pylist(old, pa.schema(columns)), {})
    )
    seen = "SELECT space, pca, fast FROM disentanglement_axes WHERE metric = 'mig' ORDER BY space"
    assert Lake(lake.url).rows(seen) == [("y", 0.75, None), ("z", 0.75, None)]
    new = disentanglement(Lake(lake.url), ["z"], codes=["pca"], fast=True, **QUICK)
    assert Lake(lake.url).rows(seen) == [("y", 0.75, None), ("z", one(new, "z", "pca")["score"], True)]


def test_the_report_says_which_spaces_have_axes(lake, result):
    part = section.section(Source(lake))
    assert part.title == "Disentanglement of coordinates" and "<svg" in part.html
    assert "independent components of 1" in part.summary and "MIG" in part.summary
    assert section.section(Source(lake)).html == part.html


def test_the_command_prints_a_line_per_set_of_coordinates(lake):
    arguments = ["disentanglement", lake.url, "--metrics", "mig", "--components", "4", "--halves", "2"]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    lines = [line for line in found.output.splitlines() if line.startswith(("turned", "gauss"))]
    assert [line.split()[:2] for line in lines] == [
        [space, kind] for space in ("gauss", "turned") for kind in ("axes", "pca", "ica", "probes")
    ]
    assert "left out, with fewer than 20 images" in found.output and "600 images, 4 factors" in found.output


def test_attributes_stand_in_where_there_are_no_factors(tmp_path):
    lake = made(tmp_path, {"turned": (SOURCES @ TURN).astype(np.float16)}, SIGNS, "attributes")
    found = disentanglement(lake, codes=["ica"], **(QUICK | {"rotations": 0, "halves": 0}))
    row = one(found, "turned", "ica")
    assert row["labels"] == "attributes" and row["score"] > 0.8 and row["low"] is row["p_value"] is None


def test_bad_input_is_refused(tmp_path, lake):
    with pytest.raises(UneError, match="unknown codes 'pcs'; known, nearest first: pca"):
        disentanglement(lake, codes=["pcs"])
    with pytest.raises(UneError, match="unknown metric 'migs'; known, nearest first: mig"):
        disentanglement(lake, metric_names=["migs"])
    with pytest.raises(UneError, match="has no attributes"):
        disentanglement(lake, labels="attributes")
    spaces = {"z": np.ones((60, 3), np.float16)}
    for name, labels, kind, message in (
        ("none", SIGNS[:60], None, "neither factors nor attributes"),
        ("one", np.ones((60, 2), int), "factors", "of f0, f1 none has 20 images of a second value"),
    ):
        (tmp_path / name).mkdir()
        with pytest.raises(UneError, match=message):
            disentanglement(made(tmp_path / name, spaces, labels, kind), **QUICK)
    broken = {"z": np.where(np.arange(60)[:, None] == 7, np.nan, np.ones((60, 3))).astype(np.float16)}
    (tmp_path / "nan").mkdir()
    with pytest.raises(UneError, match="'z': the latent of image 'i0007' is not finite"):
        disentanglement(made(tmp_path / "nan", broken, SIGNS[:60]), **QUICK)


def test_a_constant_space_scores_nothing(tmp_path):
    lake = made(tmp_path, {"z": np.ones((80, 3), np.float16)}, SIGNS[:80])
    assert one(disentanglement(lake, codes=["pca"], **QUICK), "z", "pca")["score"] == 0


def test_rotations_are_orthogonal_and_probes_are_out_of_fold():
    white = codes.principal(GAUSS, FACTORS, 0).values
    assert np.cov(codes.rotated(white, 3).T) == pytest.approx(
        np.eye(FACTORS) * IMAGES / (IMAGES - 1), abs=1e-9
    )
    wide = np.random.default_rng(5).standard_normal((100, 400))
    noise = np.random.default_rng(6).integers(0, 2, (100, 1))
    read = codes.probed(wide, noise, np.arange(100)).values
    assert abs(np.corrcoef(read[:, 0], noise[:, 0])[0, 1]) < 0.3, "in sample it would be 1"


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize("wide", [40, 900])
def test_a_space_has_as_many_components_as_its_rank(kind, offset, wide):
    """Not ten, seven of them rounding; FastICA turns the three that there are."""
    random = np.random.default_rng(8)
    z = random.uniform(-1, 1, (500, 3)) @ random.standard_normal((3, wide)) + offset
    for found in (codes.principal(z.astype(kind), 10, 0), codes.independent(z.astype(kind), 10, 0)):
        assert found.values.std(0) == pytest.approx([1] * 3 + [0] * 7, abs=1e-6)


def test_components_that_are_small_and_no_rounding_stay():
    z = np.random.default_rng(8).standard_normal((500, 10)) * np.geomspace(1, 0.01, 10)
    assert codes.principal(z.astype(np.float16), 10, 0).values.std(0) == pytest.approx([1] * 10)


def test_independent_components_of_a_space_with_dead_coordinates_are_its_live_sources():
    z = np.zeros((500, 12))
    z[:, :3] = np.random.default_rng(8).uniform(size=(500, 3))
    found = codes.independent(z, 10, 0).values
    assert found.shape == (500, 10) and not found[:, 3:].any()
    correlations = np.abs(np.corrcoef(z[:, :3].T, found[:, :3].T)[:3, 3:])
    assert (correlations.max(1) > 0.95).all() and len(set(correlations.argmax(1))) == 3
