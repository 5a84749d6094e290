"""A package outside une_ray adds a corpus, a kind of model, a control space, a mitigation, a detector and
a study, each in one file or folder behind an entry point (tests/plugin), and touches nothing of une_ray."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "plugin"
CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def une():
    """Run `une` where the package is on the path, as if it were installed."""
    path = os.pathsep.join([str(PLUGIN), str(CHECKOUT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}

    def run(*words: str) -> str:
        shown = subprocess.run(
            [sys.executable, "-m", "une_ray", *words], capture_output=True, text=True, env=environment
        )
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    run.python = lambda code: (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
        ).stdout
    )
    return run


@pytest.fixture(scope="module")
def lake(une, tmp_path_factory) -> str:
    """A lake of the package's corpus in the package's spaces, probed and measured by the package's study."""
    url = str(tmp_path_factory.mktemp("plugin") / "lake")
    spaces = "h=histogram:none,noise=histogram:none/chance,pixels-16"
    une("build", "--corpus", "gradients:60", "--spaces", spaces, "--lake", url, "--shard-size", "64")
    une("probe", url, "--permutations", "2")
    une("spread", url)
    return url


def test_its_names_stand_in_help_and_lists(une):
    assert "spread" in une("--help") and "gradients:N" in une("corpus")
    assert "ID/chance" in une("models") and "Noise that knows nothing of the picture" in une("models")
    assert "half-pads" in une("memorization", "--help") and "last-norm" in une(
        "memorization", "audit", "--help"
    )


@pytest.mark.long
def test_its_spaces_are_built_and_probed_and_its_control_is_one(une, lake):
    roles = une("sql", lake, "-c", "SELECT space || '=' || role AS r FROM spaces ORDER BY space")
    assert all(pair in roles for pair in ("h=model", "noise=control", "pixels-16=control"))
    better = (
        "SELECT a.auc_a > .9 AND a.auc_b < .9 AS sees FROM agreement('h', 'noise') a WHERE attribute = 'Red'"
    )
    assert "true" in une("sql", lake, "-c", better)
    assert "60" in une("verify", lake)


@pytest.mark.long
def test_its_study_writes_a_table_that_sql_reads_with_its_own_view(une, lake):
    assert une("sql", lake, "-c", "SELECT count(*) AS n FROM spreads").count("3") >= 1
    assert len(une("spread", lake).splitlines()) == 3, "what is done is kept"


@pytest.mark.long
def test_its_section_stands_in_the_report(une, lake):
    page = Path(une("report", lake).strip()).read_text()
    assert "Spread" in page and "Mean standard deviation over coordinates." in page


def test_its_study_may_be_sent_to_a_cluster(une):
    assert "'spread'" in une.python("from une_ray.cli.main import jobs; print(jobs())")


def test_its_mitigation_and_detector_are_found_with_their_settings(une):
    code = """
from une_ray.registry import DETECTORS, MITIGATIONS
from une_ray.studies.memorization.parse import parse
method = MITIGATIONS.find("half-pads")
print(parse("half-pads:share=0.25"), MITIGATIONS.about("half-pads"), method.defaults["share"])
print(DETECTORS.find("last-norm").__doc__)
"""
    shown = une.python(code)
    assert (
        "half-pads" in shown
        and "'share': 0.25" in shown
        and "Every pad row shortened." in shown
        and "0.5" in shown
    )
    assert "of the last step" in shown


def test_a_setting_of_its_mitigation_is_held_to_its_range(une):
    code = """
from une_ray.errors import UneError
from une_ray.studies.memorization.parse import parse
try:
    parse("half-pads:share=2")
except UneError as error:
    print(error)
"""
    assert "share of half-pads is 2.0; it is between 0 and 1" in une.python(code)


def test_without_the_package_nothing_of_it_is_known():
    code = "from une_ray.registry import CORPORA, STUDIES; print('gradients' in CORPORA, 'spread' in STUDIES)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=True
    )
    assert shown.stdout.split() == ["False", "False"]
