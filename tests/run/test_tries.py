"""What dies is counted; what ends, well or by an exception, is not."""

import pytest
import ray

from une_ray.errors import UneError
from une_ray.run.tries import BEFORE_SUSPICION, TRIES, start_tries, tried


@pytest.fixture(scope="module")
def tries(shared_ray):
    return start_tries()


def die(tries, work: str, times: int) -> None:
    """As a process does that dies at work: it begins and never ends."""
    for _ in range(times):
        ray.get(tries.begin.remote(work))


def test_work_is_suspect_when_it_died_twice_and_not_when_it_ended_or_raised(tries):
    for _ in range(TRIES):
        with pytest.raises(ZeroDivisionError), tried(tries, "a") as suspect:
            assert not suspect
            1 / 0  # noqa: B018
    die(tries, "a", BEFORE_SUSPICION)
    with tried(tries, "a") as suspect, tried(tries, "b") as another:
        assert suspect and not another
    with tried(tries, "a") as suspect:
        assert not suspect


def test_work_that_died_too_often_is_a_clear_error(tries):
    die(tries, "c", TRIES)
    with (
        pytest.raises(UneError, match="c: its worker died 5 times .*the same command goes on"),
        tried(tries, "c"),
    ):
        pass
