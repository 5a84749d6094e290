"""An edit of a shared space, carried back to noise; oracles: NumPy's pinv and lstsq, and the lake's maps."""

import numpy as np
import pytest

from tests.helpers.edited import lake_of, planted
from une_ray.api import open as open_lake
from une_ray.errors import UneError
from une_ray.spaces.space import Space
from une_ray.studies.edits.edit import Edit
from une_ray.studies.edits.random_steps import RandomSteps
from une_ray.studies.edits.section import section
from une_ray.studies.edits.shared_steps import RANDOM_SHARED, SHARED, _Way
from une_ray.studies.edits.tasks import plan
from une_ray.studies.edits.worker import EditImages


@pytest.fixture(scope="module")
def lake(tmp_path_factory, tiny_spaces):
    """Noise, and two encoders; `together` is shared by noise and clip, with random readings as probes."""
    url = str(tmp_path_factory.mktemp("carried") / "lake")
    lake = open_lake(lake_of(url, [Space.parse(space) for space in tiny_spaces]).url)
    lake.shared_space(["sd", "clip"], "together", dim=4, ridge=0.1)
    planted(lake, "together", lake.space("together").latents().z, np.random.default_rng(8))
    return lake


def edit(**settings) -> Edit:
    given = {
        "space": "sd",
        "attribute": "Smiling",
        "alphas": (-1.0, 1.0),
        "baselines": (),
        "shared": "together",
    }
    return Edit(**given | settings)


def view_map(lake) -> tuple[np.ndarray, np.ndarray]:
    """mean (d,) and A (d, 4) of the noise."""
    ((mean, weights),) = lake.rows(
        "SELECT mean, weights FROM shared_maps WHERE space = 'together' AND source = 'sd'"
    )
    return np.array(mean), np.array(weights).reshape(4, -1).T


def test_it_is_the_shortest_move_that_the_shared_space_sees_as_its_own_edit(lake):
    direction = plan(lake, edit(), 2)[1].directions[SHARED]
    ((w, b),) = lake.rows(
        "SELECT w, b FROM probes WHERE space = 'together' AND attribute = 'Smiling' AND status = 'ok'"
    )
    mean, a = view_map(lake)
    seen = direction.step @ a
    assert np.allclose(seen / np.linalg.norm(seen), np.array(w) / np.linalg.norm(w))
    assert np.allclose(direction.step, np.linalg.lstsq(a.T, seen)[0])
    ids, z = lake.space("sd").latents()
    score = (z.astype(float) - mean) @ a @ np.array(w) + b
    assert np.allclose(z @ direction.w + direction.b, score)
    assert direction.w @ direction.step == pytest.approx(direction.std)


def test_several_attributes_move_together_in_the_shared_space_too(lake):
    direction = plan(lake, edit(attribute="Smiling+Male"), 2)[1].directions[SHARED]
    _, a = view_map(lake)
    rises = []
    for name in ("Smiling", "Male"):
        ((w,),) = lake.rows(
            f"SELECT w FROM probes WHERE space = 'together' AND attribute = '{name}' AND status = 'ok'"
        )
        x = lake.space("together").latents("train").z.astype(float)
        rises.append(direction.step @ a @ np.array(w) / np.std(x @ w))
    assert rises[0] == pytest.approx(rises[1], rel=0.05) and rises[0] > 0


def test_random_shared_directions_are_as_long_and_lie_in_what_the_views_share(lake):
    directions = plan(lake, edit(), 2)[1].directions
    chosen = plan(lake, edit(), 2)[1].images
    assert len(directions[RANDOM_SHARED].drawn(chosen)) == 2
    way = _Way.of(lake, "sd", "together")
    draws = RandomSteps(seed="s", dim=len(way.back), length=1.0, shape=way.back, as_steps=True)
    draws = draws([f"i{n}" for n in range(64)]) * np.linalg.norm(directions[SHARED].step)
    assert np.allclose(np.linalg.norm(draws, axis=1), np.linalg.norm(directions[SHARED].step))
    _, a = view_map(lake)
    assert np.allclose(draws @ a @ np.linalg.pinv(a), draws)
    assert len(np.unique(draws[:, 0])) == 64


def test_they_are_decoded_and_judged_beside_the_plain_edit_where_no_view_of_theirs_judges(lake):
    tasks, options = plan(lake, edit(), 2)
    assert options.judges == ("dino",)
    assert [task.edit.direction for task in tasks] == ["probe", SHARED, RANDOM_SHARED]
    from une_ray.lake import results
    from une_ray.report.section import Source

    for task in tasks:
        results.commit(lake, "edits", task.to_row(), EditImages(lake.url, options)(task.to_row()))
    pictures = {
        direction: lake.store.read(name)
        for direction, name in lake.rows(
            "SELECT direction, picture FROM edits WHERE alpha = 1 ORDER BY image_id"
        )
    }
    assert len(set(pictures.values())) == 3
    shown = section(Source(lake))
    assert RANDOM_SHARED in shown.html and RANDOM_SHARED in shown.summary
    with pytest.raises(UneError, match="clip is a view of the shared space .* choose among: dino"):
        plan(lake, edit(), 2, ["clip"])


def test_other_numbers_of_the_shared_space_are_another_edit(lake):
    before = [task.edit.config for task in plan(lake, edit(), 2)[0]]
    lake.shared_space(["sd", "clip"], "other", dim=3, ridge=0.1)
    planted(lake, "other", lake.space("other").latents().z, np.random.default_rng(8))
    after = [task.edit.config for task in plan(lake, edit(shared="other"), 2)[0]]
    assert before[0] == after[0] and not {*before[1:]} & {*after[1:]}


def test_maps_that_have_seen_the_images_that_are_edited_are_refused(lake):
    lake.shared_space(["sd", "clip"], "of-split-1", dim=4, ridge=0.1, split_seed=1)
    with pytest.raises(UneError, match="of-split-1 is by maps that were fitted under split seed 1, not 0"):
        plan(lake, edit(shared="of-split-1"), 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shared": "sd"}, "sd is no shared space of sd; there is .*together; to have it: une shared"),
        ({"method": "pca-logistic", "fit": True}, "together has no pca-logistic probes yet; fit them with"),
        ({"attribute": "Refused"}, "only 3 positives"),
    ],
)
def test_what_cannot_be_carried_back_is_said(lake, settings, message):
    with pytest.raises(UneError, match=message):
        plan(lake, edit(**settings), 2)
