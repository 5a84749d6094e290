import re

import pytest

from tests.helpers.lakes import items
from tests.helpers.pictures import png
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.report.page import write
from une_ray.run.build import build
from une_ray.run.cluster import Cluster


@pytest.fixture(scope="module")
def page(tmp_path_factory, tiny_spaces, shared_ray) -> str:
    """The report of a lake of pictures with one broken file."""
    folder = tmp_path_factory.mktemp("faces")
    for n in range(12):
        (folder / f"{n}.png").write_bytes(png(seed=n))
    (folder / "<b>broken.png").write_bytes(b"")
    url = str(tmp_path_factory.mktemp("reported") / "lake")
    build(url, f"folder:{folder}", tiny_spaces[:2], shard_size=8, cluster=Cluster(actors=1))
    return write(Lake(url)).read_text()


def test_the_page_stands_alone(page):
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"'#]+)""", page)
    assert addresses and all(address.startswith("data:image/") for address in addresses)
    assert "@import" not in page and "<script" not in page and "<link" not in page


@pytest.mark.parametrize(
    "title", ["Corpus", "Round trips", "Gaussian?", "Nearest neighbours", "Throughput", "Rejects", "Settings"]
)
def test_every_part_is_there(page, title):
    assert f"<h2>{title}</h2>" in page


def test_the_contents_link_to_every_section_in_the_pages_order(page):
    contents = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a></li>', page)
    assert contents == re.findall(r'<section id="([^"]+)"><h2>([^<]+)</h2>', page) and len(contents) > 6
    assert contents[0] == ("corpus", "Corpus") and contents[-1] == ("settings", "Settings")


def test_the_summary_says_what_the_lake_holds(page):
    summary = page[page.index("In short") : page.index("<nav>")]
    assert "12 images (1 test, 11 train), 1 reject, in 2 spaces (clip, sd)" in summary


def test_the_page_knows_the_dark(page):
    assert "@media (prefers-color-scheme: dark)" in page and "color-scheme: light dark" in page


def test_rejects_are_shown_with_reasons_and_names_are_escaped(page):
    assert "empty file" in page and "&lt;b&gt;broken.png" in page and "<b>broken.png" not in page


def test_a_lake_with_nothing_built_says_so(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4)
    with pytest.raises(UneError, match="no finished shard yet"):
        write(lake)
