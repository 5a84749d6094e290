"""The measures and pictures of the model cards, against closed forms."""

import numpy as np
import pytest
import torch
from scipy import stats

from une_ray.models.resolve import PACKAGED
from une_ray.training import cards, strips
from une_ray.training.copying import share
from une_ray.training.evaluate import probe_auc, retrieval
from une_ray.training.zoo import MODELS


def test_retrieval_counts_own_captions_among_a_hundred():
    eye = torch.eye(100)
    assert retrieval(eye, eye) == 1 and retrieval(eye, eye.roll(1, 0)) == 0


def test_probes_find_what_is_linear_and_nothing_else():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4000, 8))
    labels = np.stack([z @ np.arange(8) > 0, rng.random(4000) > 0.5], 1)
    linear, noise = probe_auc(z, labels)
    assert linear > 0.99 and abs(noise - 0.5) < 0.06


def test_a_grid_has_its_pictures_row_by_row():
    shades = torch.linspace(-1, 1, 2 * strips.COLUMNS)
    grid = strips.grid(shades.view(-1, 1, 1, 1).expand(-1, 3, 4, 4))
    assert grid.size == (4 * strips.COLUMNS, 8)
    middles = np.asarray(grid)[2::4, 2::4, 0].ravel()
    assert np.array_equal(middles, np.rint((shades.numpy() + 1) * 127.5))


def test_the_way_between_two_noises_begins_and_ends_at_them_and_is_no_shorter():
    a, b = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    path = strips.great_circle(a, b, torch.linspace(0, 1, 5))
    assert torch.allclose(path[0], a, atol=1e-5) and torch.allclose(path[-1], b, atol=1e-5)
    lengths = path.flatten(1).norm(dim=1)
    assert lengths.min() > 0.9 * min(a.norm(), b.norm())


def test_figures_of_a_card_are_rewritten_and_its_training_stays(tmp_path, monkeypatch):
    (tmp_path / "mini-dino").mkdir()
    card = tmp_path / "mini-dino/README.md"
    before = (PACKAGED / "mini-dino/README.md").read_text()
    card.write_text(before)
    monkeypatch.setattr(cards, "PACKAGED", tmp_path)
    figures = {"mini-dino": {"linear-probe mean AUC": 0.5}, "mini-sd-a": {"autoencoder PSNR, dB": 30.0}}
    cards.write_card("mini-dino", figures, tmp_path, is_trained=False)
    head, training = card.read_text().split("## Training")
    assert "| linear-probe mean AUC | **0.5** |" in head and "PSNR" not in head
    assert training == before.split("## Training")[1]
    cards.write_card("mini-dino", figures, tmp_path, is_trained=False)
    assert card.read_text() == f"{head}## Training{training}", "twice is once"


@pytest.mark.parametrize("name", MODELS)
def test_every_card_says_what_its_model_is_and_how_it_was_trained(name):
    text = (PACKAGED / name / "README.md").read_text()
    assert text.startswith(f"# {name}\n\n{MODELS[name].about}\n") and text.count("## Training\n") == 1


def test_titles_that_agree_leave_an_exact_interval():
    exact = stats.binomtest(8, 8).proportion_ci()
    assert share(np.full(8, 10), 10) == pytest.approx((1, exact.low, exact.high))
    found = share(np.array([10, 10, 10, 10, 0, 0, 0, 0]), 10)
    assert found.value == 0.5 and found.low < 0.25 and found.high > 0.75, "eight titles, not eighty samples"


def test_an_interval_stands_in_the_cell_of_its_figure():
    copies = {"copies": 0.2, "copies: from": 0.01335, "copies: to": 0.6293}
    figures = {"a": copies, "b": {"KID": 0.002866, "KID: ±": 0.002815}}
    lines = cards.table("a", figures)
    assert lines[2:] == ["| copies | **0.2 (0.013 to 0.63)** |  |", "| KID |  | 0.002866 ± 0.0028 |", ""]
