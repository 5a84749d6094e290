"""What `une edit` prints beside its figures."""

import pytest

from une_ray.errors import UneError
from une_ray.studies.edits.edit import Edit
from une_ray.studies.edits.printed import line, lossy

FIGURES = {
    "images": 2,
    "judge": "dino",
    "direction": "probe",
    "effect": 1.0,
    "effect_margin": 0.5,
    "leakage": 0.1,
    "leakage_of_one": 0.2,
    "kept": None,
    "order": 1.0,
    "quality": [0.0, 0.0],
}


def summary(round_trip: float, ends: list[float], judge: str = "dino") -> dict:
    return {"judge": judge, "round_trip": (round_trip, 0.0), "identity": ends}


@pytest.mark.parametrize(
    "round_trip, ends, is_lossy",
    [
        (0.17, [0.15, 0.12], True),  # of foreign pictures, inverted in few steps
        (0.9, [0.85, 0.88], True),
        (0.9, [0.75, 0.88], False),
        (1.0, [0.99, 0.99], False),
    ],
)
def test_a_round_trip_that_changes_more_than_every_edit_is_said(round_trip, ends, is_lossy):
    kept = summary(0.99, [0.5, 0.6], "resnet")
    said = lossy([kept, summary(round_trip, [round_trip, round_trip - 0.001]), summary(round_trip, ends)])
    assert bool(said) is is_lossy
    if is_lossy:
        assert said[0].startswith(f"round trip: in dino it alone takes identity to {round_trip:.3f}")
        assert f"no edit further than to {min(ends):.3f}" in said[0] and len(said) == 1


def test_flips_say_of_how_many_images_they_are(monkeypatch):
    monkeypatch.setattr("une_ray.studies.edits.outcome.within", lambda *_: "–")
    shown = line(FIGURES | summary(0.9, [0.8, 0.8]) | {"flips": [float("nan"), 1.0], "flips_of": [0, 1]})
    assert "– / 100% of 1" in shown


def test_the_round_trip_alone_is_no_edit():
    for doses in ((0.0,), (0.0, -0.0)):
        with pytest.raises(UneError, match="dose 0 is the round trip, which every edit has: name others"):
            Edit(space="a/b", attribute="Even", alphas=doses)
    assert Edit(space="a/b", attribute="Even", alphas=(0, 2)).alphas == (0, 2)
