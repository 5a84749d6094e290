"""What a study's `command.py` hands to the command line, and what all commands share: the lake as an
argument or as `--lake`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo

from une_ray.corpora.files import refuse_nameless

Function = Callable[..., None]

LAKE_HELP = "Folder of the lake: a path, s3://… or gs://…"


@dataclass(frozen=True)
class Command:
    """`une NAME`: a function that typer reads, or an app of several.

    `jobs` are the words after `une` that `une submit` may send away, such as "sweep mitigation".
    """

    name: str
    run: Function | typer.Typer
    epilog: str = ""
    jobs: tuple[str, ...] = ()


def group(help: str) -> typer.Typer:
    """An app of several commands, for a command that is none itself."""
    return typer.Typer(
        no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False, help=help
    )


def either_way(function: Function) -> Function:
    """The command with its parameter `lake` taken as an argument or as `--lake`, whichever a person types.

    As it is where it has other arguments that stand by their place, or no such parameter. One whose `lake`
    has a default may be called without it. An empty one is refused: Python would take it for this folder.
    """
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    placed = [name for name in parameters if name != "lake" and _is_argument(hints[name])]
    if "lake" not in parameters:
        return function
    if placed:
        return _of_a_named_lake(function)

    @functools.wraps(function)
    def command(**values: Any) -> None:
        argument, option = values.pop("lake_argument"), values.pop("lake")
        if argument is not None and option is not None and argument != option:
            raise typer.BadParameter(f"the lake is named twice, as {argument!r} and as --lake {option!r}")
        lake = argument if option is None else option
        _refuse_nameless(lake)
        if lake is None and parameters["lake"].default is inspect.Parameter.empty:
            raise typer.BadParameter("which lake? name it, or give it with --lake", param_hint="LAKE")
        function(lake=lake, **values)

    argument = Annotated[str | None, typer.Argument(metavar="[LAKE]", help=f"{LAKE_HELP}; or --lake")]
    option = Annotated[str | None, typer.Option("--lake", help=LAKE_HELP)]
    others = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        if name != "lake"
    ]
    both = [
        inspect.Parameter("lake_argument", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=argument),
        inspect.Parameter("lake", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option),
    ]
    command.__signature__ = inspect.Signature([*both, *others])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*both, *others]}
    del command.__wrapped__  # type: ignore[attr-defined]  # typer would read its signature instead
    return command


def _of_a_named_lake(function: Function) -> Function:
    @functools.wraps(function)
    def command(**values: Any) -> None:
        _refuse_nameless(values["lake"])
        function(**values)

    return command


def _refuse_nameless(lake: str | None) -> None:
    if lake is not None:
        refuse_nameless(str(lake), "the lake")


def lake_among(words: list[str], lake: str | None, *names: str) -> list[str]:
    """The lake and the named arguments, of words among which the lake may stand first instead of in `--lake`.

    For commands that have arguments besides the lake.
    """
    both = words if lake is None else [lake, *words]
    _refuse_nameless(both[0])
    if len(both) != len(names) + 1:
        raise typer.BadParameter(
            f"got {len(words)}, {' '.join(words) or 'none'}; needed are the lake, here or as --lake, and"
            f" {' and '.join(names)}",
            param_hint="arguments",
        )
    return both


def _is_argument(hint: Any) -> bool:
    return any(isinstance(extra, ArgumentInfo) for extra in get_args(hint)[1:])
