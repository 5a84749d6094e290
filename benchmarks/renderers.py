"""Pictures of known factors a second on one core, drawn beside decoded: what it would cost to read them.

    python benchmarks/renderers.py

The first row of each corpus has what is kept of it (3DShapes' 480 scenes) still to make. Processor seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from une_ray.corpora import open_corpus
from une_ray.corpora.factored import Factored
from une_ray.pictures.decode import decode

PICTURES, SINGLE = 10_000, 1_000


def rate(count: int, work: Callable[[], object]) -> float:
    """Pictures a second."""
    start = time.process_time()
    work()
    return count / (time.process_time() - start)


def main() -> None:
    print("| corpus | first batch | a batch | as PNG, one by one | PNG decoded | a batch beside decoding |")
    print("|---|---|---|---|---|---|")
    for kind in ("dsprites", "shapes3d"):
        corpus = open_corpus(f"{kind}:{PICTURES}")
        assert isinstance(corpus, Factored)
        indices = corpus.indices()
        first = rate(PICTURES, lambda: corpus.pictures(indices))  # noqa: B023 - called at once
        batch = rate(PICTURES, lambda: corpus.pictures(indices))  # noqa: B023
        files = [corpus.read(str(index)) for index in indices[:SINGLE]]
        read = rate(SINGLE, lambda: [corpus.read(str(index)) for index in indices[:SINGLE]])  # noqa: B023
        decoded = rate(SINGLE, lambda: [np.asarray(decode(file)) for file in files])  # noqa: B023
        rates = " | ".join(f"{figure:,.0f}" for figure in (first, batch, read, decoded))
        print(f"| `{kind}` | {rates} | {batch / decoded:.1f}× |")


if __name__ == "__main__":
    main()
