"""Pictures are decoded by as many threads as an actor has cores of its node, and come out the same."""

from threading import Barrier

import numpy as np
import pytest
import ray

from tests.helpers.pictures import png
from une_ray.models.spec import Preprocessing
from une_ray.run import read
from une_ray.run.cluster import own_cores
from une_ray.run.read import read_space

SQUARES = Preprocessing(size=8)


class Means:
    """Latents that are a picture's mean colour."""

    shape = None

    def __call__(self, pictures, image_ids):
        return {"z": pictures.reshape(len(pictures), -1, 3).mean(1).astype(np.float32)}


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize("gpus, cores", [(2, 8), (1, 4), (0.25, 1), (0, 0)])
def test_an_actor_has_cores_as_it_has_gpus(gpus, cores):
    """Of a node of eight cores and two GPUs."""
    asked = ray.remote(num_cpus=0, num_gpus=gpus)(own_cores).remote()
    assert ray.get(asked) == cores


@pytest.mark.usefixtures("shared_ray")
def test_a_driver_has_none():
    assert own_cores() == 0


def test_so_many_threads_decode_at_once_and_the_rows_stay_the_same(monkeypatch):
    data = [png((20, 12), seed=number) for number in range(18)]
    ids = [f"i{number}" for number in range(18)]
    expected = read_space(Means(), SQUARES, 9, ids, data, threads=1)
    all_at_once, decode = Barrier(9), read.decode

    def waiting(picture):
        all_at_once.wait(timeout=60)
        return decode(picture)

    monkeypatch.setattr(read, "decode", waiting)
    assert read_space(Means(), SQUARES, 9, ids, data, threads=9).equals(expected)
