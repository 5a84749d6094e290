"""Is inverted noise Gaussian? Norms against χ, coordinates against normal quantiles."""

from __future__ import annotations

from html import escape

import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.theme import Colour

ROWS, QUANTILES = 2000, 400
NOTE = (
    "Left: ‖z‖ of every image beside the χ density that standard normal noise of this dimension has. Right:"
    " pooled coordinates against normal quantiles; on the line is Gaussian. Draws from N(0, I) of the same"
    " size are shown as the control."
)


def section(source: Source) -> Section | None:
    latents = {space: source.latents(space, ROWS)[1] for space in source.generators}
    parts = [_space(space, z) for space, z in latents.items() if len(z) > 1]
    return Section("Gaussian?", NOTE, "".join(parts)) if parts else None


def _space(space: str, z: np.ndarray) -> str:
    return f"<h3>{escape(space)}</h3>{svg(lambda axes: draw(axes, z), panels=2)}"


def draw(axes: list[Axes], z: np.ndarray) -> None:
    """Norm histogram on the first axis, QQ plot on the second, of z (n, d)."""
    _norms(axes[0], z)
    _quantiles(axes[1], z)


def _norms(axis: Axes, z: np.ndarray) -> None:
    norms, ideal = np.linalg.norm(z, axis=1), stats.chi(z.shape[1])
    low, high = min(norms.min(), ideal.ppf(0.001)), max(norms.max(), ideal.ppf(0.999))
    x = np.linspace(low, high, 300)
    label = f"χ with {z.shape[1]:,} degrees, mean {ideal.mean():.1f}"
    axis.hist(norms, 40, density=True, alpha=0.75, label=f"inverted, mean {norms.mean():.1f}")
    axis.plot(x, ideal.pdf(x), color=Colour.AXIS, label=label)
    axis.set(xlabel="‖z‖", ylabel="density", title="Norm")
    axis.set_ylim(top=axis.get_ylim()[1] * 1.35)
    axis.legend(loc="upper left", fontsize=8)


def _quantiles(axis: Axes, z: np.ndarray) -> None:
    control = np.random.default_rng(0).standard_normal(z.shape, dtype=np.float32)
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    expected = stats.norm.ppf(levels)
    axis.axline((0, 0), slope=1, color=Colour.RULE, linewidth=1)
    axis.plot(expected, np.quantile(z, levels), ".", markersize=3, label=f"inverted, std {z.std():.3f}")
    axis.plot(expected, np.quantile(control, levels), ".", markersize=1.5, label="control N(0, I)")
    axis.set(xlabel="normal quantile", ylabel="quantile of z", title="Pooled coordinates")
    axis.legend(loc="upper left", fontsize=8)
