"""`une submit`: a command as a job on a live Ray cluster, with the same arguments as here."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from une_ray.errors import UneError, unknown

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

EPILOG = """Examples:

`une submit build --corpus celeba:/data/celeba --spaces sd15/ddim50,clip-l14 --lake s3://zoo/celeba`

`une submit --address http://head:8265 --follow build --corpus avatars:1000 --spaces mini-dino --lake /zoo`

`une submit probe --lake s3://zoo/celeba --spaces sd15/ddim50 --address auto`

`une submit edit --lake s3://zoo/celeba --space sd15/ddim50 --attribute Eyeglasses --keep Male --gpus 8`

`une submit sweep orthogonalization --lake s3://zoo/celeba --state s3://zoo/sweeps --scale large --gpus 8`

`une submit disentangle compare --corpus dsprites --scale small --out /shared/compared --gpus 8`

The cluster's token is read from RAY_AUTH_TOKEN, or from the file of RAY_AUTH_TOKEN_PATH, with
RAY_AUTH_MODE=token."""

# For `app.command(context_settings=CONTEXT)`: what follows COMMAND is the command's own.
CONTEXT = {"allow_extra_args": True, "allow_interspersed_args": False, "ignore_unknown_options": True}

PACKAGE = "une_ray/__main__.py"
RUNTIME_ENV = "cluster/runtime_env.yaml"
SECONDS_TO_ANSWER = 10.0


def submit(
    context: typer.Context,
    command: Annotated[
        str,
        typer.Argument(
            help="What to run there, with its own arguments after it: build, probe, transfer, edit,"
            " memorization, sweep or disentangle"
        ),
    ],
    address: Annotated[
        str | None,
        typer.Option(
            help=(
                "Job server, as in http://head:8265; default: RAY_API_SERVER_ADDRESS, or the Ray of this"
                " machine"
            )
        ),
    ] = None,
    working_dir: Annotated[Path, typer.Option(help="Checkout whose code the job runs")] = Path("."),
    follow: Annotated[
        bool, typer.Option("--follow", "--wait", help="Print the job's log until it ends; exit with its code")
    ] = False,
) -> None:
    """Run a command as a job on a live Ray cluster; prints how to follow and stop it. Options of submit
    come before COMMAND."""
    words = [command, *context.args]
    job = job_of(words)
    place = parse(context, job, words[len(job.split()) :])
    runtime_env = travel(working_dir)
    client = connect(address)
    try:
        job_id = client.submit_job(
            entrypoint=shlex.join(["python", "-m", "une_ray", *words]),
            runtime_env=runtime_env,
            metadata={"command": shlex.join(["une", *words])},
        )
    # The client raises RuntimeError with the server's whole answer, and whatever its sockets do.
    except (RuntimeError, OSError, ValueError) as error:
        raise UneError(
            f"the job server at {client.get_address()} did not take the job: {answer(error)}; a head that has"
            " just started has no agent for some seconds, and needs ray[default]"
        ) from error
    server = client.get_address()
    print(f"submitted {job_id} to {server}")
    print(f"  follow it:  ray job logs --address {server} --follow {job_id}")
    print(f"  see it:     {place}")
    print(f"  stop it:    ray job stop --address {server} {job_id}", flush=True)
    if follow:
        raise typer.Exit(watch(client, job_id))


def job_of(words: list[str]) -> str:
    """Which of the jobs the words after `une submit` begin with, such as "sweep mitigation". Raises
    UneError for none."""
    from une_ray.cli.main import jobs

    for job in jobs():
        if words[: len(job.split())] == job.split():
            return job
    named = itertools.takewhile(lambda word: not word.startswith("-"), words)
    raise unknown("job", " ".join(named), jobs())


def parse(context: typer.Context, job: str, arguments: list[str]) -> str:
    """How to see what the job leaves: `une status` of the lake that its arguments name, or the folder of a
    job that has no lake.

    A usage error ends here, not minutes later on the cluster, and so does a path that means another place
    there: a job runs in a copy of the working directory that is deleted after it.
    """
    target: Any = context.find_root().command  # a group, as far as the words go
    for word in job.split():
        target = target.get_command(context, word)
    subcommands = set(arguments) & set(getattr(target, "commands", ()))
    if subcommands:
        raise unknown("job", " ".join([job, *subcommands]), [job])
    with target.make_context(f"une {job}", list(arguments)) as parsed:
        given = parsed.params
    place = "lake" if "lake" in given else "out"
    paths = {place: given.get(place) or given.get(f"{place}_argument"), "state": given.get("state")}
    if paths[place] is None:
        raise UneError(f"une submit {job} needs {'a' if place == 'lake' else 'an'} --{place}")
    for option, path in paths.items():
        if path and "://" not in str(path) and not Path(path).is_absolute():
            raise UneError(
                f"--{option} {str(path)!r} would lie in the job's own copy of the code; give a path that all"
                f" nodes see{', s3://… or gs://…' if place == 'lake' else ''}"
            )
    return f"une status {paths[place]}" if place == "lake" else str(paths[place])


def travel(working_dir: Path) -> dict[str, Any]:
    """The job's runtime environment: the checkout without what cluster/runtime_env.yaml excludes."""
    import yaml

    for needed in (PACKAGE, RUNTIME_ENV):
        if not (working_dir / needed).is_file():
            raise UneError(
                f"no {needed} in {working_dir.resolve()}; name a checkout of une_ray with --working-dir"
            )
    try:
        environment = yaml.safe_load((working_dir / RUNTIME_ENV).read_text())
    except yaml.YAMLError as error:
        raise UneError(f"{working_dir / RUNTIME_ENV} is not plain YAML: {error}") from error
    return {**environment, "working_dir": str(working_dir.resolve())}


def connect(address: str | None) -> JobSubmissionClient:
    """A client of the cluster's job server. Raises UneError where none answers or it refuses our token."""
    import requests
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    logging.disable(logging.WARNING)  # Ray's client tells of every ignore file that it obeys
    named = address or os.environ.get("RAY_API_SERVER_ADDRESS") or ""
    try:
        if named.startswith("http"):  # Ray's client would wait for ever for a server that says nothing
            requests.get(f"{named.rstrip('/')}/api/version", timeout=SECONDS_TO_ANSWER)
        return JobSubmissionClient(address)
    except requests.exceptions.Timeout as error:
        raise UneError(
            f"the job server at {named} says nothing for {SECONDS_TO_ANSWER:.0f} s; is it the dashboard's"
            " port, 8265 if not told otherwise, and can it be seen from here?"
        ) from error
    except (ConnectionError, requests.exceptions.ConnectionError) as error:
        what = f"Failed to connect to Ray at address: {named}." if named else str(error)
        raise UneError(
            f"{what} Name its job server with --address, as in http://head:8265, or start one: ray start"
            " --head"
        ) from error
    except AuthenticationError as error:
        reason = str(error).strip().splitlines()[0]
        raise UneError(
            f"{reason} (set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's, or RAY_AUTH_TOKEN_PATH)"
        ) from error
    # What is no job server answers anything: a page, an error's code, JSON of its own, an older Ray.
    except (RuntimeError, ValueError, KeyError, requests.RequestException) as error:
        raise UneError(
            f"what answers at {named or 'the address in RAY_ADDRESS'} is no job server of a Ray like ours:"
            f" {answer(error)}; name the dashboard's address with --address, as in http://head:8265"
        ) from error


def answer(error: Exception) -> str:
    """The last line that is not empty: what went wrong, after the server's traceback."""
    lines = [line.strip() for line in str(error).replace("\\n", "\n").splitlines()]
    said = [line for line in lines if line.strip("'\". ")]
    return said[-1].rstrip("'\". ") if said else type(error).__name__


def watch(client: JobSubmissionClient, job_id: str) -> int:
    """Print the log until the job ends; returns its exit code. An interrupt ends the watching, not the
    job."""
    try:
        asyncio.run(_print_log(client, job_id))
    except KeyboardInterrupt:
        print(f"\nune: {job_id} goes on", file=sys.stderr)
        return 130
    end = client.get_job_info(job_id)
    print(f"{job_id}: {end.status.lower()}", file=sys.stderr)
    return 0 if end.status == "SUCCEEDED" else end.driver_exit_code or 1


async def _print_log(client: JobSubmissionClient, job_id: str) -> None:
    async for text in client.tail_job_logs(job_id):
        print(text, end="", flush=True)
