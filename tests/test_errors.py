import pytest

from une_ray.errors import unknown


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (["blue", "red", "reed"], "unknown colour 'reddish'; known, nearest first: red, reed, blue"),
        ([], "unknown colour 'reddish'; there is none"),
        (
            ["red", "reds", "redd", "reddi", "radish", *(f"{n:03}" for n in range(1000))],
            "unknown colour 'reddish'; the nearest of 1,005: reddi, radish, reds, redd, red",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_that_are_known(known, said):
    assert str(unknown("colour", "reddish", known)) == said
