"""The right numbers reach the page; oracles are SciPy and NumPy on what was put into the lake."""

import re
from html import unescape

import numpy as np
import pytest
from scipy import stats

from tests.helpers.planted import DIMS, Planted
from une_ray.lake.session import connect
from une_ray.report.section import Section, Source
from une_ray.studies.probes import agreement, entanglement, linearity
from une_ray.studies.transfer import section as transfers
from une_ray.studies.transfer.study import transfer

SECTIONS = linearity, agreement, entanglement, transfers


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted(400)


@pytest.fixture(scope="module")
def source(planted, tmp_path_factory) -> Source:
    """Four spaces with probes of ten attributes at two split seeds, and every transfer at both."""
    lake = planted.lake(str(tmp_path_factory.mktemp("page") / "lake"))
    for seed in (0, 1):
        planted.probe(lake, list(DIMS), seed)
        transfer(lake, split_seed=seed)
    return Source(lake)


def rows(section: Section) -> list[list[str]]:
    """The texts of every table row."""
    found = re.findall(r"<tr>(.*?)</tr>", section.html)
    return [[unescape(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in found]


def aucs(source: Source, space: str) -> np.ndarray:
    """(2 seeds, 10 attributes)."""
    query = "SELECT auc FROM probes WHERE space = ? ORDER BY split_seed, attribute"
    return np.array(source.rows(query, space), dtype=float).reshape(2, 10)


@pytest.mark.parametrize("module", SECTIONS)
def test_a_lake_without_results_has_no_such_part(module, planted, tmp_path):
    assert module.section(Source(planted.lake(str(tmp_path / "lake")))) is None


@pytest.mark.parametrize("module", SECTIONS)
def test_every_part_draws_a_picture_with_every_space_named(module, source):
    found = module.section(source)
    assert found.html.count("<svg") >= 1 and all(space in found.html for space in DIMS)


def test_probes_are_summed_up_per_space_with_controls_last(source):
    header, *found = rows(linearity.section(source))
    assert [row[0] for row in found] == ["enc", "gen/ddim50", "gen/leak50 (control)", "pixels-4 (control)"]
    for row, space in zip(found, ("enc", "gen/ddim50", "gen/leak50", "pixels-4")):
        means = aucs(source, space).mean(1)
        ((ratio,),) = source.rows("SELECT avg(test / train) FROM probes WHERE space = ?", space)
        margin = stats.t.ppf(0.975, 1) * means.std(ddof=1) * np.sqrt(1 / 2 + ratio)
        assert row[3:5] == [f"{means.mean():.3f}", f"{margin:.3f}"]
        assert row[header.index("p ≤ .05")] == "10 of 10" and row[header.index("permuted AUC")] == "0.510"


@pytest.mark.parametrize(
    "auc, margin, shown",
    [
        (0.7, 0.05, None),
        (0.7, 0.11, "gen/ddim50 0.700 ± 0.110"),
        (0.79, None, "gen/ddim50 0.790 (one split)"),
    ],
)
def test_the_summary_names_spaces_that_may_be_as_linear_controls_too(source, auc, margin, shown):
    figures = {"accuracy": None, "majority": None, "permuted": None, "significant": None}
    rows = [
        linearity.SpaceFigures(space, "ridge", 10, 5, mean, half, **figures)
        for space, mean, half in (("enc", 0.8, 0.02), ("gen/ddim50", auc, margin), ("pixels-4", 0.79, 0.1))
    ]
    summary = linearity.summary(rows, source.roles)
    assert summary.startswith("Attributes are most linear in enc: mean AUC 0.800 ± 0.020 of 10")
    named = [shown] if shown else []
    assert summary.endswith(f"; no clearer than {', '.join([*named, 'pixels-4 (control) 0.790 ± 0.100'])}.")


def test_attributes_are_ranked_by_the_models_not_by_the_controls():
    means = {("a", "enc"): 0.9, ("b", "enc"): 0.6, ("a", "pixels-8"): 0.5, ("b", "pixels-8"): 0.99}
    figures = {key: linearity.Aucs(mean, mean, mean, None) for key, mean in means.items()}
    assert linearity.ranked(figures, ["enc"]) == ["b", "a"]


def test_a_space_is_a_control_whatever_its_name_is(planted, tmp_path):
    lake = planted.lake(str(tmp_path / "lake"))
    lake.register("base", {"model": "m", "role": "control"})
    lake.register("random-thoughts", {"model": "m", "role": "model"})
    roles = Source(lake).roles
    assert roles.is_control("base") and not roles.is_control("random-thoughts")
    assert roles.in_order(["base", "enc", "random-thoughts"]) == ["enc", "random-thoughts", "base"]


def test_the_summary_has_the_best_model_beside_the_best_control_and_chance(source):
    best = aucs(source, "enc").mean()
    control = max(("pixels-4", "gen/leak50"), key=lambda space: aucs(source, space).mean())
    summary = linearity.section(source).summary
    assert f"in enc: mean AUC {best:.3f} ± " in summary and f" of 10 (best control {control} " in summary
    assert f"{control} {aucs(source, control).mean():.3f}, permuted labels 0.510)" in summary
    assert "where the majority class has" in summary


def test_the_best_transfer_stands_beside_shuffled_pairs_and_the_best_control(source):
    query = """SELECT target, avg(centred_cosine) FROM transfers
        WHERE source = ? AND map = ? AND attribute IS NULL GROUP BY target ORDER BY target"""
    cosines = {
        origin: dict(source.rows(query, origin, "ridge")) for origin in ("enc", "gen/ddim50", "pixels-4")
    }
    pairs = {("enc", "gen/ddim50"): 0.0, ("gen/ddim50", "enc"): 0.0}
    origin, target = max(pairs, key=lambda pair: cosines[pair[0]][pair[1]])
    shuffled = dict(source.rows(query, origin, "shuffled"))[target]
    assert transfers.section(source).summary == (
        f"Best is {origin} → {target}: centred cosine {cosines[origin][target]:.3f} (shuffled pairs "
        f"{shuffled:.3f}, best control pixels-4 {cosines['pixels-4'][target]:.3f})."
    )


def test_ridge_probes_are_shown_where_there_are_several_methods(planted, tmp_path):
    lake = planted.lake(str(tmp_path / "lake"))
    for method in ("logistic", "ridge", "lda"):
        planted.probe(lake, ["enc"], method=method)
    _, found = rows(linearity.section(Source(lake)))
    assert found[:3] == ["enc", "ridge", "10"]


def test_agreement_is_scipys_over_means_of_seeds(source):
    found = {row[0]: row for row in rows(agreement.section(source))}
    noise = aucs(source, "gen/ddim50").mean(0)
    for space, name in (
        ("enc", "enc"),
        ("pixels-4", "pixels-4 (control)"),
        ("gen/leak50", "gen/leak50 (control)"),
    ):
        other = aucs(source, space).mean(0)
        assert found[name][1:3] == ["10", "2"]
        assert found[name][3] == f"{stats.pearsonr(noise, other).statistic:+.3f}"
        assert found[name][7] == f"{stats.spearmanr(noise, other).statistic:+.3f}"
        for null in (found[name][5], found[name][9]):
            mean, reach = map(float, null.split(" ± "))
            sd = reach / 1.96
            assert abs(mean) < 0.02 and sd == pytest.approx(9**-0.5, abs=0.02)


def test_agreement_uses_what_both_spaces_have():
    a = {(seed, name): seed + ord(name) for seed in (0, 1) for name in "abcd"}
    b = {(0, name): -ord(name) for name in "bcde"}
    ours, theirs = agreement.paired(a, b)
    assert ours.tolist() == [[98, 99, 100]] and theirs.tolist() == [[-98, -99, -100]]
    assert agreement.paired(a, {(0, "a"): 1.0, (0, "b"): 1.0}) is None


def test_label_correlations_are_numpys_and_alike_attributes_stand_together(source, planted):
    names, phi = entanglement.label_correlations(source, planted.attributes)
    columns = [planted.attributes.index(name) for name in names]
    assert np.allclose(phi, np.corrcoef(planted.labels[:, columns].T))
    assert abs(names.index("Attribute 0") - names.index("Attribute 1")) == 1


def test_constant_and_missing_labels_have_no_correlation(tmp_path):
    other = Planted(80, ("enc",))
    other.labels[:, 3] = True
    source = Source(other.lake(str(tmp_path / "lake")))
    names, phi = entanglement.label_correlations(source, other.attributes)
    assert sorted(names) == sorted(set(other.attributes) - {"Attribute 3"}) and np.isfinite(phi).all()
    assert entanglement.label_correlations(source, ["Attribute 0", "no such"])[0] == []


def test_only_test_images_are_scored(source, planted):
    _, found = source.latents("enc", 4000, split="test")
    assert np.allclose(np.sort(found[:, 0]), np.sort(planted.z["enc"][planted.test, 0]))


def test_scores_repeat_the_corpus_as_numpy_finds(source, planted):
    section = entanglement.section(source)
    names, phi = entanglement.label_correlations(source, planted.attributes)
    w = dict(source.rows("SELECT attribute, w FROM probes WHERE space = 'enc' AND split_seed = 0"))
    w = np.array([w[name] for name in names]).T
    below = np.tril_indices(10, -1)
    unit = w / np.linalg.norm(w, axis=0)
    expected = [
        np.corrcoef(m[below], phi[below])[0, 1]
        for m in (unit.T @ unit, np.corrcoef((planted.z["enc"][planted.test] @ w).T))
    ]
    said = section.html[section.html.index("<h3>enc</h3>") :]
    assert f"cosines {expected[0]:+.2f}, scores {expected[1]:+.2f}" in said[: said.index("<svg")]


def test_transfers_stand_beside_their_controls(source):
    header, *found = rows(transfers.section(source))
    assert len(found) == 12
    query = """SELECT avg(cosine), avg(accuracy_native - accuracy) FROM transfers
        WHERE source = 'enc' AND target = 'gen/ddim50' AND map = ? AND attribute IS NULL"""
    row = next(row for row in found if row[:2] == ["enc", "gen/ddim50"])
    for which, cosine, drop in (("ridge", "cosine", "drop"), ("mean", "of the mean", "mean's drop")):
        ((raw, lost),) = source.rows(query, which)
        assert row[header.index(cosine)] == f"{raw:.3f}" and row[header.index(drop)] == f"{100 * lost:.2f}"


def test_of_several_runs_over_a_pair_the_one_with_most_images_is_shown(planted, tmp_path):
    lake = planted.lake(str(tmp_path / "lake"), {"pixels-4": set(planted.ids[:200])})
    planted.probe(lake, ["enc"])
    fewer = transfer(lake, ["gen/ddim50", "pixels-4"], ["enc"]).table.to_pylist()
    more = transfer(lake, ["gen/ddim50"], ["enc"]).table.to_pylist()
    assert fewer[0]["train"] < more[0]["train"] and connect(lake).execute(
        "SELECT count(*) FROM transfers WHERE source = 'gen/ddim50'"
    ).fetchone() == (66,)
    row = next(row for row in rows(transfers.section(Source(lake))) if row[0] == "gen/ddim50")
    assert row[2] == f"{more[0]['cosine']:.3f}"
