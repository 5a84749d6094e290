"""The page's part on memorisation: there where something was measured, with every method in it."""

from tests.studies.test_memorization import ROWS
from une_ray.lake import results
from une_ray.report.section import Source
from une_ray.report.sections import memorization
from une_ray.studies.memorization import open_or_create


def test_a_lake_without_such_pictures_has_no_such_section(tmp_path):
    assert memorization.section(Source(open_or_create(str(tmp_path / "lake")))) is None


def test_every_method_and_detector_is_drawn_and_told(tmp_path):
    lake = open_or_create(str(tmp_path / "lake"))
    results.commit(lake, "memorization", {}, ROWS)
    html = memorization.section(Source(lake)).html
    assert "<svg" in html and html.count("<td>pad-swap</td>") == 3 and "<td>wen-1</td>" in html
