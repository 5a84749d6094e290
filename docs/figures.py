"""Tables of figures in the documentation, made from a lake and from the code, and checked against both.

    python docs/figures.py                            writes the tables that the code alone decides
    python docs/figures.py --lake demo/lake           writes those of a lake as well
    python docs/figures.py --lake demo/lake --check   fails where a page says something else, and shows it

A table stands in a page between `<!-- figures: NAME -->` and `<!-- /figures -->`, a figure in a sentence
between `<!-- figure: NAME -->` and `<!-- /figure -->`, by its name in the view `sentences` of
`docs/figures.sql`; nobody edits either by hand.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from une_ray.corpora.help import corpus_markdown
from une_ray.geometry.intervals import mean_margin
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
from une_ray.studies.edits.direction_set import ORTHOGONALISED, PROBE
from une_ray.studies.edits.measures import Interval
from une_ray.studies.edits.outcome import outcomes, removed

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n)(.*?)(<!-- /figures -->)", re.DOTALL)
SENTENCE = re.compile(r"(<!-- figure: ([\w-]+) -->)([^<\n]*)(<!-- /figure -->)")
VIEWS = (QUERIES / "edits.sql", QUERIES / "memorization.sql", DOCS / "figures.sql")
NOTHING = "–"

DIRECTIONS = {"probe": "plain", "orthogonalised": "orthogonalised", "prompt": "prompt", "random": "random"}


def spaces_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """What probes, tests of normality and maps say of every space of the lake."""
    ((images, attributes, seeds),) = connection.execute("FROM figures_facts").fetchall()
    if not seeds:
        return None
    majority: float | None = None
    rows = []
    for space, role, auc, margin, accuracy, common, *others in connection.execute(
        "FROM figures_spaces"
    ).fetchall():
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
    rows = connection.sql("FROM figures_edits").to_arrow_table().to_pylist()
    lines: list[str] = []
    for space, judge in dict.fromkeys((row["space"], row["judge"]) for row in rows):
        judged = [row for row in rows if (row["space"], row["judge"]) == (space, judge)]
        shown = [name for name in DIRECTIONS if any(row["direction"] == name for row in judged)]
        header = (
            "",
            f"effect (std over train images per α): {', '.join(DIRECTIONS[name] for name in shown)}",
            "leakage, root mean square of the others",
            "in one image",
            f"identity kept at α = {judged[0]['high']:g}",
        )
        body = []
        for attribute in dict.fromkeys(row["attribute"] for row in judged):
            of = {row["direction"]: row for row in judged if row["attribute"] == attribute}
            cells = [
                ", ".join(cell(of[name]) if name in of else NOTHING for name in shown)
                for cell in (effect, of_row("leakage", 3), of_row("leakage_of_one", 3), of_row("identity", 2))
            ]
            body.append((attribute, *cells))
        images, low, high = (judged[0][name] for name in ("images", "low", "high"))
        about = f"`{space}`, {images} test images, α from {low:g} to {high:g}, judged by {judge};"
        about += f" {images} draws of random steps, whose spread is their standard deviation."
        lines += [*table(header, body), "", about.replace(" -", " −"), ""]
    return lines[:-1] or None


def edits_beside(connection: duckdb.DuckDBPyConnection, family: str) -> list[str] | None:
    """Steps of a family, `hspace` or `shared`, beside the noise's own, of as many images at the same doses: a
    table per space and judge."""
    query = "FROM figures_edits_beside(?)"
    rows = connection.sql(query, params=[family]).to_arrow_table().to_pylist()
    lines: list[str] = []
    for space, judge in dict.fromkeys((row["space"], row["judge"]) for row in rows):
        judged = [row for row in rows if (row["space"], row["judge"]) == (space, judge)]
        images, low, high = (judged[0][name] for name in ("images", "low", "high"))
        header = (
            "",
            "direction",
            "effect (std over train images per α)",
            "leakage, root mean square of the others",
            "leakage per effect",
            f"identity kept at α = {high:g}",
        )
        about = (
            f"`{space}`, {images} test images, α from {low:g} to {high:g}, judged by {judge}; ± half a 95 % "
        )
        about += "interval over images. No leakage per effect where the effect is not told from none."
        lines += [*table(header, map(beside_row, judged)), "", about.replace(" -", " −"), ""]
    return lines[:-1] or None


def beside_row(row: dict[str, Any]) -> tuple[str, ...]:
    margin = mean_margin(row["spread"], row["images"])
    per_effect = row["leakage"] / abs(row["effect"]) if abs(row["effect"]) > margin else None
    figures = ((row["leakage"], 3), (per_effect, 2), (row["identity"], 2))
    shown = f"{number(row['effect'], 3)} ± {number(margin, 3)}"
    cells = (number(figure, digits) for figure, digits in figures)
    return (row["attribute"], f"`{row['direction']}`", shown, *cells)


def effect(row: dict[str, Any]) -> str:
    """With half its 95 % interval over images; of random steps with their spread as well."""
    if row["spread"] is None:
        return number(row["effect"], 2)
    shown = f"{number(row['effect'], 2)} ± {number(mean_margin(row['spread'], row['images']), 2)}"
    return shown + (f" (spread {number(row['spread'], 2)})" if row["direction"] == "random" else "")


def of_row(name: str, digits: int) -> Callable[[dict[str, Any]], str]:
    return lambda row: number(row[name], digits)


def removed_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """What orthogonalising did to the leakage, paired: of edits that `edits_table` shows."""
    shown = connection.execute("SELECT edit FROM figures_edits").fetchall()
    done = outcomes(connection, [edit for (edit,) in shown])
    plain = {(one.space, one.attribute, one.judge): one for one in done if one.direction == PROBE}
    rows = []
    for kept in done:
        beside = plain.get((kept.space, kept.attribute, kept.judge))
        found = removed(connection, beside, kept) if beside and kept.direction == ORTHOGONALISED else None
        if beside is None or found is None:
            continue
        figures = [interval(figure) for figure in (*found.per_effect, *found.coefficient)]
        if not (beside.moves and kept.moves):
            figures = [NOTHING] * len(figures)
        rows.append((kept.attribute, str(len(kept.keep)), *figures))
    header = ("", "kept", "leakage per effect: plain", "orthogonalised", "less by")
    header += ("coefficient on label correlation: plain", "orthogonalised", "less by")
    return table(header, rows) if rows else None


def interval(figure: Interval) -> str:
    """`.16 (.10 to .21)`."""
    return f"{number(figure.value, 2)} ({number(figure.low, 2)} to {number(figure.high, 2)})"


def comparisons_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """Every generator's noise beside every control, and whether the difference is one."""
    rows = []
    for space, control, difference, margin in connection.execute("FROM figures_comparisons").fetchall():
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
    rows = connection.sql("FROM figures_mitigations").to_arrow_table().to_pylist()
    if not rows:
        return None
    header = ("method", "titles", "copies", "similarity to the training picture", "its change, paired")
    header += ("ordinary captions: change of alignment", "of distance to real pictures")
    body = []
    for row in rows:
        name = f"`{row['method']}`" + ("" if row["settings"] == "{}" else f" {row['settings']}")
        copies = share(row["copies"], row["copies_from"], row["copies_to"])
        figures = ("similarity", "change", "alignment", "distance")
        cells = [within(row[figure], row[f"half_{figure}"]) for figure in figures]
        body.append((name, str(row["prompts"]), copies, *cells))
    return table(header, body)


def ablations_table(connection: duckdb.DuckDBPyConnection) -> list[str] | None:
    """Copies of memorised titles with parts of the prompt zeroed, replaced or removed."""
    rows = connection.execute("FROM figures_ablations").fetchall()
    if not rows:
        return None
    body = [
        (ablation, padding, how, str(titles), share(*copies), within(similarity, half))
        for ablation, padding, how, titles, *copies, similarity, half in rows
    ]
    return table(("ablation", "padding", "by", "titles", "copies", "similarity"), body)


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
    "hspace-edits": partial(edits_beside, family="hspace"),
    "shared-edits": partial(edits_beside, family="shared"),
    "removed": removed_table,
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


def sentences(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Figures in prose by name; without those that the lake has not."""
    rows = connection.execute("SELECT name, value, digits FROM sentences WHERE value IS NOT NULL").fetchall()
    return {name: number(value, digits) for name, value, digits in rows}


def rewritten(text: str, tables: dict[str, list[str]], figures: dict[str, str] | None = None) -> str:
    """A page with the blocks of `tables` and the sentences' `figures` made anew; others stay. Raises KeyError
    for an unknown block, and for an unknown figure where figures are given."""

    def block(match: re.Match[str]) -> str:
        opening, name, _, closing = match.groups()
        if name not in LAKE_TABLES | CODE_TABLES:
            raise KeyError(f"no table is called {name!r}; there are {', '.join(LAKE_TABLES | CODE_TABLES)}")
        return opening + "\n".join([*tables[name], closing]) if name in tables else match[0]

    def figure(match: re.Match[str]) -> str:
        opening, name, _, closing = match.groups()
        if not figures:
            return match[0]
        if name not in figures:
            raise KeyError(f"no figure is called {name!r}; the lake has {', '.join(figures)}")
        return opening + figures[name] + closing

    return SENTENCE.sub(figure, BLOCK.sub(block, text))


def opened(url: str) -> duckdb.DuckDBPyConnection:
    """A session of the lake with the views that the figures are read from."""
    connection = connect(Lake(url))
    for file in VIEWS:
        for statement in connection.extract_statements(file.read_text(encoding="utf-8")):
            if statement.type.name == "CREATE":
                connection.execute(statement)
    return connection


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Write, or check, the tables of figures in the documentation."
    )
    parser.add_argument("--lake", help="Lake whose figures are written, as in demo/lake; default: none")
    parser.add_argument("--check", action="store_true", help="Write nothing; fail where a page differs")
    parser.add_argument("--pages", type=Path, default=DOCS, help="Folder of the pages")
    options = parser.parse_args(arguments)

    tables = {name: make() for name, make in CODE_TABLES.items()}
    figures: dict[str, str] = {}
    if options.lake:
        connection = opened(options.lake)
        made = {name: make(connection) for name, make in LAKE_TABLES.items()}
        tables |= {name: lines for name, lines in made.items() if lines is not None}
        figures = sentences(connection)
    differences = []
    for page in sorted(options.pages.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = rewritten(before, tables, figures)
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
