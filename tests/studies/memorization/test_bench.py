"""The study's worker on an untrained generator: what each row says, against loops and its own limit cases."""

import json

import pyarrow as pa
import pytest
import torch

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.pictures.tensors import from_bytes
from une_ray.registry import DETECTORS
from une_ray.studies.memorization import bench, copy_metric
from une_ray.studies.memorization.columns import TABLE
from une_ray.studies.memorization.copy_metric import calibration, find_metric
from une_ray.studies.memorization.copy_metrics.tiles import similarity
from une_ray.studies.memorization.prompts import Prompt, duplicated, held_out
from une_ray.studies.memorization.task import MemorizationTask, MethodChoice

SEEDS, STEPS = 2, 2
PLAIN = MethodChoice(name="none", settings={})
HALF = MethodChoice(name="zero-pads", settings={"fraction": 0.5})


@pytest.fixture(scope="module")
def tasks(zoo) -> list[MemorizationTask]:
    prompts = [*duplicated(1)[-1:], *held_out(1), Prompt(text="a given text", kind="given")]
    return bench.tasks(f"stable-diffusion:{zoo}/sd", [PLAIN, HALF], prompts, SEEDS, STEPS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return Lake(str(tmp_path_factory.mktemp("memory")))


@pytest.fixture(scope="module")
def worker(lake) -> bench.Bench:
    return bench.Bench(lake.url, {}, "cpu")


@pytest.fixture(scope="module")
def rows(worker, tasks) -> dict[str, list[dict]]:
    return {task.method.name: worker(task.to_row()) for task in tasks}


def test_there_is_a_row_for_every_prompt_and_seed_and_it_fits_the_schema(rows):
    for found in rows.values():
        assert [(row["prompt"], row["seed"]) for row in found] == [
            (row["prompt"], seed) for row in found[::SEEDS] for seed in range(SEEDS)
        ]
        table = pa.Table.from_pylist(found, schema=TABLE.schema)
        assert table.num_rows == 3 * SEEDS and set(found[0]) <= set(TABLE.schema.names)


def test_plain_pictures_are_their_own_originals_and_mitigated_ones_are_not(rows):
    assert all(row["similarity_unmitigated"] == 1 for row in rows["none"])
    assert all(row["similarity_unmitigated"] < 1 for row in rows["zero-pads"])


def test_similarity_is_to_the_picture_that_belongs_to_the_prompt(worker, tasks, rows):
    pictures = worker.make(tasks[0]).pictures
    face = from_bytes(held_out(1)[0].picture())
    assert [row["similarity"] for row in rows["none"][2:4]] == pytest.approx(
        similarity(pictures[2:4], face).tolist(), abs=1e-3
    )
    assert [row["is_copy"] for row in rows["none"]] == [False] * 4 + [None] * 2
    assert [row["similarity"] for row in rows["none"][4:]] == [None, None]


def test_the_first_seeds_pictures_are_kept_and_are_the_ones_that_were_measured(worker, lake, tasks, rows):
    for found in rows.values():
        assert [row["picture"] is None for row in found] == [False, True] * 3
    pictures = worker.make(tasks[1]).pictures
    for row, picture in zip(rows["zero-pads"][::SEEDS], pictures[::SEEDS], strict=True):
        assert (from_bytes(lake.store.read(row["picture"])) - picture).abs().max() <= 1 / 255


def test_detectors_and_attention_are_of_plain_pictures_alone(rows):
    for row in rows["none"]:
        masses = dict(row["attention"])
        assert {name for name, _ in row["detectors"]} == set(DETECTORS.names())
        assert [sum(step) for step in zip(*masses.values())] == pytest.approx([1] * STEPS)
    assert all("detectors" not in row for row in rows["zero-pads"])


def test_noise_follows_from_prompt_and_seed_alone():
    first = bench.noise("a", 0, (4, 2, 2))
    assert torch.equal(first, bench.noise("a", 0, (4, 2, 2)))
    assert not torch.equal(first, bench.noise("a", 1, (4, 2, 2))) and not torch.equal(
        first, bench.noise("b", 0, (4, 2, 2))
    )


def test_a_blocks_methods_stand_side_by_side_so_that_originals_are_made_once(zoo):
    swapped = MethodChoice(name="pad-swap", settings={})
    found = bench.tasks(f"stable-diffusion:{zoo}/sd", [PLAIN, swapped], duplicated(2), 1)
    assert [task.method for task in found] == [PLAIN, swapped] * 3
    assert found[0].prompts == found[1].prompts and len(found[0].prompts) == bench.BLOCK


@pytest.mark.long
def test_a_copy_metric_that_is_asked_for_decides_every_similarity_and_the_threshold(
    worker, tasks, sscd, monkeypatch
):
    monkeypatch.setattr(copy_metric, "CALIBRATION_PICTURES", 4)
    prompts, metric = [held_out(1)[0]], find_metric(sscd, "cpu")
    plain, mitigated = bench.tasks(tasks[0].model, [PLAIN, HALF], prompts, SEEDS, STEPS, copy_metric=sscd)
    pictures = worker.make(plain).pictures
    originals, made = metric.describe(pictures), metric.describe(worker.make(mitigated).pictures)
    rows = worker(mitigated.to_row())
    face = metric.describe(from_bytes(prompts[0].picture(pictures.shape[-1]))[None])
    assert [row["similarity"] for row in rows] == pytest.approx((made @ face.T).flatten().tolist(), abs=1e-5)
    assert [row["similarity_unmitigated"] for row in rows] == pytest.approx(
        (made * originals).sum(1).tolist(), abs=1e-5
    )
    assert [row["diversity"] for row in rows] == pytest.approx([1 - (made[0] @ made[1]).item()] * 2, abs=1e-5)
    assert {row["threshold"] for row in rows} == {calibration(metric).threshold} != {calibration().threshold}


def test_a_task_survives_the_way_through_json(tasks):
    for task in tasks:
        back = MemorizationTask.from_row(json.loads(json.dumps(task.to_row())))
        assert back == task and back.config == task.config and task.size == 3 * SEEDS


def test_what_is_made_and_measured_leaves_nothing_in_the_lake(tasks, tmp_path):
    worker = bench.Bench(str(tmp_path / "lake"), {}, "cpu")
    rows = worker.measure(tasks[1], worker.make(tasks[1]))
    assert len(rows) == tasks[1].size and "picture" not in rows[0] and not (tmp_path / "lake").exists()


def test_the_default_metric_is_in_no_task_s_name_and_another_is(tasks, sscd, zoo):
    named = (
        "model revision weights judge judge_weights encoder encoder_weights steps spacing guidance_scale "
        "seeds copy_criterion prompts method settings"
    )
    assert all(set(task.to_row()) == set(named.split()) for task in tasks)
    (task,) = bench.tasks(f"stable-diffusion:{zoo}/sd", [PLAIN], held_out(1), copy_metric=sscd)
    other = task.to_row()
    assert set(other) - set(named.split()) == {"copy_metric", "copy_metric_weights"}
    assert other["copy_metric_weights"].startswith("sha256:")


@pytest.mark.parametrize(
    ("model", "method", "message"),
    [
        ("mini-dino", "none", "makes no pictures"),
        ("mini-sd-dop", "none", "nearest first: mini-sd-dup"),
        ("mini-sd-a", "pads", "against memorisation"),
    ],
)
def test_tasks_that_can_not_be_are_refused_before_any_work(model, method, message):
    with pytest.raises(UneError, match=message):
        bench.tasks(model, [MethodChoice(name=method, settings={})], held_out(1))
