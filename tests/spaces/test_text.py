"""Captions as a space: the text towers' own numbers, cut where the tokenizer cuts, rejects with a reason."""

from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from transformers import CLIPModel, CLIPTokenizer, SiglipConfig, SiglipModel

from une_ray.errors import UneError
from une_ray.models.adhoc import complete
from une_ray.models.contrastive import load_text_tower
from une_ray.models.encoders import load_encoder
from une_ray.models.resolve import PACKAGED
from une_ray.models.table import find_model
from une_ray.run.read import captions_of, read_captions
from une_ray.spaces.space import Space

SHORT, LONG = "a man with glasses", "a smile, " * 60


def library_embeddings(name: str, texts: list[str]) -> np.ndarray:
    """By transformers or open_clip alone, tokenizer and truncation included."""
    at = PACKAGED / name
    with torch.no_grad():
        if name == "mini-clip-a":
            words = CLIPTokenizer.from_pretrained(at)
            ids = words(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
            model = CLIPModel.from_pretrained(at, dtype=torch.float32)
            return model.get_text_features(input_ids=ids).pooler_output.numpy()
        tokens = open_clip.get_tokenizer(f"local-dir:{at}")(texts)
        return open_clip.create_model(f"local-dir:{at}").eval().encode_text(tokens).numpy()


@pytest.mark.parametrize("name", ["mini-clip-a", "mini-clip-b"])
def test_captions_are_the_librarys_own_vectors_and_over_long_ones_are_counted(name):
    space, fingerprint = Space.parse(f"{name}/text").pinned()
    data = [b"x", None, b"x", b"x"]
    captions = captions_of([SHORT, SHORT, None, LONG], data)
    table, besides = read_captions(space.load(), 3, list("abcd"), captions)
    expected = library_embeddings(name, [SHORT, LONG])
    stored = np.array([z for z in table["z"].to_pylist() if z is not None], np.float32)
    assert np.allclose(stored, expected, rtol=2e-3, atol=2e-3) and stored.shape[1] == space.model.dim
    assert table["error"].to_pylist() == [None, "image unreadable", "no caption", None]
    assert besides.truncated == ["d"]
    assert (fingerprint["method"], fingerprint["role"]) == ("text-embedding", "model")
    assert not fingerprint["backend"].startswith("pillow")
    assert Space.from_fingerprint(f"{name}/text", fingerprint).kind == "text"


def test_siglip_texts_are_the_whole_models_own(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tiny = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = SiglipConfig(
        text_config=tiny | {"vocab_size": 8, "max_position_embeddings": 6},
        vision_config=tiny | {"image_size": 32, "patch_size": 16},
    )
    torch.manual_seed(0)
    whole = SiglipModel(config).eval()
    whole.save_pretrained(tmp_path)
    letters = Tokenizer(models.WordLevel({"a": 2, "man": 3, "hat": 4, "?": 0, "_": 1}, unk_token="?"))
    letters.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="?", pad_token="_")
    words.save_pretrained(tmp_path)
    tower = load_text_tower(replace(find_model(f"siglip:{tmp_path}"), dtype="float32"))
    ids = words(["a man"], padding="max_length", max_length=6, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = whole.get_text_features(input_ids=ids).pooler_output
        assert torch.allclose(tower.embed(["a man"]), expected, atol=1e-6)
    assert tower.lengths(["a man", "a man a man a man hat"]) == [2, 7] and tower.limit == 6


def test_flava_is_the_whole_models_own_first_token_of_pictures_and_texts(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        FlavaConfig,
        FlavaForPreTraining,
        FlavaImageProcessor,
        FlavaModel,
        PreTrainedTokenizerFast,
    )

    tiny = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = FlavaConfig(
        text_config=tiny | {"vocab_size": 8, "max_position_embeddings": 6},
        image_config=tiny | {"image_size": 32, "patch_size": 16},
        multimodal_config=tiny,
        projection_dim=12,
        init_codebook=False,
    )
    torch.manual_seed(0)
    FlavaForPreTraining(config).save_pretrained(tmp_path)  # its heads are not read
    whole = FlavaModel.from_pretrained(tmp_path).eval()
    FlavaImageProcessor(size=32, crop_size=32).save_pretrained(tmp_path)
    letters = Tokenizer(models.WordLevel({"a": 2, "man": 3, "hat": 4, "?": 0, "_": 1}, unk_token="?"))
    letters.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="?", pad_token="_")
    words.save_pretrained(tmp_path)
    spec = complete(replace(find_model(f"flava:{tmp_path}"), dtype="float32"))
    assert (spec.dim, spec.preprocessing.size, spec.preprocessing.fit) == (12, 32, "stretch")
    tower, pixels = load_text_tower(spec), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        alone = words("a man", return_tensors="pt")
        text = whole.get_text_features(alone.input_ids, alone.attention_mask).pooler_output[:, 0]
        assert torch.allclose(tower.embed(["a man", "a man a hat"])[:1], text, atol=1e-6)
        image = whole.get_image_features(pixels).pooler_output[:, 0]
        assert torch.allclose(load_encoder(spec)(pixels), image, atol=1e-6) and image.shape == (2, 12)
    assert tower.lengths(["a man", "a man a man a man hat"]) == [2, 7] and tower.limit == 6
    with pytest.raises(UneError, match="is a 'clip' model; flava: reads FLAVA's"):
        complete(find_model(f"flava:{PACKAGED / 'mini-clip-a'}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mini-dino/text", "mini-dino is an encoder: its space is just 'mini-dino'"),
        ("mini-clip-a/embedding", "its space is just 'mini-clip-a'.*mini-clip-a/text"),
        ("mini-sd-a/text", "unknown space kind 'text'"),
        ("random-mini-clip-a/text", "fresh weights, whose texts say nothing of pictures"),
    ],
)
def test_models_without_a_trained_text_tower_have_no_space_of_captions(text, message):
    with pytest.raises(UneError, match=message):
        Space.parse(text)
