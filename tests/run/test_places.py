"""Labels that no node has: said where a node may come, refused where none can."""

import time

import pytest
import ray

from une_ray.errors import UneError
from une_ray.run.build import build
from une_ray.run.crews import Crew
from une_ray.run.places import check_places, matches
from une_ray.spaces.space import Space

L4 = {"ray.io/accelerator-type": "L4", "zone": "a"}
OLD = {"ray.io/accelerator-type": "A100", "zone": "b"}


def node(labels: dict[str, str], alive: bool = True) -> dict:
    return {"Alive": alive, "Labels": {"ray.io/node-id": "f00", **labels}}


def crew(*names: str, **labels: str) -> Crew:
    return Crew(spaces=tuple(map(Space.parse, names)), labels=labels)


@pytest.mark.parametrize(
    ("asked", "is_there"),
    [
        ({}, True),
        ({"zone": "a"}, True),
        ({"zone": "b"}, False),
        ({"other": "a"}, False),
        ({"zone": "a", "ray.io/accelerator-type": "L4"}, True),
        ({"zone": "a", "ray.io/accelerator-type": "A100"}, False),
        ({"zone": "!a"}, False),
        ({"zone": "!b"}, True),
        ({"zone": "in(b,a)"}, True),
        ({"zone": "in(b, c)"}, False),
        ({"zone": "!in(b,c)"}, True),
        ({"other": "!a"}, True),
    ],
)
def test_labels_are_read_as_ray_reads_a_selector(asked, is_there):
    assert matches(asked, L4) == is_there


def test_a_label_that_a_node_may_come_with_is_said(capsys):
    crews = [crew("pixels-16"), crew("mini-dino", zone="a"), crew("pixels-32", "mini-clip-a", zone="b")]
    check_places(crews, [node(L4), node(OLD)], grows=False)
    assert capsys.readouterr().err == ""
    check_places(crews, [node(L4), node(OLD, alive=False)], grows=True)
    (said,) = capsys.readouterr().err.splitlines()
    assert said == (
        "--place pixels-32, mini-clip-a:zone=b: no node has that label now, and the build waits for one;"
        " nodes have ray.io/accelerator-type=L4, zone=a"
    )


def test_a_label_that_none_can_come_with_is_refused():
    both = crew("pixels-16", zone="a", **{"ray.io/accelerator-type": "A100"})
    with pytest.raises(
        UneError, match="does not have those labels, and does not grow; nodes have .*zone=a, zone=b"
    ):
        check_places([both], [node(L4), node(OLD)], grows=False)
    with pytest.raises(UneError, match="its nodes have no labels. Leave --place out, or join a cluster"):
        check_places([both], [node({})], grows=False)


@pytest.mark.usefixtures("own_ray")
def test_a_ray_of_this_machine_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    started = time.monotonic()
    with pytest.raises(
        UneError, match="^--place pixels-16:a=b: the Ray of this machine does not have that label"
    ):
        build(str(tmp_path / "lake"), "avatars:5", ["pixels-16"], place={"pixels-16": {"a": "b"}})
    assert time.monotonic() - started < 60
    (itself,) = ray.nodes()
    here = {"ray.io/node-id": itself["Labels"]["ray.io/node-id"]}
    assert (
        build(str(tmp_path / "lake"), "avatars:5", ["pixels-16"], place={"pixels-16": here}).shards_done == 1
    )
