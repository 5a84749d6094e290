"""What help reads of a method is what the method is, and costs no import of torch."""

import ast
import subprocess
import sys
import textwrap

import pytest

from une_ray.registry import MITIGATIONS
from une_ray.settings import settings_of
from une_ray.sketch import sketch


@pytest.mark.parametrize("name", MITIGATIONS.names())
def test_a_sketch_has_the_methods_settings(name):
    made, drawn = MITIGATIONS.find(name), MITIGATIONS.sketch(name)
    assert type(made) is type(drawn) and made is not drawn
    assert made.settings == drawn.settings and list(made.settings) == list(drawn.settings)


def test_the_help_of_memorization_needs_no_torch():
    script = """
        import sys
        from une_ray.studies.memorization.command import settings_help
        assert "- `zero-pads:fraction=0.7" in settings_help()
        print([name for name in ("torch", "diffusers", "transformers", "ray") if name in sys.modules])"""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_sketch_follows_names_and_leaves_out_what_bodies_use():
    text = """
        import nowhere_to_be_found
        from typing import Annotated as A
        from nowhere import torch
        LEAST = 2
        MOST = LEAST * 4

        @torch.no_grad()
        def change(rows: torch.Tensor, *, count: A[int, "how many"] = MOST, first: int = 1) -> torch.Tensor:
            return nowhere_to_be_found.change(rows)

        def unused(x=nowhere_to_be_found.X): ...

        METHOD = dict(change=change)"""
    drawn = sketch(ast.parse(textwrap.dedent(text)), "METHOD", "a.module")
    settings = settings_of(drawn["change"])
    assert {name: (each.default, each.about) for name, each in settings.items()} == {
        "count": (8, "how many"),
        "first": (1, ""),
    }
    assert drawn["change"](None) is None
