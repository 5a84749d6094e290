"""Networks through torch.compile: for batches of one size, checked against the networks as they are, and
kept on disk for the next process."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from une_ray.errors import UneError, reason

MODES = ("default", "reduce-overhead", "max-autotune")
"""As torch.compile has them: the second replays CUDA graphs, the third also tries kernels out."""

# Of the root mean square of what the network itself gives. Compiled float32 networks stay below 1e-6 of it on
# a CPU; a GPU's own number types are coarser, and another kernel's sums are rounded elsewhere.
TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
CACHE = "TORCHINDUCTOR_CACHE_DIR"


class Compiled:
    """A function of a batch x (b, …), and of whatever else, whose networks torch.compile has.

    For batches of `size`: a smaller one is filled up with its last row, so that nothing is compiled twice and
    CUDA graphs are replayed; of a larger one `size` rows at a time. The first batch goes through the networks
    as they are too, and what comes out further apart than rounding is refused. All of it is done by one
    thread, as graphs belong to the thread that recorded them.
    """

    def __init__(self, function: Callable[..., Any], size: int, dtype: str, name: str) -> None:
        self.function, self.size, self.dtype, self.name = function, size, dtype, name
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="compiled")
        self.is_checked = False

    def __call__(self, x: Any, *others: Any) -> Any:
        """What the function gives (b, …). Raises UneError where torch.compile fails, or gives other
        numbers."""
        import torch

        if len(x) > self.size:
            return torch.cat([self(part, *others) for part in x.split(self.size)])
        filled = x if len(x) == self.size else torch.cat([x, x[-1:].expand(self.size - len(x), *x.shape[1:])])
        return self.thread.submit(self._call, filled, *others).result()[: len(x)]

    def _call(self, x: Any, *others: Any) -> Any:
        import torch

        with torch.no_grad():
            if not self.is_checked:
                self._check(x, *others)
            torch.compiler.cudagraph_mark_step_begin()
            return self.function(x, *others).clone()  # the next replay of a graph writes where it wrote

    def _check(self, x: Any, *others: Any) -> None:
        import torch

        with torch.compiler.set_stance("force_eager"):
            expected = self.function(x, *others).double()
        try:
            found = self.function(x, *others).double()
        except Exception as error:  # of a compiler, a driver or a kernel: there are dozens
            why = reason(getattr(error, "inner_exception", error))  # the backend's, under torch's own
            raise UneError(f"{self.name}: torch.compile failed, {why}; go without --compile") from error
        same = expected.isfinite() & found.isfinite()
        scale = expected[same].square().mean().sqrt()
        apart = (found - expected)[same].square().mean().sqrt() / scale
        if not torch.equal(expected.isfinite(), found.isfinite()) or apart > TOLERANCES[self.dtype]:
            raise UneError(
                f"{self.name}: compiled, the network gives numbers that are {apart:.1%} of their size away"
                f" from its own, or others that are not finite; {TOLERANCES[self.dtype]:.1%} are rounding in"
                f" {self.dtype}. Go without --compile"
            )
        self.is_checked = True


def keep_what_is_compiled() -> None:
    """Have inductor keep its kernels in the user's cache, unless TORCHINDUCTOR_CACHE_DIR says where: its own
    place is the machine's temporary folder. By host, as a home may be many nodes', which compile at once."""
    if CACHE in os.environ:
        return
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "une_ray" / "inductor"
    folder /= socket.gethostname()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a read-only home, or none
        return
    os.environ[CACHE] = str(folder)
