"""A lake of known laws through `une gaussianity`, through `queries/gaussianity.sql`, and onto the report's
page."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import typer
from scipy import stats
from typer.testing import CliRunner

from tests.helpers.lakes import items
from tests.helpers.stock import typed
from une_ray.errors import UneError
from une_ray.geometry.gaussianity import families
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.session import QUERIES, connect
from une_ray.lake.verify import verify
from une_ray.report.section import Source
from une_ray.studies.gaussianity import normality as part
from une_ray.studies.gaussianity.command import EPILOG, table
from une_ray.studies.gaussianity.command import gaussianity as command
from une_ray.studies.gaussianity.study import gaussianity, read_latents

IMAGES, SHAPE = 240, (2, 6, 6)
DRAWS = np.random.default_rng(0)
SPACES = {
    "noise/ddim50": DRAWS.standard_normal((IMAGES, 72)).astype(np.float16),
    "skewed": (3 + DRAWS.exponential(size=(IMAGES, 40))).astype(np.float16),
}
FAST = {"directions": 200}


def fill(lake: Lake, spaces: dict[str, np.ndarray], sha256=lambda image_id: None) -> Lake:
    """Commit `spaces` for every shard; those of 72 numbers are maps. `sha256` is that of an image's bytes."""
    for space, z in spaces.items():
        lake.register(space, {"model": space})
        latents = iter(z)
        for shard in range(lake.shards):
            plan = lake.plan(shard).to_pylist()
            rows = [{"image_id": row["image_id"], "status": "ok", "z": next(latents)} for row in plan]
            rows = [row | {"norm": float(np.linalg.norm(row["z"].astype(np.float32)))} for row in rows]
            shape = {"shape": list(SHAPE)} if z.shape[1] == 72 else {}
            commit(
                lake,
                f"{space_folder(space)}/{shard_file(shard)}",
                rows,
                schema.SPACE,
                {"fingerprint": {"model": space}} | shape,
            )
            commit(
                lake,
                f"images/{shard_file(shard)}",
                [row | {"status": "ok", "sha256": sha256(row["image_id"])} for row in plan],
                schema.IMAGES,
                {},
            )
    return lake


def commit(lake, name, rows, columns, metadata):
    lake.store.commit(name, schema.parquet(pa.Table.from_pylist(rows, schema=columns), metadata))


def empty(folder: Path, images: int = IMAGES) -> Lake:
    return create(Lake(str(folder / "lake")), f"test:{images}", iter(items(images)), 64)


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return fill(empty(tmp_path_factory.mktemp("known")), SPACES)


@pytest.fixture(scope="module")
def rows(lake) -> list[dict]:
    return gaussianity(lake, **FAST).table.to_pylist()


def accepted(rows, space, control, unit, test="anderson_darling"):
    (row,) = [
        row
        for row in rows
        if (row["space"], row["control"], row["unit"], row["test"]) == (space, control, unit, test)
    ]
    return row["accepted"]


def test_every_space_stands_beside_both_controls_with_the_same_tests(rows):
    for space in SPACES:
        ours, normal, bimodal = (
            [(row["unit"], row["test"]) for row in rows if (row["space"], row["control"]) == (space, control)]
            for control in (None, "normal", "bimodal")
        )
        assert ours and ours == normal == bimodal


def test_noise_passes_as_its_control_does_and_skewed_coordinates_do_not(rows):
    for unit in ("direction", "coordinate", "component"):
        assert (
            accepted(rows, "noise/ddim50", None, unit) > 0.88
            and accepted(rows, "noise/ddim50", "normal", unit) > 0.88
        ), unit
    assert (
        accepted(rows, "skewed", None, "coordinate") == 0
        and accepted(rows, "skewed", "normal", "coordinate") > 0.85
    )
    assert accepted(rows, "skewed", "bimodal", "direction") < 0.4


def test_only_maps_are_held_to_chi2_and_to_white_noise(rows):
    units = {space: {row["unit"] for row in rows if row["space"] == space} for space in SPACES}
    assert units["noise/ddim50"] - units["skewed"] == {"norm", "map"}


def test_findings_are_those_of_the_latents_themselves(lake, rows):
    ids, z = read_latents(lake, "noise/ddim50", 5000)
    known = dict(zip([item.image_id for item in items(IMAGES)], SPACES["noise/ddim50"]))
    assert (z == np.stack([known[i] for i in ids])).all()
    ours = [row for row in rows if row["space"] == "noise/ddim50" and row["control"] is None]
    direct = {(one.unit, one.test): one for one in families(z, SHAPE, **FAST)}
    assert len(ours) == len(direct) and all(
        row["statistic"] == direct[row["unit"], row["test"]].statistic for row in ours
    )


@pytest.mark.parametrize("alike_by", ["bytes", "group"])
def test_of_copies_and_of_a_group_one_is_tested_and_the_others_are_counted(tmp_path, alike_by):
    """200 Gaussian latents, each five times: five equal values make a normal sample look discrete."""
    number = lambda image_id: f"{int(image_id[1:]) // 5}"  # noqa: E731
    planned = [
        replace(item, split_group=number(item.image_id)) if alike_by == "group" else item
        for item in items(1000)
    ]
    lake = create(Lake(str(tmp_path / "lake")), "test:1000", iter(planned), 64)
    apart = np.random.default_rng(0).standard_normal((200, 30)).astype(np.float16)
    fill(lake, {"repeated": np.repeat(apart, 5, 0)}, number if alike_by == "bytes" else lambda image_id: None)
    found = gaussianity(lake, **FAST).table.to_pylist()
    assert {row["left_out"] for row in found} == {800} and {row["rows"] for row in found} == {200}
    assert accepted(found, "repeated", None, "direction") > 0.9
    _, z = read_latents(lake, "repeated", 5000)
    assert sorted(z.tolist()) == sorted(apart.astype(float).tolist())
    assert "left out, as another image of their picture or group counts: 800 of repeated" in "".join(
        table(found)
    )
    assert "800 latents of repeated are left out" in part.section(Source(lake)).note
    shown = connect(lake).sql((QUERIES / "gaussianity.sql").read_text()).to_arrow_table().to_pylist()
    assert {row["images"] for row in shown} == {200}


def test_where_nothing_is_left_out_a_computation_has_the_name_it_always_had(rows):
    config = {"directions": 200, "rows": 250, "seed": 0, "limit": 5000, "space": "skewed"}
    config |= {"fingerprint": results.config_hash({"model": "skewed"}), "latents": IMAGES}
    assert {row["config"] for row in rows if row["space"] == "skewed"} == {results.config_hash(config)}


def test_a_finished_computation_is_not_done_again(lake, rows, monkeypatch):
    monkeypatch.setattr(
        "une_ray.studies.gaussianity.study.families", lambda *_: pytest.fail("computed again")
    )
    assert gaussianity(lake, **FAST).table.to_pylist() == rows
    assert gaussianity(lake, ["skewed"], **FAST).table.to_pylist() == [
        row for row in rows if row["space"] == "skewed"
    ]


def test_a_limit_takes_some_of_the_images_and_is_another_computation(lake):
    found = gaussianity(lake, ["skewed"], directions=10, limit=50).table.to_pylist()
    assert {row["rows"] for row in found if row["unit"] != "map"} == {50}
    assert (
        len(
            {
                row["config"]
                for row in connect(lake).sql("SELECT config FROM gaussianity").to_arrow_table().to_pylist()
            }
        )
        >= 2
    )


def test_the_lake_still_verifies_and_holds_the_rows_in_its_view(lake, rows):
    assert len(list(verify(lake))) == 2 + len(SPACES)
    (config,) = {row["config"] for row in rows if row["space"] == "skewed"}
    ((stored,),) = (
        connect(lake).execute("SELECT count(*) FROM gaussianity WHERE config = ?", [config]).fetchall()
    )
    assert stored == sum(row["space"] == "skewed" for row in rows)


def test_what_can_not_be_tested_is_refused_by_name(lake, tmp_path):
    with pytest.raises(UneError, match="unknown space 'skwed'; known, nearest first: skewed"):
        gaussianity(lake, ["skwed"])
    small = fill(empty(tmp_path / "small", 12), {"tiny": np.eye(12, 5, dtype=np.float16)})
    with pytest.raises(UneError, match="'tiny': 12 rows per test; the tests of normality hold for 20"):
        gaussianity(small)
    broken = SPACES["skewed"].copy()
    broken[7, 3] = np.nan
    with pytest.raises(UneError, match="'broken': the latent of image 'i7' is not finite"):
        gaussianity(fill(empty(tmp_path / "broken"), {"broken": broken}))
    with pytest.raises(UneError, match="has no spaces yet; build one with: une build"):
        gaussianity(empty(tmp_path / "bare"))
    with pytest.raises(UneError, match="'none-yet' has no latents yet"):
        begun = empty(tmp_path / "begun")
        begun.register("none-yet", {})
        gaussianity(begun)


def test_the_command_prints_a_line_per_kind_of_data_and_with_all_a_row_per_control_unit_and_test(lake, rows):
    app = typer.Typer()
    app.command(epilog=EPILOG)(command)
    arguments = ["--lake", lake.url, "--spaces", "noise/ddim50", "--directions", "200"]
    every = CliRunner().invoke(app, [*arguments, "--all"])
    assert every.exit_code == 0, every.output
    lines = every.output.strip().splitlines()
    assert lines[0] == "noise/ddim50" and len(lines) == 2 + sum(
        row["space"] == "noise/ddim50" for row in rows
    )
    told = {
        line.split()[-15]: line.split()[-14:]
        for line in CliRunner().invoke(app, arguments).output.splitlines()[2:5]
    }
    assert set(told) == {"itself", "bimodal", "normal"}
    own = {
        (row["unit"], row["test"]): row
        for row in rows
        if row["space"] == "noise/ddim50" and row["control"] is None
    }
    assert told["itself"][0] == f"{100 * own['direction', 'anderson_darling']['accepted']:.1f}"
    assert told["itself"][-4] == str(own["mahalanobis", "kolmogorov_smirnov"]["components"]) == "72"
    assert told["itself"][-2] == f"{own['norm', 'mean_square']['statistic']:.2f}"


def test_the_report_draws_what_was_found_and_nothing_before(lake, rows, tmp_path):
    assert part.section(Source(fill(empty(tmp_path), {"skewed": SPACES["skewed"]}))) is None
    html = part.section(Source(lake)).html
    assert html.count("<tr>") == 2 * (1 + 3 * len(SPACES)) and "bimodal" in html and "<svg" in html


def test_whitened_norms_of_an_earlier_une_ray_are_shown_as_what_they_bound(lake, rows, tmp_path):
    """Its files lack the number of components, and its p is too large: no less than .05 says nothing."""
    old = fill(empty(tmp_path), {"skewed": SPACES["skewed"]})
    own = [row for row in rows if row["space"] == "skewed"]
    norms = [row for row in own if row["unit"] == "mahalanobis"]
    assert {row["components"] for row in norms} == {40}
    lacking = pa.Table.from_pylist(own).drop_columns(["components", "left_out"])
    old.store.commit("gaussianity/0.parquet", schema.parquet(lacking, {}))
    read = connect(old).sql("FROM gaussianity").to_arrow_table().to_pylist()
    assert {row["components"] for row in read} == {None} and len(read) == len(own)
    assert part.section(Source(old)).html.count("≤ ") == len(norms)
    said = {line.split()[-15]: line.split()[-5:-3] for line in table(read)[2:5]}
    for row in norms:
        assert said[row["control"] or "itself"] == ["–" if row["accepted"] else "0.0", "–"]


@pytest.fixture(scope="module")
def asked(lake):
    """A connection that has run queries/gaussianity.sql, and its rows."""
    connection = connect(lake)
    table = connection.sql((QUERIES / "gaussianity.sql").read_text()).to_arrow_table().to_pylist()
    return connection, {(row["space"], row["control"]): row for row in table}


def test_sqls_k2_is_scipys_of_any_column(asked):
    rng = np.random.default_rng(0)
    for n in (20, 21, 250, 2000):
        for x in (
            rng.standard_normal(n),
            rng.exponential(size=n),
            rng.standard_t(3, n),
            100 + rng.random(n),
            rng.integers(0, 9, n) + 0.5,
        ):
            ((K2,),) = (
                asked[0]
                .execute("SELECT dagostino_pearson(x) FROM (SELECT unnest(?::DOUBLE[]) AS x)", [x.tolist()])
                .fetchall()
            )
            assert K2 == pytest.approx(stats.normaltest(x).statistic, rel=1e-7)


def test_sql_has_no_k2_of_few_or_equal_values(asked):
    for x in ([*range(19)], [0.1] * 30, []):
        query = "SELECT dagostino_pearson(x) FROM (SELECT unnest(?::DOUBLE[]) AS x)"
        assert asked[0].execute(query, [x]).fetchall() == [(None,)]


def test_sql_accepts_the_coordinates_that_scipy_accepts(asked):
    """Of 240 images every coordinate is tested on all."""
    for space, z in SPACES.items():
        share = (stats.normaltest(z.astype(float)).pvalue > 0.05).mean()
        assert asked[1][space, None]["coordinates_accepted"] == pytest.approx(share, abs=1e-4)


def test_sql_accepts_the_directions_that_scipy_accepts(asked):
    for space, z in SPACES.items():
        query = "SELECT normal_list('direction/' || k, ?) FROM range(500) t(k)"
        directions = np.array([row[0] for row in asked[0].execute(query, [z.shape[1]]).fetchall()])
        share = (stats.normaltest(z.astype(float) @ directions.T).pvalue > 0.05).mean()
        assert asked[1][space, None]["directions_accepted"] == pytest.approx(
            share, abs=0.0021
        )  # one of 500 may sit on the edge


def test_sqls_norms_are_numpys_and_its_control_is_gaussian(asked):
    for space, z in SPACES.items():
        mean_square = (z.astype(float) ** 2).mean()
        row, control = asked[1][space, None], asked[1][space, "normal"]
        assert row["mean_square"] == pytest.approx(mean_square, abs=1e-4)
        assert row["chi2_score"] == pytest.approx((mean_square - 1) * np.sqrt(z.size / 2), abs=0.01, rel=1e-4)
        assert abs(control["chi2_score"]) < 3.5 and control["directions_accepted"] > 0.9


def test_sql_draws_standard_normal_numbers(asked):
    numbers = np.array(
        [row[0] for row in asked[0].execute("SELECT normal(k::VARCHAR) FROM range(50000) t(k)").fetchall()]
    )
    assert stats.kstest(numbers, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.02


def test_the_stock_shell_finds_what_the_module_finds(lake, asked):
    for row in csv.DictReader(io.StringIO(typed(lake, f".mode csv\n.read {QUERIES}/gaussianity.sql"))):
        control = row["control"] if row["control"] == "normal" else None
        ours = asked[1][row["space"], control]
        exact = (
            ("images", "dim", "coordinates_accepted", "mean_square") if control is None else ("images", "dim")
        )
        assert all(float(row[name]) == pytest.approx(ours[name]) for name in exact)
        assert float(row["directions_accepted"]) == pytest.approx(
            ours["directions_accepted"], abs=0.05
        )  # hash() differs between releases
