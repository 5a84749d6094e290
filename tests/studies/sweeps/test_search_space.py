"""Studies as data: what is read, what is suggested, and what is refused with a reason."""

import optuna
import pytest

from une_ray.errors import UneError
from une_ray.studies.sweeps.plan import shipped
from une_ray.studies.sweeps.search_space import Scale, parse, read
from une_ray.studies.sweeps.subject import find_subject, shipped_path, subjects

TEXT = """
space:
  method: {choices: [ridge, mean-difference]}
  penalty: {log: [0.001, 100], when: {method: [ridge]}}
  erasure: {choices: [projection, leace]}
  shrinkage: {uniform: [0, 1], when: [{erasure: [leace]}, {method: [mean-difference]}]}
  rounds: {integers: [2, 4]}
points:
  plain: {method: ridge, penalty: 1.0, erasure: projection, rounds: 4}
weights: {effect: 1, leakage: -2}
scales:
  small: {trials: 3, first: 8, most: 32}
"""


@pytest.fixture
def study():
    return parse("mine", TEXT, "mine.yaml")


def test_a_parameter_is_suggested_where_one_of_its_alternatives_holds(study):
    trials = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = [study.suggested(trials.ask()) for _ in range(40)]
    assert {settings["method"] for settings in found} == {"ridge", "mean-difference"}
    for settings in found:
        assert ("penalty" in settings) == (settings["method"] == "ridge")
        assert ("shrinkage" in settings) == (
            settings["erasure"] == "leace" or settings["method"] == "mean-difference"
        )
        assert settings["rounds"] in (2, 3, 4)
        assert all(value == float(f"{value:.3g}") for value in settings.values() if isinstance(value, float))


def test_a_point_knows_its_name(study):
    assert study.point({"method": "ridge", "penalty": 1.0, "erasure": "projection", "rounds": 4}) == "plain"
    assert study.point({"method": "ridge", "penalty": 2.0, "erasure": "projection", "rounds": 4}) is None


@pytest.mark.parametrize(
    ("scale", "rungs"),
    [
        (Scale(1, 8, 32), [8, 16, 32]),
        (Scale(1, 8, 40), [8, 16, 40]),
        (Scale(1, 5, 5), [5]),
        (Scale(1, 2, 50, 5), [2, 10, 50]),
    ],
)
def test_rungs_grow_by_the_factor_and_end_at_the_most(scale, rungs):
    assert scale.rungs == rungs


@pytest.mark.parametrize("kind", subjects())
def test_a_shipped_study_searches_only_what_its_subject_knows(kind):
    study, known = shipped(kind), find_subject(kind)
    assert set(study.space) <= set(known.knobs) and set(study.weights) <= set(known.goals) and study.points
    assert {"small", "medium", "large"} == set(study.scales)
    for name, weight in study.weights.items():
        assert (weight > 0) == (known.goals[name] == "max"), f"halving would stop trials for a good {name}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("space:", "spaces:", "unknown part of a study in mine.yaml 'spaces'; known, nearest first: space"),
        (
            "choices: [ridge, mean-difference]",
            "one_of: [ridge]",
            "parameter 'method' needs one of choices, uniform, log, integers",
        ),
        ("log: [0.001, 100]", "log: [0, 100]", "begins above 0"),
        ("integers: [2, 4]", "integers: [4, 2]", r"integers of 'rounds' is \[4, 2\]; it is \[low, high\]"),
        ("penalty: 1.0, erasure", "erasure", "point 'plain' does not say 'penalty'"),
        (
            "rounds: 4}\n",
            "rounds: 4, shrinkage: 1}\n",
            "point 'plain' says shrinkage, which its other settings leave no room for",
        ),
        (
            "plain: {method",
            "plain: {methods: ridge, method",
            "unknown parameter of point 'plain' in mine.yaml 'methods'",
        ),
        ("first: 8", "first: 64", "0 < first ≤ most"),
        ("trials: 3,", "", "it has trials, first, most and maybe factor"),
        ("weights: {effect: 1, leakage: -2}", "", "says nothing of 'weights'"),
        ("space:\n", "space: [\n", "is not YAML"),
        ("effect: 1", "effect: high", "effect is 'high'; it is a number"),
        ("weights:", "seed: abc\nweights:", "seed is 'abc'; it is a whole number"),
        ("points:\n  plain:", "points:\n  - plain:", "points is .*; it is a mapping"),
        ("weights:", "fixed: [1]\nweights:", r"fixed is \[1\]; it is a mapping"),
    ],
)
def test_what_is_wrong_in_a_study_is_said(old, new, message):
    assert old in TEXT
    with pytest.raises(UneError, match=message):
        parse("mine", TEXT.replace(old, new, 1), "mine.yaml")


def test_a_study_that_is_not_there_and_an_unknown_scale_are_said(study, tmp_path):
    with pytest.raises(UneError, match="the shipped one is une_ray/studies/memorization/mitigation.yaml"):
        read(tmp_path / "no.yaml", shipped_path("mitigation"))
    with pytest.raises(UneError, match="can't read the study ~nobody-of-that-name/x.yaml"):
        read("~nobody-of-that-name/x.yaml", shipped_path("mitigation"))
    with pytest.raises(UneError, match="unknown scale of study mine 'medium'; known, nearest first: small"):
        study.scale("medium")


def test_a_subject_is_found_by_its_studys_folder_and_an_unknown_one_is_said():
    assert {"orthogonalization", "mitigation"} <= set(subjects())
    with pytest.raises(
        UneError, match="unknown subject of a sweep 'mitigations'; known, nearest first: mitigation"
    ):
        find_subject("mitigations")
