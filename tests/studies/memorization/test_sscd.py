"""Oracles: the authors' published preprocessing by Pillow, torchvision's own features, and
torch.nn.functional's power pooling and cosine."""

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional
from torchvision import transforms
from torchvision.models import resnet50
from torchvision.models.feature_extraction import create_feature_extractor

from une_ray.corpora import avatars
from une_ray.errors import UneError
from une_ray.pictures.tensors import from_bytes, to_image
from une_ray.studies.memorization.copy_metric import calibrate, find_metric, metric_facts, slightly_changed
from une_ray.studies.memorization.copy_metrics import sscd

PICTURES = torch.stack([from_bytes(avatars.picture(9, index)) for index in range(2)])


def saved(network, folder, **changes):
    """The file of a network's weights in the published layout, with some added or, where None, left out."""
    weights = {f"backbone.{name}": value for name, value in network.state_dict().items()} | changes
    save_file(
        {name: value for name, value in weights.items() if value is not None}, folder / "sscd.safetensors"
    )
    return folder / "sscd.safetensors"


@pytest.fixture(scope="module")
def published():
    """A network of random weights, with torchvision's own mean in GeM's place."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return resnet50(num_classes=512).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def file(published, tmp_path_factory):
    return saved(published, tmp_path_factory.mktemp("sscd"))


@pytest.fixture(scope="module")
def prepared() -> torch.Tensor:
    """As the authors prepare pictures, by Pillow, which rounds what it resizes to bytes."""
    normalize = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    prepare = transforms.Compose([transforms.Resize(288), transforms.ToTensor(), normalize])
    return torch.stack([prepare(to_image(picture)) for picture in PICTURES])


@pytest.fixture(scope="module")
def expected(published, prepared) -> torch.Tensor:
    """Descriptors before the norm, by the published recipe."""
    features = create_feature_extractor(published, ["layer4"])(prepared)["layer4"]
    places = features.shape[-1] * features.shape[-2]
    pooled = functional.lp_pool2d(features, 3, features.shape[-2:]).flatten(1) / places ** (1 / 3)
    return functional.linear(pooled, published.fc.weight, published.fc.bias)


def test_pictures_are_prepared_as_published_but_for_rounding_to_bytes(file, prepared):
    assert (sscd.load(file).prepared(PICTURES) - prepared).abs().max() < 1.1 / 255 / 0.224


def test_descriptors_are_those_of_the_published_recipe(file, expected):
    found = sscd.load(file)(PICTURES)
    assert torch.allclose(found.norm(dim=1), torch.ones(2)) and (found[0] - found[1]).norm() > 0.05
    assert (found - functional.normalize(expected)).norm(dim=1).max() < 0.005


def test_similarity_is_their_cosine_and_every_picture_can_be_held_against_every_other(file, expected):
    metric = find_metric(f"sscd:{file}")
    seen = metric.describe(PICTURES)
    pairs = metric.compare(seen[:, None], seen)
    assert torch.allclose(pairs, functional.cosine_similarity(expected[:, None], expected, dim=2), atol=1e-3)
    assert torch.allclose(pairs.diagonal(), torch.ones(2)) and pairs[0, 1] < 0.999


def test_pictures_that_are_not_square_keep_their_proportions(file):
    wide = sscd.load(file).prepared(torch.zeros(1, 3, 32, 64))
    assert wide.shape == (1, 3, 288, 576)


def test_it_is_calibrated_as_the_tiled_distance_is(file):
    pictures = torch.stack([from_bytes(avatars.picture(9, index, 32)) for index in range(4)])
    found = calibrate(pictures, find_metric(f"sscd:{file}"))
    assert found.threshold <= 1 and (found.pairs, found.changed) == (1, 2 * len(slightly_changed(pictures)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"backbone.fc.weight": None},
            "missing: backbone.fc.weight; make one of sscd_disc_mixup.torchvision.pt",
        ),
        ({"embeddings.1.bias": torch.zeros(512)}, "unexpected: embeddings.1.bias;"),
        ({"backbone.fc.bias": torch.zeros(1000)}, "of another shape: backbone.fc.bias;"),
        (
            {
                f"backbone.bn1.{part}": None
                for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            },
            "and 1 more",
        ),
    ],
)
def test_weights_of_another_layout_are_refused_by_name(published, tmp_path, changes, message):
    with pytest.raises(UneError, match=message):
        sscd.load(saved(published, tmp_path, **changes))


def test_what_is_no_safetensors_file_is_refused(tmp_path):
    (tmp_path / "sscd.torchscript.pt").write_bytes(b"PK\x03\x04 a pickle in a zip")
    for name in ("sscd.torchscript.pt", "nowhere.safetensors"):
        with pytest.raises(UneError, match=f"no SSCD weights in .*{name}"):
            find_metric(f"sscd:{tmp_path}/{name}")


@pytest.mark.parametrize("name", ["sscd", "sscd:", "tile"])
def test_an_unknown_metric_is_refused(name):
    with pytest.raises(UneError, match="unknown copy metric"):
        metric_facts(name)


def test_a_metrics_facts_are_its_file_wherever_it_is_called_from_and_what_is_in_it(file, monkeypatch):
    told = metric_facts(f"sscd:{file}")
    monkeypatch.chdir(file.parent)
    assert (
        metric_facts("sscd:sscd.safetensors")
        == told
        == {"copy_metric": f"sscd:{file}", "copy_metric_weights": sscd.fingerprint(file)}
    )
    assert metric_facts("tiles") == {}
