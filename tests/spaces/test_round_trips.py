"""Inverted noise is sampled back for one image in 32: a shard's together, and the same as each alone."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from une_ray.pictures.decode import decode, fit
from une_ray.run.read import read_space
from une_ray.spaces import ddim
from une_ray.spaces.space import Space, pixels

COUNT, BATCH = 12, 4


@pytest.fixture(scope="module")
def pictures() -> list[bytes | None]:
    """Pictures of noise; the third can't be read."""
    random = np.random.default_rng(0)
    data: list[bytes | None] = []
    for _ in range(COUNT):
        png = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(png, "PNG")
        data.append(png.getvalue())
    return [*data[:2], None, *data[3:]]


def test_a_shards_round_trips_are_those_of_each_image_in_one_walk(zoo, pictures, monkeypatch):
    """Every second image is watched, an unreadable one among them; the way down is walked twice for five."""
    monkeypatch.setattr(ddim, "sampled_back", lambda image_id, share: int(image_id) % 2 == 0)
    space, _ = Space.parse(f"sd=stable-diffusion:{zoo}/sd/ddim3").with_dtype("float32").pinned()
    step = space.load()
    step.batch_size = BATCH
    walks, image = [], step.image
    monkeypatch.setattr(step, "image", lambda noise: walks.append(len(noise)) or image(noise))
    ids = [str(number) for number in range(COUNT)]
    rows = read_space(step, space.model.preprocessing, BATCH, ids, pictures).to_pylist()
    assert walks == [4, 1]
    for number, (row, data) in enumerate(zip(rows, pictures)):
        if number % 2 or data is None:
            assert row["round_trip_psnr"] is None
            continue
        x = pixels(fit(decode(data), space.model.preprocessing)[None], space.model.preprocessing, "cpu")
        with torch.no_grad():
            alone = ddim.psnr(image(step.noise(x)), x).item()
        assert row["round_trip_psnr"] == pytest.approx(alone, abs=1e-3) and row["status"] == "ok"
