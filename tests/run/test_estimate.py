"""`une plan`: sums that can be done by hand, and limits where they are met."""

import pytest

from une_ray.cli.plan import lines, plan
from une_ray.errors import UneError
from une_ray.run.estimate import (
    DECODE,
    DRIVER_TASKS,
    ENCODE,
    GPUS,
    IMAGE_ROW_BYTES,
    ROW_BYTES,
    SHRINK,
    Question,
    estimate,
)


def test_an_inversion_is_its_network_calls_and_the_autoencoders():
    answer = estimate(Question(images=7200, spaces=["sd15/ddim50"], gpu="a100", gpus=4, price=3.0))
    (space,) = answer.spaces
    calls = 49 * 0.8033
    tflops = calls + ENCODE + (calls + DECODE) / 32
    assert space.tflops == pytest.approx(tflops) and space.seconds == pytest.approx(tflops / (0.3 * 312))
    assert answer.gpu_hours == pytest.approx(2 * space.seconds)
    assert answer.hours == pytest.approx(answer.gpu_hours / 4)
    assert answer.dollars == pytest.approx(3 * answer.gpu_hours)


def test_controls_of_a_generator_cost_its_autoencoder_alone():
    answer = estimate(Question(images=1, spaces=["sd15/latents", "sd15/leak50"], gpu="h100"))
    assert [space.tflops for space in answer.spaces] == [ENCODE, ENCODE]


def test_bytes_files_and_requests_are_counted():
    answer = estimate(Question(images=1000, spaces=["clip-l14", "dinov2-l14"], gpu="l4", shard_size=256))
    assert (answer.shards, answer.files, answer.puts, answer.gets) == (4, 12, 12, 1000 + 24)
    rows = 2 * ROW_BYTES + IMAGE_ROW_BYTES
    assert answer.lake_bytes == pytest.approx(1000 * (2 * SHRINK * (768 + 1024) + rows))
    assert answer.merged_files == 3 and answer.merged_count_seconds < answer.count_seconds
    assert not answer.is_merged


def test_a_task_takes_ten_seconds_or_8192_images_of_all_spaces_together():
    for seconds, tasks in ((0.1, 4000), (0.01, 1334), (0.002, 211), (1e-5, 125)):
        given = {"clip-l14": seconds / 2, "dinov2-l14": seconds / 2}
        question = Question(images=1_024_000, spaces=list(given), gpu="l4", shard_size=256, seconds=given)
        answer = estimate(question)
        assert (answer.shards, answer.tasks) == (4000, tasks)
        assert answer.driver_hours == pytest.approx(tasks / DRIVER_TASKS / 3600)
        assert answer.is_merged and "which the build merges into" in "\n".join(lines(question, answer))


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


def test_what_is_not_known_is_refused(capsys):
    with pytest.raises(UneError, match="GPU 'h10'.*h100"):
        estimate(Question(images=1, spaces=["clip-l14"], gpu="h10"))
    with pytest.raises(UneError, match="how long its latents are is not known"):
        estimate(Question(images=1, spaces=["x=clip:/nowhere"], gpu="h100"))
    for text in ("many", "0", "1.5", "nan", "-3"):
        with pytest.raises(UneError, match="is not a number of images"):
            plan(corpus_size=text, spaces="clip-l14")
    for text in ("clip-l14", "=1", "clip-l14=0", "clip-l14=x"):
        with pytest.raises(UneError, match="SPACE=SECONDS"):
            plan(corpus_size="1e3", spaces="clip-l14", seconds=[text])
    plan(corpus_size="1e6", spaces="clip-l14", price=2.0)
    printed = capsys.readouterr().out
    assert printed.startswith("1,000,000 images, 1 space, 8 h100") and "dollars" in printed
