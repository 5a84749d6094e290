"""A sweep of a tiny lake on real Ray Tune: killed, resumed, done once; and the command of its knee, which
must say the same."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.helpers.edited import lake_of
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES, connect
from une_ray.lake.store import Store
from une_ray.run import tasks as pipeline
from une_ray.run.cluster import Cluster
from une_ray.spaces.space import Space
from une_ray.studies.edits.edit import Edit
from une_ray.studies.edits.judge import judges
from une_ray.studies.edits.outcome import Outcome, outcomes
from une_ray.studies.edits.sweep import Orthogonalization
from une_ray.studies.sweeps.plan import prepare
from une_ray.studies.sweeps.result import command, sweeps
from une_ray.studies.sweeps.search_space import read
from une_ray.studies.sweeps.snapshots import usable

TRIALS = 6
STUDY = f"""
fixed: {{attribute: Smiling, correlated: 0.2}}
space:
  method: {{choices: [ridge, mean-difference]}}
  penalty: {{log: [0.01, 10], when: {{method: [ridge]}}}}
  keep: {{choices: [none, correlated]}}
  erasure: {{choices: [projection, leace], when: {{keep: [correlated]}}}}
  shrinkage: {{choices: [0.2, 2.0], when: {{erasure: [leace]}}}}
  path: {{choices: [straight, shell]}}
  alpha: {{uniform: [0.5, 3]}}
points:
  unorthogonalised: {{method: ridge, penalty: 1.0, keep: none, path: straight, alpha: 2.0}}
  impossible:
    {{method: mean-difference, keep: correlated, erasure: leace, shrinkage: 2.0, path: straight, alpha: 1.0}}
weights: {{effect: 1, leakage: -1, identity: 1}}
scales:
  small: {{trials: {TRIALS}, first: 3, most: 6}}
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory, tiny_spaces) -> Lake:
    return lake_of(
        str(tmp_path_factory.mktemp("swept") / "lake"),
        [Space.parse(tiny_spaces[0]), Space.parse(tiny_spaces[2])],
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("study") / "smiles.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def done(lake, study, tmp_path_factory) -> str:
    """The sweep, killed after its first trial, once its state can be gone on from, and run again; what the
    second run printed."""
    words = [
        sys.executable,
        "-m",
        "une_ray",
        "sweep",
        "orthogonalization",
        "--lake",
        lake.url,
        "--study",
        str(study),
        "--actors",
        "1",
    ]
    first = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 120
    while (
        not (ended(lake) and resumable(lake, tmp_path_factory))
        and time.monotonic() < deadline
        and first.poll() is None
    ):
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert 0 < len(ended(lake)) < TRIALS, "the kill came too late, or the sweep failed"
    kept = [
        sorted(path.name[-1] for path in trial.iterdir())
        for trial in Path(lake.url, "unfinished").glob("*/Trial_*")
    ]
    assert ["0", "1"] in kept and all(rungs == ["0", "1"][: len(rungs)] for rungs in kept), (
        "a snapshot older than a rung names the one before it"
    )
    second = subprocess.run(words, capture_output=True, text=True, timeout=240)
    assert second.returncode == 0, second.stderr
    return second.stdout + second.stderr


def resumable(lake: Lake, tmp_path_factory) -> bool:
    """Of a copy: the sweep goes on meanwhile."""
    copy = tmp_path_factory.mktemp("copy") / "unfinished"
    with suppress(shutil.Error):  # a file went while it was copied
        shutil.copytree(Path(lake.url, "unfinished"), copy)
        return any(usable(Store(str(copy)), sweep.name) for sweep in copy.iterdir())
    return False


def ended(lake: Lake) -> set[str]:
    return lake.store.names("sweeps") - {"empty.parquet"}


def rows(lake: Lake) -> list[dict]:
    return connect(lake).sql("SELECT * FROM sweeps").to_arrow_table().to_pylist()


@pytest.mark.long
def test_a_killed_sweep_goes_on_and_no_trial_is_lost_or_doubled(lake, done):
    found = rows(lake)
    assert (
        len(found)
        == TRIALS
        == len({str(row["settings"]) for row in found})
        == len({row["config"] for row in found})
    )
    assert {row["status"] for row in found} <= {"finished", "stopped", "refused"} and {
        row["budget"] for row in found
    } <= {3, 6}
    assert {row["point"]: row["status"] for row in found if row["point"]} == {
        "unorthogonalised": "finished",
        "impossible": "refused",
    }
    assert not lake.store.names("unfinished") and f"{TRIALS}/{TRIALS} trials" in done
    assert "Trial_" not in done and "WARNING" not in done, "Tune's own words are not for the reader"


@pytest.mark.long
def test_settings_that_cannot_be_are_a_row_with_the_reason_and_do_not_end_the_sweep(lake, done):
    for row in rows(lake):
        refused = dict(row["settings"]).get("shrinkage") == "2.0"
        assert (row["status"] == "refused") == refused and (row["error"] or "").startswith(
            "a shrinkage of 2;"
        ) == refused
        assert (set(dict(row["objectives"]).values()) == {None}) == refused and (
            row["promise"] is None
        ) == refused


@pytest.mark.long
def test_a_finished_sweep_is_not_done_again(lake, study, done, monkeypatch):
    monkeypatch.setattr(Cluster, "pools", lambda *_: pytest.fail("there is nothing left to do"))
    again = CliRunner().invoke(
        app, ["sweep", "orthogonalization", "--lake", lake.url, "--study", str(study)], catch_exceptions=False
    )
    assert again.exit_code == 0 and "→" in again.stdout


def leakage_of(outcome: Outcome, images: set[int]) -> float:
    """The root of what two of the images' slopes have in common, of the attributes that were not moved."""
    slopes = np.delete(outcome.slopes, outcome.moved, axis=1)[sorted(images)]
    products = [a @ b for a, b in permutations(slopes, 2)]
    return float(np.sqrt(max(np.mean(products) / slopes.shape[1], 0)))


@pytest.mark.long
def test_the_knees_command_gives_the_knees_numbers(lake, done, monkeypatch):
    def here(lake, kind, work, worker, options, *_):
        for task in work:
            results.commit(lake, kind, task, worker(lake.url, options)(task))
            yield results.config_hash(task)

    monkeypatch.setattr(pipeline, "_distribute", here)  # as a Ray actor does it
    torch.set_num_threads(1)
    (found,) = sweeps(connect(lake), "smiles")
    une, *words = shlex.split(command(found.knee, lake.url))
    shown = CliRunner().invoke(app, words, catch_exceptions=False)
    assert une == "une" and shown.exit_code == 0
    direction = "orthogonalised" if dict(found.knee["settings"])["keep"] != "none" else "probe"
    judged = [outcome for outcome in outcomes(connect(lake)) if outcome.direction == direction]
    dose, chosen = float(dict(found.knee["settings"])["alpha"]), dict(found.knee["objectives"])
    reported = dict(found.knee["reported"])  # three of the six images chose
    objectives = {name: (chosen[name] + reported[name]) / 2 for name in chosen}
    summaries = [outcome.summary() for outcome in judged]
    assert objectives["effect"] == pytest.approx(
        dose * np.mean([row["effect"] for row in summaries]), rel=1e-6
    )
    halves = [{*half} for half in combinations(range(6), 3)]
    leaks = {
        half: [dose * np.mean([leakage_of(outcome, images) for outcome in judged]) for images in sides]
        for half, sides in ((tuple(half), (half, {*range(6)} - half)) for half in halves)
    }
    due = [chosen["leakage"], reported["leakage"]]
    assert chosen != reported and any(found == pytest.approx(due, rel=1e-6) for found in leaks.values())
    assert objectives["identity"] == pytest.approx(np.mean([row["identity"] for row in summaries]), rel=1e-6)


@pytest.mark.long
def test_sql_finds_the_same_front_and_knee(lake, done):
    connection = connect(lake)
    connection.execute((QUERIES / "sweeps.sql").read_text()).fetchall()
    (found,) = sweeps(connection)
    told = connection.execute("SELECT config, knee FROM compromises").fetchall()
    assert {config for config, _ in told} == {trial["config"] for trial in found.front}
    assert [config for config, is_knee in told if is_knee] == [found.knee["config"]]
    query = (
        "SELECT mean FROM setting_effects WHERE setting = 'keep' AND value = 'none' AND objective = 'leakage'"
    )
    mine = [
        dict(trial["objectives"])["leakage"]
        for trial in found.full
        if dict(trial["settings"])["keep"] == "none"
    ]
    assert connection.execute(query).fetchall() == ([(pytest.approx(np.mean(mine)),)] if mine else [])


def test_the_nuisances_of_a_study_are_those_whose_labels_go_together(lake):
    facts = Orthogonalization.facts(lake, {"attribute": "Smiling", "correlated": 0.2})
    labels = {
        a: dict(v)
        for a, v in connect(lake)
        .execute(
            "SELECT attribute, map_from_entries(list((image_id, value::INT))) FROM attributes "
            "WHERE split <> 'test' GROUP BY attribute"
        )
        .fetchall()
    }
    target = [*labels["Smiling"].values()]
    for name in facts["keep"]["all"]:
        phi = np.corrcoef(target, [labels[name][image_id] for image_id in labels["Smiling"]])[0, 1]
        assert (name in facts["keep"]["correlated"]) == (abs(phi) >= 0.2)
    assert (
        facts["keep"]["none"] == []
        and "Smiling" not in facts["keep"]["all"]
        and facts["judges"].keys() == set(judges(lake, "sd", "Smiling"))
    )


def test_a_command_names_every_setting_of_its_trial(lake):
    facts = Orthogonalization.facts(lake, {"attribute": "Smiling"})
    settings = {
        "method": "pca-logistic",
        "penalty": 0.123,
        "rank": 7,
        "keep": "all",
        "erasure": "iterative",
        "rounds": 3,
        "inner_product": "covariance",
        "shrinkage": 0.25,
        "path": "shell",
        "alpha": 1.25,
    }
    words = Orthogonalization.command(facts, settings, 12)
    told = (
        dict(zip(words[1::2], words[2::2]))
        if "--fit" not in words
        else dict(zip(*[iter([w for w in words[1:] if w != "--fit"])] * 2))
    )
    assert (
        told["--penalty"] == "0.123"
        and told["--rank"] == "7"
        and told["--rounds"] == "3"
        and told["--alphas"] == "-1.25,1.25"
    )
    assert (
        told["--keep"].split(",") == facts["keep"]["all"]
        and told["--path"] == "shell"
        and told["--inner"] == "covariance"
    )
    assert (
        told["--shrinkage"] == "0.25"
        and told["--images"] == "12"
        and told["--baselines"] == ""
        and words[0] == "edit"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path:", "route:", "unknown parameter of a study of orthogonalization 'route'"),
        (
            "effect: 1,",
            "effects: 1,",
            "unknown objective of orthogonalization 'effects'; known, nearest first: effect",
        ),
        ("attribute: Smiling", "attribute: Smilling", "unknown attribute 'Smilling'"),
        ("attribute: Smiling, ", "", "unknown attribute ''; known, nearest first: "),
        ("correlated: 0.2", "corelated: 0.2", "unknown fixed part of an orthogonalization study 'corelated'"),
    ],
)
def test_a_study_that_the_lake_cannot_serve_is_refused_before_anything_runs(
    lake, tmp_path, old, new, message
):
    path = tmp_path / "study.yaml"
    path.write_text(
        STUDY.replace("points:", "seed: 1")
        .replace("  unorthogonalised", "#")
        .replace("  impossible:\n    ", "#")
        .replace(old, new)
    )
    with pytest.raises(UneError, match=message):
        prepare(lake, "orthogonalization", read(path, "the.yaml"), "small")


def test_an_edit_that_fits_its_probes_is_that_of_the_lakes_probes_of_that_penalty(lake):
    from une_ray.studies.edits.direction_set import directions
    from une_ray.studies.edits.probes_of_edit import probes_of_edit
    from une_ray.studies.edits.train_rows import train_rows
    from une_ray.studies.probes.study import probe

    asked = Edit(
        space="sd",
        attribute="Smiling",
        keep=("Male",),
        alphas=(1.0,),
        method="lda",
        baselines=(),
        penalty=0.3,
    )
    train = train_rows(lake, "sd", "Smiling")
    rows = probes_of_edit(lake, asked, train)
    probe(lake, ["sd"], "lda", penalties=[0.3], splits=1, permutations=0)
    query = "SELECT attribute, w, b FROM probes WHERE space = 'sd' AND method = 'lda' AND status = 'ok'"
    stored = {name: (np.array(w), b) for name, w, b in connect(lake).execute(query).fetchall()}
    assert stored.keys() <= rows.keys() and len(stored) > 5
    for name, (w, b) in stored.items():
        assert np.allclose(rows[name].w, w, rtol=1e-4, atol=1e-5 * np.abs(w).max()) and rows[
            name
        ].b == pytest.approx(b, rel=1e-3, abs=1e-4)
    assert directions(lake, asked, rows, train)["orthogonalised"].nuisances == ("Male",)
