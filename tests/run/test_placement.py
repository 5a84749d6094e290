"""Sharing a cluster: every pool gets an actor, whatever there is, and shares follow the table of models."""

import itertools
import math

import pytest

from une_ray.run.placement import READ_CPUS, Demand, Places, allot, local_slots, places

SPACES = [Demand(1.0, per_core=True)] * 2 + [Demand(0.25, per_core=False)] * 2  # two generators, two encoders


def test_shares_are_the_tables_where_there_are_gpus_enough():
    pools = allot(SPACES, cpus=64, gpus=8, cores=16)
    assert [pool.gpus for pool in pools] == [1, 1, 0.25, 0.25] and [pool.most for pool in pools] == [
        6,
        6,
        8,
        8,
    ]


@pytest.mark.parametrize("gpus", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_actor_of_every_space_fits_on_few_gpus(gpus, count):
    for spaces in itertools.combinations(SPACES, count):
        free = [1.0] * gpus
        for share in sorted((pool.gpus for pool in allot(spaces, 8, gpus, 4)), reverse=True):
            home = next((i for i in range(gpus) if free[i] >= share - 1e-9), None)
            assert home is not None, (spaces, gpus)
            free[home] -= share


@pytest.mark.parametrize("cpus", [1, 2, 4, 64])
def test_cpus_are_divided_so_that_reading_keeps_its_own(cpus):
    pools = allot(SPACES, cpus=cpus, gpus=0, cores=2)
    assert [pool.most for pool in pools] == [2, 2, 1, 1]
    assert sum(pool.most * pool.cpus for pool in pools) <= cpus - READ_CPUS and all(
        0 < pool.cpus <= 1 and pool.cpus != READ_CPUS for pool in pools
    )


def test_a_local_ray_has_a_slot_for_every_actor_and_two_to_read():
    assert local_slots(SPACES, cores=2) == 2 + 6 and local_slots(SPACES[:1], cores=64) == 66


def test_work_without_pools_starts_a_ray_of_as_many_slots_as_cores():
    assert local_slots([], cores=2) == 2 and local_slots([], cores=64) == 64 and allot([], 8, 2, 8) == []


def test_actors_caps_every_pool():
    assert [pool.most for pool in allot(SPACES, math.inf, 8, 4, actors=3)] == [3, 3, 3, 3]
    assert [pool.most for pool in allot(SPACES[2:], math.inf, 2, 4)] == [7, 7]  # encoders alone fill the GPUs
    assert [pool.most for pool in allot(SPACES, 64, 0, 8, actors=3)] == [3, 3, 1, 1]


def test_tasks_are_as_many_as_memory_holds_and_share_the_cpus():
    gib = 2**30
    nodes = [(16, 64 * gib)] * 2
    assert places(nodes, gib) == Places(cpus=1, memory=gib, at_once=32)
    assert places(nodes, 20 * gib) == Places(cpus=5, memory=20 * gib, at_once=6)
    assert places(nodes, 20 * gib, most=2).at_once == 2
    assert places([*nodes, (0, 8 * gib), (4, 8 * gib)], 20 * gib) == places(nodes, 20 * gib)
    assert places(nodes, 100 * gib) == Places(cpus=16, memory=64 * gib, at_once=1)  # no node holds one
    head = (0, 80 * gib)  # of a large cluster: no CPUs, and the most memory
    assert places([head, *nodes], 100 * gib) == places(nodes, 100 * gib)
    assert places(nodes, 0) == Places(cpus=1, memory=0, at_once=32) and places([], gib).at_once == 1
