"""What a study is: one question asked of a lake, and one folder that holds all of it.

    studies/NAME/__init__.py   `STUDY`, and in its docstring what it asks
                 columns.py    `TABLE`: the rows that it leaves in the lake
                 command.py    `COMMAND`: how it is asked on the command line; `commands` names others
                 section.py    `SECTIONS`: what the report shows of it
                 sweep.py      `SUBJECT`: what of it a sweep may search
                 views.sql     views and macros over its rows, of a study that is not in queries/noisezoo.sql

A folder has those of these files that it needs, and its own parts beside them. The command line, the lake,
the report, `une submit` and `une sweep` find them by these names; a study of another package is an entry
point `une_ray.studies`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Study:
    """`order` is the place of its commands in the help: small first. `commands` are the files that define
    one."""

    order: int = 1000
    commands: tuple[str, ...] = ("command",)
