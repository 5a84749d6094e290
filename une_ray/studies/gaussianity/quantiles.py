"""Is inverted noise Gaussian? Norms against χ, coordinates against normal quantiles."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source

ROWS, QUANTILES = 2000, 400


def section(source: Source) -> Section | None:
    parts = []
    for name in source.generators:
        _, z = source.latents(name, ROWS)
        if len(z) > 1:
            parts.append(f"<h3>{name}</h3>" + svg(lambda axes, z=z: draw(axes, z), panels=2))
    note = (
        "Left: ‖z‖ of every image beside the χ density that standard normal noise of this dimension has. "
        "Right: pooled coordinates against normal quantiles; on the line is Gaussian. Draws from N(0, I) of the same size are shown as the control."
    )
    return Section("Gaussian?", note, "".join(parts)) if parts else None


def draw(axes: list[Axes], z: np.ndarray) -> None:
    """Norm histogram on the first axis, QQ plot on the second, of z (n, d)."""
    n, d = z.shape
    norms = np.linalg.norm(z, axis=1)
    control = np.random.default_rng(0).standard_normal(z.shape, dtype=np.float32)
    ideal = stats.chi(d)
    low, high = min(norms.min(), ideal.ppf(0.001)), max(norms.max(), ideal.ppf(0.999))
    x = np.linspace(low, high, 300)
    axes[0].hist(norms, 40, density=True, alpha=0.75, label=f"inverted, mean {norms.mean():.1f}")
    axes[0].plot(x, ideal.pdf(x), color="#3b414b", label=f"χ with {d:,} degrees, mean {ideal.mean():.1f}")
    axes[0].set(xlabel="‖z‖", ylabel="density", title="Norm")
    axes[0].set_ylim(top=axes[0].get_ylim()[1] * 1.35)
    axes[0].legend(loc="upper left", fontsize=8)
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    expected = stats.norm.ppf(levels)
    axes[1].axline((0, 0), slope=1, color="#8a8f98", linewidth=1)
    axes[1].plot(expected, np.quantile(z, levels), ".", markersize=3, label=f"inverted, std {z.std():.3f}")
    axes[1].plot(expected, np.quantile(control, levels), ".", markersize=1.5, label="control N(0, I)")
    axes[1].set(xlabel="normal quantile", ylabel="quantile of z", title="Pooled coordinates")
    axes[1].legend(loc="upper left", fontsize=8)
