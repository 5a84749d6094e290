"""Who copies, and what stops it: dose–response, and every method for memorised and ordinary prompts."""

from __future__ import annotations

from matplotlib.axes import Axes

from une_ray.lake.session import QUERIES
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table

NOTE = (
    "Pictures of titles that were trained on many times over, and of ordinary captions. A copy is as similar to its training picture as a slightly "
    "changed picture is to itself. A title is memorised where most of its plain pictures are copies; a mitigation should move its similarity to the "
    "left and leave the alignment of ordinary prompts, as a model sees it that the generator never saw, where it was. Lines: 95 % intervals over prompts."
)
METHODS = """SELECT "group", method, settings, prompts, similarity, "±", copies, similarity_unmitigated, alignment, "± alignment", diversity, seconds
    FROM methods ORDER BY list_position(['memorised', 'titled', 'ordinary'], "group"), similarity DESC"""
HEADER = ["prompts", "method", "settings", "n", "similarity", "±", "copies", "to unmitigated", "alignment", "±", "diversity", "s/picture"]
DOSES = "SELECT dose, avg(copies), sum(prompts) FROM dose_response WHERE kind <> 'trained' GROUP BY dose ORDER BY dose"
DETECTORS = 'SELECT detector, auc, "±", tpr_at_1_percent_fpr, memorised, others FROM detectors'


def section(source: Source) -> Section | None:
    if not source.rows("SELECT 1 FROM memorization WHERE kind <> 'given' LIMIT 1"):
        return None
    for statement in source.sql.extract_statements((QUERIES / "memorization.sql").read_text()):
        source.sql.execute(statement.query)
    methods, doses, detectors = (source.rows(query) for query in (METHODS, DOSES, DETECTORS))
    picture = svg(lambda axes: draw(axes, doses, methods), panels=2, width=4.3, height=1.6 + 0.22 * len({row[1] for row in methods}))
    figures = table(HEADER, [tuple("–" if value is None else value for value in row) for row in methods], numeric=3)
    found = table(["detector", "AUC", "±", "TPR at 1 % FPR", "memorised", "others"], detectors)
    return Section("Memorisation", NOTE, picture + figures + "<h3>detectors</h3>" + found)


def draw(axes: list[Axes], doses: list[tuple], methods: list[tuple]) -> None:
    """Share of copies by dose; similarity of every method's pictures to the training picture, memorised and ordinary prompts."""
    axes[0].plot([str(dose) for dose, *_ in doses], [100 * copies for _, copies, _ in doses], "o-")
    axes[0].set(xlabel="times in the training set", ylabel="% of plain pictures that are copies", ylim=(-3, 103))
    names = list(dict.fromkeys(row[1] for row in methods))
    for group, marker in (("memorised", "o"), ("ordinary", "s")):
        rows = [row for row in methods if row[0] == group]
        heights = [names.index(row[1]) for row in rows]
        axes[1].errorbar([row[4] for row in rows], heights, xerr=[row[5] or 0 for row in rows], fmt=marker, label=group, capsize=2)
    axes[1].set_yticks(range(len(names)), names)
    axes[1].invert_yaxis()
    axes[1].set(xlabel="similarity to the training picture")
    axes[1].legend(fontsize=8)
