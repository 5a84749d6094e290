"""A kind of model is one file: found without heavy imports, also in another package."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import une_ray
from une_ray.errors import UneError
from une_ray.models.encoders import load_encoder
from une_ray.models.table import MODELS, find_model
from une_ray.registry import MODEL_KINDS

STRIPES = '''
"""The mean of every row of pixels: a kind without weights, of another package."""

from dataclasses import replace

from une_ray.models.kind import ModelKind
from une_ray.models.spec import ModelSpec, Preprocessing

KIND = ModelKind(
    defaults=ModelSpec(preprocessing=Preprocessing(8, "crop")),
    complete=lambda spec: replace(spec, dim=24),
    load=lambda spec, device: lambda pixels: pixels.mean(3).flatten(1),
    weights=False,
    role="control",
)
'''

USE = """
import json

import numpy as np

from une_ray.registry import MODEL_KINDS
from une_ray.spaces.space import Space

space, fingerprint = Space.parse("rows=stripes:none").pinned()
z = space.load()(np.zeros((2, 8, 8, 3), np.uint8), ["a", "b"])["z"]
answer = {"about": MODEL_KINDS.about("stripes"), "shape": z.shape}
answer |= {"dim": space.model.dim, "role": space.model.role}
print(json.dumps(answer | {key: fingerprint[key] for key in ("kind", "weights")}))
"""


def test_kinds_are_found_before_the_libraries_that_load_them():
    code = (
        "import sys; from une_ray.models.table import find_model; find_model('clip:/x').is_generator;"
        "from une_ray.registry import MODEL_KINDS; MODEL_KINDS.items(); print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "transformers", "diffusers", "open_clip"} & set(modules.split())


def test_every_kind_of_the_table_says_how_it_is_read():
    names = ["classifier", "clip", "dino", "open-clip", "pixels", "stable-diffusion"]
    assert {spec.kind for spec in MODELS.values()} == set(names) <= set(MODEL_KINDS.names())
    for name in names:
        kind = MODEL_KINDS.find(name)
        assert kind.generates == (kind.load is None) == (name == "stable-diffusion")
        assert kind.weights == (kind.library is not None) == (name != "pixels")
        assert (kind.text_tower is not None) == (name in ("clip", "open-clip"))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("mini-dino", "model"),
        ("mini-sd-a", "model"),
        ("pixels-16", "control"),
        ("random-mini-dino", "control"),
    ],
)
def test_what_was_never_trained_is_a_control(name, role):
    assert find_model(name).role == role


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clpi:/models/mine", "unknown kind of model 'clpi'; known, nearest first: clip"),
        ("clip:", "names no folder or hub id after the colon"),
        ("clip:owner/name", "needs a revision"),
        ("pixels:/models/mine", "a pixels model has no weights to read; it is pixels:none"),
        ("random-pixels:none", "no trained weights to do without"),
    ],
)
def test_a_model_that_is_none_says_what_would_be(name, message):
    with pytest.raises(UneError, match=message):
        find_model(name)


def test_a_generator_is_no_encoder():
    with pytest.raises(UneError, match="mini-sd-a is a stable-diffusion model, not an encoder"):
        load_encoder(find_model("mini-sd-a"))


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Of a process for which another package is installed beside une_ray, with a kind of its own."""
    (tmp_path / "stripes_for_une_ray.py").write_text(STRIPES)
    metadata = tmp_path / "stripes_for_une_ray-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stripes_for_une_ray\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[une_ray.model_kinds]\nstripes = stripes_for_une_ray\n")
    path = os.pathsep.join([str(tmp_path), str(Path(une_ray.__file__).parents[1])])
    return os.environ | {"PYTHONPATH": path}


def test_another_packages_kind_is_a_model_and_a_space(environment):
    run = subprocess.run(
        [sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == {
        "about": "The mean of every row of pixels: a kind without weights, of another package.",
        "shape": [2, 24],
        "dim": 24,
        "kind": "stripes",
        "weights": "none",
        "role": "control",
    }
