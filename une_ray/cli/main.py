"""The `une` command: the lake's own commands, and those of the studies, which are found by their folders."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from une_ray import __version__
from une_ray.cli import (
    build,
    compact,
    corpus,
    export,
    import_,
    models,
    plan,
    report,
    show,
    space,
    sql,
    status,
    submit,
    verify,
)
from une_ray.cli.command import Command, either_way
from une_ray.cli.help import CommandWithExamples
from une_ray.errors import UneError
from une_ray.registry import STUDIES

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Diffusion noise and vision embeddings of large image corpora, in one lake that SQL reads.",
)


def studies() -> list[Command]:
    """The commands of all studies, in the order that the studies ask for."""
    names = sorted(STUDIES.names(), key=lambda name: (STUDIES.find(name).order, name))
    modules = [STUDIES.part(name, file) for name in names for file in STUDIES.find(name).commands]
    return [module.COMMAND for module in modules if module is not None]


def commands() -> list[Command]:
    """All of them, in the order of the help: make, ask, see, send away."""
    return [
        build.COMMAND,
        sql.COMMAND,
        *studies(),
        report.COMMAND,
        show.COMMAND,
        status.COMMAND,
        verify.COMMAND,
        compact.COMMAND,
        space.COMMAND,
        import_.COMMAND,
        export.COMMAND,
        models.COMMAND,
        corpus.COMMAND,
        plan.COMMAND,
    ]


def jobs() -> tuple[str, ...]:
    """The words after `une` that `une submit` may send to a cluster."""
    return tuple(job for command in commands() for job in command.jobs)


def _version(asked: bool) -> None:
    if asked:
        print(f"une_ray {__version__}")
        raise typer.Exit


@app.callback()
def une(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave")
    ] = False,
) -> None:
    """Diffusion noise and vision embeddings of large image corpora, in one lake that SQL reads."""


def add(to: typer.Typer, command: Command) -> None:
    """Make `command` one of an app's."""
    if isinstance(command.run, typer.Typer):
        for registered in command.run.registered_commands:
            registered.cls = CommandWithExamples
            if registered.callback is not None:
                registered.callback = either_way(registered.callback)
        to.add_typer(command.run, name=command.name)
    else:
        to.command(command.name, cls=CommandWithExamples, epilog=command.epilog)(either_way(command.run))


for known in commands():
    add(app, known)
app.command(cls=CommandWithExamples, epilog=submit.EPILOG, context_settings=submit.CONTEXT)(submit.submit)


def main(*words: str) -> None:
    """Entry point: `words`, if any, go before those of the command line. Faults of the user's input end in
    one clear line."""
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    try:
        app([*words, *sys.argv[1:]])
    except UneError as error:
        print(f"une: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
