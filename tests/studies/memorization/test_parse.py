"""Methods on a command line: what is read, and what is said of what can't be."""

import pytest

from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.studies.memorization.parse import parse
from une_ray.studies.memorization.task import MethodChoice


def read(text: str) -> list[tuple[str, dict]]:
    return [(choice.name, choice.settings) for choice in parse(text)]


def test_names_and_settings_are_read_in_their_order_and_in_their_defaults_kind():
    text = "pad-swap, zero-pads:fraction=0.5:end=last,wen:iterations=20,ren:both_halves=false"
    assert read(text) == [
        ("pad-swap", {}),
        ("zero-pads", {"fraction": 0.5, "end": "last"}),
        ("wen", {"iterations": 20}),
        ("ren", {"both_halves": False}),
    ]


def test_a_method_may_come_with_several_settings_and_the_same_twice_counts_once():
    assert read("zero-pads,zero-pads:scale=0.5,zero-pads") == [
        ("zero-pads", {}),
        ("zero-pads", {"scale": 0.5}),
    ]


@pytest.mark.parametrize("name", MITIGATIONS.names())
def test_every_default_of_every_method_is_read_back(name):
    choice = MethodChoice(name=name, settings=MITIGATIONS.find(name).defaults)
    assert parse(str(choice)) == [choice]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pad-swop", "nearest first: pad-swap"),
        ("zero-pads:fracton=1", "unknown setting of zero-pads 'fracton'; known, nearest first: fraction"),
        ("wen:iterations=2.5", "wen:iterations=2.5; it is a whole number"),
        ("zero-pads:fraction=half", "it is a number"),
        ("ren:both_halves=yes", "it is true or false"),
        ("pad-swap:scale=1", "unknown setting of pad-swap 'scale'"),
        ("zero-pads:last", "write zero-pads:SETTING=VALUE"),
        ("zero-pads:fraction", "'fraction' of 'zero-pads' has no value; write zero-pads:fraction=VALUE"),
        ("none:padding=exclamation", "none has no settings"),
        (" , ", "names no method"),
    ],
)
def test_what_can_not_be_read_says_what_could(text, message):
    with pytest.raises(UneError, match=message):
        parse(text)
