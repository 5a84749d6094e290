"""Means over seeds and their table."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.helpers.trained import SCALE
from une_ray.errors import UneError
from une_ray.studies.disentanglement.compare import Comparison, folder_of
from une_ray.studies.disentanglement.scores import (
    Score,
    mean_over_seeds,
    read_scores,
    table,
    told_apart,
    write_scores,
)
from une_ray.studies.disentanglement.training.run import Run, parse_model
from une_ray.studies.disentanglement.training.scales import SCALES


def score(model: str, seed: int, value: float, metric: str = "mig") -> Score:
    facts = {"corpus": "c", "evaluated": "c", "scale": "tiny", "compute": 1.0}
    return Score(model=model, seed=seed, metric=metric, score=value, **facts)


def test_the_interval_is_student_s_over_seeds():
    """Three values 1, 2, 3: s = 1, t(.975, 2) = 4.303."""
    mean = mean_over_seeds([1.0, 2.0, 3.0])
    assert (mean.mean, mean.seeds) == (2.0, 3) and mean.half == pytest.approx(4.3027 / np.sqrt(3), rel=1e-4)
    assert mean_over_seeds([0.5]).half is None


def test_the_table_has_the_best_mean_in_bold_and_gaps_where_there_is_nothing():
    scores = [score("a", 0, 0.1), score("a", 1, 0.3), score("b", 0, 0.4), score("a", 0, 0.7, "sap")]
    scores.append(score("b", 0, 0.9, "of_another_package"))
    shown = table(scores)
    assert shown[:4] == [
        "| model | seeds | MIG | SAP | of_another_package |",
        "|---|---|---|---|---|",
        "| `a` | 2 | 0.200 ± 1.271 | **0.700** | – |",
        "| `b` | 1 | **0.400** | – | **0.900** |",
    ]
    assert shown[-3:] == ["- MIG: none", "- SAP: none", "- of_another_package: none"]


def test_the_table_says_which_models_the_seeds_tell_apart():
    """Those of which scipy's p-value is below 5 % over the number of pairs that are left (Holm)."""
    values = {"a": [0.50, 0.52, 0.55], "b": [0.44, 0.50, 0.53], "c": [0.30, 0.31, 0.33], "d": [0.9]}
    pvalues = {
        pair: stats.ttest_ind(*(values[model] for model in pair), equal_var=False).pvalue
        for pair in ("ac", "bc", "ab")
    }
    assert pvalues["ac"] < 0.05 / 3 and pvalues["bc"] < 0.05 / 2 < 0.05 < pvalues["ab"]
    assert told_apart(values) == {"a": ["c"], "b": ["c"]} and told_apart({}) == {}
    scores = [score(model, seed, value) for model in "abc" for seed, value in enumerate(values[model])]
    assert table(scores)[-1] == "- MIG: `a` above `c`; `b` above `c`"


def test_scores_on_one_corpus_do_not_replace_those_on_another(tmp_path, monkeypatch):
    monkeypatch.setitem(SCALES, "test", SCALE)
    run = Run(model="vae", corpus="c:1", scale="test")
    write_scores(run, tmp_path, "c:1", {"mig": 0.1})
    write_scores(run, tmp_path, "c:2", {"mig": 0.2})
    write_scores(run, tmp_path, "c:1", {"mig": 0.3})
    assert {score.evaluated: score.score for score in read_scores(tmp_path)} == {"c:1": 0.3, "c:2": 0.2}


def test_a_comparison_goes_seed_by_seed_and_refuses_what_is_named_twice():
    runs = Comparison(models=[("vae", {}), ("did", {})], corpus="avatars:8", seeds=2).runs()
    assert [(run.model, run.seed) for run in runs] == [("vae", 0), ("did", 0), ("vae", 1), ("did", 1)]
    with pytest.raises(UneError, match="vae is named twice"):
        Comparison(models=[("vae", {}), ("vae", {})], corpus="avatars:8").runs()
    for first, second in (("beta-vae", "beta-vae:beta=4"), ("did:contrast=true", "did:temperature=0.2")):
        with pytest.raises(UneError, match=rf"{second}(\.0)? is named twice, as {first}$"):
            Comparison(models=[*map(parse_model, (first, second))], corpus="avatars:8").runs()
    others = [parse_model("beta-vae"), parse_model("beta-vae:beta=5")]
    names = [
        folder_of(run, Path()).name for run in Comparison(models=others, corpus="avatars:8", seeds=1).runs()
    ]
    assert names == ["beta-vae-seed0", "beta-vae,beta=5.0-seed0"]
