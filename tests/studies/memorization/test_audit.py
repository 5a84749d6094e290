"""Somebody's prompts ranked beside ordinary ones: what the figures mean, and what the command does with bad
input. Without Ray."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

from tests.helpers.memorized import made
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.studies.memorization import audit as study
from une_ray.studies.memorization import bench, command, prompts
from une_ray.studies.memorization import study as memorization


def scored(prompt: str, kind: str, score: float) -> dict:
    return made("ordinary", 0, "none", 0) | {"prompt": prompt, "kind": kind, "detectors": [("wen-1", score)]}


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_ranks_nobody(tmp_path, broken):
    lake = memorization.open_or_create(str(tmp_path / "lake"))
    rows = [
        scored("broken", "given", broken),
        scored("mine", "given", 5.0),
        scored("strange", "held-out", broken),
        *(scored(f"ordinary {i}", "held-out", i + 1.0) for i in range(4)),
    ]
    results.commit(lake, "memorization", {}, rows)
    found = study.rank(lake, [results.config_hash({})], "wen-1", ("too long",))
    assert (found.threshold, found.ordinary) == (4.0, 4) and found.left_out[0] == "too long"
    assert [(suspect.prompt, suspect.p_value) for suspect in found.above] == [("mine", 1 / 5)]
    assert {line.split(":")[0] for line in found.left_out[1:]} == {"'broken'", "'strange'"}


def test_suspects_are_ranked_beside_ordinary_prompts(tmp_path):
    lake = memorization.open_or_create(str(tmp_path / "lake"))
    rows = [
        scored("mine", "given", 5.0),
        scored("yours", "given", 1.5),
        *(scored(f"ordinary {i}", "held-out", float(i)) for i in range(4)),
    ]
    results.commit(lake, "memorization", {}, rows)
    found = study.rank(lake, [results.config_hash({})], "wen-1")
    assert [(suspect.prompt, suspect.p_value) for suspect in found.suspects] == [
        ("mine", 1 / 5),
        ("yours", 3 / 5),
    ]
    assert (found.threshold, found.false_positive_rate) == (3.0, 1 / 5)
    assert found.table.to_pylist() == [
        {"prompt": "mine", "score": 5.0, "p_value": 1 / 5, "above_threshold": True},
        {"prompt": "yours", "score": 1.5, "p_value": 3 / 5, "above_threshold": False},
    ]
    with pytest.raises(UneError, match="nearest first: wen-1"):
        study.rank(lake, [results.config_hash({})], "wen-2")
    with pytest.raises(UneError, match="made without the detector sail; name another lake"):
        study.rank(lake, [results.config_hash({})], "sail")


def beside_ordinary(count: int) -> study.Audit:
    return study.Audit(detector="wen-1", suspects=(), threshold=0.0, ordinary=count)


def test_the_thresholds_false_positive_rate_is_what_ordinary_prompts_really_do():
    draws = np.random.default_rng(0).normal(size=(20_000, 20))
    assert (draws[:, 0] > draws[:, 1:].max(1)).mean() == pytest.approx(
        beside_ordinary(19).false_positive_rate, abs=0.005
    )


@pytest.mark.parametrize("ordinary", [1, 20, 300])
def test_its_upper_bound_is_clopper_and_pearsons(ordinary):
    interval = binomtest(0, ordinary, alternative="less").proportion_ci(0.95, "exact")
    assert beside_ordinary(ordinary).highest_rate == pytest.approx(interval.high)


def test_a_longer_file_leaves_what_was_done_as_it_was():
    ordinary, given = (
        prompts.held_out(bench.BLOCK),
        [prompts.Prompt(text=f"prompt {i}", kind="given") for i in range(2 * bench.BLOCK)],
    )
    short, long = (study.beside(part, ordinary) for part in (given[: bench.BLOCK], given))
    assert long[: len(short)] == short
    assert study.beside([prompts.Prompt(text=ordinary[0].text, kind="given")], ordinary)[-1].kind == "given"


@pytest.fixture
def audited(in_this_process, zoo):
    """audited(*arguments): the command's output."""

    def run(*arguments: str, model: str = f"{zoo}/sd") -> str:
        common = ["audit", "--lake", in_this_process, "--model", model, "--seeds", "1", "--steps", "2"]
        return CliRunner().invoke(command.app, [*common, *arguments], catch_exceptions=False).output

    return run


@pytest.mark.long
def test_the_command_ranks_a_files_prompts_whatever_is_in_them(audited, tmp_path):
    hard = ["Velvet Engine", "wow! a man!", "!!!", "héllo 🙂 日本", "\u202eright to left"]
    (tmp_path / "prompts.txt").write_text("\n\n".join([*hard, "word " * 99]), encoding="utf-8")
    (tmp_path / "mine.txt").write_text("a cat\na dog\na house\n" + "long " * 99)
    shown = audited("--prompts", str(tmp_path / "prompts.txt"), "--ordinary", str(tmp_path / "mine.txt"))
    assert all(prompt in shown for prompt in hard) and "of 5 score above" in shown
    assert "the highest of 3 ordinary prompts" in shown and "false-positive rate of 25.0%" in shown
    assert (
        "left out: 'word word" in shown
        and "left out: 'long long" in shown
        and "tokens with start and end; the text tower takes 77" in shown
    )


def test_what_can_not_be_audited_is_refused_before_any_work(audited, tmp_path, zoo, monkeypatch):
    monkeypatch.setattr(memorization.tasks, "run", None)
    (tmp_path / "long.txt").write_text("word " * 99)
    (tmp_path / "prompts.txt").write_text("a cat\n")
    given = ["--prompts", str(tmp_path / "prompts.txt")]
    with pytest.raises(
        UneError, match="none of the 1 prompts of .*long.txt can be audited: .* the text tower takes 77"
    ):
        audited("--prompts", str(tmp_path / "long.txt"))
    with pytest.raises(UneError, match="unknown detector 'wen-100'; known, nearest first: wen-10"):
        audited(*given, "--detector", "wen-100")
    with pytest.raises(UneError, match="take at least one"):
        audited(*given, "--ordinary", "0")
    with pytest.raises(UneError, match="is not a folder"):
        audited(*given, model="/no/such/model")
    with pytest.raises(UneError, match="makes no pictures"):
        audited(*given, model="mini-dino")


def test_the_call_takes_texts_as_well_as_files(in_this_process, zoo):
    result = study.audit(
        Lake(in_this_process),
        model=f"{zoo}/sd",
        prompts=["Velvet Engine", "word " * 99],
        ordinary=["a cat", "a dog"],
        seeds=1,
        steps=2,
    )
    assert result.table["prompt"].to_pylist() == ["Velvet Engine"] and result.ordinary == 2
    assert len(result.left_out) == 1 and "the text tower takes 77" in result.left_out[0]


@pytest.mark.parametrize(
    ("towers", "message"),
    [
        ({"text_encoder": "T5EncoderModel"}, "text_encoder: T5EncoderModel"),
        ({}, "text towers: none"),
        (
            {"text_encoder": "CLIPTextModel", "text_encoder_2": "CLIPTextModelWithProjection"},
            "text_encoder_2: CLIPTextModelWithProjection. .* SDXL",
        ),
    ],
)
def test_models_told_what_to_draw_otherwise_than_by_one_clip_tower_are_refused(tmp_path, towers, message):
    index = {
        "_class_name": "AnyPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder_3": [None, None],
    }
    (tmp_path / "model_index.json").write_text(
        json.dumps(index | {name: ["transformers", kind] for name, kind in towers.items()})
    )
    with pytest.raises(UneError, match=message):
        bench.generator(str(tmp_path))


def test_a_bare_diffusers_id_is_a_generators(zoo, monkeypatch):
    asked = []
    monkeypatch.setattr(bench, "text_towers", lambda spec: {"text_encoder": "CLIPTextModel"})
    monkeypatch.setattr(bench, "pin", lambda spec: asked.append((spec.kind, spec.source, spec.revision)))
    bench.generator("owner/name@abc")
    assert asked == [("stable-diffusion", "hub:owner/name", "abc")]
