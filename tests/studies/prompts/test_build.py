"""`une prompts … --model`: the lake of a generator and a list, as a user who has neither types it."""

import json
import shutil

import pytest

from une_ray.cli.main import app
from une_ray.corpora import open_corpus
from une_ray.corpora.prompts import Prompts
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.lake.listed import planned
from une_ray.studies.prompts.build import build_prompts, with_besides


@pytest.fixture
def asked(zoo, tmp_path, monkeypatch, shared_ray):
    """Calls `une prompts` with the tiny generator on a list of three prompts, one of them too long."""
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    (tmp_path / "work.txt").write_text(f"a nurse\na baker\na baker\n{'very ' * 80}old person\n")
    model = f"sd=stable-diffusion:{zoo}/sd"

    def call(*words: str):
        run = CliRunner().invoke(app, ["prompts", *words, "--model", model, "--prompts", "work.txt"])
        if run.exception and not isinstance(run.exception, SystemExit):
            raise run.exception
        return run

    return call


@pytest.mark.long
def test_bias_builds_what_is_missing_and_says_what_was_cut_off_and_that_one_seed_has_no_interval(asked):
    run = asked("bias", "--seeds", "1", "--texts", "")
    assert run.exit_code == 0 and "a nurse" in run.stdout and "one seed, so no interval" in run.stdout
    assert max(map(len, run.stdout.splitlines())) < 80 and "very very…" in run.stdout
    assert "sd/hspace1: 1 caption is longer than the model reads" in run.stderr
    assert "1 of the prompts come again" in run.stderr
    lake = Lake("sd-work")
    assert lake.rows("SELECT count(*) FROM latents") == [(6,)]
    run = asked("bias", "--seeds", "1", "--texts", "", "--poles", "a young person|an old person")
    assert "grows: 2 new items" in run.stderr
    assert lake.rows("SELECT count(*) FROM latents") == [(8,)]  # grown by the two new poles
    assert lake.rows("SELECT count(DISTINCT pole_first) FROM prompt_biases") == [(2,)]


def test_a_question_keeps_the_ids_of_the_earlier_ones_and_the_columns_of_a_file(tmp_path):
    one, other = tmp_path / "one.txt", tmp_path / "other.csv"
    one.write_text("a nurse\n")
    other.write_text("prompt,describes\na man,gender\nan old man,age\n")
    files, poles = (str(one), str(other)), ["a man", "a woman"]
    fresh = with_besides(Lake(str(tmp_path / "fresh")), Prompts(files), poles)
    assert fresh.besides == ("a woman",)  # the other pole has what the file says of it
    lake = planned(
        Lake(str(tmp_path / "lake")), with_besides(Lake(str(tmp_path / "lake")), Prompts(files[:1]), poles)
    )
    before = {item.image_id for item in open_corpus(lake.manifest["corpus"]).items()}
    grown = with_besides(lake, Prompts(files), ["an old man", "a boy"])
    assert grown.besides == ("a man", "a woman", "a boy")
    assert {item.image_id for item in grown.items()} - before == {"other-000001", "besides-000002"}
    assert planned(lake, grown).manifest["images"] == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bias", "--neutral", "a man"], "neutral prompt 'a man' is a pole too"),
        (["bias", "--lake", "pictures"], "a lake of avatars:5; name another --lake"),
    ],
)
def test_what_can_not_be_asked_is_refused_before_anything_is_built(asked, tmp_path, words, message):
    from tests.helpers.lakes import items
    from une_ray.lake.create import create

    create(Lake(str(tmp_path / "pictures")), "avatars:5", iter(items(5)), 4)
    with pytest.raises(UneError, match=message):
        asked(*words)
    assert not (tmp_path / "sd-work").exists()


def test_models_and_lists_that_can_not_be_are_refused(zoo, tmp_path):
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "one.txt").write_text("a nurse\n")
    with pytest.raises(UneError, match="empty.txt holds no prompts"):
        build_prompts("mini-sd-a", f"{tmp_path}/empty.txt", [], f"{tmp_path}/lake")
    with pytest.raises(UneError, match="no file of prompts .*profesions; .*prompts:professions"):
        build_prompts("mini-sd-a", f"{tmp_path}/profesions", [], f"{tmp_path}/lake")
    with pytest.raises(UneError, match="is an encoder"):
        build_prompts("mini-dino", f"{tmp_path}/one.txt", [], f"{tmp_path}/lake")
    shutil.copytree(zoo / "sd", tmp_path / "sd")
    config = tmp_path / "sd/unet/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"mid_block_type": None}))
    with pytest.raises(UneError, match="no middle block"):
        build_prompts(f"x=stable-diffusion:{tmp_path}/sd", f"{tmp_path}/one.txt", [], f"{tmp_path}/lake")
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("words", [[], ["--model", "mini-sd-a"], ["--lake", "x", "--prompts", "professions"]])
def test_a_lake_or_a_model_with_prompts_is_needed(words):
    from typer.testing import CliRunner

    run = CliRunner().invoke(app, ["prompts", "bias", *words])
    assert isinstance(run.exception, UneError) and "--prompts" in str(run.exception)
