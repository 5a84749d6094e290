"""Tables of figures in the documentation, made from a lake and from the code, and checked against both.

    python docs/figures.py                            writes the tables that the code alone decides
    python docs/figures.py --lake demo/lake           writes those of a lake as well
    python docs/figures.py --lake demo/lake --check   fails where a page says something else, and shows it

A table stands in a page between `<!-- figures: NAME -->` and `<!-- /figures -->`; nobody edits it by hand.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
from scipy import stats

from une_ray.corpora.help import corpus_markdown
from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES, connect
from une_ray.models.table import MODELS
from une_ray.registry import (
    DETECTORS,
    DISENTANGLERS,
    MITIGATIONS,
    MODEL_KINDS,
    SPACE_KINDS,
    Registry,
)
from une_ray.settings import settings_of

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n)(.*?)(<!-- /figures -->)", re.DOTALL)
NOTHING = "–"

SPACES = """
    WITH per_split AS (
        SELECT space, split_seed, avg(auc) AS auc, avg(accuracy) AS accuracy, avg(majority) AS majority,
            avg(test / train) AS ratio
        FROM best_probes WHERE method = 'ridge' AND status = 'ok' GROUP BY ALL),
    probed AS (
        SELECT space, avg(auc) AS auc, split_margin(stddev_samp(auc), count(auc), avg(ratio)) AS margin,
            avg(accuracy) AS accuracy, avg(majority) AS majority
        FROM per_split GROUP BY space),
    tested AS (
        SELECT space, max(accepted) FILTER (unit = 'direction') AS directions,
            max(accepted) FILTER (unit = 'coordinate') AS coordinates
        FROM gaussianity WHERE control IS NULL AND test = 'anderson_darling' GROUP BY space),
    mapped AS (
        SELECT source AS space, avg(centred_cosine) AS cosine, 100 * avg(accuracy_native - accuracy) AS lost
        FROM transfers WHERE map = 'ridge' AND attribute IS NULL AND target = 'mini-clip-a' GROUP BY source)
    SELECT space, role, auc, margin, accuracy, majority, directions, coordinates, cosine, lost
    FROM spaces LEFT JOIN probed USING (space) LEFT JOIN tested USING (space) LEFT JOIN mapped USING (space)
    ORDER BY role = 'control', space"""

# Paired: the same attributes on the same splits in both spaces.
COMPARISONS = """
    WITH both_probed AS (
        SELECT m.space, c.space AS control, split_seed, avg(m.auc - c.auc) AS difference,
            avg(m.test / m.train) AS ratio
        FROM best_probes m JOIN best_probes c USING (attribute, split_seed)
        JOIN spaces ms ON ms.space = m.space JOIN spaces cs ON cs.space = c.space
        WHERE m.method = 'ridge' AND c.method = 'ridge' AND m.status = 'ok' AND c.status = 'ok'
            AND ms.role = 'model' AND ms.method = 'ddim-inversion' AND cs.role = 'control'
        GROUP BY ALL)
    SELECT space, control, avg(difference),
        split_margin(stddev_samp(difference), count(difference), avg(ratio))
    FROM both_probed GROUP BY space, control ORDER BY space, control"""

MITIGATIONS_MEASURED = """
    WITH plain AS (FROM methods WHERE method = 'none'),
    cost AS (FROM method_changes WHERE "group" = 'ordinary')
    SELECT m.method, m.settings, m.prompts, m.copies, m.copies_from, m.copies_to, m.similarity, m."±",
        c.alignment, c."± alignment", c.distance_to_real, c."± distance"
    FROM methods m LEFT JOIN cost c USING (model, steps, guidance_scale, method, settings)
    WHERE m."group" = 'memorised' AND m.method NOT LIKE 'ablation%'
    QUALIFY m.steps = max(m.steps) OVER () ORDER BY m.method <> 'none', m.copies, m.method"""

ABLATIONS_MEASURED = """
    SELECT ablation, padding, coalesce(how, '–'), prompts, copies, copies_from, copies_to, similarity, "±"
    FROM ablations QUALIFY steps = max(steps) OVER ()"""

FACTS = """
    SELECT (SELECT count(*) FROM images WHERE status = 'ok'), (SELECT count(DISTINCT attribute) FROM probes),
        (SELECT count(DISTINCT split_seed) FROM best_probes WHERE method = 'ridge')"""

# Of edits that differ in their number of images or in their settings the largest, one per direction.
EDITS = """
    WITH furthest AS (
        SELECT edit, judge, max(images) AS images, min(alpha) AS low, max(alpha) AS high,
            arg_max(identity, alpha) AS identity_at_high
        FROM edit_response GROUP BY ALL),
    by_image AS (
        SELECT edit, judge, image_id, regr_slope(change, alpha) AS slope
        FROM edit_changes WHERE judged = attribute GROUP BY ALL),
    spread AS (SELECT edit, judge, stddev_samp(slope) / sqrt(count(*)) AS error FROM by_image GROUP BY ALL)
    SELECT space, judge, attribute, direction, images, low, high, effect, error, leakage, identity_at_high
    FROM edit_tradeoffs JOIN furthest USING (edit, judge) JOIN spread USING (edit, judge)
    QUALIFY row_number() OVER (PARTITION BY space, judge, attribute, direction ORDER BY images DESC, edit) = 1
    ORDER BY space, judge, attribute"""
DIRECTIONS = {"probe": "plain", "orthogonalised": "orthogonalised", "prompt": "prompt", "random": "random"}


def spaces_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """What probes, tests of normality and maps say of every space of the lake."""
    ((images, attributes, seeds),) = connection.execute(FACTS).fetchall()
    if not seeds:
        return None
    majority: float | None = None
    rows = []
    for space, role, auc, margin, accuracy, common, *others in connection.execute(SPACES).fetchall():
        majority = common if majority is None else majority
        directions, coordinates, cosine, lost = others
        rows.append(
            (
                f"*control:* `{space}`" if role == "control" else f"`{space}`",
                NOTHING if auc is None else number(auc) + ("" if margin is None else f" ± {number(margin)}"),
                number(accuracy),
                NOTHING if directions is None else f"{percent(directions)} / {percent(coordinates)}",
                NOTHING if cosine is None else f"{number(cosine)}, {number(lost, 1)} pp",
            )
        )
    header = (
        "space",
        "mean AUC",
        f"accuracy (majority {number(majority)})",
        "random directions / single coordinates accepted as normal",
        "mapped to mini-clip-a: centred cosine, accuracy lost to its own probes",
    )
    about = f"{images:,} images, {attributes} attributes, ridge probes, means over {seeds} splits"
    about += " ± half a 95 % interval for other images (Nadeau & Bengio 2003)."
    return [*table(header, rows), "", about]


def edits_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """What edits do in a judge's eyes: a row per attribute, the directions' figures in each cell."""
    for statement in connection.extract_statements((QUERIES / "edits.sql").read_text(encoding="utf-8")):
        if statement.type.name == "CREATE":
            connection.execute(statement)
    names = (
        "space",
        "judge",
        "attribute",
        "direction",
        "images",
        "low",
        "high",
        "effect",
        "error",
        "leakage",
        "identity",
    )
    rows = [dict(zip(names, row)) for row in connection.execute(EDITS).fetchall()]
    lines: list[str] = []
    for space, judge in dict.fromkeys((row["space"], row["judge"]) for row in rows):
        judged = [row for row in rows if (row["space"], row["judge"]) == (space, judge)]
        shown = [name for name in DIRECTIONS if any(row["direction"] == name for row in judged)]
        header = (
            "",
            f"effect (std over train images per α): {', '.join(DIRECTIONS[name] for name in shown)}",
            "leakage, root mean square of the others",
            f"identity kept at α = {judged[0]['high']:g}",
        )
        body = []
        for attribute in dict.fromkeys(row["attribute"] for row in judged):
            of = {row["direction"]: row for row in judged if row["attribute"] == attribute}
            body.append(
                (
                    attribute,
                    ", ".join(effect(of[name]) if name in of else NOTHING for name in shown),
                    ", ".join(number(of[name]["leakage"], 3) if name in of else NOTHING for name in shown),
                    ", ".join(number(of[name]["identity"], 2) if name in of else NOTHING for name in shown),
                )
            )
        images, low, high = (judged[0][name] for name in ("images", "low", "high"))
        about = f"`{space}`, {images} test images, α from {low:g} to {high:g}, judged by {judge}."
        about = about.replace(" -", " −")
        lines += [*table(header, body), "", about, ""]
    return lines[:-1] or None


def effect(row: dict[str, Any]) -> str:
    """With half its 95 % interval over images."""
    if row["error"] is None:
        return number(row["effect"], 2)
    margin = stats.t.ppf(0.975, row["images"] - 1) * row["error"]
    return f"{number(row['effect'], 2)} ± {number(margin, 2)}"


def comparisons_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """Every generator's noise beside every control, and whether the difference is one."""
    rows = []
    for space, control, difference, margin in connection.execute(COMPARISONS).fetchall():
        verdict = NOTHING
        if margin is not None:
            verdict = "not told apart" if abs(difference) <= margin else "more" if difference > 0 else "less"
        shown = number(difference) + ("" if margin is None else f" ± {number(margin)}")
        rows.append((f"`{space}`", f"`{control}`", shown, verdict))
    header = ("noise", "control", "difference of mean AUC", "noise reads")
    return table(header, rows) if rows else None


def share(copies: float, low: float, high: float) -> str:
    """`9 % (1 to 37)`."""
    return f"{100 * copies:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def within(value: float | None, half: float | None) -> str:
    return number(value, 2) + ("" if half is None or value is None else f" ± {number(half, 2)}")


def mitigations_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """Copies of memorised titles by method, and what the method costs ordinary captions."""
    rows = _memorised(connection, MITIGATIONS_MEASURED)
    if not rows:
        return None
    header = ("method", "titles", "copies", "similarity to the training picture")
    header += ("ordinary captions: change of alignment", "of distance to real pictures")
    body = []
    for method, settings, titles, *copies, similarity, half, alignment, a_half, distance, d_half in rows:
        name = f"`{method}`" + ("" if settings == "{}" else f" {settings}")
        cells = (
            share(*copies),
            within(similarity, half),
            within(alignment, a_half),
            within(distance, d_half),
        )
        body.append((name, str(titles), *cells))
    return table(header, body)


def ablations_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """Copies of memorised titles with parts of the prompt zeroed, replaced or removed."""
    rows = _memorised(connection, ABLATIONS_MEASURED)
    if not rows:
        return None
    body = [
        (ablation, padding, how, str(titles), share(*copies), within(similarity, half))
        for ablation, padding, how, titles, *copies, similarity, half in rows
    ]
    return table(("ablation", "padding", "by", "titles", "copies", "similarity"), body)


def _memorised(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    text = (QUERIES / "memorization.sql").read_text(encoding="utf-8")
    for statement in connection.extract_statements(text):
        if statement.type.name == "CREATE":
            connection.execute(statement)
    return connection.execute(query).fetchall()


def models_table() -> list[str]:
    """Every model id, as `une models` has it."""
    header = ("id", "kind", "dim", "GFLOPs per image", "million parameters", "GPUs", "licence", "source")
    rows = [
        (
            f"`{spec.id}`",
            spec.kind,
            str(spec.dim),
            f"{spec.gflops:.4g}",
            f"{spec.parameters:.4g}",
            f"{spec.gpus:g}",
            spec.licence or NOTHING,
            f"`{spec.source}`",
        )
        for spec in MODELS.values()
    ]
    return table(header, rows)


def model_kinds_table() -> list[str]:
    """Every kind of model, with what its file says of it."""
    return named(MODEL_KINDS)


def space_kinds_table() -> list[str]:
    """Every space kind, with its role."""
    header = ("kind", "role", "what it is")
    return table(
        header,
        [(f"`{name}`", kind.role, SPACE_KINDS.about(name)) for name, kind in SPACE_KINDS.items()],
    )


def corpora_lines() -> list[str]:
    """Every kind of corpus with its options and columns, as `une corpus` has them."""
    return corpus_markdown().splitlines()


def methods_table() -> list[str]:
    """Every method against memorisation with its own settings and their defaults."""
    rows = [
        (
            f"`{name}`",
            MITIGATIONS.about(name),
            ", ".join(f"`{setting}`" for setting in method.own_settings.values()),
        )
        for name, method in MITIGATIONS.items()
    ]
    return table(("method", "what it is", "settings"), rows)


def detectors_table() -> list[str]:
    """Every detector."""
    return named(DETECTORS)


def disentanglers_table() -> list[str]:
    """Every model of disentanglement with its own settings and their defaults."""
    rows = [
        (
            f"`{name}`",
            DISENTANGLERS.about(name),
            ", ".join(f"`{setting}`" for setting in settings_of(model.__init__).values()),
        )
        for name, model in DISENTANGLERS.items()
    ]
    return table(("model", "what it is", "settings"), rows)


# None leaves a page as it is: a lake of edits says nothing of copies.
LAKE_TABLES: dict[str, Callable[[duckdb.DuckDBPyConnection], list[str] | None]] = {
    "spaces": spaces_table,
    "edits": edits_table,
    "comparisons": comparisons_table,
    "mitigations": mitigations_table,
    "ablations": ablations_table,
}
CODE_TABLES: dict[str, Callable[[], list[str]]] = {
    "models": models_table,
    "model-kinds": model_kinds_table,
    "space-kinds": space_kinds_table,
    "corpora": corpora_lines,
    "methods": methods_table,
    "detectors": detectors_table,
    "disentanglers": disentanglers_table,
}


def number(value: float | None, digits: int = 3) -> str:
    """.956, 1.234, –.07; a dash where there is none."""
    if value is None:
        return NOTHING
    text = f"{value:.{digits}f}"
    if not float(text):
        text = text.removeprefix("-")
    return re.sub(r"^(-?)0\.", r"\1.", text).replace("-", "−")


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def named(things: Registry[Any]) -> list[str]:
    """Names and what is said of them, without importing any."""
    return table(("name", "what it is"), [(f"`{name}`", things.about(name)) for name in things.names()])


def rewritten(text: str, tables: dict[str, list[str]]) -> str:
    """A page with the blocks of `tables` made anew; others stay. Raises KeyError for an unknown block."""

    def block(match: re.Match[str]) -> str:
        opening, name, _, closing = match.groups()
        if name not in LAKE_TABLES | CODE_TABLES:
            raise KeyError(f"no table is called {name!r}; there are {', '.join(LAKE_TABLES | CODE_TABLES)}")
        return opening + "\n".join([*tables[name], closing]) if name in tables else match[0]

    return BLOCK.sub(block, text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Write, or check, the tables of figures in the documentation."
    )
    parser.add_argument("--lake", help="Lake whose figures are written, as in demo/lake; default: none")
    parser.add_argument("--check", action="store_true", help="Write nothing; fail where a page differs")
    parser.add_argument("--pages", type=Path, default=DOCS, help="Folder of the pages")
    options = parser.parse_args(arguments)

    tables = {name: make() for name, make in CODE_TABLES.items()}
    if options.lake:
        connection = connect(Lake(options.lake))
        made = {name: make(connection) for name, make in LAKE_TABLES.items()}
        tables |= {name: lines for name, lines in made.items() if lines is not None}
    differences = []
    for page in sorted(options.pages.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = rewritten(before, tables)
        if options.check:
            differences += difflib.unified_diff(
                before.splitlines(),
                after.splitlines(),
                str(page),
                f"{page} from the lake and the code",
                lineterm="",
                n=0,
            )
        elif after != before:
            page.write_text(after, encoding="utf-8")
            print(f"wrote {page}")
    print("\n".join(differences), file=sys.stderr, end="\n" if differences else "")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
