"""What neighbours have in common; oracles: counted by hand, and a lake whose spaces are planted."""

import re

import numpy as np
import pytest

from tests.helpers.planted import Planted
from tests.helpers.prompted import lake_of_prompts
from une_ray.geometry.pairing import nearest_others
from une_ray.lake.session import connect
from une_ray.report.section import Source
from une_ray.report.sections.neighbours import against_mixed_up, in_common, section

TEXTS = "SELECT caption, z FROM latents JOIN images USING (image_id)"


def test_attributes_in_common_are_counted_where_both_are_known():
    labels = np.array([[0, 1, 1], [0, 0, 1], [1, 1, np.nan]])
    neighbours = np.array([[1], [2], [0]])
    # of image 0 and 1: 0 and 1 agree, .5 of … ; 1 and 2: none of two; 2 and 0: one of two
    assert in_common(labels, neighbours) == pytest.approx((2 + 0 + 1) / (3 + 2 + 2))
    assert np.isnan(in_common(np.full((3, 2), np.nan), neighbours))


def test_a_space_of_the_latent_is_beyond_its_null_and_noise_is_not(tmp_path):
    made = Planted(count=300, spaces=("enc",))
    labels, noise = made.labels.astype(float), np.random.default_rng(3).standard_normal((300, 10))
    seen, mean, sd = against_mixed_up(labels, nearest_others(made.z["enc"] - 2, made.z["enc"] - 2, 6))
    assert seen > mean + 5 * sd
    seen, mean, sd = against_mixed_up(labels, nearest_others(noise, noise, 6))
    assert abs(seen - mean) < 4 * sd
    shares = labels.mean(0)
    assert mean == pytest.approx((shares**2 + (1 - shares) ** 2).mean(), abs=0.01)


def test_the_section_says_both(tmp_path):
    made = Planted(count=60, spaces=("enc",))
    shown = section(Source(made.lake(str(tmp_path / "lake")))).html
    assert "attributes in common" in shown and "enc" in shown


def test_of_prompts_texts_are_shown_and_not_blank_squares(tmp_path):
    lake = lake_of_prompts(str(tmp_path / "lake"))
    shown = section(Source(lake)).html
    query = re.findall("<p><b>(.*?)</b></p><ul><li>", shown)[0]
    assert "<img" not in shown
    space = {row[0]: np.array(row[1]) for row in connect(lake).sql(TEXTS).fetchall()}
    first = space.pop(query)
    cosine = {text: z @ first / np.linalg.norm(z) / np.linalg.norm(first) for text, z in space.items()}
    nearest = max(cosine, key=cosine.get)
    assert f"<ul><li>{nearest} {cosine[nearest]:.3f}</li>" in shown
