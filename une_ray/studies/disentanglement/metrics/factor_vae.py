"""The FactorVAE metric. Kim and Mnih: Disentangling by Factorising, arXiv 1802.05983, section 4.

In batches that share the value of one factor, the code that varies least, against its variance over all
rows, votes for that factor; the score is how often the majority of the train votes is right. Batches are
drawn out of the sample, from the rows that share the value.
"""

from __future__ import annotations

import numpy as np

from une_ray.studies.disentanglement.metrics.sample import Partners, sample

BATCH = 64
PRUNE = 0.05  # a code of less standard deviation has collapsed to its prior
AT_A_TIME = 256  # batches


def factor_vae(
    codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False
) -> dict[str, float]:
    """`factor_vae`, and `factor_vae_active`, how many codes have a standard deviation of .05 and more; 0 of
    both where there is none."""
    rows = sample(codes, factors, seed, fast)
    whole = rows.whole
    variances = whole.codes.var(0, ddof=1)
    active = np.nonzero(np.sqrt(variances) >= PRUNE)[0]
    if not len(active):
        return {"factor_vae": 0.0, "factor_vae_active": 0.0}
    scaled = whole.codes[:, active] / np.sqrt(variances[active])
    partners = Partners(whole.factors)
    train, test = (votes(scaled, partners, batches, rows.random) for batches in rows.batches)
    majority = train.argmax(0)
    right = test[majority, np.arange(len(active))].sum()
    return {"factor_vae": float(right / test.sum()), "factor_vae_active": float(len(active))}


def votes(scaled: np.ndarray, partners: Partners, batches: int, random: np.random.Generator) -> np.ndarray:
    """(f, d): how often each code of `scaled` (n, d) varied least where each factor was held."""
    count = np.zeros((partners.factors.shape[1], scaled.shape[1]), np.int64)
    held = random.integers(len(count), size=batches)
    for factor, of_factor in enumerate(np.bincount(held, minlength=len(count))):
        for start in range(0, of_factor, AT_A_TIME):
            first = random.integers(len(scaled), size=(min(AT_A_TIME, of_factor - start), 1))
            batch = scaled[partners.draw(np.repeat(first, BATCH, axis=1), factor, random)]
            np.add.at(count[factor], batch.var(1, ddof=1).argmin(1), 1)
    return count


METRIC = factor_vae
