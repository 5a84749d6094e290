"""Whether any node has the labels that a crew's actors are to be on, by `--place`: Ray itself waits for one
without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from une_ray.errors import UneError
from une_ray.run.crews import Crew
from une_ray.run.progress import say

OF_ONE_NODE = "ray.io/node-id"
ONE_OF = re.compile(r"in\((.*)\)")


def check_places(crews: Iterable[Crew], nodes: Sequence[Mapping[str, Any]], grows: bool) -> None:
    """Say of every crew for which no node has the labels, as `ray.nodes()` has them now, that it waits for
    one. Raises UneError where none can come."""
    labels = [node["Labels"] for node in nodes if node["Alive"]]
    for crew in crews:
        if any(matches(crew.labels, of_node) for of_node in labels):
            continue
        asked = ",".join(f"{label}={value}" for label, value in crew.labels.items())
        what = "that label" if len(crew.labels) == 1 else "those labels"
        place = f"--place {', '.join(space.name for space in crew.spaces)}:{asked}"
        if not grows:
            raise UneError(
                f"{place}: the Ray of this machine does not have {what}, and does not grow; {had(labels)}."
                " Leave --place out, or join a cluster by --address"
            )
        say(f"{place}: no node has {what} now, and the build waits for one; {had(labels)}")


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a node of these labels is one of a selector as Ray writes it: `A100`, `!A100`, `in(A100,L4)`
    or `!in(A100,L4)`."""
    for label, value in selector.items():
        one_of = ONE_OF.fullmatch(value.removeprefix("!"))
        values = {each.strip() for each in one_of[1].split(",")} if one_of else {value.removeprefix("!")}
        if (labels.get(label) in values) == value.startswith("!"):
            return False
    return True


def had(labels: Iterable[Mapping[str, str]]) -> str:
    """Which labels the nodes have, each once; every node's own name is of no use to anyone."""
    known = {
        f"{label}={value}" for of_node in labels for label, value in of_node.items() if label != OF_ONE_NODE
    }
    return f"nodes have {', '.join(sorted(known))}" if known else "its nodes have no labels"
