"""The `une` command: a table of its commands, each a few lines over the package in `commands/`."""

from __future__ import annotations

import os
import sys

import typer

from une_ray.commands import (
    build,
    corpus,
    edit,
    gaussianity,
    memorization,
    models,
    probe,
    report,
    sql,
    status,
    submit,
    sweep,
    transfer,
    verify,
)
from une_ray.errors import UneError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Diffusion noise and vision embeddings of large image corpora, in one lake that SQL reads.",
)

for module in (build, sql, gaussianity, probe, transfer, edit, report, verify, status, models, corpus):
    app.command(epilog=module.EPILOG)(getattr(module, module.__name__.rpartition(".")[2]))
for module in (memorization, sweep):
    app.add_typer(module.app, name=module.__name__.rpartition(".")[2])
app.command(epilog=submit.EPILOG, context_settings=submit.CONTEXT)(submit.submit)


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
