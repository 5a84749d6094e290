"""What `une memorization` asks where nothing else is said; read without torch."""

from __future__ import annotations

PLAIN = "none"  # the method that all others are held against
METHODS = ",".join(
    [
        "pad-swap",
        "pad-swap-keeping-eot",
        "zero-pads",
        "zero-pads:by=removal",
        "ren",
        "wen",
        "random-tokens",
        "random-numbers",
        "delayed-guidance",
        "opposite-guidance",
    ]
)
COPY_METRIC = "tiles"

HARD_RATE = 0.05  # of other pictures of the same description, the share that passes for a copy
COPY_CRITERION = f"{HARD_RATE:.0%} of hard negatives"
