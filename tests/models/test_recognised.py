"""A model's folder without its kind: the message names what its files are, by the packaged models."""

import re
from pathlib import Path

import pytest

import une_ray
from une_ray.errors import UneError
from une_ray.models.recognised import kinds_of
from une_ray.spaces.space import Space

WEIGHTS = Path(une_ray.__file__).parent / "models/weights"


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("mini-sd-a", "stable-diffusion"),
        ("mini-clip-a", "clip"),
        ("mini-clip-b", "open-clip"),
        ("mini-dino", "dino"),
        ("mini-resnet", "classifier"),
    ],
)
def test_a_folder_says_what_kind_its_model_is(model, kind):
    assert kinds_of(str(WEIGHTS / model)) == [kind]


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ('{"model_type": "siglip"}', ["siglip"]),
        ('{"model_type": "vit", "architectures": ["ViTForImageClassification"]}', ["classifier"]),
        ('{"architecture": "resnet18", "pretrained_cfg": {}}', ["timm"]),
        ('{"model_type": "vit", "architectures": [null]}', ["dino"]),
        ('{"model_type": "vit", "architectures": 3}', ["dino"]),
        ("[1]", []),
        ("{", []),
    ],
)
def test_its_configuration_decides(tmp_path, config, kinds):
    (tmp_path / "config.json").write_text(config)
    assert kinds_of(str(tmp_path)) == kinds


@pytest.mark.parametrize("ending", ["", "/ddim50-trailing"])
def test_a_space_of_a_folder_without_a_kind_is_refused_with_what_to_write(ending):
    folder = f"{WEIGHTS}/mini-sd-a"
    with pytest.raises(UneError, match=f"by its files stable-diffusion:{re.escape(folder)}$"):
        Space.parse(f"mine={folder}{ending}")


def test_a_folder_that_says_nothing_and_one_that_is_not_there(tmp_path):
    with pytest.raises(UneError, match=f"KIND:{tmp_path}; its files don't say which of classifier, clip"):
        Space.parse(f"mine={tmp_path}")
    with pytest.raises(UneError, match=f"no folder {tmp_path}/none; a model of one's own is KIND:FOLDER"):
        Space.parse(f"mine={tmp_path}/none")
    with pytest.raises(UneError, match="no folder ~nobody-of-that-name/none; a model of one's own"):
        Space.parse("mine=~nobody-of-that-name/none")
    (tmp_path / "config.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(UneError, match=f"KIND:{tmp_path}; its files don't say"):
        Space.parse(f"mine={tmp_path}")
    with pytest.raises(UneError, match="unknown model 'mini-dnio'"):
        Space.parse("mini-dnio")
