"""What stands below a command's options: examples that can be copied from any terminal."""

import typer
from typer.testing import CliRunner

from une_ray.cli.help import CommandWithExamples
from une_ray.cli.main import app

LONG = "une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --keep Male --erasure leace"
EPILOG = f"""Examples:

`{LONG} \
--alphas -2,2`

Said of **this** in as many words as a narrow terminal will have to break, and then some more of them.

`une edit
x`"""


def test_an_example_is_one_line_however_narrow_the_terminal():
    narrow = typer.Typer(rich_markup_mode="markdown")
    narrow.command(cls=CommandWithExamples, epilog=EPILOG)(lambda: None)
    lines = CliRunner().invoke(narrow, ["--help"], env={"COLUMNS": "60"}).output.splitlines()
    below = lines[next(i for i, line in enumerate(lines) if "Examples:" in line) :]
    assert f"   {LONG} --alphas -2,2" in below and "   une edit x" in below
    prose = [line for line in below if line.strip() and "une edit" not in line]
    assert all(len(line) <= 60 for line in prose) and "Said of this in" in " ".join(prose)
    assert "`" not in "\n".join(below) and "*" not in "\n".join(below)


def test_commands_of_groups_and_of_studies_print_theirs_so():
    for words, example in (
        (["prompts", "explain"], "--direction \"FROM direction('mini-dino', 'Smiling')\""),
        (["edit"], "--direction \"SELECT * FROM orthogonalized('mini-sd-a/ddim50', 'Smiling', ['Male'])\""),
        (["build"], "mine=stable-diffusion:/models/mine/ddim50-trailing,vit=dino:/models/vit --lake lake"),
    ):
        shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "60"})
        assert shown.exit_code == 0 and any(line.endswith(example) for line in shown.output.splitlines())
