"""The page's part on memorisation: there where something was measured, with every method in it, and
pictures to look at."""

import io
import re

import pytest
from PIL import Image

from tests.helpers.memorized import ABLATED, ROWS, made
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.report import page
from une_ray.report.section import Source
from une_ray.studies.memorization import section as memorization
from une_ray.studies.memorization.prompts import duplicated, held_out
from une_ray.studies.memorization.study import open_or_create


@pytest.fixture
def lake(tmp_path) -> Lake:
    return open_or_create(str(tmp_path / "lake"))


def test_a_lake_without_such_pictures_has_no_such_section(lake):
    assert memorization.section(Source(lake)) is None


def test_every_method_ablation_and_detector_is_drawn_and_told(lake):
    results.commit(lake, "memorization", {}, ROWS + ABLATED)
    html = memorization.section(Source(lake)).html
    assert (
        html.count("<svg") == 2
        and html.count("<td>pad-swap</td>") == 3
        and "<td>wen-1</td>" in html
        and "<td>(h) no pads</td>" in html
    )
    assert "memorised prompts" in html and "titled prompts" in html, "a panel of attention for each group"


def test_the_summary_has_copies_of_memorised_prompts_beside_ordinary_ones_and_the_best_method(lake):
    results.commit(lake, "memorization", {}, ROWS + ABLATED)
    assert memorization.section(Source(lake)).summary == (
        "100 % (59 to 100) of m's plain pictures of 7 memorised prompts are copies, of 4 ordinary ones "
        "0 % (0 to 60); "
        "pad-swap leaves 0 % (0 to 41)."
    )


def test_the_page_says_where_the_pictures_that_are_compared_chose_the_titles(lake):
    results.commit(lake, "memorization", {}, [row for row in ROWS if row["seed"] == 0])
    assert memorization.SAME in memorization.section(Source(lake)).html
    results.commit(lake, "memorization", {"of": "more"}, [row for row in ROWS if row["seed"]])
    assert memorization.SAME not in memorization.section(Source(lake)).html


def test_settings_of_a_lake_are_told_apart(lake):
    results.commit(lake, "memorization", {}, ROWS + [row | {"guidance_scale": 3.0} for row in ROWS])
    html = memorization.section(Source(lake)).html
    assert "<h3>m · 2 steps · guidance 3</h3>" in html and "<h3>m · 2 steps · guidance 7.5</h3>" in html


def test_one_memorised_and_one_ordinary_prompt_are_shown_beside_their_own_pictures(lake):
    rows = []
    for group, prompt in (("memorised", duplicated(1, [1000])[0].text), ("ordinary", held_out(3)[2].text)):
        for shade, (method, settings) in enumerate(
            [("none", "{}"), ("pad-swap", "{}"), ("zero-pads", '{"end": "last"}')]
        ):
            data, name = io.BytesIO(), f"memorization/planted/{group}-{shade}.png"
            Image.new("RGB", (64, 64), (80 * shade, 90, 90)).save(data, "PNG")
            lake.store.commit(name, data.getvalue())
            rows.append(made(group, 0, method, 0) | {"prompt": prompt, "settings": settings, "picture": name})
    results.commit(lake, "memorization", {}, rows)
    html = memorization.section(Source(lake)).html
    captions = re.findall("<figcaption>(.*?)</figcaption>", html)
    assert captions == [
        "its picture",
        "plain*",
        "pad-swap",
        "zero-pads end=last",
        "its picture",
        "plain",
        "pad-swap",
        "zero-pads end=last",
    ]
    assert len(set(re.findall('src="(data:[^"]*)"', html))) == 5, (
        "three shades and two pictures that belong to the prompts"
    )


def test_an_audit_beside_ordinary_prompts_of_ones_own_is_shown_though_none_has_a_training_picture(lake):
    data = io.BytesIO()
    Image.new("RGB", (64, 64)).save(data, "PNG")
    lake.store.commit("memorization/planted.png", data.getvalue())
    unlike = {
        "similarity": None,
        "is_copy": None,
        "similarity_unmitigated": None,
        "dose": None,
        "picture": "memorization/planted.png",
    }
    given = [made("memorised", p, "none", 0) | unlike | {"kind": "given"} for p in range(2)]
    results.commit(
        lake, "memorization", {}, [made("ordinary", p, "none", 0) | unlike for p in range(3)] + given
    )
    html = memorization.section(Source(lake)).html
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == ["plain"] and "ordinary prompts" in html


def test_a_lake_of_nothing_else_has_a_page(lake, tmp_path):
    results.commit(lake, "memorization", {}, ROWS)
    assert "<h2>Memorisation</h2>" in page.write(lake, tmp_path / "report.html").read_text()
