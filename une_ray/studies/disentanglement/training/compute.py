"""What a training step costs, counted: floating-point operations of its matrix products and convolutions.

The same on every machine and in every run, unlike seconds: models are compared at equal compute when they
have spent as many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def flops(step: Callable[[], object]) -> int:
    """Operations of one call, forwards, backwards and the backwards of gradients; a multiplication and an
    addition are two."""
    with Counter() as counter:
        step()
    return counter.total


class Counter(TorchDispatchMode):
    """Adds up what torch's own table says of every operator; torch's FlopCounterMode follows modules besides,
    which a gradient of a gradient does not let it."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        cost = flop_registry.get(func._overloadpacket)
        if cost is not None:
            self.total += cost(*args, **(kwargs or {}), out_val=result)
        return result
