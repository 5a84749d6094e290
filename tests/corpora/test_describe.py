"""What a corpus holds, as a record and as text."""

import numpy as np
import pytest

from tests.helpers.pictures import png
from une_ray.corpora import open_corpus
from une_ray.corpora.base import split_of
from une_ray.corpora.describe import PAIRS, describe


def test_a_description_counts_splits_shares_and_correlations():
    items = list(open_corpus("avatars:300").items())
    avatars = describe("avatars:300")
    assert (avatars.images, avatars.splits) == (300, {"split by hash (one in five is test)": 300})
    assert avatars.first == items[0]
    male, hair = (
        np.array([item.attributes[name] for item in items], float) for name in ("Male", "Long_Hair")
    )
    assert avatars.shares["Male"] == pytest.approx(male.mean())
    (phi,) = (pair.phi for pair in avatars.correlations if {pair.first, pair.second} == {"Male", "Long_Hair"})
    assert phi == pytest.approx(np.corrcoef(male, hair)[0, 1])
    sizes = [abs(pair.phi) for pair in avatars.correlations]
    assert len(sizes) == 26 * 25 // 2 and sizes == sorted(sizes, reverse=True)


def test_its_text_shows_the_strongest():
    avatars = describe("avatars:300")
    lines = str(avatars).splitlines()
    assert lines[0].startswith("avatars:300: 300 images; ")
    assert "strongest correlations (φ) of 325 pairs:" in lines
    strongest = avatars.correlations[0]
    shown = lines[-PAIRS].split()
    assert shown == [strongest.first, strongest.second, f"{strongest.phi:+.3f}"]


def test_a_corpus_without_labels_has_neither(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    folder = describe(f"folder:{tmp_path}")
    assert (folder.images, folder.shares, folder.correlations) == (1, {}, ())
    assert str(folder).endswith("first: a.png, caption: (none)\nno attributes")


def test_factors_and_metadata_are_counted(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(png())
    (tmp_path / "labels.csv").write_text("file,class,person\na.png,3,ann\nb.png,3,bob\nc.png,4,ann\n")
    lines = str(describe(f"folder:{tmp_path}?table={tmp_path}/labels.csv&factors=class")).splitlines()
    assert "factors: class (2 values)" in lines and "metadata: person (2 values)" in lines


def test_unknown_labels_do_not_count(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(png())
    rows = "file,Smiling,Young\na.png,1,\nb.png,0,1\nc.png,1,1\nd.png,1,0\n"
    (tmp_path / "labels.csv").write_text(rows)
    folder = describe(f"folder:{tmp_path}?table={tmp_path}/labels.csv")
    assert folder.shares == {"Smiling": 0.75, "Young": pytest.approx(2 / 3)}
    (pair,) = folder.correlations
    assert (pair.first, pair.second, pair.phi) == ("Smiling", "Young", pytest.approx(-0.5))


def test_a_folder_without_pictures_says_what_it_holds(tmp_path):
    (tmp_path / "00000.tar").touch()
    lines = str(describe(f"folder:{tmp_path}")).splitlines()
    assert lines[0].endswith(": no images") and lines[1] == "1 file, 0 pictures; 1 left out: 1 .tar"


def test_groups_are_counted_and_few_of_them_said_to_be_few(tmp_path):
    """The hash of a group places all of its images, as in a lake that is built of it."""
    people = ["ann", "bob", "cyd", "dan"]
    for n in range(12):
        (tmp_path / f"{n}.png").write_bytes(png((8, 8), seed=n))
    rows = "".join(f"{n}.png,{people[n % 4]}\n" for n in range(12))
    (tmp_path / "labels.csv").write_text(f"file,person\n{rows}")
    name = f"folder:{tmp_path}?table={tmp_path}/labels.csv&group=person"
    tested = 3 * sum(split_of(f"group/{who}") == "test" for who in people)
    (said,) = [line for line in describe(name).remarks if "groups" in line]
    assert said.startswith(f"12 of them are in 4 groups, which stay together: {tested} test; so few groups")
    assert not [line for line in describe("avatars:30").remarks if "groups" in line]
