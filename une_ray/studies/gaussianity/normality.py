"""What `une gaussianity` measured: shares of tests that accept normality, in every space and in its
controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import NOTHING, counted, table
from une_ray.report.theme import Colour
from une_ray.studies.gaussianity.labels import LAGS, TESTS, UNITS

SHARES = ["space", "data", *UNITS.values(), "rejected of each", "tests of each"]
WHOLE = [
    "space",
    "data",
    "p of whitened norms",
    "of components",
    "p of ‖z‖²",
    "mean ‖z‖²/dim",
    "neighbours →, ↓, ↘",
]
NOTE = (
    "Percent of tests with p > .05 by Anderson–Darling / D'Agostino–Pearson / Shapiro–Wilk, where 95 are due."
    " Random directions, the paper's test, accept almost anything of many dimensions; coordinates and"
    " principal components average nothing away. Of each Anderson–Darling rejects a share with 5 % false"
    " discoveries (Benjamini–Hochberg). The second table: norms after whitening against those"
    " of as many Gaussian rows, whitened alike (≤: an upper bound, by an earlier une_ray); and, of spaces of"
    " maps, ‖z‖² against χ² and the median correlation of neighbouring pixels in standard deviations of white"
    " noise. The controls, N(0, I) and two far modes, have the space's size and go the same way."
    " Of copies of a picture and of a group's images one is tested."
)

# Of several runs over a space the one with the most tests, those that left out no copies after all others.
SHOWN = """gaussianity SEMI JOIN (
        SELECT space, config FROM gaussianity GROUP BY space, config
        QUALIFY row_number() OVER (
            PARTITION BY space ORDER BY coalesce(max(left_out), 0) = 0, sum(tests * rows) DESC, config) = 1)
        USING (space, config)"""
LEFT_OUT = f"SELECT space, any_value(left_out) FROM {SHOWN} WHERE left_out > 0 GROUP BY space ORDER BY space"
ROWS = f"""
    SELECT space, coalesce(control, 'space') AS data, unit, test,
        tests, statistic, accepted, rejected_fdr, smallest_p, components
    FROM {SHOWN}
    WHERE tests > 0 ORDER BY space, list_position(['space', 'normal', 'bimodal'], data)"""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What one test of one unit came to: how many tests, their median statistic, the shares accepted and
    rejected, the smallest p; of whitened norms how many components they are of, None where that is not known.
    """

    tests: int
    statistic: float
    accepted: float
    rejected_fdr: float
    smallest_p: float
    components: int | None


Tests = dict[tuple[str, str], Tested]
"""(unit, test) → what it came to."""

TestsOfData = dict[tuple[str, str], Tests]
"""(space, data) → its tests; `data` is 'space' for the space itself, else the kind of data in its place."""


def section(source: Source) -> Section | None:
    tests_of: TestsOfData = {}
    for space, data, unit, test, tests, statistic, accepted, rejected, smallest, components in source.rows(
        ROWS
    ):
        tests_of.setdefault((space, data), {})[unit, test] = Tested(
            tests=tests,
            statistic=statistic,
            accepted=accepted,
            rejected_fdr=rejected,
            smallest_p=smallest,
            components=components,
        )
    if not tests_of:
        return None
    height = 1.6 + 0.3 * len({space for space, _ in tests_of})
    plot = svg(lambda axes: draw(axes[0], tests_of), width=7, height=height)
    shares = table(SHARES, [(*of, *_shares(tests)) for of, tests in tests_of.items()], numeric=2)
    whole = table(WHOLE, [(*of, *_whole(tests)) for of, tests in tests_of.items()], numeric=2)
    left_out = [f" {count:,} latents of {space} are left out." for space, count in source.rows(LEFT_OUT)]
    return Section(
        "Gaussianity",
        NOTE + "".join(left_out),
        f"{plot}{shares}<h3>whole latents</h3>{whole}",
        summary(tests_of),
    )


def summary(tests_of: TestsOfData) -> str:
    """Which share of directions and of coordinates is accepted as normal, beside both controls."""
    spaces = sum(data == "space" for _, data in tests_of)
    parts = []
    for unit in ("direction", "coordinate"):
        own, normal, bimodal = (_span(tests_of, data, unit) for data in ("space", "normal", "bimodal"))
        if own:
            controls = f"N(0, I) {normal or NOTHING}, two far modes {bimodal or NOTHING}"
            parts.append(f"{own} of {UNITS[unit]} ({controls})")
    if not parts:
        return ""
    accepted = " and ".join(parts)
    return f"In {counted(spaces, 'space')} Anderson–Darling accepts as normal {accepted}; 95 % are due."


def _span(tests_of: TestsOfData, data: str, unit: str) -> str:
    """`92.1–95.0 %`: what Anderson–Darling accepts, from the least to the most of spaces; nothing where it
    was not tested."""
    accepted = [
        100 * tests[unit, TESTS[0]].accepted
        for (_, of), tests in tests_of.items()
        if of == data and (unit, TESTS[0]) in tests
    ]
    if not accepted:
        return ""
    low, high = f"{min(accepted):.1f}", f"{max(accepted):.1f}"
    return f"{low} %" if low == high else f"{low}–{high} %"


def draw(axis: Axes, tests_of: TestsOfData) -> None:
    """Anderson–Darling acceptance: a line per space, a mark per unit, the controls' means below, 95 % as a
    rule."""
    lines = {space: [tests] for (space, data), tests in tests_of.items() if data == "space"}
    lines |= {
        f"control: {data}": [tests for (_, of), tests in tests_of.items() if of == data]
        for data in ("normal", "bimodal")
    }
    axis.axvline(95, color=Colour.RULE, linewidth=1)
    for unit, marker in zip(UNITS, "osD"):
        accepted = [
            [tests[unit, TESTS[0]].accepted for tests in of_line if (unit, TESTS[0]) in tests]
            for of_line in lines.values()
        ]
        places = [height for height, shares in enumerate(accepted) if shares]
        means = [100 * sum(shares) / len(shares) for shares in accepted if shares]
        axis.plot(means, places, marker, markersize=6, alpha=0.8, label=UNITS[unit])
    axis.set_yticks(range(len(lines)), list(lines))
    axis.invert_yaxis()
    axis.grid(axis="y", color=Colour.LINE, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.set(xlim=(-2, 102), xlabel="% accepted by Anderson–Darling at 5 %")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


def _shares(tests: Tests) -> list[str]:
    """Acceptance per unit by all three tests, and what the first of them rejects of every unit, of how many
    tests."""
    accepted = [_joined(tests, [(unit, test) for test in TESTS], "accepted", "{:.1%}") for unit in UNITS]
    first = [(unit, TESTS[0]) for unit in UNITS]
    return [
        *accepted,
        _joined(tests, first, "rejected_fdr", "{:.1%}"),
        _joined(tests, first, "tests", "{:,}"),
    ]


def _whole(tests: Tests) -> list[str]:
    """What is tested of whole latents; – where the space has no such test."""
    whitened = tests.get(("mahalanobis", "kolmogorov_smirnov"))
    is_bound = whitened is not None and whitened.components is None
    return [
        _joined(tests, [("mahalanobis", "kolmogorov_smirnov")], "smallest_p", "≤ " * is_bound + "{:.2g}"),
        f"{whitened.components:,}" if whitened and whitened.components else NOTHING,
        _joined(tests, [("norm", "kolmogorov_smirnov")], "smallest_p", "{:.2g}"),
        _joined(tests, [("norm", "mean_square")], "statistic", "{:.3f}"),
        _joined(tests, [("map", lag) for lag in LAGS], "statistic", "{:+.1f}"),
    ]


def _joined(tests: Tests, keys: Sequence[tuple[str, str]], name: str, form: str) -> str:
    figures = [form.format(getattr(tests[key], name)) for key in keys if key in tests]
    return " / ".join(figures).replace("%", "") or NOTHING
