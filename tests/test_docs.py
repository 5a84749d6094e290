"""What the documentation says holds: its links, its commands, its Python and its figures."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
import typer
from typer.main import get_command

from docs import figures
from une_ray import api
from une_ray.cli.main import app
from une_ray.corpora import Item
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.studies.edits.study import SUMMARIES

ROOT = Path(__file__).resolve().parents[1]
MADE = {"_api", "cards"}  # pages that a build of the site leaves
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "cluster/README.md")),
        *(ROOT / "une_ray/queries/README.md", ROOT / "une_ray/corpora/avatars.md"),
        *(page for page in (ROOT / "docs").rglob("*.md") if not MADE & set(page.parts)),
    ]
)
FENCE = re.compile(
    r"^(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=ticks)\s*$", re.MULTILINE | re.DOTALL
)
INCLUDE = re.compile(r"^```\{include\} (\S+)$", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
RUNS = "<!-- runs -->\n"
UNE = get_command(app)


ENTRY_POINTS = """
[une_ray.mitigations]
sparse-pads = somebodys.sparse_pads
[une_ray.detectors]
last-step-norm = somebodys.last_step_norm
[une_ray.corpora]
noise = somebodys.noise
"""
USED = """
from somebodys import test_sparse_pads
from une_ray import registry
from une_ray.corpora import open_corpus

test_sparse_pads.test_every_third_pad_is_zeroed_and_nothing_else()
corpus = open_corpus("noise:3")
item = next(iter(corpus.items()))
is_png = corpus.read(item.source).startswith(b"\\x89PNG")
print(item.image_id, is_png, registry.DETECTORS.find("last-step-norm").__name__)
"""


class Snippet(NamedTuple):
    """Code in a page; `runs` where a mark says that it does as it stands."""

    page: Path
    line: int
    text: str
    runs: bool = False

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def prose(page: Path) -> str:
    """The page without its code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def blocks(language: str) -> list[Snippet]:
    """Fenced code of a language ("" for none) in all pages."""
    return [
        Snippet(
            page, text[: block.start()].count("\n") + 2, block["text"], text[: block.start()].endswith(RUNS)
        )
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for block in FENCE.finditer(text)
        if block["language"].strip() == language
    ]


def anchors(page: Path) -> set[str]:
    """Ids of a page's headings, as a code host makes them, and of those of a page that it includes."""
    text = page.read_text(encoding="utf-8")
    slugs: set[str] = set()
    for included in INCLUDE.findall(text):
        slugs |= anchors((page.parent / included).resolve())
    for heading in re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        copies = sum(
            known == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", known) is not None for known in slugs
        )
        slugs.add(f"{slug}-{copies}" if copies else slug)
    return slugs


class Line(NamedTuple):
    """A command line of une's; `is_whole` where it can be typed as it stands."""

    place: Snippet
    is_whole: bool


def une_lines() -> list[Line]:
    """Every `une …` of a code block, continued lines joined, and of the prose."""
    lines = []
    for block in blocks(""):
        for number, line in enumerate(block.text.replace("\\\n", " ").splitlines()):
            command = line.strip().removeprefix("$ ").removeprefix("watch ")
            if command.startswith("une "):
                lines.append(Line(Snippet(block.page, block.line + number, command), "…" not in command))
    for page in PAGES:
        text = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), page.read_text(encoding="utf-8"))
        for span in re.finditer(r"`(une [^`\n]+)`", text):
            lines.append(Line(Snippet(page, text[: span.start()].count("\n") + 1, span[1]), False))
    return lines


def parse(command, words: list[str], parent: typer.Context | None = None) -> None:
    """Let the command line read `words`, running nothing. Raises what it raises for unknown ones."""
    context = command.make_context(command.name or "une", list(words), parent=parent)
    rest = [*context._protected_args, *context.args]
    if hasattr(command, "resolve_command") and rest:
        _, inner, rest = command.resolve_command(context, rest)
        parse(inner, rest, context)
    elif command.name == "submit":
        parse(UNE, [context.params["command"], *rest])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    broken = []
    for link in LINK.findall(prose(page)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            broken.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(path):
            broken.append(
                f"{link}: {path.name} has no such heading; it has {', '.join(sorted(anchors(path)))}"
            )
    assert not broken


@pytest.mark.parametrize("line", une_lines(), ids=lambda line: str(line.place))
def test_every_command_is_one(line):
    words = [word for word in shlex.split(line.place.text, comments=True) if word != "…"][1:]
    try:
        parse(UNE, words)
    except typer.Exit:
        pass  # as of --help
    except typer.BadParameter as error:
        if type(error).__name__ != "MissingParameter" or line.is_whole:
            raise
    except Exception as error:
        if type(error).__name__ != "NoArgsIsHelpError":  # a group's name alone, as in `une sweep`
            raise


def test_a_command_that_is_none_is_found():
    for words in (["proeb", "--lake", "x"], ["probe", "--lake", "x", "--splitz", "5"], ["sweep", "bset"]):
        with pytest.raises(Exception, match="No such"):
            parse(UNE, words)


@pytest.mark.parametrize("snippet", blocks("python"), ids=str)
def test_python_compiles_and_imports_what_there_is(snippet):
    for node in ast.walk(ast.parse(snippet.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("une_ray"):
            module = ROOT.joinpath(*node.module.split("."))
            source = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
            for name in node.names:
                is_module = (module / f"{name.name}.py").exists() or (module / name.name).is_dir()
                assert is_module or re.search(rf"\b{name.name}\b", source.read_text(encoding="utf-8"))


def test_contributing_has_a_row_for_every_registry():
    """A registry is a call of `Registry`: what, package, attribute, entry point."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    registries = [
        [argument.value for argument in node.args[1:]]
        for source in (ROOT / "une_ray").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Registry"
    ]
    assert len(registries) >= 12
    for package, attribute, group in registries:
        folder = package.replace(".", "/")
        row = rf"^\| .+ \| `{folder}/`(, a folder)? \| `{attribute}` \| `{group}` \|$"
        assert re.search(row, text, re.MULTILINE), f"no row for {group}"


@pytest.mark.long
def test_files_of_contributing_are_what_the_registries_take(tmp_path):
    """Its mitigation with the test, its detector and its corpus, as a package of somebody's."""
    package, facts = tmp_path / "somebodys", tmp_path / "somebodys-1.0.dist-info"
    package.mkdir()
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(ENTRY_POINTS)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name, code in re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)^```$", text, re.S | re.M):
        (package / name).write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", USED],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "noise-000000 True last_step_norm\n"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("snippet", [snippet for snippet in blocks("python") if snippet.runs], ids=str)
def test_python_that_is_said_to_run_does(snippet, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", snippet.text],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir())


def test_every_call_of_a_lake_is_on_the_page_of_python():
    page = (ROOT / "docs/python.md").read_text()
    members = {**vars(api.Questions), **vars(api.Lake)}
    calls = [name for name, value in members.items() if not name.startswith("_") and callable(value)]
    assert len(calls) > 25
    assert [name for name in calls if f"lake.{name}(" not in page] == []


def test_every_column_of_an_edits_table_is_on_the_page_of_python():
    page = (ROOT / "docs/python.md").read_text()
    columns = {name for name in SUMMARIES.names if not (name.startswith("kid_") and name.endswith("_margin"))}
    assert len(columns) > 20 and [name for name in columns if f"`{name}`" not in page] == []


def test_tables_that_the_code_decides_are_as_it_has_them(capsys):
    assert figures.main(["--check"]) == 0, capsys.readouterr().err


class TestFigures:
    """Tables of a small lake whose figures are known."""

    @pytest.fixture(scope="class")
    def lake(self, tmp_path_factory) -> Lake:
        lake = create(
            Lake(str(tmp_path_factory.mktemp("lake"))), "test:2", iter([Item("a", "a"), Item("b", "b")]), 2
        )
        for space, role, aucs in (("noise", "model", (0.9, 0.8)), ("pixels", "control", (0.7, 0.7))):
            lake.register(space, {"model": space, "role": role})
            rows = [
                {"space": space, "attribute": "Smiling", "method": "ridge", "engine": "fast", "status": "ok"}
                | {"split_seed": seed, "auc": auc, "accuracy": 0.75, "majority": 0.5}
                | {"train": 80, "test": 20}
                for seed, auc in enumerate(aucs)
            ]
            results.commit(lake, "probes", {"space": space}, rows)
        return lake

    @pytest.fixture
    def page(self, tmp_path) -> Path:
        page = tmp_path / "page.md"
        page.write_text("# A page\n\n<!-- figures: spaces -->\n<!-- /figures -->\n\nand more\n")
        return page

    def test_are_written_between_their_marks(self, lake, page):
        assert figures.main(["--lake", lake.url, "--pages", str(page.parent)]) == 0
        lines = page.read_text().splitlines()
        assert "| `noise` | .850 ± .778 | .750 | – | – |" in lines  # 12.706 · .0707 · √(½ + ¼)
        assert "| *control:* `pixels` | .700 ± .000 | .750 | – | – |" in lines
        assert (lines[0], lines[2], lines[-3], lines[-1]) == (
            "# A page",
            "<!-- figures: spaces -->",
            "<!-- /figures -->",
            "and more",
        )

    def test_that_were_changed_by_hand_are_told(self, lake, page, capsys):
        arguments = ["--lake", lake.url, "--pages", str(page.parent)]
        figures.main(arguments)
        assert figures.main([*arguments, "--check"]) == 0
        page.write_text(page.read_text().replace(".850", ".950"))
        assert figures.main([*arguments, "--check"]) == 1
        assert "+| `noise` | .850" in capsys.readouterr().err

    def test_of_an_unknown_name_are_refused(self, page):
        page.write_text(page.read_text().replace("spaces", "spacse"))
        with pytest.raises(KeyError, match="spacse"):
            figures.main(["--pages", str(page.parent)])

    def test_in_sentences_start_no_line_where_markdown_would_take_the_mark_for_a_block(self):
        lines = [line.strip() for page in PAGES for line in prose(page).splitlines()]
        assert any("<!-- figure: " in line for line in lines)
        assert not [line for line in lines if line.startswith("<!-- figure: ")]

    def test_in_sentences_are_the_lakes_and_held_to_it(self, tmp_path, capsys):
        lake = create(Lake(str(tmp_path / "lake")), "test:1", iter([Item("a", "a")]), 1)
        for space, facts, auc in (
            ("mini-sd-z/ddim25", {"method": "ddim-inversion", "role": "model"}, 0.85),
            ("mini-sd-a/latents", {"role": "control"}, 0.9),
        ):
            lake.register(space, {"model": space} | facts)
            row = {"space": space, "attribute": "Smiling", "method": "ridge", "status": "ok", "auc": auc}
            rows = [
                row | {"engine": "fast", "split_seed": seed, "train": 80, "test": 20} for seed in range(5)
            ]
            results.commit(lake, "probes", {"space": space}, rows)
        page = tmp_path / "pages" / "page.md"
        page.parent.mkdir()
        text = "It loses <!-- figure: below-latents-z -->.99<!-- /figure --> of AUC.\n"
        page.write_text(text)
        arguments = ["--lake", lake.url, "--pages", str(page.parent)]
        assert figures.main([*arguments, "--check"]) == 1 and "-->.05<!--" in capsys.readouterr().err
        assert figures.main(arguments) == 0
        assert page.read_text() == text.replace(".99", ".05")
        page.write_text(text.replace("latents-z", "latents-q"))
        with pytest.raises(KeyError, match="below-latents-q"):
            figures.main(arguments)
        assert figures.main(["--pages", str(page.parent)]) == 0, "no lake, nothing to hold it to"


def test_edits_of_several_judges_are_tables_of_their_own():
    connection = duckdb.connect()
    connection.execute(
        """CREATE MACRO figures_edits_beside(family) AS TABLE
        SELECT 'sd/ddim50' AS space, judge, 'Smiling' AS attribute, family AS direction, 9 AS images,
            -2 AS low, 2 AS high, effect, 1e-1 AS spread, 6e-2 AS leakage, 9e-1 AS identity
        FROM (VALUES ('dino', 3e-1), ('resnet', 2e-2)) t(judge, effect)"""
    )
    lines = figures.edits_beside(connection, "hspace") or []
    rows = [line.split(" | ") for line in lines if line.startswith("| Smiling")]
    assert [row[4] for row in rows] == [".20", "–"], "an effect that is not told from none has no ratio"
    assert [line.partition("judged by ")[2].split(";")[0] for line in lines if "judged by" in line] == [
        "dino",
        "resnet",
    ]
