"""Networks through torch.compile: for batches of one size, checked against the networks as they are, and
kept on disk for the next process."""

from __future__ import annotations

import os
import socket
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from une_ray.errors import UneError, reason

MODES = ("default", "reduce-overhead", "max-autotune")
"""As torch.compile has them: the second replays CUDA graphs, the third also tries kernels out."""

# Of a row's norm. Compiled float32 networks stay below 1e-6 of it on a CPU; a GPU's own number types are
# coarser, and another kernel's sums are rounded elsewhere.
TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
CACHE = "TORCHINDUCTOR_CACHE_DIR"
GRAPHS = 256  # of one piece of code, which all models of a kind share: torch's eight are a crew's


class Compiled:
    """A function of a batch x (b, …), and of whatever else, whose networks torch.compile has.

    For batches of `size`: a smaller one is filled up with its last row, so that nothing is compiled twice and
    CUDA graphs are replayed; of a larger one `size` rows at a time. The first call goes through the networks
    as they are too, and a row that comes out further away than rounding is refused. All of it is done by one
    thread, as graphs belong to the thread that recorded them.
    """

    def __init__(self, function: Callable[..., Any], size: int, dtype: str, name: str) -> None:
        self.function, self.size, self.dtype, self.name = function, size, dtype, name
        self.thread = ThreadPoolExecutor(1, "compiled", initializer=_begin)
        self.is_checked = False

    def compile(self, x: Any, *others: Any) -> None:
        """Now, for rows like `x` (b, …), whose numbers do not matter. Raises UneError where torch.compile
        fails."""
        self.thread.submit(self._compile, self._filled(x), *others).result()

    def __call__(self, x: Any, *others: Any) -> Any:
        """What the function gives (b, …). Raises UneError where torch.compile fails, or gives other
        numbers."""
        import torch

        if len(x) > self.size:
            return torch.cat([self(part, *others) for part in x.split(self.size)])
        return self.thread.submit(self._call, self._filled(x), *others).result()[: len(x)]

    def _filled(self, x: Any) -> Any:
        """Always of one layout in memory, too: another would be compiled anew."""
        import torch

        from une_ray.models.loading import memory_format

        layout = memory_format(x.device) if x.dim() == 4 else torch.contiguous_format
        filled = torch.empty((self.size, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=layout)
        filled[: len(x)] = x
        filled[len(x) :] = x[-1:]
        return filled

    def _call(self, x: Any, *others: Any) -> Any:
        import torch

        with torch.no_grad():
            if not self.is_checked:
                self._check(x, *others)
            torch.compiler.cudagraph_mark_step_begin()
            return self.function(x, *others).clone()  # the next replay of a graph writes where it wrote

    def _compile(self, x: Any, *others: Any) -> Any:
        import torch

        try:
            with torch.no_grad():
                return self.function(x, *others)
        except Exception as error:  # of a compiler, a driver or a kernel: there are dozens
            why = reason(getattr(error, "inner_exception", error))  # the backend's, under torch's own
            raise UneError(f"{self.name}: torch.compile failed, {why}; go without --compile") from error

    def _check(self, x: Any, *others: Any) -> None:
        import torch

        with torch.compiler.set_stance("force_eager"):
            expected = self.function(x, *others)
        found = self._compile(x, *others)
        if not isinstance(expected, torch.Tensor) or not isinstance(found, torch.Tensor):
            raise UneError(f"{self.name}: its network gives a {type(found).__name__}; go without --compile")
        expected, found = (rows.double().flatten(1) for rows in (expected, found))
        finite = expected.isfinite()
        norms = expected.where(finite, 0).norm(dim=1)
        apart = (found - expected).where(finite, 0).norm(dim=1)
        apart = apart / norms.clamp_min(max(float(norms.max()) * 1e-3, 1e-6))
        same = (found == expected) | (found.isnan() & expected.isnan())
        odd = not torch.equal(finite, found.isfinite()) or not same[~finite].all()
        if odd or not bool((apart <= TOLERANCES[self.dtype]).all()):
            raise UneError(
                f"{self.name}: compiled, the network gives rows that are {apart.max():.1%} of their norm away"
                f" from its own, or others that are not finite; {TOLERANCES[self.dtype]:.1%} are rounding in"
                f" {self.dtype}. Go without --compile"
            )
        self.is_checked = bool(finite.any())


def _begin() -> None:
    """A thread that compiles: torch keeps by thread what is set here."""
    import torch._dynamo
    from torch._inductor import cudagraph_trees

    if not hasattr(cudagraph_trees, "_initialize_tls"):  # as it was up to torch 2.12, pytorch#123177: graphs
        # are recorded in the thread that imports this module, and in no other without these.
        cudagraph_trees.local.tree_manager_containers = {}
        cudagraph_trees.local.tree_manager_locks = defaultdict(threading.Lock)
    torch._dynamo.config.recompile_limit = GRAPHS
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # or it goes on as it is, without a word


def keep_what_is_compiled() -> None:
    """Have inductor keep its kernels in the user's cache, unless TORCHINDUCTOR_CACHE_DIR says where: its own
    place is the machine's temporary folder. By host, as a home may be many nodes', which compile at once.

    To be called before anything imports torch's compiler, which says where itself.
    """
    if CACHE in os.environ:
        return
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
        caches = caches if caches.is_absolute() else Path.home() / ".cache"
        folder = caches / "une_ray" / "inductor" / socket.gethostname()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a read-only home, or none
        return
    if os.access(folder, os.W_OK):
        os.environ[CACHE] = str(folder)
