"""Which of several probes is *the* probe: later experiments change no earlier answer but on request."""

from pathlib import Path

import duckdb
import pytest

from tests.helpers.probed import EASY, Y, Z, fill, same
from tests.helpers.stock import answered, module, refused
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.studies.probes.study import probe

LATER = (0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
ANSWERS = {
    "direction": "FROM direction('enc', 'Smiling')",
    "scores": "FROM probe_scores('enc') ORDER BY attribute, image_id LIMIT 300",
    "metrics": "FROM probe_metrics('enc')",
    "agreement": "FROM agreement('enc', 'gen/ddim50')",
    "entanglement": "FROM entanglement('enc')",
    "orthogonalized": "FROM orthogonalized('enc', 'Smiling', ['Male'])",
    "chosen": "SELECT * FROM chosen_probes WHERE method = 'ridge' ORDER BY space, attribute",
    "best": "SELECT * FROM best_probes ORDER BY space, attribute, split_seed",
}
DEFAULT = {"engine": "fast", "penalties": None, "rank": None, "splits": 5, "permutations": 20, "latents": 100}


def answers(lake: Lake) -> dict[str, list[dict]]:
    connection = connect(lake)
    return {name: connection.sql(query).to_arrow_table().to_pylist() for name, query in ANSWERS.items()}


@pytest.fixture(scope="module")
def before_and_lake(tmp_path_factory) -> tuple[dict[str, list[dict]], Lake]:
    """Answers of a lake that has its default probes alone, and the lake after other settings were tried."""
    fingerprints = {space: {"kind": "clip", "model": space} for space in Z}
    lake = fill(tmp_path_factory.mktemp("lake") / "with 'quote", Z, Y, fingerprints=fingerprints)
    probe(lake)
    before = answers(lake)
    for penalty in LATER:
        probe(lake, penalties=[penalty], splits=1, permutations=0)
    probe(lake, method="lda", splits=1, permutations=0)
    return before, lake


@pytest.fixture(scope="module")
def lake(before_and_lake) -> Lake:
    return before_and_lake[1]


def config_of(lake: Lake, penalty: float, space: str = "enc") -> str:
    ((config,),) = (
        connect(lake)
        .execute(
            "SELECT config FROM probe_settings WHERE space = ? AND penalties = [?::DOUBLE]", [space, penalty]
        )
        .fetchall()
    )
    return config


def test_what_is_tried_later_changes_no_answer(before_and_lake):
    before, lake = before_and_lake
    configs = {row["config"] for row in before["best"] if row["space"] == "enc"}
    assert min(config_of(lake, penalty) for penalty in LATER) < min(configs), "one comes first by its name"
    for name, rows in answers(lake).items():
        assert same(rows, before[name]), name


def test_the_stock_shell_keeps_to_the_same_probes(before_and_lake):
    before, lake = before_and_lake
    assert same(answered(lake, ANSWERS["direction"]), before["direction"])
    assert same(answered(lake, ANSWERS["agreement"]), before["agreement"])
    query = "SELECT * EXCLUDE (w) FROM best_probes ORDER BY space, attribute, split_seed"
    assert same(answered(lake, query), connect(lake).sql(query).to_arrow_table().to_pylist())


def test_with_one_setting_the_best_are_all_there_are(before_and_lake):
    before, _ = before_and_lake
    assert (
        len(before["best"]) == len(Z) * len(EASY) * 5 and len({row["config"] for row in before["best"]}) == 2
    )
    assert before["chosen"] == [row for row in before["best"] if row["split_seed"] == 0]


@pytest.mark.parametrize("connected", [connect, module])
def test_a_caller_pins_another_by_its_config(lake, connected):
    connection, config = connected(lake), config_of(lake, 3.0)
    asked = "SELECT {} FROM probes WHERE config = ? AND attribute = 'Smiling'"
    pinned = connection.execute("SELECT w, b FROM direction('enc', 'Smiling', by_config := ?)", [config])
    assert pinned.fetchall() == connection.execute(asked.format("w, b"), [config]).fetchall()
    metrics = "SELECT auc FROM probe_metrics('enc', by_config := ?) WHERE attribute = 'Smiling'"
    ((auc,),), ((stored,),) = (
        connection.execute(query, [config]).fetchall() for query in (metrics, asked.format("auc"))
    )
    assert auc == pytest.approx(stored)
    ((w, _, _),) = connection.execute(
        "FROM orthogonalized('enc', 'Smiling', ['Male'], by_config := ?)", [config]
    ).fetchall()
    assert len(w) == Z["enc"].shape[1]
    scores = "SELECT count(*) FROM probe_scores('enc', by_config := ?)"
    assert connection.execute(scores, [config]).fetchone() == (149 * len(EASY),)
    pairs = connection.execute("SELECT count(*) FROM entanglement('enc', by_config := ?)", [config])
    assert pairs.fetchone() == (len(EASY) * (len(EASY) - 1) // 2,)


def test_a_config_can_be_asked_for_by_its_penalty(lake):
    penalty = "(SELECT config FROM probe_settings WHERE space = 'enc' AND penalties = [3.0])"
    query = f"SELECT b FROM direction('enc', 'Smiling', by_config := {penalty})"
    pinned = f"SELECT b FROM direction('enc', 'Smiling', by_config := '{config_of(lake, 3.0)}')"
    assert connect(lake).execute(query).fetchall() == connect(lake).execute(pinned).fetchall()


def test_agreement_takes_a_config_of_either_space(lake):
    connection = connect(lake)
    configs = [config_of(lake, 3.0), config_of(lake, 3.0, "gen/ddim50")]
    rows = connection.execute("FROM agreement('enc', 'gen/ddim50', by_config := ?)", [configs]).fetchall()
    stored = dict(
        connection.execute("SELECT attribute, auc FROM probes WHERE config = ?", configs[:1]).fetchall()
    )
    assert {attribute: auc for attribute, auc, *_ in rows} == stored
    with pytest.raises(duckdb.Error, match="no probes of config .* in space 'gen/ddim50'; that space has "):
        connection.execute("FROM agreement('enc', 'gen/ddim50', by_config := ?)", configs[:1]).fetchall()


def test_settings_stand_side_by_side_with_the_figures_of_une_probe(lake):
    rows = module(lake).sql("FROM probe_settings WHERE space = 'enc'").to_arrow_table().to_pylist()
    assert [(row["method"], row["penalties"], row["is_default"]) for row in rows] == [
        ("ridge", None, True),
        *(("ridge", [penalty], False) for penalty in LATER),
        ("lda", None, False),
    ]
    again = probe(lake, ["enc"]).table.to_pylist()[0]
    assert same(
        [
            rows[0][key]
            for key in ("attributes", "splits", "auc", "auc_margin", "accuracy", "permutations", "latents")
        ],
        [*(again[key] for key in ("attributes", "splits", "auc", "auc_margin", "accuracy")), 20, 149],
    )
    assert rows[1]["splits"] == 1 and rows[1]["auc_margin"] is None


def row(method: str = "ridge", seed: int = 0, **columns) -> dict:
    made = {"space": "enc", "attribute": "Male", "method": method, "engine": "fast", "split_seed": seed}
    return made | {"status": "ok", "w": [1.0], "b": 0.0, "auc": 0.5} | columns


RIVALS = {
    "more latents": ([row()], DEFAULT | {"latents": 90}, [row()], DEFAULT),
    "the default before more latents": (
        [row()],
        DEFAULT | {"penalties": [1.0], "latents": 200},
        [row()],
        DEFAULT,
    ),
    "the default of a method with a rank": (
        [row("pca-logistic")],
        DEFAULT | {"rank": 20},
        [row("pca-logistic")],
        DEFAULT | {"rank": 500},
    ),
    "the fast engine": ([row(engine="sql")], DEFAULT | {"engine": "sql"}, [row()], DEFAULT),
    "all splits": ([row()], DEFAULT | {"splits": 1}, [row()], DEFAULT),
    "all permutations": ([row()], DEFAULT | {"permutations": 0}, [row()], DEFAULT),
    "ridge": ([row("lda")], DEFAULT, [row("ridge")], DEFAULT | {"penalties": [1.0]}),
    "what was fitted": (
        [row(status="refused", w=None)],
        DEFAULT,
        [row("lda")],
        DEFAULT | {"penalties": [1.0]},
    ),
    "what has settings at all": ([row()], {}, [row()], DEFAULT),
}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("why", RIVALS)
def test_the_best_probe_is_the_one_of(tmp_path: Path, why, first):
    loser, its_settings, winner, settings = RIVALS[why]
    lake = fill(tmp_path / "lake", {}, {})
    for salt in (first, 1 - first):  # so that either may come first by its config
        rows, config = [(winner, settings), (loser, its_settings)][salt]
        results.commit(lake, "probes", config | {"salt": first, "which": salt}, rows)
    best = connect(lake).execute("SELECT config FROM best_probes").fetchall()
    assert best == [(results.config_hash(settings | {"salt": first, "which": 0}),)]


def test_every_split_seed_has_its_best(tmp_path: Path):
    lake = fill(tmp_path / "lake", {}, {})
    results.commit(lake, "probes", DEFAULT, [row(seed=seed) for seed in range(5)])
    results.commit(lake, "probes", DEFAULT | {"method": "lda"}, [row("lda", seed) for seed in range(5)])
    rows = connect(lake).execute("SELECT split_seed, method FROM best_probes ORDER BY split_seed").fetchall()
    assert rows == [(seed, "ridge") for seed in range(5)]
    chosen = connect(lake).execute("SELECT split_seed, method FROM chosen_probes ORDER BY method").fetchall()
    assert chosen == [(0, "lda"), (0, "ridge")]


MISSPELT = {
    "FROM probe_scores('enk')": "no ridge probes of space 'enk' in this lake; there are of enc, gen/ddim50",
    "FROM probe_metrics('enc', by_method := 'rigde')": "no probes by method 'rigde' in this lake; there",
    "FROM probe_scores('enc', by_config := 'abc')": "no probes of config abc in space 'enc'; that space has ",
    "FROM probe_scores('enk', by_config := 'abc')": "no probes of config abc in space 'enk'; there is none",
    "FROM direction('enc', 'smiling')": "no probe of 'smiling' in space 'enc'; there are of Smiling, ",
    "FROM direction('Enc', 'Smiling')": "no ridge probes of space 'Enc' in this lake; there are of enc, ",
    "FROM agreement('enc', 'gen/ddim5')": "no ridge probes of space 'gen/ddim5' in this lake; there are",
    "FROM agreement('gen', 'enc')": "no ridge probes of space 'gen' in this lake; there are of ",
    "FROM entanglement('enc', by_method := NULL)": "no NULL probes of space 'enc' in this lake",
    "FROM entanglement(NULL)": "no space NULL; there are probes of enc, gen/ddim50",
    "FROM orthogonalized('enc', 'Smiling', ['Mal'])": "no probe of 'Mal' in space 'enc'; there are of Male, ",
}


@pytest.mark.parametrize("query", MISSPELT)
@pytest.mark.parametrize("form", ["{}", "SELECT count(*) {}", "SELECT 1 {} LIMIT 1"])
def test_a_misspelt_name_is_an_error_with_the_names_that_there_are(lake, query, form):
    for connection in (connect(lake), module(lake)):
        with pytest.raises(duckdb.InvalidInputException) as raised:
            connection.execute(form.format(query)).fetchall()
        assert MISSPELT[query] in str(raised.value)


def test_an_error_is_one_whatever_the_caller_filters(lake):
    for where in ("attribute = 'Smiling'", "image_id = 'x'", "score > 0", "value", "split IS NULL"):
        with pytest.raises(duckdb.Error, match="no ridge probes of space 'enk'"):
            connect(lake).execute(f"FROM probe_scores('enk') WHERE {where}").fetchall()


def test_the_stock_shell_says_what_is_misspelt_too(lake):
    said = refused(lake, ";\n".join(MISSPELT) + ";")
    assert all(message in said for message in MISSPELT.values()), said
