"""Whatever breaks, each image ends once as a row or a reject; all other bytes are the undisturbed build's."""

from collections.abc import Iterator

import pytest

from tests.faults.inflicted import FAULTS, suffer
from tests.faults.scene import QUICK, REAL, Left, Scene, scene


@pytest.fixture(scope="module")
def place(request, tmp_path_factory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("faults"), request.param) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.parametrize("place", [QUICK], indirect=True, ids=["short"])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.short], ids=lambda fault: fault.name)
def test_nothing_is_lost_doubled_or_changed(place, fault):
    assert suffer(place, fault, fault.short).left == Left(lost=0, doubled=0, different=0)


@pytest.mark.slow
@pytest.mark.parametrize("place", [REAL], indirect=True, ids=["long"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_doubled_or_changed_in_the_long_run(place, fault):
    assert suffer(place, fault, fault.long).left == Left(lost=0, doubled=0, different=0)
