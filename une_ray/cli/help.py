"""What stands below a command's options in `--help`: its examples as they are typed, each one line however
narrow the terminal, so that they can be copied."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

EXAMPLE = re.compile(r"`([^`]+)`")


class CommandWithExamples(TyperCommand):
    """A command whose epilog is paragraphs of Markdown, and of examples: a paragraph of code alone."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        epilog, self.epilog = self.epilog, None
        super().format_help(ctx, formatter)
        self.epilog = epilog
        show(epilog or "")


def show(epilog: str) -> None:
    """Print it; Markdown in the terminal's width, examples as they are."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.padding import Padding

    prose: list[str] = []
    for paragraph in [*epilog.split("\n\n"), ""]:
        example = EXAMPLE.fullmatch(paragraph.strip())
        if prose and (example or not paragraph):
            Console().print(Padding(Markdown("\n\n".join(prose)), (1, 1, 0, 1)))
            prose = []
        if example:
            print(f"   {' '.join(example[1].split())}")
        elif paragraph.strip():
            prose.append(paragraph)
