"""Jobs on a live local head, by `ray job submit`, its client and `une submit`: followed, failed, stopped."""

import asyncio
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import yaml
from ray.job_submission import JobStatus, JobSubmissionClient

from une_ray.lake.layout import Lake
from une_ray.lake.verify import verify

CHECKOUT = Path(__file__).parents[2]
TRAVEL_LIMIT = 2 * 2**20


pytestmark = pytest.mark.slow  # a live head takes half a minute to start, each job ten seconds


@pytest.fixture(scope="module")
def spaces(tiny_spaces) -> str:
    """An encoder in a folder that every node sees: no weights travel."""
    return tiny_spaces[2]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("jobs") / "lake")


@pytest.fixture
def client(head) -> JobSubmissionClient:
    """With the token as a header: Ray reads the environment's once in a process, and this one had none."""
    return JobSubmissionClient(
        head.address, headers={"Authorization": f"Bearer {head.environment['RAY_AUTH_TOKEN']}"}
    )


def run(head, *command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=CHECKOUT, env=head.environment | environment, capture_output=True, text=True
    )


def submit(head, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return run(
        head,
        sys.executable,
        "-m",
        "une_ray",
        "submit",
        "--address",
        head.address,
        *arguments,
        **environment,
    )


def runtime_env() -> dict:
    return yaml.safe_load((CHECKOUT / "cluster/runtime_env.yaml").read_text()) | {
        "working_dir": str(CHECKOUT)
    }


def test_ray_job_submit_builds_a_lake_and_its_log_is_followed(head, spaces, lake):
    arguments = ["--working-dir", ".", "--runtime-env", "cluster/runtime_env.yaml", "--address", head.address]
    script = [
        "python",
        "jobs/build_noisezoo.py",
        "--corpus",
        "avatars:40",
        "--spaces",
        spaces,
        "--lake",
        lake,
    ]
    done = run(head, "ray", "job", "submit", *arguments, "--", *script)
    assert done.returncode == 0 and f"{lake}: 2 of 2 shards built" in done.stdout, done.stdout + done.stderr
    assert len(list(verify(Lake(lake)))) == 3


def test_a_client_of_the_job_server_gets_log_and_exit_code(client, spaces, lake):
    async def log(job: str) -> str:
        return "".join([text async for text in client.tail_job_logs(job)])

    script = [
        "python",
        "jobs/build_noisezoo.py",
        "--corpus",
        "avatars:40",
        "--spaces",
        spaces,
        "--lake",
        lake,
    ]
    job = client.submit_job(entrypoint=shlex.join(script), runtime_env=runtime_env())
    assert f"{lake}: all 2 shards of 40 images were there already" in asyncio.run(log(job))
    ended = client.get_job_info(job)
    assert (ended.status, ended.driver_exit_code) == (JobStatus.SUCCEEDED, 0)


def test_what_travels_is_the_code_alone(client):
    """Asked where it arrived, since what Ray leaves out is Ray's to say."""
    job = client.submit_job(entrypoint="find . -type f -printf 'arrived %s %P\\n'", runtime_env=runtime_env())
    while not client.get_job_status(job).is_terminal():
        time.sleep(0.2)
    arrived = [
        line.split(" ", 2)[1:]
        for line in client.get_job_logs(job).splitlines()
        if line.startswith("arrived ")
    ]
    names = {name for _, name in arrived}
    assert {"jobs/build_noisezoo.py", "une_ray/cli/main.py", "une_ray/queries/noisezoo.sql"} <= names
    assert not [
        name
        for name in names
        if name.startswith((".git/", ".venv/", ".zoo/", "demo/", "tests/", "une_ray/models/weights/"))
    ]
    assert sum(int(size) for size, _ in arrived) < TRAVEL_LIMIT


def test_une_submit_follows_a_build_and_says_how_to_follow_see_and_stop_it(head, spaces, lake):
    shown = submit(head, "--follow", "build", "--corpus", "avatars:40", "--spaces", spaces, "--lake", lake)
    assert shown.returncode == 0 and "were there already" in shown.stdout, shown.stdout + shown.stderr
    submitted, follow, see, stop, *_ = shown.stdout.splitlines()
    job = submitted.split()[1]
    assert follow.endswith(f"ray job logs --address {head.address} --follow {job}") and see.endswith(
        f"une status {lake}"
    )
    assert stop.endswith(f"ray job stop --address {head.address} {job}")
    assert shown.stderr.splitlines()[-1] == f"{job}: succeeded"


def test_a_failed_job_says_why_in_its_last_line_and_its_exit_code_is_ours(head, spaces, lake):
    shown = submit(
        head, "--follow", "build", "--corpus", "avatars:40?seed=1", "--spaces", spaces, "--lake", lake
    )
    assert shown.returncode == 1 and shown.stderr.splitlines()[-1].endswith(": failed"), (
        shown.stdout + shown.stderr
    )
    assert "use the lake's own, or another --lake" in shown.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (["edit", "--space", "nothing", "--attribute", "Smiling"], "unknown space 'nothing'; there is none"),
        (["probe", "--spaces", "nothing"], "unknown space 'nothing'"),
        (["transfer", "--source", "nothing"], "unknown space 'nothing'"),
        (["memorization", "--methods", "nothing"], "unknown method against memorisation 'nothing'"),
        (
            ["sweep", "orthogonalization", "--scale", "huge"],
            "'huge'; known, nearest first: large, medium, small",
        ),
        (["sweep", "mitigation", "--scale", "huge"], "'huge'; known, nearest first: large, medium, small"),
    ],
    ids=["edit", "probe", "transfer", "memorization", "sweep orthogonalization", "sweep mitigation"],
)
def test_every_other_job_arrives_at_its_command_as_well(head, lake, job, message):
    shown = submit(head, "--follow", *job, "--lake", lake)
    assert shown.returncode == 1 and message in shown.stdout.splitlines()[-1], shown.stdout + shown.stderr


def test_probes_are_fitted_by_the_nodes_that_a_job_has(head, spaces, lake):
    words = ["--lake", lake, "--spaces", spaces.partition("=")[0], "--splits", "1", "--permutations", "0"]
    with worker(head):
        shown = submit(head, "--follow", "probe", *words, "--address", "auto")
    assert shown.returncode == 0 and "ridge" in shown.stdout, shown.stdout + shown.stderr
    opened = Lake(lake)
    assert opened.rows("SELECT count(*) > 10 FROM probes WHERE status = 'ok'") == [(True,)]


def test_a_build_is_stopped_by_the_command_that_was_printed(head, client, spaces, tmp_path):
    shown = submit(
        head, "build", "--corpus", "avatars:50000", "--spaces", spaces, "--lake", f"{tmp_path}/lake"
    )
    assert shown.returncode == 0, shown.stderr
    stop = shlex.split(shown.stdout.splitlines()[3].partition("stop it:")[2])
    wait_until((tmp_path / "lake").exists, client, stop[-1])
    assert run(head, *stop).returncode == 0 and client.get_job_status(stop[-1]) == JobStatus.STOPPED


def test_a_comparison_of_models_is_a_job_and_so_is_a_training_on_workers(head, tmp_path):
    """Both fill folders that all nodes see, and say where they are."""
    words = ["--corpus", "dsprites:200", "--compute", "0.002"]
    out = str(tmp_path / "compared")
    models = ["--models", "untrained,vae", "--seeds", "1", "--out", out]
    shown = submit(head, "--follow", "disentangle", "compare", *words, *models)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert f"see it:     {out}\n" in shown.stdout and "| `vae` | 1 |" in shown.stdout
    assert (tmp_path / "compared" / "comparison.parquet").exists()
    folder = str(tmp_path / "trained")
    on_workers = ["--model", "vae", "--num-workers", "2", "--out", folder]
    shown = submit(head, "--follow", "disentangle", "train", *words, *on_workers)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert (tmp_path / "trained" / "model.safetensors").exists()


@contextmanager
def worker(head) -> Iterator[subprocess.Popen]:
    """A node with two CPUs, a logical GPU, and a folder of its own, as on a machine of its own."""
    folder = tempfile.mkdtemp(prefix="une-", dir="/tmp")
    start = [
        "ray",
        "start",
        "--temp-dir",
        folder,
        f"--address={head.gcs}",
        "--block",
        "--num-cpus=2",
        "--num-gpus=1",
        "--object-store-memory=100000000",
    ]
    process = subprocess.Popen(
        start,
        env=head.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        lose(process)
        shutil.rmtree(folder, ignore_errors=True)


def lose(node: subprocess.Popen) -> None:
    """With all of its workers, as a machine that is gone.

    One that outlived the raylet would miss the folder, and tell the job.
    """
    with suppress(psutil.NoSuchProcess):
        raylet = psutil.Process(node.pid)
        processes = [*raylet.children(recursive=True), raylet]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes)
    node.wait()


def test_a_job_outlives_the_node_it_runs_on_and_une_status_sees_it_at_work(head, client, spaces, tmp_path):
    """On GPUs that come, go and come again; the job was told that there would be one."""
    lake = Lake(f"{tmp_path}/lake")
    shown = submit(
        head,
        "build",
        "--corpus",
        "avatars:400",
        "--spaces",
        spaces,
        "--shard-size",
        "8",
        "--lake",
        lake.url,
        "--gpus",
        "1",
    )
    job = shown.stdout.split()[1]
    with worker(head) as first:
        wait_until(
            lambda: list(tmp_path.glob("lake/spaces/*/shard-*")) or client.get_job_status(job).is_terminal(),
            client,
            job,
        )
        lose(first)
    shown = run(head, sys.executable, "-m", "une_ray", "status", lake.url).stdout
    done, total = map(int, re.search(r"dino +(\d+)/(\d+) shards", shown).groups())
    assert 0 < done < total == 50, shown + client.get_job_logs(job)
    with worker(head):
        wait_until(lambda: client.get_job_status(job).is_terminal(), client, job)
    assert client.get_job_status(job) == JobStatus.SUCCEEDED, client.get_job_logs(job)
    assert len(list(verify(lake))) == 3


def wait_until(what, client, job: str, seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, client.get_job_logs(job)
        time.sleep(0.05)


BUILD = ["build", "--corpus", "avatars:5", "--spaces", "mini-dino"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["biuld", *BUILD[1:]], "unknown job 'biuld'; known, nearest first: build"),
        (
            ["memorization", "audit", "--lake", "/lake"],
            "unknown job 'memorization audit'; known, nearest first: memorization",
        ),
        (
            ["sweep", "mitigation", "--lake", "/lake", "--state", "here"],
            "--state 'here' would lie in the job's own copy",
        ),
        ([*BUILD, "--lake", "demo/lake"], "--lake 'demo/lake' would lie in the job's own copy of the code"),
        (
            ["sweep", "best", "--lake", "/lake"],
            "unknown job 'sweep best'; known, nearest first: sweep mitigation",
        ),
        (BUILD, "une submit build needs a --lake"),
        (["memorization", "--seeds", "1"], "une submit memorization needs a --lake"),
        (
            ["disentangle", "train", "--model", "vae", "--corpus", "dsprites:200"],
            "une submit disentangle train needs an --out",
        ),
        (
            ["disentangle", "compare", "--corpus", "dsprites:200"],
            "--out 'compared' would lie in the job's own copy of the code; give a path that all nodes see",
        ),
        (
            ["--working-dir", "/usr", *BUILD, "--lake", "/lake"],
            "no une_ray/__main__.py in /usr; name a checkout",
        ),
        (
            ["--address", "http://127.0.0.1:9", *BUILD, "--lake", "/lake"],
            "Name its job server with --address",
        ),
    ],
)
def test_what_can_be_known_here_is_refused_here(head, arguments, message):
    shown = submit(head, *arguments)
    assert shown.returncode == 1 and message in shown.stderr and "Traceback" not in shown.stderr


def test_what_une_build_would_refuse_is_refused_before_anything_travels(head):
    shown = submit(head, *BUILD, "--lake", "/lake", "--oops", "1")
    assert shown.returncode == 2 and "une build" in shown.stderr and "submitted" not in shown.stdout


def test_a_wrong_token_is_one_clear_error(head):
    shown = submit(head, *BUILD, "--lake", "/lake", RAY_AUTH_TOKEN="0" * 64)
    assert shown.returncode == 1 and "Traceback" not in shown.stderr
    assert "Invalid authentication token" in shown.stderr and "RAY_AUTH_TOKEN" in shown.stderr
