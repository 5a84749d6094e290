"""Comparisons by the strength of a correlation: which corpora they train on, and what is shown of them."""

import pytest

from une_ray.corpora import open_corpus
from une_ray.errors import UneError
from une_ray.studies.disentanglement.correlated import corpora, plot, table
from une_ray.studies.disentanglement.scores import Score


def scores(strength: float) -> list[Score]:
    facts = {"corpus": f"c:{strength}", "evaluated": "c", "scale": "tiny", "compute": 1.0}
    return [
        Score(model=model, seed=seed, metric=metric, score=level - strength / 10 + 0.01 * seed, **facts)
        for model, level in (("vae", 0.2), ("did", 0.3))
        for metric in ("mig", "dci_disentanglement", "sap")
        for seed in (0, 1)
    ]


def test_the_corpora_are_subsamples_of_that_strength():
    names = corpora("shapes3d:all", [0.0, 0.9], 50)
    assert names == {0.0: "shapes3d:50", 0.9: "shapes3d:50?correlation=0.9"}
    assert open_corpus(names[0.9]).correlation == 0.9
    with pytest.raises(UneError, match="a correlation is"):
        corpora("shapes3d:all", [0.95], 50)
    with pytest.raises(UneError, match="avatars:20 is no grid of factors"):
        corpora("avatars:20", [0.5], 10)


def test_the_table_has_a_column_per_strength_and_the_plot_a_line_per_model():
    by_strength = {strength: scores(strength) for strength in (0.0, 0.9)}
    assert table(by_strength, "mig") == [
        "| MIG | 0 | 0.9 | fall |",
        "|---|---|---|---|",
        "| `vae` | 0.205 ± 0.064 | 0.115 ± 0.064 | 0.090 ± 0.000 |",  # t(.975, 1) · .00707 / √2; paired
        "| `did` | 0.305 ± 0.064 | 0.215 ± 0.064 | 0.090 ± 0.000 |",
    ]
    mig, *others = plot(by_strength).axes
    assert len(others) == 2 and mig.get_title() == "MIG"
    assert [list(line.get_ydata()) for line in mig.get_lines()[:1]] == [pytest.approx([0.205, 0.115])]
