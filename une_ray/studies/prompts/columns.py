"""Columns of the tables `seeds`, `prompt_biases`, `prompt_agreements` and `prompt_explanations`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, WHOLE, Table

STAMP = [("config", TEXT), ("space_fingerprint", TEXT)]

# What one seed of a space that is a mean over seeds was, one row per space × prompt × seed: written by
# une build, for intervals over seeds.
SEEDS = Table(
    "seeds",
    pa.schema(
        [("space", TEXT), ("image_id", TEXT), ("seed", WHOLE), ("z", pa.list_(pa.float32())), *STAMP],
    ),
)

ASKED = [("space", TEXT), ("neutral", TEXT), ("pole_first", TEXT), ("pole_second", TEXT)]

# A prompt's bias towards the first of two poles, cos(d, d1) − cos(d, d2), with its 95 % interval over seeds;
# `even` and `odd` are those of half the seeds, `truth` what is known of the prompt.
BIASES = Table(
    "prompt_biases",
    pa.schema(
        [
            *ASKED,
            ("prompt", TEXT),
            ("bias", REAL),
            ("low", REAL),
            ("high", REAL),
            ("even", REAL),
            ("odd", REAL),
            ("truth", REAL),
            *STAMP,
        ]
    ),
)

# How the biases of one space rank prompts beside the truth: ρ, its 95 % interval over prompts, the share of
# shuffled truths that reach it, what random poles reach, and ρ between halves of the seeds.
AGREEMENTS = Table(
    "prompt_agreements",
    pa.schema(
        [
            *ASKED,
            ("truth", TEXT),
            ("prompts", WHOLE),
            ("seeds", WHOLE),
            ("rho", REAL),
            ("low", REAL),
            ("high", REAL),
            ("p", REAL),
            ("random_poles", REAL),
            ("halves", REAL),
            *STAMP,
        ]
    ),
)

# Phrases of captions by the correlation of their presence with the projection on a direction; `shuffled`
# and `random` are what the strongest phrase of 95 in 100 shuffled captions and random directions reaches.
EXPLANATIONS = Table(
    "prompt_explanations",
    pa.schema(
        [
            ("space", TEXT),
            ("direction", TEXT),
            ("phrase", TEXT),
            ("share", REAL),
            ("correlation", REAL),
            ("shuffled", REAL),
            ("random", REAL),
            ("random_p", REAL),
            ("images", WHOLE),
            *STAMP,
        ]
    ),
)

TABLES = (SEEDS, BIASES, AGREEMENTS, EXPLANATIONS)
