"""Which spaces share an actor, in which turns, and how large its tasks are."""

from dataclasses import replace

import pytest

from une_ray.run.crews import Crew, gflops, shards_per_task, slow_without_gpus, turns, weights
from une_ray.run.placement import allot
from une_ray.run.plan import ShardWork, Work
from une_ray.spaces.space import Space

NAMES = ("sd15/ddim50", "clip-l14", "mini-dino", "pixels-16", "sd15/latents", "mini-sd-a/leak50")
WORK = Work.of(ShardWork(shard, NAMES) for shard in range(100))


@pytest.fixture(scope="module")
def spaces() -> list[Space]:
    return [Space.parse(name) for name in NAMES]


def names(found) -> list[list[list[str]]]:
    return [[sorted(space.name for space in crew.spaces) for crew in turn.crews] for turn in found]


def test_spaces_whose_weights_fit_share_one_crew_in_any_order(spaces):
    assert names(turns(spaces, WORK, {})) == names(turns(spaces[::-1], WORK, {})) == [[sorted(NAMES)]]
    (turn,) = turns(spaces, WORK, {})
    costs = [gflops(space) for space in turn.crews[0].spaces]
    assert costs == sorted(costs), "what is cheap comes first"
    assert gflops(spaces[0]) > 30 * gflops(spaces[4]), "an inversion, and its first step alone"


def test_who_has_no_gpu_is_told_what_half_precision_costs(spaces):
    """sd15/latents runs its autoencoder alone, in float32."""
    (turn,) = turns(spaces, WORK, {})
    said = slow_without_gpus(turn.spaces)
    assert "clip-l14, sd15/ddim50 in half precision" in said and "--dtype float32" in said
    assert slow_without_gpus([space.with_dtype("float32") for space in spaces]) == ""


def test_crews_that_do_not_fit_take_turns_the_cheapest_first(spaces):
    limit = weights(spaces[0]) * 1.1
    found = turns(spaces, WORK, {}, limit)
    for turn in found:
        (crew,) = turn.crews
        assert sum(map(weights, crew.spaces)) <= limit or len(crew.spaces) == 1
    assert sorted(space.name for turn in found for crew in turn.crews for space in crew.spaces) == sorted(
        NAMES
    )
    costs = [turn.crews[0].gflops for turn in found]
    assert len(found) > 1 and costs == sorted(costs)


def test_labels_of_nodes_make_crews_that_work_at_once(spaces):
    place = {"sd15/ddim50": {"gpu": "A100"}, "sd15/latents": {"gpu": "A100"}}
    (turn,) = turns(spaces, WORK, place)
    assert sorted(len(crew.spaces) for crew in turn.crews) == [2, 4]
    assert {len(crew.spaces): dict(crew.labels) for crew in turn.crews} == {2: {"gpu": "A100"}, 4: {}}


def test_every_space_of_every_shard_is_in_one_turn_and_images_alone_in_the_first(spaces):
    work = Work.of([ShardWork(0, NAMES[:2]), ShardWork(1, ()), ShardWork(2, NAMES[3:])])
    found = turns(spaces, work, {}, weights(spaces[0]) * 1.1)
    done = [(item.shard, space) for turn in found for item in turn.work for space in item.spaces]
    assert sorted(done) == sorted((item.shard, space) for item in work for space in item.spaces)
    assert [[item.shard for item in turn.work if not item.spaces] for turn in found] == [
        [1],
        *[[] for _ in found[1:]],
    ]
    only = turns(spaces, Work.of([ShardWork(7, ())]), {})
    assert [[item.shard for item in turn.work] for turn in only] == [[7]]


@pytest.mark.parametrize("count", [2, 6, 20])
@pytest.mark.parametrize("gpus", [1, 2, 8])
def test_every_gpu_has_an_actor_of_every_space_whatever_they_cost(spaces, count, gpus):
    """So the dearest keeps all that the others leave: there is nothing to divide."""
    some = [replace(spaces[n % len(spaces)], name=f"s{n}") for n in range(count)]
    work = Work.of([ShardWork(0, tuple(space.name for space in some))])
    (turn,) = turns(some, work, {}, limit=1e12)
    (pool,) = allot([crew.demand(100_000) for crew in turn.crews], 64, gpus, 16)
    assert pool.most * pool.gpus == gpus and pool.least == 1


def test_small_work_starts_few_actors_where_there_are_no_gpus(spaces):
    light, heavy = Crew(spaces=tuple(spaces[2:4])), Crew(spaces=tuple(spaces[:1]))
    assert [light.demand(n).on_cpus for n in (32, 256)] == [1, 1] and heavy.demand(32).on_cpus > 16
    assert [pool.most for pool in allot([light.demand(256)], 10, 0, 8)] == [1]
    assert [pool.most for pool in allot([light.demand(1_000_000)], 10, 0, 8)] == [8]
    unknown = Crew(spaces=(replace(spaces[2], model=replace(spaces[2].model, gflops=None)),))
    assert [pool.most for pool in allot([unknown.demand(32)], 10, 0, 8)] == [8]


def test_tasks_are_larger_where_spaces_are_fast_and_leave_four_for_every_actor():
    inversion, encoder = 50 * 800.0, 160.0
    assert shards_per_task(inversion, 256, 10**6, 8, on_gpus=True) == 1
    assert shards_per_task(encoder, 256, 10**6, 8, on_gpus=True) * 256 >= 2048
    assert shards_per_task(0.0, 256, 10**6, 8, on_gpus=True) * 256 == 8192
    assert shards_per_task(encoder, 256, 64, 8, on_gpus=True) == 2
    assert shards_per_task(encoder, 256, 10**6, 8, on_gpus=False) == 1
