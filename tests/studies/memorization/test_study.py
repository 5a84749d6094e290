"""The study's tables over rows whose truth is known, against scikit-learn, scipy and arithmetic; and the
command, without Ray."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.stats import sem, t
from sklearn.metrics import roc_auc_score, roc_curve
from typer.testing import CliRunner

from tests.helpers.memorized import ABLATED, PROMPTS, ROWS, made
from tests.helpers.queried import planted
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.geometry.intervals import share_interval
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES
from une_ray.studies.memorization import bench, command, study
from une_ray.studies.memorization.columns import TABLE
from une_ray.studies.memorization.prompts import held_out


def of_plain(detector: str) -> tuple[np.ndarray, np.ndarray]:
    """Of every plain picture whether it is a copy, and its score: of titles of the odd seed, as the even ones
    chose which are memorised."""
    plain = [
        row for row in ROWS if row["method"] == "none" and (row["kind"] == "held-out" or row["seed"] == 1)
    ]
    return np.array([row["is_copy"] for row in plain]), np.array(
        [dict(row["detectors"])[detector] for row in plain]
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    lake = study.open_or_create(str(tmp_path_factory.mktemp("memory") / "lake"))
    results.commit(lake, "memorization", {"of": "rows"}, ROWS)
    results.commit(lake, "memorization", {"of": "ablations"}, ABLATED)
    results.commit(
        lake,
        "memorization",
        {"of": "another run"},
        [row | {"prompt": "another", "weights": "other"} for row in ROWS],
    )
    return lake


@pytest.fixture(scope="module")
def tables(lake) -> dict[str, list[dict]]:
    found = study.tables(lake, [results.config_hash({"of": "rows"})])
    found["ablations"] = study.tables(
        lake, [results.config_hash({"of": name}) for name in ("rows", "ablations")]
    )["ablations"]
    return {view: table.to_pylist() for view, table in found.items()}


def test_where_there_is_no_lake_one_of_the_forty_pictures_is_made(lake):
    assert (
        Lake(lake.url).manifest["corpus"] == "duplicates:all"
        and study.open_or_create(lake.url).manifest["images"] == 40
    )


def test_a_runs_tables_have_its_pictures_though_another_run_made_the_same_ones(tmp_path):
    lake = study.open_or_create(str(tmp_path / "lake"))
    runs = [{"run": 0}, {"run": 1}]
    for run in runs:
        results.commit(lake, "memorization", run, ROWS)
    for run in runs:
        assert study.tables(lake, [results.config_hash(run)])["methods"].num_rows == 6


def test_shares_of_few_titles_have_exact_intervals_in_sql(tables):
    """Eight of eight that agree have one as well: SciPy's, of one draw a title."""
    rows = [*tables["dose_response"], *tables["methods"]]
    for row in rows:
        if row["copies"] in (0, 1):
            exact = stats.binomtest(round(row["copies"] * row["prompts"]), row["prompts"]).proportion_ci()
            assert (row["copies_from"], row["copies_to"]) == pytest.approx((exact.low, exact.high), abs=2e-3)
        assert row["copies_from"] <= row["copies"] <= row["copies_to"]
    assert any(row["copies"] in (0, 1) for row in rows)


def test_sql_has_students_t_of_few_and_of_many_degrees_of_freedom():
    connection = planted("memorization.sql", TABLE, [])
    degrees = [*range(1, 40), 100, 1000]
    found = [connection.sql(f"SELECT student({of})").fetchall()[0][0] for of in degrees]
    assert found == pytest.approx(stats.t.ppf(0.975, degrees), rel=2e-4)
    assert found[:2] == pytest.approx(stats.t.ppf(0.975, [1, 2]), rel=1e-9)
    ((margin,),) = connection.sql("SELECT half(x) FROM (VALUES (0.), (1.)) of(x)").fetchall()
    low, high = stats.t.interval(0.95, 1, scale=sem([0, 1]))
    assert margin == pytest.approx((high - low) / 2, abs=1e-3)


@pytest.mark.parametrize("degrees", [1.0001, 1.05, 1.2, 1.5, 1.9, 2.2, 2.7, 3.5])
def test_sql_has_students_t_between_whole_degrees_of_freedom(degrees):
    ((found,),) = planted("memorization.sql", TABLE, []).sql(f"SELECT student({degrees}::DOUBLE)").fetchall()
    assert found == pytest.approx(stats.t.ppf(0.975, degrees), rel=2e-3)


@pytest.mark.parametrize("draws", [8, 100, 1200, 5000, 100_000])
@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.9])
def test_sql_has_exact_intervals_of_thousands_of_draws(draws, share):
    query = f"SELECT share_from({share}::DOUBLE, {draws}::DOUBLE), share_to({share}::DOUBLE, {draws}::DOUBLE)"
    ((low, high),) = planted("memorization.sql", TABLE, []).sql(query).fetchall()
    hits = share * draws
    assert low == pytest.approx(stats.beta.ppf(0.025, hits, draws - hits + 1), abs=0.003)
    assert high == pytest.approx(stats.beta.ppf(0.975, hits + 1, draws - hits), abs=0.003)


def test_two_weights_of_one_model_are_two_models():
    def pictures(weights: str, shift: float) -> list[dict]:
        rows = [
            made(group, prompt, "none", seed) | {"model": "folder", "weights": weights}
            for group in ("memorised", "ordinary")
            for prompt in range(6)
            for seed in range(4)
        ]
        scores = [shift + (row["kind"] == "duplicated") for row in rows]
        return [row | {"detectors": [("d", score)]} for row, score in zip(rows, scores)]

    one, other = pictures("sha256:aaaaaaaaaa", 0), pictures("sha256:bbbbbbbbbb", 10)
    queries = (
        "SELECT * EXCLUDE (model) FROM detectors",
        "SELECT * EXCLUDE (model) FROM methods",
        "SELECT * EXCLUDE (model) FROM dose_response",
    )
    for query in queries:
        alone, both = (
            planted("memorization.sql", TABLE, rows).sql(query).fetchall() for rows in (one, one + other)
        )
        assert len(alone) and both == alone * 2 or sorted(map(str, both)) == sorted(map(str, alone * 2))
    connection = planted("memorization.sql", TABLE, one + other)
    assert {name for (name,) in connection.sql("SELECT DISTINCT model FROM methods").fetchall()} == {
        "folder of weights aaaaaaaa",
        "folder of weights bbbbbbbb",
    }
    assert planted("memorization.sql", TABLE, one).sql("SELECT DISTINCT model FROM methods").fetchall() == [
        ("folder",)
    ]


def test_scores_that_are_no_numbers_count_for_nothing():
    rows = [
        made(group, prompt, "none", seed) | {"detectors": [("d", math.nan if seed == 1 else seed + prompt)]}
        for group in ("memorised", "ordinary")
        for prompt in range(6)
        for seed in range(8)
    ]
    without = [row for row in rows if row["seed"] != 1]
    query = "SELECT auc, tpr_at_1_percent_fpr, others FROM detectors"
    found, expected = (
        planted("memorization.sql", TABLE, each).sql(query).fetchall() for each in (rows, without)
    )
    assert found == expected and len(found) == 1


def test_sql_weighs_titles_as_python_does():
    connection = planted("memorization.sql", TABLE, [])
    random = np.random.default_rng(0)
    drawn = [random.binomial(4, random.beta(4 * share, 4 * (1 - share), 8)) for share in (0.1, 0.5, 0.8)]
    for hits in (*drawn, np.full(8, 2), np.zeros(8, int), np.full(8, 4)):
        p, variance = hits.mean() / 4, (hits / 4).var(ddof=1)
        found = connection.execute(
            "SELECT share_from($p, n), share_to($p, n) FROM (SELECT worth($p, 8, $v, 32) AS n)",
            {"p": p, "v": variance},
        ).fetchone()
        assert found == pytest.approx(share_interval(hits, np.full(8, 4)), abs=5e-3)


def test_dose_response_is_the_share_of_copies_by_dose(tables):
    assert [(row["dose"], row["prompts"], row["copies"]) for row in tables["dose_response"]] == [
        (10, 2, 0),
        (1000, 7, 1),
        (0, 4, 0),
    ]


def test_methods_are_compared_over_prompts_of_each_group(tables):
    found = {(row["group"], row["method"]): row for row in tables["methods"]}
    assert len(found) == 6 and {group: found[group, "none"]["prompts"] for group in PROMPTS} == PROMPTS
    swapped = found["memorised", "pad-swap"]
    assert (found["memorised", "none"]["copies"], swapped["copies"], swapped["alignment"]) == (1, 0, 0.1)
    values = 0.3 + 0.1 * np.arange(7)
    assert swapped["similarity"] == pytest.approx(values.mean(), abs=5e-4)
    low, high = t.interval(0.95, 6, scale=sem(values))
    assert swapped["±"] == pytest.approx((high - low) / 2, abs=1e-3)


def test_changes_are_of_the_same_prompts_and_their_intervals_of_the_differences(tables):
    found = {(row["group"], row["method"]): row for row in tables["method_changes"]}
    assert len(found) == 3, "plain pictures do not change"
    changed = found["memorised", "pad-swap"]
    differences = 0.3 + 0.1 * np.arange(7) - 0.9
    assert changed["similarity"] == pytest.approx(differences.mean(), abs=5e-4) and changed["copies"] == -1
    low, high = t.interval(0.95, 6, scale=sem(differences))
    assert changed["±"] == pytest.approx((high - low) / 2, abs=1e-3)
    assert found["ordinary", "pad-swap"]["similarity"] == found["ordinary", "pad-swap"]["±"] == 0


def test_ablations_stand_beside_the_plain_row_of_their_padding(tables):
    rows = [(row["padding"], row["how"], row["ablation"], row["copies"]) for row in tables["ablations"]]
    assert rows == [
        ("own", None, "plain", 1),
        ("own", "zeros", "(h) no pads", 0),
        ("own", "removal", "(h) no pads", 0),
        ("!", "zeros", "(c) no prompt", 0),
        ("!", "zeros", "(f) no eot", 0),
    ]


def test_a_detectors_auc_and_tpr_are_scikit_learns(tables):
    truth, scores = of_plain("wen-1")
    row = next(row for row in tables["detectors"] if row["detector"] == "wen-1")
    assert (row["memorised"], row["others"]) == (7, 14) and row["auc"] == pytest.approx(
        roc_auc_score(truth, scores), abs=5e-4
    )
    assert isinstance(row["memorised"], int)
    false_positive, true_positive, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert row["tpr_at_1_percent_fpr"] == pytest.approx(true_positive[false_positive <= 0.01].max(), abs=5e-4)


def test_a_detector_that_is_never_wrong_and_one_that_knows_nothing(tables):
    """Seven titles above six other prompts are sure of no more than six draws are; the others' 14 pictures
    do not tell what 1 % of them reach."""
    names = ("auc", "auc_from", "auc_to", "tpr_at_1_percent_fpr", "tpr_from", "tpr_to")
    perfect, blind = (
        next(row for row in tables["detectors"] if row["detector"] == name) for name in ("perfect", "blind")
    )
    low, high = stats.binomtest(6, 6).proportion_ci()
    assert [perfect[name] for name in names] == pytest.approx([1, low, high, 1, 0, 1], abs=1e-3)
    assert (blind["auc"], blind["tpr_at_1_percent_fpr"]) == (0.5, 0), (
        "ties count half, and none is above the others"
    )
    assert blind["auc_from"] < 0.5 < blind["auc_to"]


def test_attention_is_told_by_class_and_step(lake, tables):
    row = next(row for row in tables["attention"] if (row["group"], row["tokens"]) == ("memorised", "pad"))
    assert (row["first_step"], row["last_step"]) == (0.9, 0.8)
    connection = study.over(lake, [results.config_hash({"of": "rows"})])
    connection.execute((QUERIES / "memorization.sql").read_text())
    steps = connection.execute(
        "SELECT tokens, step, mass, prompts FROM attention_by_step WHERE \"group\" = 'memorised' ORDER BY ALL"
    ).fetchall()
    assert steps == [("eot", 1, 0.1, 7), ("eot", 2, 0.2, 7), ("pad", 1, 0.9, 7), ("pad", 2, 0.8, 7)]


@pytest.mark.long
def test_the_command_prints_a_line_per_method_and_group(in_this_process, zoo):
    common = [
        "--lake",
        in_this_process,
        "--model",
        f"stable-diffusion:{zoo}/sd",
        "--seeds",
        "1",
        "--steps",
        "2",
        "--ordinary",
        "2",
    ]
    shown = (
        CliRunner()
        .invoke(
            command.app, [*common, "--methods", "pad-swap", "--prompts-per-dose", "1"], catch_exceptions=False
        )
        .output
    )
    methods = shown.partition("\nmethods\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert [line.split()[:2] for line in methods] == [
        [group, method] for group in ("ordinary", "titled") for method in ("none", "pad-swap")
    ]


@pytest.mark.long
def test_the_call_gives_the_tables_that_the_command_prints(in_this_process, zoo):
    result = study.memorization(
        Lake(in_this_process),
        model=f"stable-diffusion:{zoo}/sd",
        methods="none",
        seeds=1,
        prompts_per_dose=1,
        doses=[1000],
        ordinary=1,
        steps=2,
    )
    assert set(result.tables) == set(study.VIEWS)
    assert result.tables["methods"]["method"].to_pylist() == ["none", "none"]
    assert "the very ones that are compared" in "\n".join(command.lines(result))
    assert sum(row["prompts"] for row in result.tables["methods"].to_pylist()) == 3
    assert len(result.configs) == 1 and 0 < result.calibration.threshold < 1


def test_the_help_of_the_command_ends_with_the_settings():
    shown = CliRunner().invoke(command.app, ["--help"], catch_exceptions=False).output
    assert "fraction=0.7:end=first" in shown and "une memorization --lake memory" in shown


def test_the_command_wants_a_lake_and_its_settings_right_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(study.tasks, "run", None)
    missing = CliRunner().invoke(command.app, ["--methods", "pad-swap"])
    assert missing.exit_code == 2 and "which lake?" in missing.output
    for arguments, message in (
        (["--methods", "pad-swop"], "nearest first: pad-swap"),
        (["--doses", "7"], "unknown dose '7'"),
    ):
        with pytest.raises(UneError, match=message):
            CliRunner().invoke(
                command.app, ["--lake", str(tmp_path / "lake"), *arguments], catch_exceptions=False
            )
    assert not (tmp_path / "lake").exists()


def test_a_lake_holds_rows_of_one_copy_metric(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(study.tasks, "run", lambda *_, **options: iter(["done"]))
    (plain,) = bench.tasks("mini-sd-dup", [bench.PLAIN_CHOICE], held_out(1))
    one = replace(plain, copy_metric="sscd:one.safetensors", copy_metric_weights="sha256:one")
    tiles, sscd = [plain], [one]
    assert study.run(lake, tiles) == ["done"]
    with pytest.raises(UneError, match="holds rows of the copy metric tiles, .* with sscd:.*sha256:one"):
        study.run(lake, sscd)
    fresh = study.open_or_create(str(tmp_path / "lake"))
    assert study.run(fresh, sscd) == ["done"]
    results.commit(fresh, "memorization", one.to_row(), ROWS[:1])
    assert study.run(fresh, sscd) == ["done"]
    for others in (tiles, [replace(one, copy_metric_weights="sha256:two")]):
        with pytest.raises(UneError, match="name another lake"):
            study.run(fresh, others)


def test_the_command_takes_a_copy_metric_and_refuses_one_that_is_none_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(study.tasks, "run", None)
    for metric, message in (
        ("lpips", "unknown copy metric 'lpips'"),
        ("sscd:nowhere.safetensors", "no SSCD weights in .*nowhere"),
    ):
        with pytest.raises(UneError, match=message):
            CliRunner().invoke(
                command.app,
                ["--lake", str(tmp_path / "lake"), "--copy-metric", metric],
                catch_exceptions=False,
            )
    assert not (tmp_path / "lake").exists()


def test_the_lake_is_an_argument_or_an_option():
    for words in (
        ["memorization", "LAKE", "--doses", "x"],
        ["memorization", "--lake", "LAKE", "--doses", "x"],
    ):
        answer = CliRunner().invoke(app, words)
        assert answer.exit_code != 0 and "which lake" not in str(answer.output) + str(answer.exception)
    assert "which lake" in CliRunner().invoke(app, ["memorization"]).output
