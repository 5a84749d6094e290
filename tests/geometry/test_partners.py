"""Partners from all over a stream, whatever its order and its batches."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from une_ray.geometry import partners as module
from une_ray.geometry.partners import Partners, every_fifth
from une_ray.geometry.transfer import JointMoments, Ridge

CLASSES = np.repeat(np.arange(20), 100)  # a corpus in the order of its folders


def sorted_spaces(seed: int) -> dict[str, np.ndarray]:
    """Two spaces that have an image's class in common, and nothing else."""
    generator = np.random.default_rng(0)
    centres = {space: 3 * generator.standard_normal((20, 6)) for space in "ab"}
    noise = np.random.default_rng(seed)
    return {
        space: centre[CLASSES] + noise.standard_normal((len(CLASSES), 6)) for space, centre in centres.items()
    }


@pytest.mark.parametrize("most", [8192, 500])
def test_a_shuffled_map_of_a_corpus_in_order_finds_nothing(monkeypatch, most):
    monkeypatch.setattr(module, "MOST", most)
    train, test = sorted_spaces(1), sorted_spaces(2)
    moments = JointMoments({"a": 6, "b": 6})
    chosen = Partners.of(len(CLASSES))
    partners = Partners({space: z[chosen] for space, z in train.items()}, len(CLASSES))
    for start in range(0, len(CLASSES), 64):
        batch = {space: z[start : start + 64] for space, z in train.items()}
        moments.add(batch, partners.next(len(batch["a"])))
    ridge = Ridge(moments, "a")
    assert r2_score(test["b"], ridge.fit("b")(test["a"])) > 0.2
    assert abs(r2_score(test["b"], ridge.fit("b", shuffled=True)(test["a"]))) < 0.03


def test_of_all_images_each_is_a_partner_once_and_never_its_own():
    rows = np.arange(50)[:, None]
    partners = Partners({"a": rows, "b": rows}, 50)
    found = [partners.next(count) for count in (7, 1, 42)]
    a, b = (np.concatenate([batch[space] for batch in found])[:, 0] for space in "ab")
    assert (a == b).all() and sorted(a) == list(range(50)) and not (a == np.arange(50)).any()


@pytest.mark.parametrize("most", [8192, 30])
def test_after_rows_that_are_left_out_partners_are_those_of_one_stream(monkeypatch, most):
    monkeypatch.setattr(module, "MOST", most)
    monkeypatch.setattr(module, "SKIPPED", 7)
    rows = Partners.of(90)[:, None]
    whole = Partners({"a": rows}, 90).next(90)["a"]
    for skipped in (0, 1, 33):
        later = Partners({"a": rows}, 90)
        later.skip(skipped)
        assert (later.next(90 - skipped)["a"] == whole[skipped:]).all()


def test_mixed_rows_are_of_another_image_in_each_space():
    rows = np.arange(200)[:, None]
    partners = Partners({"a": rows, "b": rows}, 200)
    found = [partners.mixed(count) for count in (1, 1, 198)]
    a, b = (np.concatenate([batch[space] for batch in found])[:, 0] for space in "ab")
    assert sorted(a) == sorted(b) == list(range(200)) and np.mean(a == b) < 0.05


def test_of_more_images_than_memory_holds_any_are_drawn(monkeypatch):
    monkeypatch.setattr(module, "MOST", 100)
    chosen = Partners.of(10_000)
    assert len(chosen) == 100 and (np.diff(chosen) > 0).all() and chosen.max() > 5000
    drawn = Partners({"a": chosen[:, None]}, 10_000).next(5000)["a"]
    assert len(np.unique(drawn)) == 100


def test_a_fifth_of_the_groups_is_held_out_with_all_images_of_each():
    assert every_fifth(np.arange(10)[::-1]).tolist() == [n % 5 == 0 for n in range(10)]
    groups = np.random.default_rng(0).integers(0, 50, 500)
    held_out = every_fifth(groups)
    assert not {*groups[held_out]} & {*groups[~held_out]} and len({*groups[held_out]}) == 10
