"""Compiled networks: batches of one size, the numbers of the network itself or a refusal, one thread."""

import socket
import threading

import pytest
import torch

from une_ray.errors import UneError
from une_ray.models import compiled
from une_ray.models.compiled import Compiled, keep_what_is_compiled

X = torch.arange(12.0).view(6, 2)


class Watched:
    """A function of x and an addend that writes down what it was given, and by whom."""

    def __init__(self) -> None:
        self.sizes, self.threads = [], set()

    def __call__(self, x: torch.Tensor, addend: int) -> torch.Tensor:
        self.sizes.append(len(x))
        self.threads.add(threading.get_ident())
        assert not torch.is_grad_enabled()
        return x + addend


@pytest.mark.parametrize("count, sizes", [(4, [4]), (1, [4]), (3, [4]), (6, [4, 4])])
def test_every_batch_has_the_one_size_and_gives_its_own_rows(count, sizes):
    watched = Watched()
    network = Compiled(watched, 4, "float32", "a")
    assert torch.equal(network(X[:4], 1), X[:4] + 1)  # the first, which is checked
    watched.sizes.clear()
    assert torch.equal(network(X[:count], 2), X[:count] + 2)
    assert watched.sizes == sizes and len(watched.threads) == 1


def test_what_it_gives_is_its_own_and_not_the_networks_memory():
    static = torch.zeros(4, 2)  # as a CUDA graph writes where it wrote
    network = Compiled(lambda x: static.copy_(x), 4, "float32", "a")
    first = network(X[:4])
    network(X[2:6])
    assert torch.equal(first, X[:4])


def test_a_compiled_network_that_gives_other_numbers_is_refused():
    network = torch.compile(lambda x: x * (1.002 if torch.compiler.is_compiling() else 1.0), backend="eager")
    assert torch.allclose(Compiled(network, 6, "float16", "a")(X), X * 1.002)
    with pytest.raises(UneError, match=r"^a: .* 0\.2% of their size away .* 0\.1% are rounding in float32\."):
        Compiled(network, 6, "float32", "a")(X)


def test_numbers_that_only_the_compiled_network_has_not_are_refused():
    def network(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x == 3, torch.nan, x) if torch.compiler.is_compiling() else x

    with pytest.raises(UneError, match="not finite"):
        Compiled(torch.compile(network, backend="eager"), 6, "float32", "a")(X)


def test_a_compiler_that_fails_says_so_and_what_to_do():
    def backend(graph, inputs):
        raise RuntimeError("no compiler on this node")

    network = Compiled(torch.compile(lambda x: x + 1, backend=backend), 6, "float32", "sd/ddim9")
    with pytest.raises(
        UneError, match="^sd/ddim9: torch.compile failed, .*no compiler on this node.*--compile"
    ):
        network(X)


def test_kernels_are_kept_in_the_users_cache_unless_he_says_where(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(compiled.CACHE, "/elsewhere")
    keep_what_is_compiled()
    assert compiled.os.environ[compiled.CACHE] == "/elsewhere"
    monkeypatch.delenv(compiled.CACHE)
    keep_what_is_compiled()
    folder = tmp_path / "une_ray" / "inductor" / socket.gethostname()
    assert compiled.os.environ[compiled.CACHE] == str(folder) and folder.is_dir()


def test_without_a_home_inductor_keeps_its_own_place(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.delenv(compiled.CACHE, raising=False)
    keep_what_is_compiled()
    assert compiled.CACHE not in compiled.os.environ
