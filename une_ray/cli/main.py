"""The `une` command: a table of its commands, each a few lines over the package in `commands/`."""

from __future__ import annotations

import os
import sys

import typer

from une_ray.cli import build, corpus, models, report, sql, status, submit, verify
from une_ray.errors import UneError
from une_ray.studies.edits import command as edit
from une_ray.studies.gaussianity import command as gaussianity
from une_ray.studies.memorization import command as memorization
from une_ray.studies.probes import command as probe
from une_ray.studies.sweeps import command as sweep
from une_ray.studies.transfer import command as transfer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Diffusion noise and vision embeddings of large image corpora, in one lake that SQL reads.",
)

COMMANDS = {
    "build": build,
    "sql": sql,
    "gaussianity": gaussianity,
    "probe": probe,
    "transfer": transfer,
    "edit": edit,
    "report": report,
    "verify": verify,
    "status": status,
    "models": models,
    "corpus": corpus,
}
for name, module in COMMANDS.items():
    app.command(epilog=module.EPILOG)(getattr(module, name))
for name, module in {"memorization": memorization, "sweep": sweep}.items():
    app.add_typer(module.app, name=name)
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
