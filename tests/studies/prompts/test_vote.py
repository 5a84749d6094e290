"""Votes on drawn pictures, against pictures drawn and read by hand."""

import json
import shutil

import numpy as np
import pytest
import torch

from tests.helpers.prompted import FINGERPRINT, PROMPTS, SPACE, lake_of_prompts
from une_ray.diffusion.ddim import sample
from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.models.contrastive import load_contrastive
from une_ray.models.generators import load_generator
from une_ray.models.resolve import pin
from une_ray.models.table import find_model
from une_ray.run.cluster import Cluster
from une_ray.spaces.drawing import noise_of
from une_ray.spaces.space import Space, pixels
from une_ray.studies.prompts.bias import bias
from une_ray.studies.prompts.build import build_prompts
from une_ray.studies.prompts.judge import Judge
from une_ray.studies.prompts.pictures import tasks
from une_ray.studies.prompts.truth import known_truth
from une_ray.studies.prompts.vote import vote

POLES, SEEDS, STEPS = ("a man", "a woman"), 3, 2


@pytest.fixture(scope="module")
def built(zoo, tmp_path_factory, shared_ray) -> Lake:
    folder = tmp_path_factory.mktemp("voted")
    (folder / "six.csv").write_text(
        "prompt\n" + "\n".join(f"a {w}" for w in "hat coat suit smile beard".split())
    )
    made = build_prompts(
        f"sd=stable-diffusion:{zoo}/sd",
        f"{folder}/six.csv",
        ["a person", *POLES],
        f"{folder}/lake",
        seeds=2,
        texts=[],
        cluster=Cluster(actors=1),
    )
    return made.lake


@torch.no_grad()
def by_hand(lake: Lake, zoo, prompt: str) -> float:
    """The share of the prompt's pictures that are nearer to a man."""
    generator = load_generator(find_model(f"stable-diffusion:{zoo}/sd"))
    states = generator.prompt_states([prompt])
    z = sample(
        generator.denoiser(states),
        noise_of(SEEDS, generator.latent_shape),
        timesteps(STEPS, "leading", len(generator.alphas_cumprod)),
        generator.alphas_cumprod,
        generator.prediction_type,
        clean=True,
    )
    drawn = ((generator.decode(z).permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy()
    judge = pin(find_model("mini-clip-b"))[0]
    clip = load_contrastive(judge)
    cosines = clip.images(pixels(drawn, judge.preprocessing, "cpu")) @ clip.texts(list(POLES)).T
    return float((cosines[:, 0] > cosines[:, 1]).float().mean())


@pytest.mark.long
def test_a_vote_is_the_share_of_pictures_that_the_judge_puts_at_the_first_pole(built, zoo):
    asked = {"pictures": SEEDS, "steps": STEPS, "cluster": Cluster(actors=1)}
    found = vote(built, "sd/hspace2", "mini-clip-b", POLES, **asked)
    rows = {row["prompt"]: row for row in found.table.to_pylist()}
    assert len(rows) == 8 and all(row["pictures"] == SEEDS for row in rows.values())
    for prompt in ("a hat", "a man"):
        assert rows[prompt]["vote"] == pytest.approx(by_hand(built, zoo, prompt))
    assert all(0 <= row["low"] <= row["vote"] <= row["high"] <= 1 for row in rows.values())
    kept = built.rows("SELECT picture FROM prompt_pictures WHERE picture IS NOT NULL")
    assert len(kept) == 8 * SEEDS and built.store.exists(kept[0][0])

    other = vote(built, "sd/hspace2", "mini-clip-b", POLES[::-1], **asked)  # of the same pictures
    turned = {row["prompt"]: row["vote"] for row in other.table.to_pylist()}
    assert turned == pytest.approx({prompt: 1 - row["vote"] for prompt, row in rows.items()})
    assert built.rows("SELECT count(*) FROM prompt_pictures") == [(8 * SEEDS,)]
    prompts = ["a prompt of late", *rows]
    grown = tasks(built, "sd/hspace2", Judge.parse("mini-clip-b"), prompts, SEEDS, STEPS, 1.0)
    assert [results.is_done(built, "prompt_pictures", task.to_row()) for task in grown] == [False] + 8 * [
        True
    ]

    agreed = bias(built, "a person", POLES, truth="vote:mini-clip-b", resamples=100).agreements.to_pylist()
    assert [row["truth"] for row in agreed] == ["vote:mini-clip-b@sd/hspace2, 2 steps, guidance 1"]
    assert agreed[0]["prompts"] == 5


def test_what_nobody_voted_on_is_no_truth(lake):
    with pytest.raises(UneError, match="has no votes of 'mini-clip-a'.*une prompts vote"):
        bias(lake, "a person", POLES, truth="vote:mini-clip-a")


def test_votes_on_one_generators_pictures_are_no_truth_of_another(tmp_path):
    lake = lake_of_prompts(str(tmp_path / "lake"))
    lake.register("tower/text", {"model": "tower", "kind": "clip", "method": "text-embedding"})
    facts = {"judge": "mini-clip-b", "pole_first": POLES[0], "pole_second": POLES[1], "steps": 25}
    facts |= {"guidance_scale": 1.0, "low": 0, "high": 1}
    for space, vote_, pictures in ((SPACE, 0.1, 8), ("other/hspace", 0.9, 16)):
        rows = [facts | {"space": space, "prompt": p, "vote": vote_, "pictures": pictures} for p in PROMPTS]
        results.commit(lake, "prompt_votes", {"space": space}, rows)
    own = known_truth(lake, "vote:mini-clip-b", POLES, SPACE)
    assert set(own.shares.values()) == {0.1}
    assert own.name == f"vote:mini-clip-b@{SPACE}, 25 steps, guidance 1"
    named = known_truth(lake, "vote:mini-clip-b@other/hspace", POLES, "tower/text")
    assert set(named.shares.values()) == {0.9}
    with pytest.raises(UneError, match="2 generators.*vote:mini-clip-b@other/hspace, vote:mini-clip-b@sd"):
        known_truth(lake, "vote:mini-clip-b", POLES, "tower/text")
    lake.register("third/hspace", FINGERPRINT)
    with pytest.raises(UneError, match="no votes of 'mini-clip-b'.*third/hspace"):
        known_truth(lake, "vote:mini-clip-b", POLES, "third/hspace")


def test_a_truth_of_too_few_prompts_is_refused_before_anything_is_drawn(lake, tmp_path):
    (tmp_path / "two.csv").write_text(f"prompt,frequency\n{PROMPTS[3]},0.2\n{PROMPTS[4]},0.8\n")
    with pytest.raises(UneError, match="known of 2 of 23 prompts, too few"):
        vote(lake, SPACE, "mini-clip-b", POLES, truth=str(tmp_path / "two.csv"))


@pytest.mark.parametrize(
    ("judge", "space", "message"),
    [
        ("mini-clip-b", "sd/hspac", "unknown space 'sd/hspac'"),
        ("mini-dino:Male", "sd/hspace", "SPACE:ATTRIBUTE@LAKE"),
        ("mini-dino@lake", "sd/hspace", "SPACE:ATTRIBUTE@LAKE"),
        ("mini-dino:Male@/no/lake", "sd/hspace", "no lake at"),
    ],
)
def test_judges_and_spaces_that_are_none_are_refused(lake, judge, space, message):
    with pytest.raises(UneError, match=message):
        vote(lake, space, judge, POLES)


def test_a_probe_votes_where_it_is_positive(lake):
    judge = Judge.parse(f"sd/hspace:Male@{lake.url}")
    assert (judge.model, judge.attribute, judge.lake) == ("sd/hspace", "Male", lake.url)
    with pytest.raises(UneError, match="has no probe of 'Male' in sd/hspace; une probe"):
        judge.probe()


def test_texts_vote_by_the_nearer_pole():
    judge = Judge.parse("mini-clip-b")
    clip = load_contrastive(pin(find_model("mini-clip-b"))[0])
    z = clip.texts(["a man with a beard", "a woman with long hair"]).numpy() * np.array([[3.0], [0.1]])
    assert judge.vote(z, POLES).tolist() == [True, False]


def test_a_few_step_model_draws_no_votes(zoo, tmp_path):
    """DDIM, which votes are drawn by, would draw it badly, and other pictures than its h-space is of."""
    shutil.copytree(zoo / "sd", tmp_path / "lcm")
    file = tmp_path / "lcm/scheduler/scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"_class_name": "LCMScheduler"}))
    _, fingerprint = Space.parse(f"lcm=stable-diffusion:{tmp_path}/lcm/hspace2").pinned()
    lake = lake_of_prompts(str(tmp_path / "lake"))
    lake.register("lcm", fingerprint)
    with pytest.raises(UneError, match="lcm: pictures of votes are drawn by DDIM, .* few-step model badly"):
        tasks(lake, "lcm", Judge.parse("mini-clip-b"), PROMPTS, 2, 25, 1.0)


def test_a_probe_judges_by_the_encoder_that_it_was_fitted_on(zoo, tmp_path):
    """One whose weights have changed since is refused, and one that reads no pictures."""
    shutil.copytree(zoo / "mini-dino", tmp_path / "dino")
    lake = lake_of_prompts(str(tmp_path / "lake"))
    space, fingerprint = Space.parse(f"faces=dino:{tmp_path}/dino").pinned()
    lake.register("faces", fingerprint)
    assert Judge.parse(f"faces:Male@{lake.url}").fingerprint == fingerprint
    weights = next((tmp_path / "dino").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UneError, match="space 'faces' was built with the weights sha256:.*now has sha256:"):
        Judge.parse(f"faces:Male@{lake.url}").fingerprint  # noqa: B018 - refuses
    lake.register("said", Space.parse("mini-clip-b/text").pinned()[1])
    with pytest.raises(UneError, match="judge said reads captions"):
        Judge.parse(f"said:Male@{lake.url}").fingerprint  # noqa: B018 - refuses


def test_an_encoder_that_reads_no_texts_is_refused_before_anything_is_drawn(built):
    with pytest.raises(UneError, match="mini-dino is a dino model: it reads no text"):
        vote(built, "sd/hspace2", "mini-dino", POLES)
    assert built.rows("SELECT count(*) FROM prompt_pictures WHERE judge = 'mini-dino'") == [(0,)]
