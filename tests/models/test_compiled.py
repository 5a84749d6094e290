"""Compiled networks: batches of one size, the numbers of the network itself or a refusal, one thread."""

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

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
    with pytest.raises(UneError, match=r"^a: .* 0\.2% of their norm away .* 0\.1% are rounding in float32\."):
        Compiled(network, 6, "float32", "a")(X)


def compiles_to(change) -> object:
    """A network that gives what it is given, and compiled what `change` makes of it."""
    return torch.compile(lambda x: change(x) if torch.compiler.is_compiling() else x, backend="eager")


NAN, INF = torch.tensor(torch.nan), torch.tensor(torch.inf)


@pytest.mark.parametrize(
    "x, change",
    [
        (X, lambda x: torch.where(x == 3, NAN, x)),
        (torch.where(X == 3, INF, X), lambda x: -x.where(x.isinf(), -x)),
        (torch.full((6, 2), torch.nan), lambda x: x.nan_to_num(torch.inf)),
        (torch.zeros(6, 2), lambda x: x + 5),
        (X + 1, lambda x: torch.cat([x[:5], x[5:] * 1.2])),  # one row of them
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_one_row_or_one_number_is_enough_to_be_refused(x, change, dtype):
    with pytest.raises(UneError, match="not finite"):
        Compiled(compiles_to(change), 6, dtype, "a")(x)


def test_what_has_no_finite_number_checks_nothing():
    network = Compiled(compiles_to(lambda x: x * 2), 6, "float32", "a")
    network(torch.full((6, 2), torch.nan))
    with pytest.raises(UneError, match="100.0% of their norm"):
        network(X + 1)


def test_a_short_batch_and_one_of_another_layout_are_not_compiled_anew():
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    pictures = torch.randn(6, 8, 8, 3).permute(0, 3, 1, 2)  # as `pixels` gives them
    network = Compiled(torch.compile(lambda x: x * 2, backend=backend, dynamic=False), 6, "float32", "a")
    network.compile(pictures[:1])
    for x in (pictures, pictures[:3], pictures[:1], pictures.contiguous(), pictures[:2].contiguous()):
        assert torch.equal(network(x), 2 * x)
    assert len(graphs) == 1


def test_more_models_of_a_kind_than_torch_compiles_by_default_are_compiled():
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    def load(width: int):
        return lambda x: x.repeat(1, width)

    for width in range(1, 13):
        network = torch.compile(load(width), backend=backend, dynamic=False)
        assert torch.equal(Compiled(network, 6, "float32", "a")(X), X.repeat(1, width))
    assert len(graphs) == 12


def test_its_thread_can_record_graphs_also_where_torch_does_not_see_to_it(monkeypatch):
    from torch._inductor import cudagraph_trees as trees

    def container() -> dict:
        return trees.get_obj(trees.local, "tree_manager_containers")

    monkeypatch.delattr(trees, "_initialize_tls")  # as in torch 2.12, with which CUDA graphs failed
    with pytest.raises((AssertionError, NameError)), ThreadPoolExecutor(1) as other:
        other.submit(container).result()
    assert Compiled(torch.sin, 2, "float32", "net").thread.submit(container).result() == {}


def test_a_network_that_gives_no_tensor_is_refused():
    with pytest.raises(UneError, match="^a: its network gives a tuple"):
        Compiled(lambda x: (x, x), 6, "float32", "a")(X)


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


@pytest.mark.parametrize("cache", ["file", ""])
def test_without_a_home_inductor_keeps_its_own_place(tmp_path, monkeypatch, cache):
    def home():
        raise RuntimeError("Could not determine home directory.")

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(compiled.Path, "home", home)
    monkeypatch.setenv("XDG_CACHE_HOME", cache and str(tmp_path / cache))
    monkeypatch.delenv(compiled.CACHE, raising=False)
    keep_what_is_compiled()
    assert compiled.CACHE not in compiled.os.environ


def test_the_cache_is_in_its_place_when_a_worker_has_loaded_its_models(tmp_path):
    """Whatever imports torch's compiler says where inductor keeps its own."""
    code = """if True:
        import os
        from dataclasses import replace
        from une_ray.run.clock import DeviceTurn
        from une_ray.run.stages import ReadSpace
        from une_ray.spaces.space import Space
        plain = Space.parse("mini-dino")
        turn = DeviceTurn()
        readers = [ReadSpace("lake", s, {}, None, turn) for s in (plain, replace(plain, compiled="default"))]
        readers[0].step
        print(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    """
    environment = {key: value for key, value in os.environ.items() if key != compiled.CACHE}
    environment["XDG_CACHE_HOME"] = str(tmp_path)
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(tmp_path / "une_ray" / "inductor" / socket.gethostname())
