import pytest

from une_ray.errors import unknown


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (["blue", "red", "reed"], "unknown colour 'reddish'; known, nearest first: red, reed, blue"),
        ([], "unknown colour 'reddish'; there is none"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_that_are_known(known, said):
    assert str(unknown("colour", "reddish", known)) == said
