"""Who starts a Ray and who shares one, and small models of the real classes with random weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits
from transformers import CLIPTextModel

from tests.helpers import rays

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread for each worker, or they fight for the cores
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    threadpool_limits(1)

# A test is of Ray where it uses one of these fixtures, or stands in one of these files: it starts a Ray, or
# servers and clusters beside it.
RAY_FIXTURES = {"shared_ray", "own_ray", "bucket"}
RAY_FILES = (
    "cluster/test_submission",
    "run/test_unfit_machine",
    "faults/",
    "studies/edits/test_sweep",
    "training/test_distributed",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of Ray; those that share one come before those that end it."""
    root = Path(__file__).parent
    for item in items:
        file = item.path.relative_to(root).as_posix() if item.path.is_relative_to(root) else ""
        if file.startswith(RAY_FILES) or RAY_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.ray)
    items.sort(key=lambda item: "own_ray" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="module")
def shared_ray() -> None:
    """Eight logical CPUs and two logical GPUs, for every test that only needs some Ray."""
    rays.join()


@pytest.fixture
def own_ray() -> Iterator[None]:
    """No Ray that others share: the test starts one of its own, which ends with it."""
    rays.leave()
    yield
    rays.leave()


@pytest.fixture(autouse=True)
def marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that starts a Ray says so, or it would do so in every worker of the parallel part."""
    before = rays.connected()
    yield
    if rays.connected() and not before and request.node.get_closest_marker("ray") is None:
        rays.leave()
        pytest.fail("this test starts a Ray: let it use shared_ray or own_ray (tests/conftest.py)")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> Path:
    """Folders sd, mini-clip and mini-dino: untrained models of the mini zoo's architectures."""
    from une_ray.corpora import avatars
    from une_ray.training import autoencoder, clip, dino, package, tokenizer, unet
    from une_ray.training.workspace import Workspace

    torch.manual_seed(0)
    work = Workspace(folder=tmp_path_factory.mktemp("zoo"))
    words = tokenizer.build([avatars.caption(0, i) for i in range(50)], work.folder / "tokenizer")
    words.save_pretrained(work.model("clip-a"))
    towers = clip.build(words, width=64, layers=1, text_width=32, text_layers=1)
    towers.save_pretrained(work.model("clip-a"))
    autoencoder.build((8, 8, 8)).save_pretrained(work.model("autoencoder"))
    unet.build(32, (16, 16)).save_pretrained(work.model("unet"))
    dino.build(64, 1).save_pretrained(work.model("dino"))
    tower = CLIPTextModel.from_pretrained(work.model("clip-a"))
    package.stable_diffusion(work.folder / "sd", work.model("autoencoder"), work.model("unet"), tower, words)
    package.mini_clip(work, work.folder / "mini-clip")
    package.mini_dino(work, work.folder / "mini-dino")
    return work.folder


@pytest.fixture(scope="session")
def tiny_spaces(zoo) -> list[str]:
    """A generator and two encoders, as `une build --spaces` names them."""
    return [f"sd=stable-diffusion:{zoo}/sd/ddim3", f"clip=clip:{zoo}/mini-clip", f"dino=dino:{zoo}/mini-dino"]


@pytest.fixture(scope="session")
def sscd(tmp_path_factory) -> str:
    """The name of a copy metric of random weights."""
    from safetensors.torch import save_file
    from torchvision.models import resnet50

    file = tmp_path_factory.mktemp("sscd") / "sscd.safetensors"
    save_file(
        {f"backbone.{name}": value for name, value in resnet50(num_classes=512).state_dict().items()}, file
    )
    return f"sscd:{file}"
