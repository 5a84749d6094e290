"""What `une gaussianity` found: shares of tests that accept normality, in every space and in its controls."""

from __future__ import annotations

from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table

UNITS = {"direction": "directions", "coordinate": "coordinates", "component": "components"}
TESTS = ("anderson_darling", "dagostino_pearson", "shapiro_wilk")
LAGS = ("autocorrelation_0_1", "autocorrelation_1_0", "autocorrelation_1_1")
SHARES = ["space", "data", *UNITS.values(), "rejected of each"]
WHOLE = ["space", "data", "p of whitened norms", "p of ‖z‖²", "mean ‖z‖²/dim", "neighbours →, ↓, ↘"]

# Of several runs over a space, the one with the most tests.
ROWS = """
    SELECT space, coalesce(control, 'space') AS data, unit, test, statistic, accepted, rejected_fdr, smallest_p
    FROM gaussianity SEMI JOIN (
        SELECT space, config FROM gaussianity GROUP BY space, config
        QUALIFY row_number() OVER (PARTITION BY space ORDER BY sum(tests * rows) DESC, config) = 1) USING (space, config)
    WHERE tests > 0 ORDER BY space, list_position(['space', 'normal', 'bimodal'], data)"""

Found = dict[tuple[str, str], dict[tuple[str, str], dict]]
"""(space, data) → (unit, test) → the test's row."""


def section(source: Source) -> Section | None:
    names = ("statistic", "accepted", "rejected_fdr", "smallest_p")
    found: Found = {}
    for space, data, unit, test, *values in source.rows(ROWS):
        found.setdefault((space, data), {})[unit, test] = dict(zip(names, values))
    if not found:
        return None
    note = (
        "Percent of tests with p > .05 by Anderson–Darling / D'Agostino–Pearson / Shapiro–Wilk, where 95 are due. Random directions, the paper's "
        "test, accept almost anything of many dimensions; coordinates and principal components average nothing away. The last column is what "
        "Anderson–Darling rejects of each with 5 % false discoveries (Benjamini–Hochberg). The second table: norms after whitening against their "
        "exact law; and, of spaces of maps, ‖z‖² against χ² and the median correlation of neighbouring pixels in standard deviations of white noise. "
        "The controls, N(0, I) and two far modes, have the space's size and go the same way."
    )
    height = 1.6 + 0.3 * len({space for space, _ in found})
    plot = svg(lambda axes: draw(axes[0], found), width=7, height=height)
    shares = [(*of, *_shares(tests)) for of, tests in found.items()]
    whole = [(*of, *_whole(tests)) for of, tests in found.items()]
    return Section(
        "Gaussianity",
        note,
        plot + table(SHARES, shares, numeric=2) + "<h3>whole latents</h3>" + table(WHOLE, whole, numeric=2),
    )


def draw(axes: Axes, found: Found) -> None:
    """Anderson–Darling acceptance: a line per space, a mark per unit, the controls' means below, 95 % as a rule."""
    lines = {space: [found[space, "space"]] for space, data in found if data == "space"}
    lines |= {
        f"control: {data}": [tests for (_, of), tests in found.items() if of == data]
        for data in ("normal", "bimodal")
    }
    axes.axvline(95, color="#8a8f98", linewidth=1)
    for unit, marker in zip(UNITS, "osD"):
        accepted = [
            [one[unit, TESTS[0]]["accepted"] for one in tests if (unit, TESTS[0]) in one]
            for tests in lines.values()
        ]
        points = [
            (100 * sum(shares) / len(shares), height) for height, shares in enumerate(accepted) if shares
        ]
        axes.plot(*zip(*points), marker, markersize=6, alpha=0.8, label=UNITS[unit])
    axes.set_yticks(range(len(lines)), list(lines))
    axes.invert_yaxis()
    axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set(xlim=(-2, 102), xlabel="% accepted by Anderson–Darling at 5 %")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


def _shares(tests: dict[tuple[str, str], dict]) -> list[str]:
    """Acceptance per unit by all three tests, and what the first of them rejects of every unit."""
    accepted = [_joined(tests, [(unit, test) for test in TESTS], "accepted", "{:.1%}") for unit in UNITS]
    return [*accepted, _joined(tests, [(unit, TESTS[0]) for unit in UNITS], "rejected_fdr", "{:.1%}")]


def _whole(tests: dict[tuple[str, str], dict]) -> list[str]:
    """What is tested of whole latents; – where the space has no such test."""
    return [
        _joined(tests, [("mahalanobis", "kolmogorov_smirnov")], "smallest_p", "{:.2g}"),
        _joined(tests, [("norm", "kolmogorov_smirnov")], "smallest_p", "{:.2g}"),
        _joined(tests, [("norm", "mean_square")], "statistic", "{:.3f}"),
        _joined(tests, [("map", lag) for lag in LAGS], "statistic", "{:+.1f}"),
    ]


def _joined(tests: dict[tuple[str, str], dict], keys: list[tuple[str, str]], value: str, form: str) -> str:
    return " / ".join(form.format(tests[key][value]) for key in keys if key in tests).replace("%", "") or "–"
