"""The shipped models reach their floors, through the package's own loading code, on held-out avatars."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForImageClassification, CLIPModel, CLIPTokenizer, Dinov2Model

from une_ray.models.contrastive import load_contrastive
from une_ray.models.resolve import PACKAGED
from une_ray.models.table import MODELS, find_model
from une_ray.training import copying, evaluate
from une_ray.training.data import HELD_OUT_SEED, Pictures, pictures

MINI = [spec for spec in MODELS.values() if spec.source.startswith("package:")]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Pictures:
    """What the cards are measured on."""
    return pictures(evaluate.IMAGES, HELD_OUT_SEED, tmp_path_factory.mktemp("pictures"))


QUICK = "mini-sd-b"  # takes the least time; the floors of the others are slow tests


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == QUICK else pytest.mark.slow) for name in evaluate.JUDGES],
)
def test_the_autoencoder_and_the_round_trip_reach_their_floors(data, name):
    found = evaluate.round_trips(data, name, count=8)
    alone, trip = found["autoencoder PSNR, dB"], found["DDIM-50 round trip PSNR, dB"]
    assert alone >= 28 and trip >= alone - 1.5


@pytest.mark.long
@pytest.mark.parametrize("name", evaluate.CONTRASTIVE)
def test_contrastive_models_reach_their_floors(data, name):
    found = evaluate.contrastive(data.rows(slice(1000)), load_contrastive(find_model(name)))
    assert found["image→caption top-1 of 100"] >= 0.6 and found["zero-shot mean AUC"] >= 0.9


@pytest.mark.slow
def test_mini_sd_dup_knows_by_heart_what_it_saw_often_and_nothing_else():
    share = copying.curve("mini-sd-dup", seeds=1)
    assert share[1000].value == 1 and share[250].value >= 0.75
    assert share[10].value <= 0.25 and share[1].value == 0


def test_no_folder_names_the_machine_that_made_it():
    assert not [path for path in PACKAGED.rglob("*.json") if ".zoo" in path.read_text()]


def test_the_whole_zoo_is_small_enough_to_travel():
    assert sum(path.stat().st_size for path in PACKAGED.rglob("*") if path.is_file()) <= 60e6


@pytest.mark.slow
def test_mini_dino_reaches_its_floor(data):
    assert evaluate.probe_auc(evaluate.embeddings("mini-dino", data), data.attributes()).mean() >= 0.95


def test_mini_resnet_knows_every_attribute_by_its_own_class(data):
    few = data.rows(slice(1000))
    aucs = [
        roc_auc_score(label, logit)
        for label, logit in zip(few.attributes().T, evaluate.embeddings("mini-resnet", few).T)
    ]
    assert min(aucs) >= 0.9 and np.mean(aucs) >= 0.99


def test_the_folders_load_in_their_own_libraries():
    """The dtype is named: by default diffusers takes float32, transformers what the file has (float16)."""
    pipeline = StableDiffusionPipeline.from_pretrained(PACKAGED / "mini-sd-a", torch_dtype=torch.float32)
    image = pipeline(
        "a woman with glasses", num_inference_steps=3, output_type="np", generator=torch.manual_seed(0)
    ).images
    assert image.shape == (1, 64, 64, 3)
    tower = CLIPModel.from_pretrained(PACKAGED / "mini-clip-a").text_model.state_dict()
    ours = pipeline.text_encoder.state_dict()
    assert all(
        torch.equal(value, ours[key]) for key, value in tower.items()
    )  # mini-sd-a's text tower is mini-clip-a's
    assert (
        CLIPTokenizer.from_pretrained(PACKAGED / "mini-clip-a")("!").input_ids[0]
        == pipeline.tokenizer.bos_token_id
    )
    assert Dinov2Model.from_pretrained(PACKAGED / "mini-dino").config.hidden_size == 128
    named = AutoModelForImageClassification.from_pretrained(PACKAGED / "mini-resnet").config
    assert named.id2label[0] == "Male" and named.problem_type == "multi_label_classification"


@pytest.mark.parametrize("spec", MINI, ids=lambda spec: spec.id)
def test_every_shipped_model_has_a_card_and_its_dimension(spec, data):
    card = (PACKAGED / spec.id / "README.md").read_text()
    assert (
        "Measured on held-out avatars" in card
        and "Licence" in card
        and (PACKAGED / spec.id / "curve.png").exists()
    )
    if spec.is_generator:
        assert spec.dim == 4 * 16 * 16
    else:
        assert evaluate.embeddings(spec.id, data.rows(slice(2))).shape == (
            2,
            spec.dim,
        )
