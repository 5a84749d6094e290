"""Does a bias that was planted in generators show, and by how much, in h-space and in what they draw?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.corpora.labels import read_text_rows
from une_ray.errors import UneError
from une_ray.geometry.dose_response import DoseResponse, dose_response
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.tables import InALine
from une_ray.studies.prompts.bias import bias
from une_ray.studies.prompts.read import INTERVAL

COLUMNS = ("space", "prompt", "frequency", "drawn")
BIAS, DRAWN = "bias", "drawn"
UNITS = {"subjects": "prompts", "runs": "generators"}
FEWEST = 3  # generators and prompts that a slope is taken over


@dataclass(frozen=True, eq=False, repr=False)
class DoseResult(InALine):
    """`table`: rows of the view `prompt_doses`, one per reading and planted prompt."""

    table: pa.Table


@dataclass(frozen=True, eq=False)
class Planted:
    """What is known of `prompts` (s) in `spaces` (r): the shares planted in each, and those drawn, (s, r)."""

    prompts: list[str]
    spaces: list[str]
    frequencies: np.ndarray
    drawn: np.ndarray

    @property
    def rows(self) -> list[tuple[str, str, float, float]]:
        """(prompt, space, planted, drawn), the same ones in whatever order the table had them."""
        return sorted(
            (prompt, space, float(self.frequencies[row, run]), float(self.drawn[row, run]))
            for row, prompt in enumerate(self.prompts)
            for run, space in enumerate(self.spaces)
        )


def dose(
    lake: Lake, planted: str, neutral: str = "a person", poles: Sequence[str] = ("a man", "a woman")
) -> DoseResult:
    """How the bias of every prompt, and the share that is drawn, follow the share that was planted: `planted`
    is a CSV with the columns space, prompt, frequency and drawn, as `jobs/plant_bias.py` writes it.

    Where every generator has the same mean share, as in a Latin square, the interval is over prompts; else it
    is over generators, of which a handful tells little. Raises UneError for spaces that the lake has not, for
    a prompt that only some of them have, and for a
    table without every prompt in every space.
    """
    known = read_planted(planted)
    found = bias(lake, neutral, poles, known.spaces).table.to_pylist()
    by_place = {(row["prompt"], row["space"]): row["bias"] for row in found}
    asked = list(dict.fromkeys(row["prompt"] for row in found))
    if missing := [prompt for prompt in known.prompts if prompt not in asked]:
        raise UneError(f"{planted} names prompts that {lake.url} has not: {', '.join(missing)}")
    _refuse_half_there(lake, asked, known.spaces, by_place)
    biases = {prompt: [by_place[prompt, space] for space in known.spaces] for prompt in asked}
    others = np.array([values for prompt, values in biases.items() if prompt not in known.prompts], float)
    measured = np.array([biases[prompt] for prompt in known.prompts], float)
    config = {
        "planted": results.config_hash(known.rows),
        "biases": results.config_hash(sorted([*place, value] for place, value in by_place.items())),
        "neutral": neutral,
        "poles": list(poles),
    } | INTERVAL
    if not results.is_done(lake, "prompt_doses", config):
        rows = _rows(BIAS, known, measured, dose_response(known.frequencies, measured, others))
        rows += _rows(DRAWN, known, known.drawn, dose_response(known.frequencies, known.drawn))
        stamp = {"neutral": neutral, "pole_first": poles[0], "pole_second": poles[1]}
        results.commit(lake, "prompt_doses", config, [stamp | row for row in rows])
    return DoseResult(results.table_of(lake, "prompt_doses", config, order_by="ALL"))


def read_planted(path: str) -> Planted:
    """Raises UneError for a share that is no number of [0, 1], a prompt that is not in every space or has one
    share in all of them, and too few of either."""
    rows = read_text_rows(path, COLUMNS)
    spaces = list(dict.fromkeys(space for space, *_ in rows))
    prompts = list(dict.fromkeys(prompt for _, prompt, *_ in rows))
    if len(spaces) < FEWEST or len(prompts) < FEWEST:
        raise UneError(
            f"{path} has {len(prompts)} prompts in {len(spaces)} spaces; a slope is taken over {FEWEST} or"
            " more of each"
        )
    try:
        shares = {(prompt, space): (float(told), float(seen)) for space, prompt, told, seen in rows}
    except ValueError as error:
        raise UneError(f"{path}: a share is no number: {error}") from error
    for (prompt, space), told_and_seen in shares.items():
        if amiss := [share for share in told_and_seen if not 0 <= share <= 1]:
            raise UneError(f"{path}: {prompt!r} in {space!r} has the share {amiss[0]}; a share is of [0, 1]")
    lacking = [(prompt, space) for prompt in prompts for space in spaces if (prompt, space) not in shares]
    if lacking or len(shares) != len(rows):
        what = f"no row of {lacking[0][0]!r} in {lacking[0][1]!r}" if lacking else "a prompt twice in a space"
        raise UneError(f"{path} has {what}; it wants every prompt in every space once")
    table = np.array([[shares[prompt, space] for space in spaces] for prompt in prompts])
    for prompt, told in zip(prompts, table[..., 0]):
        if np.ptp(told) == 0:
            raise UneError(
                f"{path}: {prompt!r} has the share {told[0]} in every space, and no slope; leave it out, or"
                " plant shares that differ"
            )
    return Planted(prompts, spaces, table[..., 0], table[..., 1])


def _refuse_half_there(
    lake: Lake, prompts: Sequence[str], spaces: Sequence[str], places: Collection[tuple[str, str]]
) -> None:
    for prompt in prompts:
        if lacking := [space for space in spaces if (prompt, space) not in places]:
            raise UneError(
                f"{lake.url} has {prompt!r} in some of {', '.join(spaces)} and not in {lacking[0]}; une build"
                " finishes that space, and une verify names what was rejected there"
            )


def _rows(reading: str, known: Planted, values: np.ndarray, found: DoseResponse) -> list[dict[str, Any]]:
    whole = {
        "reading": reading,
        "spaces": known.spaces,
        "mean_slope": found.slope,
        "unit": UNITS[found.unit],
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "undosed": found.undosed,
    }
    return [
        whole
        | {
            "prompt": prompt,
            "doses": known.frequencies[row].tolist(),
            "responses": values[row].tolist(),
            "slope": float(found.slopes[row]),
        }
        for row, prompt in enumerate(known.prompts)
    ]
