"""Mitigations as trials, on an untrained generator: their objectives are those of `une memorization`'s
rows."""

import numpy as np
import optuna
import pytest
import torch
from typer.testing import CliRunner

from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.registry import MITIGATIONS
from une_ray.run import tasks as pipeline
from une_ray.studies.memorization import copy_metric
from une_ray.studies.memorization.bench import BLOCK
from une_ray.studies.memorization.measures import copies
from une_ray.studies.memorization.parse import parse
from une_ray.studies.memorization.study import open_or_create
from une_ray.studies.memorization.sweep import Mitigation, method_of, prompts, sizes
from une_ray.studies.sweeps.plan import prepare, shipped

SETTINGS = {
    "method": "zero-pads",
    "guidance": 3.0,
    "fraction": 0.4,
    "end": "last",
    "scale": 0.1,
    "window_from": 1000,
    "window_to": 300,
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return open_or_create(str(tmp_path_factory.mktemp("mitigated") / "lake"))


@pytest.fixture(scope="module")
def facts(lake, zoo) -> dict:
    return Mitigation.facts(lake, {"model": f"stable-diffusion:{zoo}/sd", "steps": 2, "seeds": 1})


@pytest.mark.long
def test_a_trials_numbers_are_those_of_its_command(lake, facts, monkeypatch):
    def here(lake, table, work, worker, options, *_, **progress):
        built = worker(lake.url, options, "cpu")
        for task in work:
            results.commit(lake, table, task.to_row(), built(task.to_row()))
            yield task.config

    monkeypatch.setattr(pipeline, "run", here)  # as a Ray actor does it
    torch.set_num_threads(1)
    trial = Mitigation(lake, facts, 16, "cpu")
    trial.start(SETTINGS)
    first, full, reported = trial.judge(8), trial.judge(16), trial.reported()
    name, *words = Mitigation.command(facts, SETTINGS, 16)
    CliRunner().invoke(app, [name, "--lake", lake.url, *words], catch_exceptions=False)
    query = """SELECT avg(similarity) FILTER (kind = 'duplicated'),
            avg(alignment) FILTER (kind <> 'duplicated'), avg(distance_to_real), count(*)
        FROM memorization WHERE method = 'zero-pads'"""
    ((*told, count),) = connect(lake).execute(query).fetchall()
    halves = np.array([[*full.values()], [*reported.values()]])  # of the prompts of each kind
    assert count == 16 and told == pytest.approx(halves.mean(0), rel=1e-6)
    assert first != full and (halves[0] != halves[1]).all()


@pytest.mark.slow
def test_copies_can_be_told_by_another_metric(lake, zoo, sscd, monkeypatch):
    monkeypatch.setattr(copy_metric, "CALIBRATION_PICTURES", 4)
    facts = Mitigation.facts(
        lake, {"model": f"stable-diffusion:{zoo}/sd", "steps": 2, "seeds": 1, "copy_metric": sscd}
    )
    trial = Mitigation(lake, facts, 8, "cpu")
    trial.start({"method": "none"})
    found = (trial.judge(8)["similarity"] + trial.reported()["similarity"]) / 2
    titled = [task for task in trial.tasks if task.prompts[0].kind == "duplicated"]
    asked = [prompt for task in titled for prompt in task.prompts]
    pictures = torch.cat([trial.worker.make(task).pictures for task in titled])

    def similarity(name: str) -> float:
        metric = copy_metric.find_metric(name)
        rows = copies(asked, metric.describe(pictures), pictures.shape[-1], metric)
        return float(np.mean([row["similarity"] for row in rows]))

    assert found == pytest.approx(similarity(sscd), abs=1e-5)
    assert found != pytest.approx(similarity("tiles"), abs=1e-3)
    words = Mitigation.command(facts, {"method": "none"}, 8)
    assert words[words.index("--copy-metric") + 1] == sscd and facts["copy_metric_weights"]
    with pytest.raises(
        UneError, match="unknown fixed part .* 'copymetric'; known, nearest first: copy_metric"
    ):
        Mitigation.facts(lake, {"copymetric": sscd})


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"doses": 250}, "doses of a mitigation study, 250: they are a list"),
        ({"doses": [250, 300]}, "unknown dose '300'"),
        ({"seeds": "two"}, "seeds of a mitigation study, 'two': a whole number"),
        ({"steps": 0}, "steps of a mitigation study, 0: a whole number, at least 1"),
    ],
)
def test_fixed_parts_that_make_no_sense_are_refused(lake, fixed, message):
    with pytest.raises(UneError, match=message):
        Mitigation.facts(lake, fixed)


def test_the_first_rung_has_titles_and_ordinary_captions(lake, facts):
    trial = Mitigation(lake, facts, 32, "cpu")
    trial.start({"method": "none"})
    assert {task.prompts[0].kind for task in trial.tasks[: 8 // BLOCK]} == {"duplicated", "held-out"}
    assert sum(len(task.prompts) for task in trial.tasks) == 32 == len(prompts(facts, 32))


@pytest.mark.parametrize(("most", "expected"), [(16, (4, 4)), (32, (8, 8)), (64, (8, 24)), (1, (1, 1))])
def test_half_of_the_prompts_are_titles_while_there_are_enough(facts, most, expected):
    assert sizes(facts, most) == expected


def test_whatever_the_shipped_study_suggests_is_a_method_that_its_command_names(lake, facts):
    study, trials = shipped("mitigation"), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for settings in [*study.points.values(), *(study.suggested(trials.ask()) for _ in range(80))]:
        method, guidance = method_of(settings)
        words = Mitigation.command(facts, settings, 16)
        assert parse(words[words.index("--methods") + 1]) == [method]
        assert words[words.index("--guidance") + 1] == str(guidance)


def test_every_setting_of_every_method_may_be_searched():
    settings = {name for _, method in MITIGATIONS.items() for name in method.settings}
    assert set(Mitigation.knobs) == {"method", "guidance"} | settings


def test_of_two_trials_with_the_same_settings_the_finished_one_stays(tmp_path, zoo):
    lake = open_or_create(str(tmp_path / "lake"))
    sweep = prepare(lake, "mitigation", shipped("mitigation"), "small", model=f"stable-diffusion:{zoo}/sd")
    result = dict.fromkeys([*Mitigation.goals, "promise"], 0.5) | {"seconds": 1.0}
    result["reported"] = dict.fromkeys(Mitigation.goals, 0.4)
    for budget, error in (
        (8, ""),
        (sweep.scale.most, ""),
        (8, ""),
        (sweep.scale.most, "the object store does not answer"),
    ):
        sweep.record(lake, {"method": "none", "guidance": 7.5}, result | {"budget": budget, "error": error})
    assert connect(lake).execute("SELECT status, budget FROM sweeps").fetchall() == [
        ("finished", sweep.scale.most)
    ]


def test_a_trial_that_was_refused_is_one_row_with_the_reason_and_a_closed_sweep_is_done(lake, zoo):
    sweep = prepare(lake, "mitigation", shipped("mitigation"), "small", model=f"stable-diffusion:{zoo}/sd")
    with pytest.raises(UneError, match="unknown setting of pad-swap 'fraction'") as refusal:
        method_of(settings := {"method": "pad-swap", "fraction": 0.5})
    settings = {"method": "pad-swap", "guidance": 2.0, "window_from": 300, "window_to": 300}
    result = dict.fromkeys([*Mitigation.goals, "promise"], np.nan) | {
        "budget": 8,
        "error": str(refusal.value),
        "seconds": 1.0,
    }
    sweep.record(lake, settings, result)
    sweep.record(lake, settings, result)
    found = (
        connect(lake)
        .execute("SELECT status, error, objectives['similarity'], promise FROM sweeps")
        .fetchall()
    )
    assert found == [("refused", str(refusal.value), None, None)]
    assert not sweep.is_done(lake)
    sweep.close(lake)
    assert sweep.is_done(lake) and connect(lake).execute("SELECT count(*) FROM sweeps").fetchall() == [(1,)]
