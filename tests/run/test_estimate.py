"""`une plan`: sums that can be done by hand, and limits where they are met."""

import math
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.helpers.lakes import fill, items
from une_ray.cli.plan import lines, plan
from une_ray.errors import UneError
from une_ray.lake.compact import compact
from une_ray.lake.create import create
from une_ray.lake.files import shard_files
from une_ray.lake.layout import COMPACTION, Lake
from une_ray.lake.store import Store
from une_ray.run.crews import gflops, packed
from une_ray.run.estimate import (
    DRIVER_TASKS,
    GPUS,
    IMAGE_ROW_BYTES,
    PICTURE,
    ROW_BYTES,
    SEED_ROW_BYTES,
    SHRINK,
    Question,
    estimate,
)
from une_ray.run.placement import Pool
from une_ray.run.ray_data import _handed
from une_ray.spaces.space import Space


def test_an_inversion_is_its_network_calls_and_the_autoencoders():
    answer = estimate(Question(images=7200, spaces=["sd15/ddim50"], gpu="a100", gpus=4, price=3.0))
    (space,) = answer.spaces
    calls, encoding, decoding = 49 * 0.8033, 1.117, 2.515  # by torch's counter
    tflops = calls + encoding + (calls + decoding) / 32
    assert space.tflops == pytest.approx(tflops) and space.seconds == pytest.approx(tflops / (0.25 * 312))
    assert answer.gpu_hours == pytest.approx(2 * space.seconds)
    assert answer.hours == pytest.approx(answer.gpu_hours / 4)
    assert answer.dollars == pytest.approx(3 * answer.gpu_hours)


def test_controls_of_a_generator_cost_its_autoencoder_alone():
    answer = estimate(Question(images=1, spaces=["sd15/latents", "sd15/leak50"], gpu="h100"))
    assert [space.tflops for space in answer.spaces] == [1.117, 1.117]


@pytest.mark.parametrize(
    ("space", "tflops", "dim"),
    [
        ("sd15/hspace64", 0.0133 + 64 * (7 * 0.8033 + 0.2614), 1280),  # the last of eight ends halfway
        ("sd15/hspace-flat", 0.0133 + 16 * (7 * 0.8033 + 0.2614), 1280 * 64),
        ("lcm-dreamshaper-v7/hspace", 0.0133 + 16 * (3 * 0.8033 + 0.2614), 1280),
        ("sd15/hspace@500", 1.117 + 0.2614, 1280),
        ("sd21-base/hspace@500-flat", 1.117 + 0.2619, 1280 * 64),
        ("sd15/ddim50-trailing", 1.117 + 50 * 0.8033 * 33 / 32 + 2.515 / 32, 16384),
        ("random-sd15/ddim50", 1.117 + 49 * 0.8033 * 33 / 32 + 2.515 / 32, 16384),
        ("clip-l14/text", 0.0133, 768),
        ("clip-l14", 0.162, 768),
    ],
)
def test_every_kind_is_priced_by_what_it_does_as_a_build_reckons_with(space, tflops, dim):
    (answer,) = estimate(Question(images=10, spaces=[space], gpu="l4")).spaces
    assert answer.tflops == pytest.approx(tflops) and answer.dim == dim
    assert gflops(Space.parse(space)) == pytest.approx(1000 * tflops)


def test_a_mean_over_seeds_keeps_them_in_files_that_nothing_merges():
    answer = estimate(Question(images=1024 * 2048, spaces=["sd15/hspace"], gpu="l4", shard_size=1024))
    (space,), seeds = answer.spaces, 1024 * 2048 * 16
    assert space.seeds_bytes == seeds * (4 * 1280 + SEED_ROW_BYTES)
    assert answer.files == 3 * 2048 and answer.merged_files - 2048 < 40
    assert answer.lake_bytes == space.bytes + space.seeds_bytes + 1024 * 2048 * IMAGE_ROW_BYTES


def test_prompts_have_no_pictures_that_are_read():
    prompts = Question(images=1000, spaces=["sd15/hspace", "clip-l14/text"], gpu="l4")
    both = replace(prompts, spaces=["clip-l14/text", "clip-l14"])
    assert estimate(prompts).corpus_bytes == 0 and estimate(prompts).gets == 2 * 3 * 4
    assert estimate(replace(prompts, image_bytes=5.0)).corpus_bytes == 5000
    assert estimate(both).corpus_bytes == 1000 * PICTURE and estimate(both).gets == 1000 + 2 * 3 * 4


def size_of_a_task(actors: int) -> int:
    """8,192 images, and four tasks for every actor."""
    return min(8192 // 256, 3907 // (4 * actors))


@pytest.mark.parametrize("size", [16, 32])
def test_spaces_that_cost_a_gpu_nothing_have_no_time_and_meet_no_limit(size, capsys):
    answer = estimate(Question(images=10**6, spaces=[f"pixels-{size}"], gpu="l4"))
    assert answer.gpu_hours == 0 and answer.limits == []
    actors = int(8 / Space.parse(f"pixels-{size}").model.gpus)
    assert answer.tasks == math.ceil((3907 - 2 * actors) / size_of_a_task(actors)) + 2 * actors
    plan(corpus_size="1e6", spaces=f"pixels-{size}")
    assert "nothing for a GPU to do" in capsys.readouterr().out


def test_bytes_files_and_requests_are_counted():
    answer = estimate(Question(images=1000, spaces=["clip-l14", "dinov2-l14"], gpu="l4", shard_size=256))
    assert (answer.shards, answer.files, answer.puts, answer.gets) == (4, 12, 12, 1000 + 24)
    rows = 2 * ROW_BYTES + IMAGE_ROW_BYTES
    assert answer.lake_bytes == pytest.approx(1000 * (2 * SHRINK * (768 + 1024) + rows))
    assert answer.merged_files == 3 and answer.merged_count_seconds < answer.count_seconds
    assert not answer.is_merged and answer.deletes == 0


def test_merging_of_many_shards_is_among_the_requests(tmp_path, monkeypatch):
    """As many as `compact` makes of a lake of so many files; beside its lease, marker and lists."""
    monkeypatch.setattr("une_ray.run.estimate.MANY", 0)
    lake = fill(create(Lake(str(tmp_path / "lake")), "made-up:128", iter(items(128)), 1))
    asked: Counter[str] = Counter()
    for name in ("read", "commit", "move", "remove"):
        monkeypatch.setattr(Store, name, counting(asked, name, getattr(Store, name)))
    list(compact(lake, grace=0, folders=["images"]))
    merged = len(shard_files(lake.store.names("images")))
    question = Question(images=128, spaces=["clip-l14"], gpu="l4", shard_size=1)
    answer, slack = estimate(question), 6
    reads, puts = answer.gets - 128 - 2 * answer.files, answer.puts - answer.files
    assert 128 <= asked["read"] <= 128 + slack and reads == 2 * 128
    assert merged == 1 and puts == 2 * 2 * merged <= 2 * (asked["commit"] + asked["move"])
    assert 128 + merged <= asked["remove"] + asked["move"] <= 128 + merged + slack
    assert answer.deletes == 2 * (128 + merged)
    monkeypatch.setattr("une_ray.run.estimate.MANY", 128)
    assert estimate(question).deletes == 0 and estimate(question).puts == answer.files


def test_files_that_are_large_already_are_not_merged():
    question = Question(images=2**21, spaces=["sd15/ddim50"], gpu="l4", shard_size=8192)
    few = replace(question, images=2**24)
    assert not estimate(question).is_merged and estimate(question).merged_files == 256 + 2
    answer = estimate(few)
    assert answer.is_merged and answer.merged_files == 2048 + 13 and answer.deletes == 2048 + 13


@pytest.mark.parametrize(
    ("spaces", "gpu", "images", "gpus", "tasks"),
    [
        (["dinov2-l14"], "h100", 10**8, 64, 32_553),
        (["dinov2-l14"], "a10g", 10**8, 64, 32_553),
        (["clip-l14", "dinov2-l14"], "h100", 10**8, 64, 65_105),
        (["clip-b16"], "h100", 20_000, 64, 79),
    ],
)
def test_tasks_are_those_that_the_build_cuts_whatever_the_card(spaces, gpu, images, gpus, tasks):
    question = Question(images=images, spaces=spaces, gpu=gpu, gpus=gpus)
    answer = estimate(question)
    (crew,) = packed([Space.parse(name) for name in spaces])
    share = max(space.model.gpus for space in crew.spaces)
    pools = [Pool(least=1, most=int(gpus / share), gpus=share)]
    turn = SimpleNamespace(work=range(answer.shards), crews=[crew])
    assert answer.tasks == _handed(turn, pools, 256).tasks == pytest.approx(tasks, rel=0.02)
    assert answer.driver_hours == pytest.approx(answer.tasks / DRIVER_TASKS / 3600)


def test_a_build_of_many_shards_says_what_it_merges_into():
    given = {"clip-l14": 0.05, "dinov2-l14": 0.05}
    question = Question(images=1_024_000, spaces=list(given), gpu="l4", shard_size=256, seconds=given)
    answer = estimate(question)
    assert answer.shards == 4000 and answer.is_merged
    assert "which the build merges into" in "\n".join(lines(question, answer))


def test_measured_seconds_replace_the_estimate():
    question = Question(images=3600, spaces=["clip-l14"], gpu="l4", seconds={"clip-l14": 0.5})
    answer = estimate(question)
    assert answer.gpu_hours == pytest.approx(0.5) and answer.spaces[0].source == "given"


@pytest.mark.parametrize("gpu", GPUS)
def test_a_small_lake_meets_no_limit_and_a_huge_one_says_what_to_do(gpu):
    small = Question(images=100_000, spaces=["sd15/ddim50"], gpu=gpu, gpus=1)
    assert estimate(small).limits == [] and lines(small, estimate(small))[-1].startswith("une transfer")
    huge = Question(images=10**10, spaces=["sd15/ddim50"], gpu=gpu, gpus=100_000)
    limits = "\n".join(estimate(huge).limits)
    assert "--shard-size 2048" in limits and "hands out" in limits and "spread the pictures" in limits
    assert limits.count(": --address has a cluster read the latents") == 2


def test_what_is_not_known_is_refused_or_given(capsys):
    with pytest.raises(UneError, match="GPU 'h10'.*h100"):
        estimate(Question(images=1, spaces=["clip-l14"], gpu="h10"))
    own = Question(images=1, spaces=["x=clip:/nowhere"], gpu="h100")
    with pytest.raises(UneError, match="how long its latents are is not known; give it by --dim x=NUMBERS"):
        estimate(own)
    own = replace(own, dims={"x": 700})
    with pytest.raises(UneError, match="its cost is not known.*by --seconds x=SECONDS"):
        estimate(own)
    (space,) = estimate(replace(own, seconds={"x": 0.5})).spaces
    assert (space.dim, space.seconds, space.source) == (700, 0.5, "given")
    with pytest.raises(UneError, match="its latents are 768 long; leave the option out"):
        estimate(Question(images=1, spaces=["clip-l14"], gpu="h100", dims={"clip-l14": 700}))
    for text in ("many", "0", "1.5", "nan", "-3"):
        with pytest.raises(UneError, match="is not a number of images"):
            plan(corpus_size=text, spaces="clip-l14")
    for text in ("clip-l14", "=1", "clip-l14=0", "clip-l14=x", "clip-l14=nan"):
        with pytest.raises(UneError, match="SPACE=SECONDS"):
            plan(corpus_size="1e3", spaces="clip-l14", seconds=[text])
    for text in ("clip-l14=1.5", "clip-l14=0", "768"):
        with pytest.raises(UneError, match="SPACE=DIM"):
            plan(corpus_size="1e3", spaces="clip-l14", dim=[text])
    plan(corpus_size="1e6", spaces="clip-l14", price=2.0)
    printed = capsys.readouterr().out
    assert printed.startswith("1,000,000 images, 1 space, 8 h100") and "dollars" in printed
    assert "DELETE, merging among them" in printed


def test_names_are_those_of_the_spaces_each_once():
    for spaces in ("", ",", " , "):
        with pytest.raises(UneError, match="--spaces is empty; name at least one"):
            plan(corpus_size="1e3", spaces=spaces)
    with pytest.raises(UneError, match="a space is named twice in clip-l14, clip-l14"):
        plan(corpus_size="1e3", spaces="clip-l14,clip-l14")
    with pytest.raises(UneError, match="--seconds is given twice for one space: clip-l14=1, clip-l14=2"):
        plan(corpus_size="1e3", spaces="clip-l14", seconds=["clip-l14=1", "clip-l14=2"])
    for given in ({"seconds": ["clip-L14=100"]}, {"dim": ["clip-L14=100"]}):
        with pytest.raises(UneError, match="unknown space 'clip-L14'; known, nearest first: clip-l14"):
            plan(corpus_size="1e3", spaces="clip-l14", **given)


@pytest.mark.parametrize(
    "given",
    [
        *({"price": value} for value in (math.inf, math.nan, -1.0)),
        *({"utilisation": value} for value in (0.0, 1.1, math.nan, -0.3)),
        *({"image_kb": value} for value in (math.inf, math.nan, -1.0)),
        *({name: value} for name in ("gpus", "cores", "shard_size") for value in (0, -1)),
        {"seconds": ["clip-l14=inf"]},
    ],
)
def test_figures_out_of_range_are_refused_by_the_options_name(given):
    option = next(iter(given)).replace("_", "-")
    with pytest.raises(UneError, match=f"^--{option} .*it must be"):
        plan(corpus_size="1e3", spaces="clip-l14", **given)


def counting(asked: Counter, name: str, call):
    """The method, with its calls counted but for a lease's signs of life."""

    def counted(store, *arguments, **named):
        asked[name] += arguments[0] != COMPACTION
        return call(store, *arguments, **named)

    return counted
