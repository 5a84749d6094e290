import pytest
import torch

from une_ray.errors import UneError
from une_ray.studies.memorization.methods.random_numbers import add_random_numbers
from une_ray.studies.memorization.methods.random_tokens import add_random_tokens
from une_ray.studies.memorization.methods.wen import tuned_embeddings
from une_ray.studies.memorization.noise import noise_difference

PROMPT, T = "a smiling woman with long hair", 801


def norms(generator, states, noise):
    return noise_difference(generator, noise, T, states, generator.prompt_states([""])).flatten(1).norm(dim=1)


def test_tuning_lowers_the_norm_it_is_given(generator, rows, noise):
    before = norms(generator, rows.embeddings, noise)
    tuned = tuned_embeddings(generator, rows.embeddings, noise, T, iterations=10, target=0.0)
    assert (norms(generator, tuned, noise)[[0, 2, 3]] < 0.9 * before[[0, 2, 3]]).all()


def test_tuning_leaves_sot_and_its_input_alone(generator, rows, noise):
    start = rows.embeddings.clone()
    tuned = tuned_embeddings(generator, rows.embeddings, noise, T, iterations=2, target=0.0)
    assert torch.equal(rows.embeddings, start) and torch.equal(tuned[:, 0], start[:, 0])
    assert (tuned[0, 1:] != start[0, 1:]).any(1).all()


def test_one_step_of_tuning_is_adamw_by_hand(generator, rows, noise):
    """At its first step Adam moves every element by the learning rate, against the gradient's sign, after the
    decay of .01."""
    states = rows.embeddings[:1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(norms(generator, states, noise[:1]).sum(), [states])
    by_hand = rows.embeddings[:1] * (1 - 0.05 * 0.01) - 0.05 * gradient / (gradient.abs() + 1e-8)
    tuned = tuned_embeddings(generator, rows.embeddings[:1], noise[:1], T, iterations=1, target=0.0)
    assert torch.allclose(tuned[:, 1:], by_hand[:, 1:], atol=1e-4)


def test_an_image_that_reached_the_target_stays_while_others_go_on(generator, rows, noise):
    found = norms(generator, rows.embeddings, noise)
    target = found[[0, 2, 3]].min().item() * 1.001  # one of the three is below, and the empty prompt
    tuned = tuned_embeddings(generator, rows.embeddings, noise, T, iterations=3, target=target)
    moved = (tuned != rows.embeddings).flatten(1).any(1)
    assert torch.equal(moved, found > target) and moved.any() and not moved.all()


def test_tuning_does_not_depend_on_the_batch(generator, rows, noise):
    together = tuned_embeddings(generator, rows.embeddings, noise, T, iterations=3, target=0.0)
    alone = tuned_embeddings(generator, rows.embeddings[:1], noise[:1], T, iterations=3, target=0.0)
    assert (together[:1] - alone).abs().mean() < 1e-3


@pytest.mark.parametrize("count", [1, 4, 8])
def test_random_numbers_are_put_between_the_words(count):
    words = add_random_numbers(PROMPT, count, seed=3).split()
    added = [word for word in words if word.isdigit()]
    assert len(added) == count and all(0 <= int(number) < 100_000 for number in added)
    assert [word for word in words if not word.isdigit()] == PROMPT.split()


def test_random_words_are_one_token_each(pipe):
    plain = len(pipe.tokenizer(PROMPT).input_ids)
    for seed in range(20):
        assert len(pipe.tokenizer(add_random_tokens(PROMPT, pipe.tokenizer, 4, seed)).input_ids) == plain + 4


def test_additions_are_seeded():
    assert add_random_numbers(PROMPT, 2, seed=1) == add_random_numbers(PROMPT, 2, seed=1)
    assert len({add_random_numbers(PROMPT, 2, seed=seed) for seed in range(20)}) == 20


def test_additions_to_an_empty_prompt_and_bad_counts():
    assert add_random_numbers("", 1).isdigit()
    for count in (0, 9):
        with pytest.raises(UneError, match=f"{count} random additions; the paper takes 1 to 8"):
            add_random_numbers(PROMPT, count)
