"""The `une` command. Each command is a few lines over the package; what is slow to import is imported inside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from une_ray.errors import UneError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Diffusion noise and vision embeddings of large image corpora, in one lake that SQL reads.",
)

LakeOption = Annotated[str, typer.Option("--lake", help="Folder of the lake: a path, s3://… or gs://…")]


@app.command(
    epilog="""Examples:

`une build --corpus avatars:1000 --spaces mini-sd-a/ddim50,mini-clip-a,mini-dino --lake demo/lake`

`une build --corpus celeba:/data/celeba --spaces sd15/ddim50,clip-l14 --lake s3://zoo/celeba --address auto`

`une build --corpus folder:photos --spaces mine=stable-diffusion:/models/mine/ddim50-trailing --lake lake`"""
)
def build(
    corpus: Annotated[str, typer.Option(help="What to read: avatars:N, folder:PATH, celeba:PATH, parquet:PATH, hub:ID")],
    spaces: Annotated[
        str, typer.Option(help="Comma-separated: MODEL/ddimSTEPS[-SPACING] for generators, MODEL for encoders (see: une models)")
    ],
    lake: LakeOption,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Images per shard, fixed when the lake is made; default by corpus size")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, float16 or bfloat16 instead of each model's own")] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to run on, as in auto or ray://head:10001; default: this machine")
    ] = None,
    actors: Annotated[int | None, typer.Option(min=1, help="At most so many actors per space; default: as many as fit")] = None,
) -> None:
    """Invert and embed a corpus into a lake. Does only what is missing; kill it and run it again as you like."""
    from une_ray.pipeline.build import build as run

    names = [name.strip() for name in spaces.split(",") if name.strip()]
    if not names:
        raise UneError("--spaces is empty; name at least one, as in mini-dino")
    if dtype not in (None, "float32", "float16", "bfloat16"):
        raise UneError(f"--dtype {dtype!r}; it is float32, float16 or bfloat16")
    print(f"{corpus} → {', '.join(names)} → {lake}", file=sys.stderr, flush=True)
    try:
        done = run(lake, corpus, names, shard_size, dtype, address, actors)
    except KeyboardInterrupt:
        print("\nune: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    if done.shards_done == 0:
        print(f"{lake}: all {done.shards_total} shards of {done.images:,} images were there already ({done.seconds:.1f} s)")
    else:
        print(f"{lake}: {done.shards_done} of {done.shards_total} shards built in {done.seconds:.0f} s, {done.rejects} images rejected")


@app.command(
    epilog="""Examples:

`une sql --lake demo/lake -c "SELECT * FROM counts"`

`une sql --lake demo/lake -c "SELECT * FROM nearest('mini-dino', 'avatar-0-00000007', 5)"`

`une sql --lake demo/lake -f queries/norms.sql`"""
)
def sql(
    lake: LakeOption,
    command: Annotated[str | None, typer.Option("-c", help="SQL to run; several statements are separated by ;")] = None,
    file: Annotated[Path | None, typer.Option("-f", help="File of SQL to run")] = None,
) -> None:
    """Ask the lake in SQL: one command, a file, or a prompt. The views are those of queries/noisezoo.sql."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.session import connect
    from une_ray.lake.shell import interact, run

    connection = connect(Lake(lake))
    if file is not None and not file.exists():
        raise UneError(f"no file {file}")
    text = command if command is not None else file.read_text() if file is not None else None
    interact(connection, lake) if text is None else run(connection, text)


@app.command(epilog="Example: `une verify demo/lake`")
def verify(lake: Annotated[str, typer.Argument(help="Folder of the lake")]) -> None:
    """Check every promise of a lake: each id once per space, counts, hashes, finite values. Exit code 1 names the first broken one."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.verify import verify as check

    for line in check(Lake(lake)):
        print(line)


@app.command(epilog="Example: `une report demo/lake --out report.html`")
def report(
    lake: Annotated[str, typer.Argument(help="Folder of the lake")],
    out: Annotated[Path | None, typer.Option(help="HTML file to write; default: report.html in the lake, or here for a remote one")] = None,
) -> None:
    """Draw one self-contained HTML page of what the lake holds, and print its path."""
    from une_ray.lake.layout import Lake
    from une_ray.report.page import write

    print(write(Lake(lake), out))


@app.command()
def models() -> None:
    """List every model id: dimension, cost, placement, source."""
    from une_ray.models.registry import MODELS

    print(f"{'id':22} {'kind':17} {'dim':>6} {'GFLOPs':>8} {'GPUs':>5} {'batch':>5}  source")
    for spec in MODELS.values():
        print(
            f"{spec.id:22} {spec.kind:17} {spec.dim:6} {spec.gflops or float('nan'):8.4g} {spec.gpus:5} {spec.batch_size:5}  {spec.source}"
        )
    print("\nAny other model of these kinds: NAME=KIND:FOLDER or NAME=KIND:OWNER/ID@REVISION, as in mine=clip:/models/mine")


@app.command(epilog="Example: `une corpus avatars:2000`")
def corpus(name: Annotated[str, typer.Argument(help="A corpus, as for une build")]) -> None:
    """Show what a corpus holds: images, splits, attribute frequencies and their strongest correlations."""
    from une_ray.corpora.describe import describe

    print(describe(name))


def main() -> None:
    """Entry point: faults of the user's input end in one clear line, not a traceback."""
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    try:
        app()
    except UneError as error:
        print(f"une: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
