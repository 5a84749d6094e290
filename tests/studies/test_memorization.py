"""The study's tables over rows whose truth is known, against scikit-learn and arithmetic; and the command, without Ray."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.studies import memorization as study

DRAW = np.random.default_rng(0)
DOSES = {"memorised": 1000, "titled": 10, "ordinary": 0}
PROMPTS = {"memorised": 3, "titled": 2, "ordinary": 4}


def made(group: str, prompt: int, method: str, seed: int) -> dict:
    copied = group == "memorised" and method == "none"
    plain = (
        {"detectors": [("wen-1", DRAW.normal(copied))], "attention": [("eot", [0.1, 0.2]), ("pad", [0.9, 0.8])]} if method == "none" else {}
    )
    return plain | {
        "model": "m", "weights": "w", "method": method, "settings": "{}", "steps": 2, "guidance_scale": 7.5, "prompt": f"{group} {prompt}",
        "kind": "held-out" if group == "ordinary" else "duplicated", "dose": DOSES[group], "seed": seed, "is_copy": copied,
        "similarity": 0.9 if copied else 0.3 + 0.1 * prompt, "alignment": 0.1 * seed, "similarity_unmitigated": 1.0, "diversity": 0.5,
    }  # fmt: skip


ROWS = [made(g, p, m, s) for g, count in PROMPTS.items() for p in range(count) for m in ("none", "pad-swap") for s in range(3)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    lake = study.open_or_create(str(tmp_path_factory.mktemp("memory") / "lake"))
    results.commit(lake, "memorization", {"of": "rows"}, ROWS)
    results.commit(lake, "memorization", {"of": "another run"}, [row | {"prompt": "another", "weights": "other"} for row in ROWS])
    return lake


@pytest.fixture(scope="module")
def tables(lake) -> dict[str, list[dict]]:
    found = study.tables(lake, [results.config_hash({"of": "rows"})])
    return {view: [dict(zip(columns, row)) for row in rows] for view, (columns, rows) in found.items()}


def test_where_there_is_no_lake_one_of_the_forty_pictures_is_made(lake):
    assert Lake(lake.url).manifest["corpus"] == "duplicates:all" and study.open_or_create(lake.url).manifest["images"] == 40


def test_dose_response_is_the_share_of_copies_by_dose(tables):
    assert [(row["dose"], row["prompts"], row["copies"]) for row in tables["dose_response"]] == [(10, 2, 0), (1000, 3, 1), (0, 4, 0)]


def test_methods_are_compared_over_prompts_of_each_group(tables):
    found = {(row["group"], row["method"]): row for row in tables["methods"]}
    assert len(found) == 6 and {group: found[group, "none"]["prompts"] for group in PROMPTS} == PROMPTS
    swapped = found["memorised", "pad-swap"]
    assert (found["memorised", "none"]["copies"], swapped["copies"], swapped["alignment"]) == (1, 0, 0.1)
    values = np.array([0.3, 0.4, 0.5])
    assert swapped["similarity"] == pytest.approx(values.mean(), abs=5e-4)
    assert swapped["±"] == pytest.approx(1.96 * values.std(ddof=1) / 3**0.5, abs=5e-4)


def test_a_detectors_auc_is_scikit_learns(tables):
    plain = [row for row in ROWS if row["method"] == "none"]
    truth, scores = [row["is_copy"] for row in plain], np.array([row["detectors"][0][1] for row in plain])
    (row,) = tables["detectors"]
    assert row["auc"] == pytest.approx(roc_auc_score(truth, scores), abs=5e-4)
    others = scores[~np.array(truth)]
    assert row["tpr_at_1_percent_fpr"] == pytest.approx((scores[truth] > np.quantile(others, 0.99)).mean(), abs=5e-4)


def test_attention_is_told_by_class_and_step(tables):
    row = next(row for row in tables["attention"] if (row["group"], row["tokens"]) == ("memorised", "pad"))
    assert (row["first_step"], row["last_step"]) == (0.9, 0.8)


def test_suspects_are_ranked_beside_ordinary_prompts(tmp_path):
    lake = study.open_or_create(str(tmp_path / "lake"))
    scores = {"mine": 5.0, "yours": 1.5} | {f"ordinary {i}": float(i) for i in range(4)}
    rows = [
        made("ordinary", 0, "none", 0)
        | {"prompt": prompt, "kind": "held-out" if "ordinary" in prompt else "given", "detectors": [("wen-1", score)]}
        for prompt, score in scores.items()
    ]
    results.commit(lake, "memorization", {}, rows)
    found = study.suspects(lake, [results.config_hash({})], "wen-1")
    assert [(suspect.prompt, suspect.p_value) for suspect in found] == [("mine", 1 / 5), ("yours", 3 / 5)]
    with pytest.raises(UneError, match="nearest first: wen-1"):
        study.suspects(lake, [results.config_hash({})], "wen-2")


def test_the_command_prints_a_line_per_method_and_group_and_an_audit_ranks(tmp_path, zoo, monkeypatch):
    import typer

    from une_ray.commands.memorization import memorization
    from une_ray.memorization.bench import Bench

    worker = Bench(str(tmp_path / "lake"), {}, "cpu")

    def in_this_process(lake, kind, tasks, *_):
        for task in tasks:
            results.commit(lake, kind, task, worker(task))
            yield results.config_hash(task)

    monkeypatch.setattr(study.tasks, "run", in_this_process)
    app = typer.Typer()
    app.command()(memorization)
    common = ["--lake", str(tmp_path / "lake"), "--model", f"stable-diffusion:{zoo}/sd", "--seeds", "1", "--steps", "2", "--ordinary", "2"]
    shown = CliRunner().invoke(app, [*common, "--methods", "pad-swap", "--prompts-per-dose", "1"], catch_exceptions=False).output
    assert sum(line.startswith(("titled", "ordinary")) for line in shown.splitlines()) == 4
    (tmp_path / "prompts.txt").write_text("Velvet Engine\na cat\n")
    ranked = CliRunner().invoke(app, [*common, "--audit", str(tmp_path / "prompts.txt")], catch_exceptions=False).output
    assert "Velvet Engine" in ranked and "p ≤ 0.333" in ranked
