"""The command line as a person meets it: help with examples, results, and faults in one line."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

import pytest

from tests.helpers.lakes import fill, items
from une_ray.cli.main import main
from une_ray.lake.create import create
from une_ray.lake.layout import Lake

ENVIRONMENT = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}


def une(*arguments: str, input: str = "") -> subprocess.CompletedProcess:
    """What `python -m une_ray` does, in this process, which spares every call a start."""
    out, err, code = StringIO(), StringIO(), 0
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(patch.dict(os.environ, ENVIRONMENT))
        stack.enter_context(patch.object(sys, "argv", ["une", *arguments]))
        stack.enter_context(patch.object(sys, "stdin", StringIO(input)))
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return fill(create(Lake(str(tmp_path_factory.mktemp("lake"))), "test:10", iter(items()), 4))


@pytest.mark.parametrize("command", ["build", "sql", "verify", "report", "corpus"])
def test_help_has_an_example(command):
    shown = une(command, "--help")
    assert shown.returncode == 0 and f"une {command} " in shown.stdout.split("Example", 1)[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--corpus", "avatars:5", "--spaces", "mini-dino", "--lake", ""],
        ["build", "--corpus", "avatars:5", "--spaces", "mini-dino", "--lake", " "],
        *([name, ""] for name in ("sql", "status", "report", "verify", "compact", "probe", "gaussianity")),
        *([name, "--lake", ""] for name in ("sql", "status", "report", "transfer", "similarity")),
        ["sql", "demo/lake", "--and", ""],
        ["space", "rename", "", "a", "b"],
        ["space", "rename", "--lake", "", "a", "b"],
        ["space", "remove", "--lake", "", "a"],
        ["show", "--lake", "", "-c", "FROM images"],
        ["prompts", "cluster", "--lake", ""],
    ],
)
def test_an_empty_lake_is_refused_not_taken_for_this_folder(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = une(*arguments)
    assert shown.returncode == 1 and not list(tmp_path.iterdir())
    assert re.fullmatch("une: the address of (the|a) lake is empty: name one .*\n", shown.stderr), (
        shown.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["build", "--corpus", "avatars:5", "--spaces", "mini-dnio", "--lake", "/tmp/never"],
            "unknown model 'mini-dnio'; known, nearest first: mini-dino",
        ),
        (
            ["build", "--corpus", "avatar:5", "--spaces", "mini-dino", "--lake", "/tmp/never"],
            "unknown corpus kind 'avatar'; known, nearest first: avatars",
        ),
        (["build", "--corpus", "avatars:5", "--spaces", ",", "--lake", "/tmp/never"], "--spaces is empty"),
        (
            [
                "build",
                "--corpus",
                "avatars:5",
                "--spaces",
                "mini-dino",
                "--dtype",
                "int8",
                "--lake",
                "/tmp/never",
            ],
            "'int8'; it is float32",
        ),
        (["sql", "--lake", "/no/lake", "-c", "SELECT 1"], "no lake at /no/lake"),
        (["verify", "/no/lake"], "no lake at /no/lake"),
        (["report", "/no/lake"], "no lake at /no/lake"),
    ],
)
def test_a_fault_is_one_line_and_exit_code_one(arguments, message):
    shown = une(*arguments)
    assert (
        shown.returncode == 1
        and message in shown.stderr
        and "Traceback" not in shown.stderr
        and not os.path.exists("/tmp/never")
    )


def test_in_a_process_of_its_own_it_ends_alike():
    command = [sys.executable, "-m", "une_ray", "verify", "/no/lake"]
    shown = subprocess.run(command, capture_output=True, text=True, env=os.environ | ENVIRONMENT)
    assert (shown.returncode, shown.stderr) == (1, une("verify", "/no/lake").stderr)
    assert shown.stderr.startswith("une: no lake at /no/lake") and shown.stderr.count("\n") == 1


def test_the_command_line_is_there_before_torch_and_ray_are():
    loaded = subprocess.run(
        [sys.executable, "-c", "import une_ray.cli.main, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "typer" in loaded and not {"torch", "ray", "duckdb", "scipy", "PIL"} & set(loaded)


def test_sql_runs_a_command_a_file_and_says_what_is_wrong(lake, tmp_path):
    assert (
        "a/b"
        in une("sql", "--lake", lake.url, "-c", 'SELECT space FROM counts; SELECT 1 AS "é"; -- all').stdout
    )
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM latents WHERE space = 'a/b';")
    assert "9" in une("sql", "--lake", lake.url, "-f", str(tmp_path / "q.sql")).stdout
    (tmp_path / "v.sql").write_text("CREATE TEMP VIEW v AS SELECT getvariable('asked') AS told; FROM v;")
    both = une("sql", "--lake", lake.url, "-c", "SET VARIABLE asked = 'first'", "-f", str(tmp_path / "v.sql"))
    assert "first" in both.stdout and "Count" not in both.stdout, "what has no rows shows none"
    assert "can't read the SQL of none.sql" in une("sql", "--lake", lake.url, "-f", "none.sql").stderr
    turned = une(
        "sql", "--lake", lake.url, "-c", "PIVOT (SELECT 'left' AS side, 7 AS n) ON side USING sum(n)"
    )
    assert "left" in turned.stdout and "7" in turned.stdout
    wrong = une("sql", "--lake", lake.url, "-c", "SELECT nothing FROM latents")
    assert wrong.returncode == 1 and "nothing" in wrong.stderr and "Traceback" not in wrong.stderr


def test_sql_runs_several_commands_in_order_and_packaged_queries_by_name(lake, tmp_path):
    setting, asking = "SET VARIABLE n = 41", "SELECT getvariable('n') + 1 AS answer"
    assert "42" in une("sql", lake.url, "-c", setting, "-c", asking).stdout
    both = une("sql", lake.url, "-c", "SELECT 'one' AS x", "-c", "SELECT 'two' AS x", "-f", "norms").stdout
    assert 0 < both.index("one") < both.index("two") < both.index("gaussian_norm")
    between = une("sql", lake.url, "-c", ".read counts.sql", "-c", "SELECT 'after' AS x").stdout
    assert 0 < between.index("a/b") < between.index("after")
    missing = une("sql", lake.url, "-f", "norm")
    assert missing.returncode == 1 and "packaged queries are attribute_means, counts, " in missing.stderr


def test_sql_opens_lakes_side_by_side(lake, tmp_path):
    other = fill(create(Lake(str(tmp_path / "it's another")), "test:10", iter(items()), 4), "c")
    joined = "SELECT a.space || '+' || b.space AS spaces FROM counts a JOIN b.counts b USING (status, images)"
    shown = une("sql", lake.url, "--and", other.url, "-c", joined)
    assert "a/b+c" in shown.stdout, shown.stderr
    nearest = "SELECT image_id FROM b.nearest('a/b', 'i1', 1)"
    refused = une("sql", "--lake", lake.url, "--and", other.url, "-c", nearest)
    assert refused.returncode == 1 and "no space 'a/b' with latents in this lake; it has c" in refused.stderr


def test_the_prompt_has_the_stock_shell_s_commands(lake):
    shown = une(
        "sql", lake.url, input=".tables\n.help\n.nothing\n.read norms\n.exit\nSELECT 'not' || ' reached';\n"
    )
    names = shown.stdout.splitlines()
    assert "counts" in names and "spaces" in names and "nearest(in_space, of_image, k)" in names
    assert not any(name.startswith("nz_") for name in names)
    assert not {"probe_configs", "ranked_probes"} & set(names) and "best_probes" in names
    for part in (".read FILE", "no command .nothing; there are .help, ", "gaussian_norm"):
        assert part in shown.stdout
    assert shown.returncode == 0 and "not reached" not in shown.stdout


def test_the_prompt_takes_statements_and_files_survives_errors_and_leaves(lake, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT 'from a file' AS s")
    wrong = "SELECT oops;\n.read none.sql\n.read\n.read ~nobody-at-all/x\n"
    lines = (
        f"SELECT 40 +\n 2 AS answer;\n{wrong}.read '{tmp_path}/q.sql';\nSELECT 'still here' AS s;\n.quit\n"
    )
    shown = une("sql", "--lake", lake.url, input=lines)
    assert shown.returncode == 0 and all(
        part in shown.stdout for part in ("42", "oops", "none.sql", "from a file", "still here")
    )


def test_verify_prints_what_holds_and_fails_on_what_does_not(lake):
    assert une("verify", lake.url).stdout.count("\n") == 3
    os.unlink(f"{lake.url}/images/shard-00001.parquet")
    broken = une("verify", lake.url)
    assert broken.returncode == 1 and "images/shard-00001.parquet is missing" in broken.stderr


def test_models_and_corpus_list_what_there_is():
    assert all(name in une("models").stdout for name in ("mini-sd-a", "sd15", "dinov3-l16"))
    shown = une("corpus", "avatars:300").stdout
    assert "300 images" in shown and "Long_Hair" in shown and "strongest correlations" in shown
