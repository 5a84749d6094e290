"""Columns of the tables of prompts: `seeds`, which une build writes, and what `une prompts` finds."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import FLAG, REAL, TEXT, TIME, WHOLE, Table

STAMP = [("config", TEXT), ("space_fingerprint", TEXT)]
ANSWER = [*STAMP, ("computed", TIME)]

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
# `even` and `odd` are those of half the seeds, `truth` what is known of the prompt and `truth_of` by whom.
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
            ("truth_of", TEXT),
            *ANSWER,
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
            *ANSWER,
        ]
    ),
)

# How near a prompt's direction is to a descriptor's, with its 95 % interval over seeds. `is_default`: the
# nearest of those that describe one thing, `support` how often it is that under resampled seeds, `random`
# what the nearest of them reaches for 95 in 100 random directions, `truth` the share known.
DEFAULTS = Table(
    "prompt_defaults",
    pa.schema(
        [
            ("space", TEXT),
            ("neutral", TEXT),
            ("prompt", TEXT),
            ("describes", TEXT),
            ("descriptor", TEXT),
            ("cosine", REAL),
            ("low", REAL),
            ("high", REAL),
            ("is_default", FLAG),
            ("support", REAL),
            ("random", REAL),
            ("truth", REAL),
            *ANSWER,
        ]
    ),
)

# How defaults of one space agree with the truth; une_ray.geometry.prompt_likeness.DefaultsAgreement says what
# the numbers are.
DEFAULT_AGREEMENTS = Table(
    "prompt_default_agreements",
    pa.schema(
        [
            ("space", TEXT),
            ("neutral", TEXT),
            ("truth", TEXT),
            ("prompts", WHOLE),
            ("seeds", WHOLE),
            ("accuracy", REAL),
            ("low", REAL),
            ("high", REAL),
            ("majority", REAL),
            ("p", REAL),
            ("rho", REAL),
            ("rho_low", REAL),
            ("rho_high", REAL),
            *ANSWER,
        ]
    ),
)

CLUSTERED = [("space", TEXT), ("neutral", TEXT), ("categories", TEXT)]

# A prompt's known category, its cluster, and its place on a map.
CLUSTERS = Table(
    "prompt_clusters",
    pa.schema(
        [
            *CLUSTERED,
            ("prompt", TEXT),
            ("category", TEXT),
            ("cluster", WHOLE),
            ("x", REAL),
            ("y", REAL),
            *ANSWER,
        ]
    ),
)

# How clusters agree with categories, by NMI and by ARI: the value, what 95 in 100 random halves of the seeds
# give (`low` to `high`), what 95 in 100 shuffled categories stay below, and the share that reaches it.
# `halves` is the ARI of the clusters by even and by odd seeds; `trust` that of the map, beside two principal
# components.
CLUSTER_SCORES = Table(
    "prompt_cluster_scores",
    pa.schema(
        [
            *CLUSTERED,
            ("measure", TEXT),
            ("value", REAL),
            ("low", REAL),
            ("high", REAL),
            ("shuffled", REAL),
            ("p", REAL),
            ("prompts", WHOLE),
            ("clusters", WHOLE),
            ("seeds", WHOLE),
            ("halves", REAL),
            ("trust", REAL),
            ("trust_of_components", REAL),
            *ANSWER,
        ]
    ),
)

# Phrases of captions by the correlation of their presence with the projection on a direction `w`, which the
# SQL `direction` gave; `shuffled` and `random` are what the strongest phrase of 95 in 100 shuffled captions
# and random directions reaches. `split` is whose captions were read, "all" among them. `captions` is the
# space that had them: `space` itself, or one of texts, that the stored `map` of `source` led into `space`.
EXPLANATIONS = Table(
    "prompt_explanations",
    pa.schema(
        [
            ("space", TEXT),
            ("direction", TEXT),
            ("w", pa.list_(pa.float32())),
            ("split", TEXT),
            ("captions", TEXT),
            ("map", TEXT),
            ("source", TEXT),
            ("phrase", TEXT),
            ("share", REAL),
            ("correlation", REAL),
            ("shuffled", REAL),
            ("random", REAL),
            ("random_p", REAL),
            ("images", WHOLE),
            *ANSWER,
        ]
    ),
)

# A picture of a prompt, by its generator under one seed, as the judge's encoder sees it: z. Some stay in the
# lake, under the name `picture`.
PICTURES = Table(
    "prompt_pictures",
    pa.schema(
        [
            ("space", TEXT),
            ("weights", TEXT),
            ("judge", TEXT),
            ("judge_fingerprint", TEXT),
            ("steps", WHOLE),
            ("guidance_scale", REAL),
            ("prompt", TEXT),
            ("seed", WHOLE),
            ("z", pa.list_(pa.float32())),
            ("picture", TEXT),
            *STAMP,
        ]
    ),
)

VOTED = [
    ("space", TEXT),
    ("judge", TEXT),
    ("pole_first", TEXT),
    ("pole_second", TEXT),
    ("steps", WHOLE),
    ("guidance_scale", REAL),
]

# The share of a prompt's pictures that a judge gives to the first of two poles, with its exact 95 % interval
# over seeds; `truth` what is known of the prompt.
VOTES = Table(
    "prompt_votes",
    pa.schema(
        [
            *VOTED,
            ("prompt", TEXT),
            ("pictures", WHOLE),
            ("vote", REAL),
            ("low", REAL),
            ("high", REAL),
            ("truth", REAL),
            *ANSWER,
        ]
    ),
)

# How votes rank prompts beside the truth, as `prompt_agreements` says it of biases; `difference` is the mean
# absolute difference of votes and shares.
VOTE_AGREEMENTS = Table(
    "prompt_vote_agreements",
    pa.schema(
        [
            *VOTED,
            ("truth", TEXT),
            ("prompts", WHOLE),
            ("pictures", WHOLE),
            ("rho", REAL),
            ("low", REAL),
            ("high", REAL),
            ("p", REAL),
            ("halves", REAL),
            ("difference", REAL),
            *ANSWER,
        ]
    ),
)

# How one reading, the bias or the share that is drawn, of a prompt follows the share that was planted in
# each of `spaces`; `mean_slope` is that of all prompts, with its 95 % interval over the `unit`, prompts or
# generators, the share `p` of shuffled doses that reach it, and what prompts without a dose reach.
DOSES = Table(
    "prompt_doses",
    pa.schema(
        [
            ("neutral", TEXT),
            ("pole_first", TEXT),
            ("pole_second", TEXT),
            ("reading", TEXT),
            ("spaces", pa.list_(TEXT)),
            ("prompt", TEXT),
            ("doses", pa.list_(REAL)),
            ("responses", pa.list_(REAL)),
            ("slope", REAL),
            ("mean_slope", REAL),
            ("low", REAL),
            ("high", REAL),
            ("p", REAL),
            ("undosed", REAL),
            ("unit", TEXT),
            ("config", TEXT),
        ]
    ),
)

TABLES = (
    SEEDS,
    BIASES,
    AGREEMENTS,
    DEFAULTS,
    DEFAULT_AGREEMENTS,
    CLUSTERS,
    CLUSTER_SCORES,
    EXPLANATIONS,
    DOSES,
    PICTURES,
    VOTES,
    VOTE_AGREEMENTS,
)
