"""`une spread`."""

from __future__ import annotations

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption


def spread(lake: LakeOption) -> None:
    """Measure how far apart the latents of every space are."""
    import numpy as np

    from une_ray.lake import results
    from une_ray.lake.latents import blocks
    from une_ray.lake.layout import Lake

    opened = Lake(lake)
    for space, fingerprint in opened.fingerprints().items():
        config = {"space": space, "fingerprint": results.config_hash(fingerprint)}
        if not results.is_done(opened, "spreads", config):
            z = np.concatenate(list(blocks(opened, space)))
            results.commit(opened, "spreads", config, [{"space": space, "spread": float(z.std(0).mean())}])
    for space, value in opened.rows("FROM widest"):
        print(f"{space:20} {value:.4f}")


COMMAND = Command("spread", spread, jobs=("spread",))
