"""Comparisons by the strength of a correlation: which corpora they train on, and what is shown of them."""

import pytest

from une_ray.corpora import open_corpus
from une_ray.errors import UneError
from une_ray.studies.disentanglement.compare import Comparison
from une_ray.studies.disentanglement.correlated import corpora, correlated, grid_of, plot, table
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
    names = corpora(grid_of("shapes3d"), [0.0, 0.9], 50)
    assert names == {0.0: "shapes3d:50", 0.9: "shapes3d:50?correlation=0.9"}
    assert open_corpus(names[0.9]).correlation == 0.9
    with pytest.raises(UneError, match="a correlation is"):
        corpora(grid_of("shapes3d:all"), [0.95], 50)
    with pytest.raises(UneError, match="avatars:20 is no grid of factors"):
        grid_of("avatars:20")


@pytest.mark.parametrize(
    ("corpus", "trained", "measured"),
    [
        ("dsprites", "dsprites:50000?correlation=0.5", "dsprites:all"),
        ("dsprites:300?seed=3", "dsprites:300?seed=3&correlation=0.5", "dsprites:all"),
        (
            "dsprites:300?correlation=0.9&pair=scale,shape",
            "dsprites:300?correlation=0.5&pair=scale,shape",
            "dsprites:all",
        ),
        ("dsprites:/x.npz?items=300", "dsprites:/x.npz?items=300&correlation=0.5", "dsprites:/x.npz"),
        ("dsprites:/x.npz", "dsprites:/x.npz?items=50000&correlation=0.5", "dsprites:/x.npz"),
    ],
)
def test_file_seed_pair_and_count_of_the_corpus_are_kept_and_the_whole_grid_is_measured(
    corpus, trained, measured, tmp_path, monkeypatch
):
    done = []
    monkeypatch.setattr(
        "une_ray.studies.disentanglement.correlated.compare",
        lambda comparison, *_: done.append(comparison) or scores(0.0),
    )
    correlated(Comparison(models=[("vae", {})], corpus=corpus, scale="small"), [0.0, 0.5], tmp_path)
    assert done[1].corpus == trained and {comparison.evaluated for comparison in done} == {measured}
    free, tied = (open_corpus(comparison.corpus) for comparison in done)
    assert (free.correlation, tied.correlation) == (0.0, 0.5) and free.count == tied.count
    grid = open_corpus(corpus if ":" in corpus else f"{corpus}:all")
    assert (tied.path, tied.seed, tied.pair) == (grid.path, grid.seed, grid.pair or grid.PAIR)


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
