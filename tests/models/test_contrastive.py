"""Both towers of an image–text model, through either library: unit vectors, and the library's own."""

import open_clip
import pytest
import torch
from transformers import CLIPModel, CLIPTokenizer

from une_ray.errors import UneError
from une_ray.models.contrastive import load_contrastive
from une_ray.models.encoders import load_encoder
from une_ray.models.resolve import PACKAGED
from une_ray.models.table import find_model

PIXELS = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
CAPTIONS = ["a man with glasses", "an old woman, gray hair and a smile"]


@pytest.mark.parametrize("name", ["mini-clip-a", "mini-clip-b"])
def test_pictures_are_the_encoders_own_at_unit_length(name):
    spec = find_model(name)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(load_encoder(spec)(PIXELS), dim=-1)
    assert torch.allclose(load_contrastive(spec).images(PIXELS), expected, atol=1e-5)


def test_texts_are_the_librarys_own():
    at = PACKAGED / "mini-clip-a"
    ids = CLIPTokenizer.from_pretrained(at)(CAPTIONS, padding=True, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = (
            CLIPModel.from_pretrained(at, dtype=torch.float32).get_text_features(input_ids=ids).pooler_output
        )
    cosines = torch.cosine_similarity(load_contrastive(find_model("mini-clip-a")).texts(CAPTIONS), expected)
    assert torch.allclose(cosines, torch.ones(2), atol=1e-5)

    at = f"local-dir:{PACKAGED / 'mini-clip-b'}"
    with torch.no_grad():
        expected = (
            open_clip.create_model(at)
            .eval()
            .encode_text(open_clip.get_tokenizer(at)(CAPTIONS), normalize=True)
        )
    assert torch.allclose(load_contrastive(find_model("mini-clip-b")).texts(CAPTIONS), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"), [("mini-dino", "reads no text"), ("random-mini-clip-a", "fresh weights")]
)
def test_models_without_a_trained_text_tower_are_refused(name, message):
    with pytest.raises(UneError, match=message):
        load_contrastive(find_model(name))
