"""Rows of the memorisation study whose truth is known."""

from __future__ import annotations

import numpy as np

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
