"""The view `spaces`: what each space of a lake is, and whether it is a control, in the stock shell too."""

import json

import duckdb
import pytest

from tests.helpers.lakes import fill, items
from tests.helpers.stock import answered, module
from une_ray.errors import UneError
from une_ray.lake import session
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.lake.verify import verify

FRESH = {"kind": "dino", "model": "random-mini-dino", "init": {"seed": 0}, "source": "package:mini-dino"}
INVERTED = {
    "kind": "stable-diffusion",
    "model": "mini-sd-a",
    "method": "ddim-inversion",
    "weights": "sha256:1",
}
SPACES = {
    "mini-dino": ({"kind": "dino", "model": "mini-dino", "source": "package:mini-dino"}, "model"),
    "mini-sd-a/ddim50": (INVERTED, "model"),
    "random-looking": ({"kind": "dino", "model": "dino", "role": "model"}, "model"),
    "base": (FRESH, "control"),
    "mini-sd-a/leak50": (INVERTED | {"method": "signal-leak"}, "control"),
    "mini-sd-a/latents": (INVERTED | {"method": "autoencoder-latents"}, "control"),
    "pixels-16": ({"kind": "pixels", "model": "pixels-16"}, "control"),
    "with a 'quote' & 100 %": ({"kind": "clip", "model": "c", "role": "control"}, "control"),
}
ROLES = "SELECT space, role FROM spaces ORDER BY space"


def fresh(tmp_path) -> Lake:
    return create(Lake(str(tmp_path / "with 'quote")), "test:10", iter(items()), 4)


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = fresh(tmp_path)
    for space, (fingerprint, _) in SPACES.items():
        lake.register(space, fingerprint)
    return lake


def test_a_space_s_role_is_its_fingerprint_s_and_not_its_name_s(lake):
    expected = sorted((space, role) for space, (_, role) in SPACES.items())
    assert connect(lake).execute(ROLES).fetchall() == expected
    assert [tuple(row.values()) for row in answered(lake, ROLES)] == expected


def test_the_columns_are_the_fingerprint_s(lake):
    rows = connect(lake).execute("SELECT * FROM spaces WHERE space = 'mini-sd-a/leak50'")
    columns = [column for column, *_ in rows.description]
    assert columns == ["space", "role", "kind", "model", "method", "source", "weights", "fingerprint"]
    ((*_, method, source, weights, fingerprint),) = rows.fetchall()
    assert (method, source, weights) == ("signal-leak", None, "sha256:1")
    assert json.loads(fingerprint) == SPACES["mini-sd-a/leak50"][0]


def test_a_lake_without_spaces_has_no_rows_and_verifies_as_before(tmp_path):
    lake = fresh(tmp_path)
    assert connect(lake).execute(ROLES).fetchall() == module(lake).execute(ROLES).fetchall() == []
    assert lake.fingerprints() == {}
    fill(lake)
    assert list(lake.fingerprints()) == ["a/b"] and len(list(verify(lake))) == 3
    assert connect(lake).execute(ROLES).fetchall() == [("a/b", "model")]


def test_a_lake_of_before_that_cannot_be_written_is_read_without_the_views_it_lacks(tmp_path, monkeypatch):
    def refuse(lake: Lake) -> None:
        raise UneError("no permission to write")

    lake = fresh(tmp_path)
    lake.store.remove("sweeps/empty.parquet")
    monkeypatch.setattr(session, "write_empty_tables", refuse)
    connection = connect(lake)
    assert connection.execute("SELECT count(*) FROM latents").fetchone() == (0,)
    with pytest.raises(duckdb.CatalogException, match="sweeps"):
        connection.execute("FROM sweeps")


def test_a_lake_of_before_gets_the_tables_it_lacks(tmp_path):
    lake = fresh(tmp_path)
    lake.store.remove("sweeps/empty.parquet")
    assert connect(lake).execute("FROM sweeps").fetchall() == []
