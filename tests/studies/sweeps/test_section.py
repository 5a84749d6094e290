"""The part of the page on sweeps, from planted trials: the front, the knee, the points and the command are
what was put in."""

import re

import pytest

from tests.helpers.lakes import items
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.report.section import Source
from une_ray.studies.sweeps import section as sweeps

# (effect, leakage, identity): ends of the front, a compromise, one that is beaten, one that was stopped
# though it looks best of all.
TRIALS = {
    "strong": (1.0, 0.5, 0.6, "finished"),
    "weak": (0.1, 0.0, 1.0, "finished"),
    "compromise": (0.8, 0.1, 0.9, "finished"),
    "beaten": (0.7, 0.2, 0.8, "finished"),
    "stopped": (2.0, 0.0, 1.0, "stopped"),
}
GOALS = {"effect": "max", "leakage": "min", "identity": "max"}


def lake_of(url: str, trials: dict) -> Lake:
    lake = create(Lake(url), "test:10", iter(items()), 10)
    for i, (name, (*objectives, status)) in enumerate(trials.items()):
        row = {
            "study": "how",
            "sweep": "s",
            "title": "Smiling in gen/ddim50",
            "status": status,
            "settings": [("way", name), ("alpha", str(float(i)))],
            "objectives": [*zip(GOALS, objectives)],
            "goals": [*GOALS.items()],
            "promise": 1.0,
            "budget": 32 if status == "finished" else 8,
            "unit": "images",
            "point": "paper" if name == "beaten" else None,
            "command": ["edit", "--attribute", "Smiling", "--method", name, "--baselines", ""],
            "seconds": 1.0,
        }
        results.commit(lake, "sweeps", {"trial": name}, [row])
    return lake


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> str:
    return sweeps.section(Source(lake_of(str(tmp_path_factory.mktemp("page") / "lake"), TRIALS))).html


def test_a_lake_without_sweeps_has_no_such_part(tmp_path):
    assert sweeps.section(Source(lake_of(str(tmp_path / "lake"), {}))) is None


def test_the_table_is_the_front_and_marks_the_knee(html):
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in html.split("<tr>")[2:]]
    assert [(row[0], row[4]) for row in rows] == [
        ("", "way strong, alpha 0.0"),
        ("knee", "way compromise, alpha 2.0"),
        ("", "way weak, alpha 1.0"),
    ]
    assert rows[1][1:4] == ["0.800", "0.100", "0.900"]


def test_the_knees_command_can_be_pasted(html):
    assert re.search(
        r"<pre>une edit --lake \S+ --attribute Smiling --method compromise --baselines &#x27;&#x27;</pre>",
        html,
    )


def test_the_studys_own_point_is_named_and_better_is_up_and_to_the_right(html):
    assert (
        ">paper<" in html
        and "leakage ↓" in html
        and html.count("<svg") == 2
        and "4 finished, 1 stopped; finished is 32 images" in html
    )


def test_a_sweep_with_one_finished_trial_is_drawn_too(tmp_path):
    assert "<svg" in sweeps.section(Source(lake_of(str(tmp_path / "lake"), {"only": TRIALS["strong"]}))).html
