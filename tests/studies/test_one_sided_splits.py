"""A table may state that all is train, and is obeyed: studies go by hash where they can, else refuse in a
line."""

import pytest
from typer.testing import CliRunner

from tests.helpers import planted
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.studies.edits.images import selected
from une_ray.studies.edits.train_rows import train_rows


@pytest.fixture(params=["train", "test"])
def lake(request, tmp_path, monkeypatch) -> Lake:
    """200 images of two spaces, whose table puts all of them on one side; with probes."""
    monkeypatch.setattr(planted, "split_of", lambda image_id: request.param)
    made = planted.Planted(200, ("enc", "gen/ddim50")).lake(str(tmp_path / "lake"))
    une("probe", made.url, "--permutations", "0")
    return made


def une(*words: str) -> str:
    """What a command prints; it must succeed."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_probes_have_the_other_split_seeds(lake):
    fitted = "SELECT split_seed, count(*) FROM probes WHERE status = 'ok' GROUP BY ALL ORDER BY ALL"
    assert lake.rows(fitted) == [(seed, 20) for seed in (1, 2, 3, 4)]
    reasons = lake.rows("SELECT DISTINCT split_seed, error FROM probes WHERE status <> 'ok'")
    assert [seed for seed, _ in reasons] == [0] and "row has this label" in reasons[0][1]


REFUSED = {
    "transfer": ["transfer"],
    "maps": ["map", "fit", "--from", "enc", "--to", "gen/ddim50"],
    "shared": ["shared", "--views", "enc,gen/ddim50", "--name", "shared-1"],
}


@pytest.mark.parametrize("study", REFUSED)
def test_what_needs_the_stated_split_refuses_with_the_remedy(lake, study):
    with pytest.raises(UneError, match=r"states all images to be (train|test), and none .*\?skip=split"):
        une(*REFUSED[study], "--lake", lake.url)


def test_edits_have_no_images_or_no_doses(lake):
    with pytest.raises(UneError, match="states all images to be (train|test), and none"):
        selected(lake, ["enc"], 4)
        train_rows(lake, "enc", "Attribute 0")


def test_a_transfer_at_another_split_seed_works(lake):
    assert "test images" in une("transfer", lake.url, "--split-seed", "1")
    assert lake.rows("SELECT DISTINCT split_seed FROM transfers") == [(1,)]
