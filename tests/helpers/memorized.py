"""Rows of the memorisation study whose truth is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from une_ray.studies.memorization.columns import TABLE

DRAW = np.random.default_rng(0)
DOSES = {"memorised": 1000, "titled": 10, "ordinary": 0}
PROMPTS = {"memorised": 7, "titled": 2, "ordinary": 4}


def made(group: str, prompt: int, method: str, seed: int) -> dict:
    copied = group == "memorised" and method == "none"
    plain = (
        {
            "detectors": [("wen-1", DRAW.normal(copied)), ("perfect", float(copied)), ("blind", 0.0)],
            "attention": [("eot", [0.1, 0.2]), ("pad", [0.9, 0.8])],
        }
        if method == "none"
        else {}
    )
    return plain | {
        "model": "m",
        "weights": "w",
        "method": method,
        "settings": "{}",
        "steps": 2,
        "guidance_scale": 7.5,
        "prompt": f"{group} {prompt}",
        "kind": "held-out" if group == "ordinary" else "duplicated",
        "dose": DOSES[group],
        "seed": seed,
        "is_copy": copied,
        "similarity": 0.9 if copied else 0.3 + 0.1 * prompt,
        "alignment": 0.1 * seed,
        "similarity_unmitigated": 1.0,
        "diversity": 0.5,
    }


METHODS = ("none", "pad-swap")
ROWS = [
    made(g, p, m, s) for g, count in PROMPTS.items() for p in range(count) for m in METHODS for s in range(3)
]
ABLATED = [
    made("memorised", p, method, 0) | {"settings": settings}
    for p in range(7)
    for method, settings in (
        ("ablation-h", '{"by": "removal"}'),
        ("ablation-h", "{}"),
        ("ablation-c", '{"padding": "exclamation"}'),
        ("zero-pads", "{}"),
    )
]


def drawn(
    method: str, kind: str, copied: np.ndarray, *, scores: np.ndarray | None = None, title: str = "title"
) -> pa.Table:
    """Rows of many lakes at once, told apart by `model`: `copied` (lakes, titles, seeds) bool, `scores` of a
    detector of the same shape. Similarity is .9 of copies and .8 of others."""
    lake, prompt, seed = (index.ravel() for index in np.indices(copied.shape))
    columns = {
        "model": [str(of) for of in lake],
        "weights": ["w"] * copied.size,
        "method": [method] * copied.size,
        "settings": ["{}"] * copied.size,
        "steps": [2] * copied.size,
        "guidance_scale": [7.5] * copied.size,
        "prompt": [f"{title} {of} of {model}" for of, model in zip(prompt, lake)],
        "kind": [kind] * copied.size,
        "dose": [1000 if kind == "duplicated" else 0] * copied.size,
        "seed": seed,
        "is_copy": copied.ravel(),
        "similarity": 0.8 + 0.1 * copied.ravel(),
        "detectors": None if scores is None else [[("score", score)] for score in scores.ravel().tolist()],
    }
    return pa.table(
        {
            field.name: pa.nulls(copied.size, field.type)
            if columns.get(field.name) is None
            else pa.array(columns[field.name], field.type)
            for field in TABLE.schema
        }
    )
