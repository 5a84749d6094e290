"""`une probe` on a lake with planted attributes: both engines and scikit-learn agree, controls stand
beside, faults are said."""

import duckdb
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, roc_auc_score
from typer.testing import CliRunner

from tests.helpers.lakes import write
from une_ray.cli.main import app
from une_ray.corpora.base import Item, split_of
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.latents import FOLDS, image_ids, labels_and_folds
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.session import connect
from une_ray.report.section import Source
from une_ray.studies.probes import linearity
from une_ray.studies.probes.command import refusals, table
from une_ray.studies.probes.study import at_ends, probe

N, D = 400, 12
RANDOM = np.random.default_rng(0)
Z = RANDOM.standard_normal((N, D)).astype(np.float16)
ATTRIBUTES = {
    "Linear": Z.astype(float) @ np.linspace(-1, 1, D) + 0.3 * RANDOM.standard_normal(N) > 0,
    "Noise": RANDOM.random(N) > 0.5,
    "Constant": np.ones(N, bool),
    "Rare": np.isin(
        np.arange(N),
        [
            *[i for i in range(N) if split_of(f"i{i}") == "train"][:3],
            *[i for i in range(N) if split_of(f"i{i}") == "test"][:3],
        ],
    ),
}


def lake_of(folder, z=Z, sha256=lambda i: None, group=lambda i: None) -> Lake:
    """One space `enc`; one image in fifty has no label of Linear, one in seven of those that are not
    tested on is for validation; `sha256` is that of an image's bytes, `group` what stands on one side."""
    labels = lambda i: {k: bool(v[i]) for k, v in ATTRIBUTES.items() if not (k == "Linear" and i % 50 == 7)}  # noqa: E731
    split = lambda i: "val" if i % 7 == 0 and split_of(f"i{i}") == "train" else split_of(f"i{i}")  # noqa: E731
    items = (Item(f"i{i}", str(i), split(i), None, labels(i)) for i in range(N))
    lake = create(Lake(str(folder)), "test:400", items, 64)
    lake.register("enc", {"model": "planted"})
    for shard in range(lake.shards):
        plan = lake.plan(shard).to_pylist()
        about = lambda i: {"status": "ok", "sha256": sha256(i), "split_group": group(i)}  # noqa: E731
        pictures = [row | about(int(row["image_id"][1:])) for row in plan]
        write(lake, f"images/{shard_file(shard)}", pictures, schema.IMAGES)
        rows = [
            {"image_id": row["image_id"], "status": "ok", "z": z[int(row["image_id"][1:])]} for row in plan
        ]
        write(lake, f"{space_folder('enc')}/{shard_file(shard)}", rows, schema.SPACE)
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return lake_of(tmp_path_factory.mktemp("lake") / "lake")


def rows(lake: Lake, where: str) -> list[dict]:
    return (
        connect(lake)
        .sql(f"SELECT * FROM probes WHERE {where} ORDER BY attribute, split_seed")
        .to_arrow_table()
        .to_pylist()
    )


def test_every_image_is_tested_on_once_in_five_seeds_and_seed_0_is_the_corpus_split(lake):
    ids = image_ids(lake, "enc")
    _, tested = labels_and_folds(lake, ids, ["Noise"], list(range(FOLDS)))
    assert (tested.sum(1) == 1).all()
    assert tested[:, 0].tolist() == [split_of(image_id) == "test" for image_id in ids.to_pylist()]


def test_a_ridge_probe_is_scikit_learns(lake):
    probe(lake, method="ridge", penalties=[0.5], splits=1, permutations=0)
    (row,) = rows(lake, "attribute = 'Linear' AND engine = 'fast' AND method = 'ridge' AND permutations = 0")
    known = np.array([i for i in range(N) if i % 50 != 7])
    test = np.array([split_of(f"i{i}") == "test" for i in known])
    z, y = Z[known].astype(float), ATTRIBUTES["Linear"][known]
    train = z[~test]
    penalty = 0.5 * np.square(train - train.mean(0)).sum() / D
    oracle = Ridge(alpha=penalty).fit(train, 2 * y[~test] - 1)
    assert np.allclose(row["w"], oracle.coef_, rtol=1e-5) and row["b"] == pytest.approx(
        oracle.intercept_, abs=1e-6
    )
    scores = oracle.predict(z[test])
    assert row["auc"] == pytest.approx(roc_auc_score(y[test], scores)) and row["accuracy"] == accuracy_score(
        y[test], scores > 0
    )
    assert (row["train"], row["test"]) == ((~test).sum(), test.sum())


@pytest.mark.parametrize("method", ["ridge", "lda", "mean-difference"])
def test_both_engines_write_the_same_probes(lake, method):
    for engine in ("fast", "sql"):
        probe(lake, method=method, engine=engine, penalties=[0.1], splits=1, permutations=0)
    fast, sql = (
        rows(
            lake,
            f"method = '{method}' AND engine = '{engine}' AND attribute = 'Noise' AND (penalty IS NULL OR"
            " penalty = .1)",
        )
        for engine in ("fast", "sql")
    )
    assert len(fast) == len(sql) == 1
    for column in ("slope", "offset", "brier", "calibration_error"):  # SQL estimates the leverages
        assert fast[0][column] == pytest.approx(sql[0][column], rel=0.03, abs=0.01), column
    for column in (
        "w",
        "b",
        "train",
        "test",
        "accuracy",
        "auc",
        "average_precision",
        "majority",
    ):
        assert np.allclose(fast[0][column], sql[0][column], rtol=1e-5, atol=1e-7), column


@pytest.mark.parametrize("method", ["ridge", "mean-difference"])
def test_copies_calibrate_no_probe_in_either_engine(tmp_path, method, monkeypatch):
    """Every latent stands four times, and one label in eight differs from those of its copies."""
    first = np.arange(N) // 4 * 4
    z, differs = Z[first], np.random.default_rng(1).random(N) < 1 / 8
    monkeypatch.setitem(ATTRIBUTES, "Noise", ATTRIBUTES["Linear"][first] ^ differs)
    copied, apart = (
        lake_of(tmp_path / name, z, sha256)
        for name, sha256 in (("copied", lambda i: str(i // 4)), ("apart", lambda i: str(i)))
    )
    slopes = {}
    for lake in (copied, apart):
        for engine in ("fast", "sql"):
            probe(lake, method=method, engine=engine, penalties=[0.1], splits=1, permutations=0)
        found = rows(lake, "attribute = 'Noise' AND status = 'ok'")
        slopes[lake.url] = {row["engine"]: row["slope"] for row in found}
    assert slopes[copied.url]["sql"] == pytest.approx(slopes[copied.url]["fast"], rel=0.1)
    assert 0 < slopes[copied.url]["fast"] < 0.95 * slopes[apart.url]["fast"]


def test_what_an_older_version_fitted_by_rounding_is_fitted_again_and_no_longer_the_probe(
    tmp_path, monkeypatch
):
    lake, older, newer, said = lake_of(tmp_path / "lake"), {}, {}, []
    for method in ("ridge", "lda", "least-squares"):
        with monkeypatch.context() as before:
            before.setattr("une_ray.studies.probes.study._exact", lambda *_: {})
            (older[method],) = probe(lake, method=method, splits=1, permutations=0).configs
        (newer[method],) = probe(lake, method=method, splits=1, permutations=0, report=said.append).configs
    assert sum("fitted again, as older versions could choose λ" in line for line in said) == 3
    ranked = lake.rows("SELECT DISTINCT method, config FROM ranked_probes WHERE place = 1 AND status = 'ok'")
    assert dict(ranked) == newer and any(older[method] < newer[method] for method in newer)
    said.clear()
    assert probe(lake, method="lda", splits=1, permutations=0, report=said.append).configs == [newer["lda"]]
    assert not said
    (apart,) = probe(lake, method="mean-difference", splits=1, permutations=0).configs
    assert lake.rows("SELECT is_exact FROM probe_configs WHERE config = ?", [apart]) == [(False,)]


def test_of_two_versions_defaults_one_is_the_default(tmp_path, monkeypatch):
    lake = lake_of(tmp_path / "lake")
    with monkeypatch.context() as before:
        before.setattr("une_ray.studies.probes.study._exact", lambda *_: {})
        older = probe(lake).configs
        defaults = "SELECT config FROM probe_settings WHERE is_default"
        assert lake.rows(defaults) == [tuple(older)]
    assert lake.rows(defaults.replace("WHERE is_default", "")) == [tuple(older)]
    newer = probe(lake).configs
    probe(lake, penalties=[1.0])
    assert lake.rows(defaults) == [tuple(newer)] and len(lake.rows("FROM probe_settings")) == 3
    assert lake.rows("SELECT DISTINCT config FROM probe_attributes WHERE is_default") == [tuple(newer)]


def test_auc_of_1_in_every_split_has_no_margin(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.studies.probes.test_study.ATTRIBUTES", {"First": Z[:, 0] > 0})
    apart = Z + np.where(Z > 0, 9, -9) * (np.arange(D) == 0)
    found = probe(lake_of(tmp_path / "lake", apart.astype(np.float16)), permutations=0)
    assert (found.table["auc"].to_pylist(), found.table["auc_margin"].to_pylist()) == ([1.0], [None])


def test_groups_calibrate_no_probe_and_are_fitted_again_where_there_are_any(tmp_path):
    """Every latent but for a little stands four times; without groups the configs are what they were."""
    z = (Z[np.arange(N) // 4 * 4] + 0.05 * RANDOM.standard_normal((N, D))).astype(np.float16)
    groups = {
        "apart": {},
        "own": {"group": lambda i: f"i{i}"},
        "people": {"group": lambda i: str(i // 4), "sha256": lambda i: str(i)},
        "copies": {"group": lambda i: str(i // 4), "sha256": lambda i: str(i // 4)},
    }
    slopes, configs = {}, {}
    for name, of in groups.items():
        lake = lake_of(tmp_path / name, z, **of)
        settings = {"penalties": [0.01], "splits": 1}
        configs[name] = [probe(lake, permutations=count, **settings).configs[0] for count in (0, 3)]
        slopes[name] = rows(lake, "attribute = 'Noise' AND permutations = 0")[0]["slope"]
    assert configs["own"] == configs["apart"] and slopes["own"] == slopes["apart"]
    for before, after in ((configs["apart"], configs["people"]), (configs["people"], configs["copies"])):
        assert before[0] != after[0] and before[1] != after[1]
    assert (
        slopes["people"] == pytest.approx(slopes["copies"], rel=0.1) and slopes["people"] != slopes["apart"]
    )


def test_shuffled_labels_find_nothing_and_planted_ones_beat_them(lake):
    probe(lake, splits=5, permutations=20)
    planted, noise = (
        rows(lake, f"permutations = 20 AND attribute = '{name}'") for name in ("Linear", "Noise")
    )
    assert len(planted) == 5 and all(
        row["p_value"] == pytest.approx(1 / 21) and row["auc"] > 0.9 for row in planted
    )
    assert abs(np.mean([row["permuted_auc"] for row in planted]) - 0.5) < 0.05
    assert np.mean([row["p_value"] for row in noise]) > 0.1


@pytest.mark.parametrize(("permutations", "is_said"), [(18, False), (19, True)])
def test_no_share_below_a_level_that_so_few_permutations_can_not_reach(tmp_path, permutations, is_said):
    """The least p is 1 / (1 + permutations). Linear alone is planted."""
    lake = lake_of(tmp_path / "lake")
    (summary,) = probe(lake, splits=1, permutations=permutations).table.to_pylist()
    known = len(rows(lake, "status = 'ok'"))
    assert summary["significant"] == (pytest.approx(1 / known) if is_said else None)
    assert table([summary])[1].split()[4] == (f"{1 / known:.0%}" if is_said else "–")
    shown = f">{f'1 of {known}' if is_said else '–'}</td></tr>"
    assert shown in linearity.section(Source(lake)).html


def test_what_cannot_be_probed_is_a_row_with_a_reason_in_both_engines(lake):
    for engine in ("fast", "sql"):
        refused = probe(lake, engine=engine, penalties=[0.1], splits=1, permutations=0).refused.to_pylist()
        reasons = {row["attribute"]: row["error"] for row in refused}
        assert "constant" in reasons["Constant"] and "3 positive" in reasons["Rare"], engine
        assert {
            row["status"]
            for row in rows(lake, f"attribute = 'Rare' AND split_seed = 0 AND engine = '{engine}'")
        } == {"refused"}


def test_an_attribute_that_some_splits_refuse_counts_once(tmp_path):
    """A split without a hard attribute would seem a better one. Oracle: NumPy, attribute by attribute."""
    lake = lake_of(tmp_path / "lake")
    (summary,) = probe(lake, permutations=0).table.to_pylist()
    aucs = np.full((2, FOLDS), np.nan)
    for row in rows(lake, "status = 'ok' AND attribute IN ('Linear', 'Noise')"):
        aucs[int(row["attribute"] == "Noise"), row["split_seed"]] = row["auc"]
    rare = {row["split_seed"]: row["auc"] for row in rows(lake, "status = 'ok' AND attribute = 'Rare'")}
    assert 0 < len(rare) < FOLDS, "some splits know it"
    aucs = np.vstack([aucs, [rare.get(seed, np.nan) for seed in range(FOLDS)]])
    level = np.nanmean(aucs, axis=1)
    assert summary["auc"] == pytest.approx(level.mean())
    assert abs(np.nanmean(aucs, axis=0).mean() - summary["auc"]) > 0.02, (
        "splits differ by what they leave out"
    )
    (settings,) = connect(lake).sql("FROM probe_settings").to_arrow_table().to_pylist()
    for figure in ("auc", "auc_margin", "accuracy"):
        assert settings[figure] == pytest.approx(summary[figure])


def test_of_asked_attributes_the_command_shows_a_line_in_every_space(lake):
    settings = ["--lake", lake.url, "--splits", "2", "--permutations", "3"]
    shown = CliRunner().invoke(app, ["probe", *settings, "--attribute", "Noise,Rare"]).stdout.splitlines()
    of_noise = [
        row for row in rows(lake, "attribute = 'Noise' AND permutations = 3") if row["engine"] == "fast"
    ]
    header, line = shown[:2]
    assert header.split()[:4] == ["attribute", "space", "AUC", "±"] and line.split()[:2] == ["Noise", "enc"]
    assert line.split()[2] == f"{np.mean([row['auc'] for row in of_noise]):.3f}"
    assert line.split()[5] == f"{max(row['p_value'] for row in of_noise):.3f}"
    assert line.split()[-1] == "2" and "majority" in header and any("refused: Rare" in said for said in shown)
    assert not any("Linear" in said for said in shown)
    wrong = CliRunner().invoke(app, ["probe", *settings, "--attribute", "Nois"])
    assert isinstance(wrong.exception, UneError) and "unknown attribute 'Nois'" in str(wrong.exception)


@pytest.mark.parametrize(
    "chosen, grid, said",
    [
        ([0.1] * 8 + [1] * 92, [0.1, 1, 10], []),
        (
            [0.1] * 12 + [1] * 88,
            [0.1, 1, 10],
            ["12 of 100 probes that beat shuffled labels have λ = 0.1, the smallest"],
        ),
        (
            [10] * 60 + [0.1] * 40,
            [10, 1, 0.1],
            ["40 of 100 probes that beat shuffled labels have λ = 0.1", "60 of 100"],
        ),
        ([0.1] * 100, [0.1], []),
        ([0.1] * 100, [0.1, 0.1], []),
        ([None] * 10, [0.1, 1], []),
    ],
)
def test_probes_at_an_end_of_the_grid_are_remarked_on(chosen, grid, said):
    rows = [{"status": "ok", "penalty": penalty, "p_value": 0.02} for penalty in chosen]
    beside = [{"status": "ok", "penalty": 10, "p_value": 0.3}] * 100  # no better than with shuffled labels
    found = list(at_ends([*rows, *beside, {"status": "refused", "penalty": None}], grid))
    assert len(found) == len(said) and all(remark.startswith(start) for remark, start in zip(found, said))
    unshuffled = [row | {"p_value": None} for row in rows]
    for remark, start in zip(at_ends(unshuffled, grid), said, strict=True):
        assert remark.startswith(start.replace(" that beat shuffled labels", ""))


def test_what_is_done_is_not_done_again(lake):
    probe(lake, splits=2, permutations=3)
    said = []
    probe(lake, splits=2, permutations=3, report=said.append)
    assert said == []


def test_a_latent_that_is_not_finite_is_named(tmp_path):
    z = Z.copy()
    z[211, 3] = np.nan
    with pytest.raises(UneError, match="'enc'.* hold NaN or infinity, the first is 'i211'"):
        probe(lake_of(tmp_path / "lake", z))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "rigde"}, "ridge"),
        ({"engine": "slow"}, "fast"),
        ({"spaces": ["end"]}, "enc"),
        ({"splits": 6}, "1 to 5"),
        ({"engine": "sql"}, "--splits 1 --permutations 0"),
        ({"engine": "sql", "method": "logistic"}, "mean-difference"),
    ],
)
def test_what_cannot_be_done_is_said(lake, arguments, message):
    with pytest.raises(UneError, match=message):
        probe(lake, **arguments)


def test_least_squares_with_fewer_rows_than_dims_says_what_helps(tmp_path):
    wide = RANDOM.standard_normal((N, 600)).astype(np.float16)
    with pytest.raises(UneError, match="more train rows than the 600 dims"):
        probe(lake_of(tmp_path / "lake", wide), method="least-squares")


def test_the_command_prints_the_controls_beside_the_figures(lake):
    found = CliRunner().invoke(app, ["probe", "--lake", lake.url, "--splits", "2", "--permutations", "5"])
    assert found.exit_code == 0, found.output
    line = next(line for line in found.output.splitlines() if line.startswith("enc "))
    assert len(line.split()) == 8
    assert found.output.count("refused: Rare in enc (split 0 of 2): only 3 positives") == 1


def test_the_stock_module_reads_the_probes_without_our_code(lake):
    probe(lake, splits=1, permutations=0)
    found = (
        duckdb.connect()
        .execute(
            "SELECT count(*) > 0 FROM read_parquet(?) WHERE auc > .9", [f"{lake.store.root}/probes/*.parquet"]
        )
        .fetchall()
    )
    assert found == [(True,)]


def test_a_refusal_names_the_splits_that_it_is_of():
    rows = [
        {
            "space": "enc",
            "attribute": "Rare",
            "error": "constant in test: all 9 rows are negative",
            "split_seeds": [0, 3],
        },
        {
            "space": "enc",
            "attribute": "Never",
            "error": "no train row has this label",
            "split_seeds": [0, 1, 2, 3, 4],
        },
    ]
    assert refusals(rows, splits=5) == [
        "refused: Rare in enc (splits 0, 3 of 5): constant in test: all 9 rows are negative",
        "refused: Never in enc: no train row has this label",
    ]


def test_refusals_of_one_attribute_are_one_line():
    fewer = {"attribute": "Rare", "error": "only 3 positives among 20 train rows, fewer than 5"}
    fewest = {"attribute": "Rare", "error": "only 2 positives among 20 train rows, fewer than 5"}
    rows = [
        {"space": space, **why, "split_seeds": seeds}
        for space in ("dino", "enc")
        for why, seeds in ((fewer, [0]), (fewest, [1, 2]))
    ]
    assert refusals([*rows, {"space": "pixels", **fewer, "split_seeds": [0]}], splits=3) == [
        "refused: Rare in dino, enc (split 0 of 3): only 3 positives among 20 train rows, fewer than 5;"
        " (splits 1, 2 of 3): only 2 positives among 20 train rows, fewer than 5",
        "refused: Rare in pixels (split 0 of 3): only 3 positives among 20 train rows, fewer than 5",
    ]
