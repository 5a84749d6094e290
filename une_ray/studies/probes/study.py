"""`une probe`: linear probes of every attribute of a lake's spaces, by the fast engine or in SQL, with
their controls (paper 1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import torch

from une_ray.errors import UneError, refuse_empty, unknown
from une_ray.geometry import probes
from une_ray.geometry.gram import NonFiniteLatents
from une_ray.geometry.linear import METHODS, PENALTIES
from une_ray.geometry.spread import Spread
from une_ray.geometry.train_rows import FEW, is_exact, scatter_up_to
from une_ray.lake import results
from une_ray.lake.derived import DERIVED
from une_ray.lake.latents import (
    FOLDS,
    attributes_of,
    blocks,
    copies_of,
    groups_of,
    image_ids,
    labels_and_folds,
    spaces_of,
)
from une_ray.lake.layout import Lake
from une_ray.lake.seen import seen_splits, warnings_of
from une_ray.lake.session import QUERIES
from une_ray.lake.tables import InALine
from une_ray.run.cluster import Cluster
from une_ray.run.progress import say
from une_ray.run.spreading import on_cluster

SQL_FILES = ("fit_probes.sql", "evaluate_probes.sql")
SQL_METHODS = ("ridge", "lda", "mean-difference")
SPREAD_METHODS = ("ridge", "least-squares", "lda", "mean-difference")  # of a pass or two, whatever the rows

# Of a split whose test images a map behind the space has seen.
UNMEASURED = dict.fromkeys(
    ("accuracy", "balanced_accuracy", "auc", "average_precision", "brier", "calibration_error", "majority")
    + ("permuted_auc", "p_value")
)

OFTEN = 0.1  # share of probes at one end of the grid that is remarked on
BESIDES = 2**29  # bytes of a task beside its Grams: a process with torch, and the latents of some files

SUMMARY = """
    SELECT space, method, engine, measured_splits AS splits, attributes, auc_margin, auc, accuracy, balanced,
        majority, permuted, significant
    FROM nz_probe_means WHERE config IN (SELECT unnest(?)) ORDER BY list_position(?, space)"""

BY_ATTRIBUTE = """
    SELECT space, attribute, measured_splits AS splits, auc_margin, auc, accuracy, balanced, majority,
        permuted, p_value
    FROM probe_attributes WHERE config IN (SELECT unnest(?)) ORDER BY attribute, list_position(?, space)"""

REFUSED = """
    SELECT space, attribute, error, list_sort(list(split_seed)) AS split_seeds FROM probes
    WHERE status <> 'ok' AND config IN (SELECT unnest(?)) GROUP BY ALL ORDER BY ALL"""


@dataclass(frozen=True, eq=False, repr=False)
class ProbeResult(InALine):
    """`table`: per space its figures, averaged over attributes and splits. `attributes`: per attribute and
    space, over splits; the p-value is the largest of theirs. `refused`: attributes that have no probe, by
    reason, with the split seeds that the reason is of. `configs` name the rows in the view `probes`."""

    table: pa.Table
    attributes: pa.Table
    refused: pa.Table
    configs: list[str]


def probe(
    lake: Lake,
    spaces: Sequence[str] | None = None,
    method: str = "ridge",
    engine: str = "fast",
    penalties: Sequence[float] | None = None,
    rank: int = 500,
    splits: int = FOLDS,
    permutations: int = 20,
    device: str | None = None,
    report: Callable[[str], None] = say,
    cluster: Cluster | None = None,
) -> ProbeResult:
    """Fit and measure probes of all attributes in every space (default: all); what the lake has already is
    not done again.

    `penalties` are the λ to choose from; `report` is told warnings and what is fitted. With a `cluster` its
    nodes read the latents, a range of files each; this process solves for the probes and measures them.
    Raises UneError for an unknown space, method or engine, latents that are not finite, and a λ that the rows
    do not allow.
    """
    _refuse_unknown(engine, method, splits, permutations)
    refuse_empty(penalties, "penalty", "the usual ones")
    if cluster is not None:
        _refuse_unspread(engine, method)
    attributes = attributes_of(lake)
    if not attributes:
        raise UneError(f"the corpus of {lake.url} has no attributes to probe; give it a table of labels")
    settings: dict[str, Any] = {
        "attributes": attributes,
        "engine": engine,
        "method": method,
        "penalties": penalties and list(penalties),
        "rank": rank if method == "pca-logistic" else None,
        "splits": splits,
        "permutations": permutations,
    }
    names, configs = spaces_of(lake, spaces), []
    for warning in warnings_of(lake, names, range(splits)):
        report(warning)
    for space in names:
        ids = image_ids(lake, space)
        config = _config(lake, space, ids, settings)
        if not results.is_done(lake, "probes", config):
            for line in _announced(lake, config, cluster):
                report(line)
            rows = ENGINES[engine](lake, config, ids, device or default_device(), cluster)
            results.commit(lake, "probes", config, _measured(rows, config.get("seen")))
            for remark in at_ends(rows, penalties or PENALTIES):
                report(f"{space}: {remark}")
        configs.append(results.config_hash(config))
    means, each = (
        lake.session.sql(query, params=[configs, names]).to_arrow_table() for query in (SUMMARY, BY_ATTRIBUTE)
    )
    return ProbeResult(means, each, lake.session.sql(REFUSED, params=[configs]).to_arrow_table(), configs)


def _config(lake: Lake, space: str, ids: pa.Array, settings: dict[str, Any]) -> dict[str, Any]:
    """All that decides the probes of one space: beside the `settings` what its rows are."""
    of_space = {"fingerprint": results.config_hash(lake.fingerprints()[space]), "latents": len(ids)}
    config: dict[str, Any] = {"space": space} | of_space | settings
    is_fast = settings["engine"] == "fast"
    config |= _joined(lake, ids, is_fast, settings["permutations"])
    config |= _seen(lake, space, settings["splits"])
    if is_fast:
        exact = config | _exact(lake, config)
        if lake.store.may_write("probes/of.parquet") or results.is_there(lake, "probes", exact):
            return exact
        return config if results.is_there(lake, "probes", config) else exact  # all that such a lake can say
    queries = [(QUERIES / name).read_text() for name in SQL_FILES]  # whose text decides the rows
    return config | {"queries": results.config_hash(queries)}


def at_ends(rows: Sequence[dict[str, Any]], grid: Sequence[float]) -> Iterator[str]:
    """Of more than a tenth of the probes that have the smallest or the largest λ of a grid: others might be
    better. Of those that are no better than with shuffled labels the largest is due."""
    chosen = [row["penalty"] for row in rows if row["status"] == "ok" and (row.get("p_value") or 0) <= 0.05]
    told = " that beat shuffled labels" if any(row.get("p_value") for row in rows) else ""
    ends = (
        ((min(grid), "smallest", "smaller"), (max(grid), "largest", "larger")) if len(set(grid)) > 1 else ()
    )
    for end, which, further in ends:
        if (count := chosen.count(end)) > OFTEN * len(chosen):
            yield (
                f"{count} of {len(chosen)} probes{told} have λ = {end:g}, the {which} to choose from:"
                f" {further} ones may do better (--penalty)"
            )


def _exact(lake: Lake, config: dict[str, Any]) -> dict[str, bool]:
    """What a config has where rows ask for float64 throughout: older versions' λ was chosen by rounding."""
    settings = config["method"], config["latents"], _dim(lake, config["space"]), config["penalties"]
    return {"exact": True} if is_exact(*settings) else {}


def _dim(lake: Lake, space: str) -> int:
    """Of the space's latents; 0 of one that has none."""
    found = lake.rows("SELECT dim FROM latents WHERE space = ? LIMIT 1", [space])
    return found[0][0] if found else 0


def _seen(lake: Lake, space: str, splits: int) -> dict[str, list[int] | None]:
    """What a config has of a space that a map made: splits whose test images the map has seen."""
    is_derived = lake.fingerprints()[space].get("kind") == DERIVED
    return {"seen": seen_splits(lake, space, range(splits))} if is_derived else {}


def _measured(rows: list[dict[str, Any]], seen: Sequence[int] | None) -> list[dict[str, Any]]:
    """The same without the measures of splits whose test images a map behind the space has `seen`."""
    return [row | UNMEASURED if row["split_seed"] in (seen or ()) else row for row in rows]


def _announced(lake: Lake, config: dict[str, Any], cluster: Cluster | None) -> Iterator[str]:
    """What is fitted, what of it a cluster does not do, and why what was fitted before is not enough."""
    about = f"{len(config['attributes'])} attributes over {config['latents']:,} images"
    line = f"{config['space']}: {config['method']} probes of {about}"
    if cluster is None or config.get("groups") in (None, config.get("copies")):
        yield line
    else:
        yield f"{line}; groups of them are left out together by further passes of this process"
    older = {name: value for name, value in config.items() if name != "exact"}
    if older != config and results.is_there(lake, "probes", older):
        yield f"{config['space']}: fitted again, as older versions could choose λ of few rows by rounding"


def _joined(lake: Lake, ids: pa.Array, by_groups: bool, permutations: int) -> dict[str, int]:
    """What a config has of rows that are not all apart: how many more there are than pictures and groups.

    Both decide λ and calibration, groups shuffles too; where they are nothing but the copies, only those.
    """
    copies, groups = (len(set(of(lake, ids).tolist())) for of in (copies_of, groups_of))
    joined = {"copies": len(ids) - copies} if copies < len(ids) else {}
    if by_groups and groups < len(ids) and (permutations or groups != copies):
        joined["groups"] = len(ids) - groups
    return joined


def _refuse_unknown(engine: str, method: str, splits: int, permutations: int) -> None:
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if method not in METHODS:
        raise unknown("probe method", method, METHODS)
    if not 1 <= splits <= FOLDS:
        raise UneError(f"{splits} splits; there are 1 to {FOLDS}")
    if permutations < 0:
        raise UneError(f"{permutations} permutations; 0 or more, and 19 for a p-value that can reach .05")


def _refuse_unspread(engine: str, method: str) -> None:
    """Raise UneError for what reads the latents in one process, again and again or in SQL."""
    if engine != "fast":
        raise UneError(f"--address goes with --engine fast: {engine} is a query of this process' DuckDB")
    if method not in SPREAD_METHODS:
        raise UneError(
            f"--address goes with {', '.join(SPREAD_METHODS)}, which read the latents once or twice; {method}"
            " reads them again at every step of a descent, in one process: leave out --address"
        )


def _spread(lake: Lake, config: dict[str, Any], ids: pa.Array, cluster: Cluster) -> Spread:
    """Over the cluster, tasks that hold a Gram of all rows and one of each split's, and one on its way."""
    dim, columns = _dim(lake, config["space"]), len(config["attributes"]) * (1 + config["permutations"])
    square = dim if len(ids) > FEW and dim <= scatter_up_to(config["method"], "cpu") else 0
    memory = 8 * (config["splits"] + 2) * dim * (square + columns) + BESIDES
    return on_cluster(cluster, lake, config["space"], ids, memory, of_row=16 * columns)  # labels and scores


def _fast(
    lake: Lake, config: dict[str, Any], ids: pa.Array, device: str, cluster: Cluster | None
) -> list[dict[str, Any]]:
    """Every attribute, λ and split together; see geometry/probes.py."""
    seeds = list(range(config["splits"]))
    spread = None if cluster is None else _spread(lake, config, ids, cluster)
    labels, tested = labels_and_folds(lake, ids, config["attributes"], seeds)
    try:
        fitted = probes.fit(
            partial(blocks, lake, config["space"]),
            labels,
            tested,
            config["method"],
            config["penalties"],
            config["rank"] or 0,
            config["permutations"],
            device="cpu" if spread else device,
            groups=groups_of(lake, ids),
            copies=copies_of(lake, ids),
            spread=spread,
        )
    except NonFiniteLatents as error:
        raise UneError(
            f"space {config['space']!r}: the latents of {len(error.rows)} images or more hold NaN or"
            f" infinity, the first is {ids[error.rows[0]].as_py()!r}; une verify names their file: delete it"
            " and build again"
        ) from error
    shared = {
        "space": config["space"],
        "method": config["method"],
        "engine": "fast",
        "space_fingerprint": config["fingerprint"],
    }
    return [
        shared | {"split_seed": seed, "attribute": attribute} | _row(fitted[seed][j])
        for seed in seeds
        for j, attribute in enumerate(config["attributes"])
    ]


def _row(fitted: probes.Probe) -> dict[str, Any]:
    """As the lake has it: metrics as columns, NaN as NULL."""
    row = asdict(fitted)
    row |= row.pop("metrics") or {}
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()
    }


def _sql(
    lake: Lake, config: dict[str, Any], ids: pa.Array, device: str, cluster: Cluster | None
) -> list[dict[str, Any]]:
    """`queries/fit_probes.sql` and `queries/evaluate_probes.sql`, as in the stock shell: one split, one λ,
    no permutations."""
    if config["method"] not in SQL_METHODS:
        raise unknown("probe method in SQL", config["method"], SQL_METHODS)
    if config["splits"] != 1 or config["permutations"] or len(config["penalties"] or [1]) != 1:
        raise UneError(
            "the SQL engine fits the corpus' own split at one λ: add --splits 1 --permutations 0 and one"
            " --penalty, or use --engine fast"
        )
    connection = lake.cursor()
    connection.execute("SET VARIABLE spaces = ?", [[config["space"]]])
    if config["penalties"]:
        connection.execute("SET VARIABLE penalty = ?", [config["penalties"][0]])
    for name in SQL_FILES:
        connection.execute((QUERIES / name).read_text()).fetchall()
    query = connection.sql("SELECT * FROM evaluated WHERE method = ?", params=[config["method"]])
    return [row | {"space_fingerprint": config["fingerprint"]} for row in query.to_arrow_table().to_pylist()]


ENGINES = {"fast": _fast, "sql": _sql}


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
