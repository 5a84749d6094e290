"""What a person sees where there is no terminal."""

import io
import time

import pytest

from une_ray.run import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests turn by hand."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_rate_and_remaining_time_do_not_count_loading_models(clock):
    out = io.StringIO()
    with progress.Progress(100, "building", out) as bar:
        for at, images in ((60.0, 20), (65.0, 10), (75.0, 20), (100.0, 50)):
            clock[0] = at
            bar.advance(images, rejects=1)
    assert out.getvalue().splitlines() == [
        "building: 20/100 images, rate not known yet, 1 rejects",
        "building: 50/100 images, 2.0 images/s, 25 s left, 3 rejects",
        "building: 100/100 images, 2.0 images/s, 0 s left, 4 rejects",
    ]


def test_what_comes_all_at_once_has_no_rate_but_took_so_long(clock):
    out = io.StringIO()
    with progress.Progress(24, "generating", out, unit="pictures") as bar:
        for at, pictures in ((140.0, 16), (140.01, 8)):
            clock[0] = at
            bar.advance(pictures, rejects=0)
    assert out.getvalue().splitlines()[-1] == "generating: 24/24 pictures, took 140 s, 0 rejects"


def test_the_rate_is_that_of_the_last_minute(clock):
    out = io.StringIO()
    with progress.Progress(1000, "building", out) as bar:
        for _ in range(30):  # warming up
            clock[0] += 10
            bar.advance(1, rejects=0)
        for _ in range(20):
            clock[0] += 10
            bar.advance(20, rejects=0)
    last = out.getvalue().splitlines()[-1]
    assert last == "building: 430/1,000 images, 2.0 images/s, 285 s left, 0 rejects"


def test_units_that_take_longer_than_a_minute_have_a_rate(clock):
    out = io.StringIO()
    with progress.Progress(20, "training", out, unit="runs") as bar:
        for _ in range(8):
            clock[0] += 120
            bar.advance(1, rejects=0)
    assert out.getvalue().splitlines()[-1] == "training: 8/20 runs, 0.5 runs/min, 1440 s left, 0 rejects"


def test_a_slow_rate_is_told_by_the_minute(clock):
    out = io.StringIO()
    with progress.Progress(12, "editing", out, unit="pictures") as bar:
        for at in (20.0, 40.0):
            clock[0] = at
            bar.advance(4, rejects=0)
    assert (
        out.getvalue().splitlines()[-1] == "editing: 8/12 pictures, 12.0 pictures/min, 20 s left, 0 rejects"
    )


def test_a_line_comes_when_nothing_is_done_and_none_after_the_end(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.01)
    out = io.StringIO()
    with progress.Progress(12, "building", out):
        deadline = time.monotonic() + 10
        while not out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    said = out.getvalue()
    assert said.startswith("building: 0/12 images, running for 0 s, 0 rejects\n")
    time.sleep(0.05)
    assert len(out.getvalue()) - len(said) < 100
