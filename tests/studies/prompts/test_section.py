"""What the report shows of prompts: what was planted, beside its controls."""

import io
import re

import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.helpers.prompted import PROMPTS, SPACE, lake_of_prompts
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.report.section import Source
from une_ray.studies.prompts.bias import bias
from une_ray.studies.prompts.clusters import cluster
from une_ray.studies.prompts.defaults import defaults
from une_ray.studies.prompts.explain import explain
from une_ray.studies.prompts.map_section import map_section, short
from une_ray.studies.prompts.says_section import says_section
from une_ray.studies.prompts.section import Bias, bias_section, draw_biases

WOMAN = f"FROM prompt_direction('{SPACE}', 'a woman', 'a man')"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Source:
    """The planted lake, of which everything has been asked, and two pictures of a pole."""
    lake = lake_of_prompts(str(tmp_path_factory.mktemp("shown") / "lake"))
    bias(lake, "a person", ["a man", "a woman"], truth="avatars", resamples=100)
    bias(lake, "a person", ["a man", "a woman"], resamples=100)  # without a truth, and so not shown
    defaults(lake, "a person", truth="avatars", resamples=100)
    cluster(lake, "a person", categories="describes", resamples=20)
    explain(lake, SPACE, WOMAN, split="all")
    draw(lake)
    return Source(Lake(lake.url))


def draw(lake: Lake) -> None:
    rows = []
    for seed in range(2):
        data = io.BytesIO()
        Image.new("RGB", (8, 8), (200, 0, 0)).save(data, "PNG")
        lake.store.commit(f"prompt_pictures/{seed}.png", data.getvalue())
        rows.append({"space": SPACE, "judge": "j", "guidance_scale": 1.0, "prompt": "a man", "seed": seed})
        rows[-1]["picture"] = f"prompt_pictures/{seed}.png"
    results.commit(lake, "prompt_pictures", {"drawn": "by hand"}, rows)


def test_biases_stand_beside_their_truth_and_the_agreements_beside_their_controls(source):
    section = bias_section(source)
    assert section is not None and section.summary.startswith("Between a woman and a man 20 prompts")
    drawn = re.findall(r">(a person with [^<]+)</text>", section.html)
    assert set(drawn) <= set(PROMPTS) and len(drawn) == 20  # once: the run without a truth is not shown
    assert drawn.index("a person with long hair") < drawn.index("a person with a beard")
    assert ">truth: avatars</text>" in section.html and "random poles" in section.html
    assert section.html.count("data:image/") == 2 and 'title="a man"' in section.html
    assert "always the commonest" in section.html and "taken for granted" in section.html


def test_the_map_names_every_prompt_and_category_beside_shuffled_ones(source):
    section = map_section(source)
    assert section is not None and "shuffled reach" in section.html
    assert {"a beard", "pale skin", "hair_color"} <= set(re.findall(r">([^<]+)</text>", section.html))
    assert short(["a person with a hat", "a man", "a person wearing a suit"]) == ["a hat", "a man", "a suit"]


def test_a_direction_has_a_card_with_both_its_ends(source):
    section = says_section(source)
    assert section is not None and "of the 1 directions" in section.summary
    assert ">a woman, from a man</h3>" in section.html
    head, foot = section.html.split(">head</p>")[1].split(">foot</p>")
    assert "a woman" in head and "long hair" in head and "a beard" in foot


def test_text_that_stands_in_a_lake_is_never_executed(tmp_path):
    lake, file = lake_of_prompts(str(tmp_path / "lake")), tmp_path / "owned.csv"
    said = {"space": SPACE, "direction": f"COPY (SELECT 1) TO '{file}'", "w": [1.0] + [0.0] * 15}
    said |= {
        "split": "test",
        "phrase": "hat",
        "correlation": 0.5,
        "random": 0.1,
        "random_p": 0.5,
        "images": 30,
    }
    results.commit(lake, "prompt_explanations", {"made": "by hand"}, [said])
    section = says_section(Source(Lake(lake.url)))
    assert section is not None and "COPY (SELECT 1)" in section.html and ">head</p>" in section.html
    assert not file.exists()


def test_a_direction_is_shown_of_test_items_where_they_were_asked(tmp_path):
    lake = lake_of_prompts(str(tmp_path / "lake"))
    said = {"space": SPACE, "direction": WOMAN, "w": [1.0] + [0.0] * 15, "phrase": "hat", "random_p": 0.5}
    for split, images, correlation in (("test", 30, 0.1), ("all", 300, 0.9), ("val", 30, 0.2)):
        row = said | {"split": split, "images": images, "correlation": correlation, "random": 0.3}
        results.commit(lake, "prompt_explanations", {"split": split}, [row])
    section = says_section(Source(Lake(lake.url)))
    assert section is not None and section.html.count("<h3") == 1
    assert ">30 test</td>" in section.html and "explains nothing" in section.html
    assert ">hat +0.10</td><td>none</td>" in section.html.replace(" class=text", ""), "it is at one end alone"
    assert section.summary == "Captions explain 0 of the 1 directions that were asked, beyond random ones."
    results.commit(lake, "prompt_explanations", {"again": 1}, [said | {"split": "test", "images": 30}])
    rows = Source(Lake(lake.url))
    rows.define("prompts.sql")
    assert len(rows.rows("FROM directions_said WHERE split = 'test'")) == 1  # of two computations


def test_a_lake_of_which_nothing_was_asked_has_no_such_part(lake):
    source = Source(lake)
    assert [part(source) for part in (bias_section, map_section, says_section)] == [None, None, None]


def test_without_a_truth_the_summary_has_both_ends_and_how_many_are_clear(tmp_path):
    lake = lake_of_prompts(str(tmp_path / "lake"))
    bias(lake, "a person", ["a man", "a woman"], spaces=[SPACE], resamples=100)
    section = bias_section(Source(Lake(lake.url)))
    query = "SELECT prompt, bias, low * high > 0 FROM prompt_biases ORDER BY bias"
    found = connect(lake).sql(query).fetchall()
    clear = sum(is_clear for *_, is_clear in found)
    (low, least, _), (high, most, _) = found[0], found[-1]
    assert section is not None and section.summary == (
        f"In {SPACE} {clear} of {len(found)} prompts lie clear of the middle between a woman and a man: from"
        f" {low} {least:+.2f} to {high} {most:+.2f}."
    )


def test_a_prompt_that_is_long_is_shortened_and_one_that_was_cut_off_is_marked():
    figure = Figure()
    long = "a person who " + "walks and " * 30
    rows = [made(long), made("a nurse")]
    axis = figure.subplots()
    draw_biases([axis], rows, {"a nurse"})
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels[1] == "a nurse*" and len(labels[0]) == 60 and labels[0].endswith("…")
    assert axis.get_xlabel() == "a woman ← difference of cosines → a man"


def made(prompt: str) -> Bias:
    known = {"space": SPACE, "neutral": "a person", "pole_first": "a man", "pole_second": "a woman"}
    return Bias(**known, prompt=prompt, bias=0.1, low=0.0, high=0.2, truth=None, truth_of=None)
