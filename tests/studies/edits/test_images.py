"""Which images an edit is of."""

import pytest

from tests.helpers.planted import Planted
from une_ray.errors import UneError
from une_ray.studies.edits.images import named


def test_an_image_that_was_rejected_says_why_and_promises_no_build(tmp_path):
    lake = Planted(20, ("enc",)).lake(str(tmp_path / "lake"), {"enc": {"i0003"}})
    assert named(lake, ["enc"], ["i0001", "i0001"]) == ["i0001"]
    with pytest.raises(UneError, match="'i0003' has no latent in enc; it is a reject: not finite$"):
        named(lake, ["enc"], ["i0001", "i0003"])
    with pytest.raises(UneError, match="'i0001' has no latent in gen; une build finishes it$"):
        named(lake, ["enc", "gen"], ["i0001"])
