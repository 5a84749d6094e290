"""`une plan`: what a lake of some size will cost, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import names
from une_ray.errors import UneError

if TYPE_CHECKING:
    from une_ray.run.estimate import Estimate, Question

EPILOG = """Examples:

`une plan --corpus-size 1e9 --spaces sd15/ddim50,clip-l14 --gpu h100 --gpus 1000 --price 2.5`

`une plan --corpus-size 200000 --spaces sd15/ddim50 --gpu a100 --seconds sd15/ddim50=0.41`"""


def plan(
    corpus_size: Annotated[str, typer.Option(metavar="N", help="Images: 200000, 1e9")],
    spaces: Annotated[str, typer.Option(help="Comma-separated, as for une build")],
    gpu: Annotated[str, typer.Option(help="l4, a10g, a100, h100 or h200")] = "h100",
    gpus: Annotated[int, typer.Option(min=1, help="How many of them")] = 8,
    price: Annotated[float | None, typer.Option(min=0, help="Dollars per GPU-hour")] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Images per shard")] = 256,
    image_kb: Annotated[
        float | None,
        typer.Option(
            min=0, help="Kilobytes of a picture, on average; default: 100, 0 where all spaces read captions"
        ),
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Of the machine that studies run on")] = 16,
    utilisation: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the GPU's peak that is reached")
    ] = 0.25,
    seconds: Annotated[
        list[str] | None,
        typer.Option(metavar="SPACE=S", help="Measured GPU-seconds per image of a space; may be repeated"),
    ] = None,
    dim: Annotated[
        list[str] | None,
        typer.Option(metavar="SPACE=N", help="How long a space's latents are, where that is not known"),
    ] = None,
) -> None:
    """Say what a lake will cost: GPU-hours, dollars, bytes, files, requests, memory, hours of the studies.

    Estimates, by arithmetic on measured figures and, for GPUs, the share of their peak that an H200 reached;
    they and where a limit is met stand in docs/scale.md. A pilot on your own cluster is better: give its
    seconds.
    """
    from une_ray.run.estimate import Question, estimate

    question = Question(
        images=_count(corpus_size),
        spaces=names(spaces) or [],
        gpu=gpu,
        gpus=gpus,
        price=price,
        shard_size=shard_size,
        image_bytes=None if image_kb is None else image_kb * 1000,
        cores=cores,
        utilisation=utilisation,
        seconds=_by_space("--seconds", seconds or []),
        dims={space: int(number) for space, number in _by_space("--dim", dim or []).items()},
    )
    print("\n".join(lines(question, estimate(question))))


def _count(text: str) -> int:
    try:
        count = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        count = 0.0
    if not 1 <= count < 1e15 or count != int(count):
        raise UneError(f"--corpus-size {text!r} is not a number of images, such as 200000 or 1e9")
    return int(count)


def _by_space(option: str, texts: Sequence[str]) -> dict[str, float]:
    found = dict(_given(option, text) for text in texts)
    if len(found) < len(texts):
        raise UneError(f"{option} is given twice for one space: {', '.join(texts)}")
    return found


def _given(option: str, text: str) -> tuple[str, float]:
    """SPACE=NUMBER of an option; of --dim a whole number."""
    space, equals, value = text.rpartition("=")
    try:
        number = float(value) if option == "--seconds" else int(value)
    except ValueError:
        number = 0
    if not equals or not space or not number > 0:
        example = "sd15/ddim50=0.41" if option == "--seconds" else "mine=768"
        raise UneError(f"{option} {text!r}; it is SPACE={option[2:].upper()}, as in {example}")
    return space, number


def lines(question: Question, answer: Estimate) -> list[str]:
    """The answer as a page."""
    width = max(len(space.name) for space in answer.spaces)
    spaces = f"{len(answer.spaces)} space{'s' * (len(answer.spaces) > 1)}"
    out = [f"{question.images:,} images, {spaces}, {question.gpus:,} {question.gpu}", ""]
    out += [
        f"{space.name:{width}}  {_time(space.seconds):>9} an image  {space.gpu_hours:12,.1f} GPU-hours"
        f"  {_bytes(space.bytes + space.seeds_bytes):>9}  ({space.source})"
        for space in answer.spaces
    ]
    merging = "the build merges into" if answer.is_merged else "une compact would merge into"
    deletes = f", {answer.deletes:,.0f} DELETE, merging among them" if answer.is_merged else ""
    dollars = "" if answer.dollars is None else f", {answer.dollars:,.0f} dollars"
    out += [
        "",
        f"GPUs      {answer.gpu_hours:,.1f} GPU-hours: {answer.hours:,.1f} h on {question.gpus:,}{dollars}",
        f"bytes     {_bytes(answer.corpus_bytes)} read, {_bytes(answer.lake_bytes)} written",
        f"files     {answer.files:,} of {answer.shards:,} shards, which {merging} {answer.merged_files:,}",
        f"requests  {answer.gets:,.0f} GET, {answer.puts:,.0f} PUT{deletes}",
        f"driver    {answer.driver_hours:,.2f} h to hand out {answer.tasks:,} tasks",
        f"SQL       a count in {_time(answer.merged_count_seconds)}, of unmerged files in"
        f" {_time(answer.count_seconds)}; {_bytes(answer.query_memory)} of memory",
        "",
    ]
    longest = max(len(study.name) for study in answer.studies)
    out += [
        f"{study.name:{longest}}  {_time(study.hours * 3600):>8}  {_bytes(study.memory):>9} of memory"
        for study in answer.studies
    ]
    return out + ["", *(f"limit: {limit}" for limit in answer.limits)] if answer.limits else out


def _time(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{seconds * 1000:.3g} ms"


def _bytes(count: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1000:.3g} kB"


COMMAND = Command("plan", plan, EPILOG)
