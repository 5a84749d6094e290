"""What `une prompts` prints: findings in lines, each beside its control."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from une_ray.errors import unknown
from une_ray.geometry.reliability import ceiling

Row = dict[str, Any]
NO_INTERVAL = "  one seed, so no interval"
LONGEST, MOST = 60, 24  # letters of a prompt that are shown, and prompts of a space that are listed


def short(prompt: str) -> str:
    """A prompt as a line has room for it."""
    return prompt if len(prompt) <= LONGEST else f"{prompt[: LONGEST - 1]}…"


def bias_lines(rows: Sequence[Row], agreements: Sequence[Row]) -> list[str]:
    """A block per space, prompts from the second pole to the first; below, how they agree with the truth."""
    lines: list[str] = []
    for space in dict.fromkeys(row["space"] for row in rows):
        mine = sorted((row for row in rows if row["space"] == space), key=lambda row: row["bias"])
        width = max(len(short(row["prompt"])) for row in mine)
        lines += [f"{space}: {mine[0]['pole_second']} ← → {mine[0]['pole_first']}"]
        for row in mine:
            truth = "" if row["truth"] is None else f"  truth {row['truth']:.2f}"
            lines.append(f"  {short(row['prompt']):{width}} {row['bias']:+.2f}{_interval(row)}{truth}")
        if mine[0]["low"] is None:
            lines.append(NO_INTERVAL)
        lines.append("")
    lines += [
        f"{row['space']}: {_rho(row)}, 95 in 100 random poles below"
        f" {_or_dash(row['random_poles'])}" + _halves(row)
        for row in agreements
    ]
    return lines


def dose_lines(rows: list[dict[str, Any]]) -> list[str]:
    """A block per reading: every prompt's responses by dose, and the mean slope beside its controls."""
    lines: list[str] = []
    for reading in dict.fromkeys(row["reading"] for row in rows):
        mine = [row for row in rows if row["reading"] == reading]
        first, width = mine[0], max(len(row["prompt"]) for row in mine)
        lines.append(
            f"{reading} of {len(mine)} prompts in {len(first['spaces'])} generators, by what was planted"
        )
        for row in mine:
            pairs = sorted(zip(row["doses"], row["responses"]))
            shown = "  ".join(f"{dose:.0%} {response:+.2f}" for dose, response in pairs)
            lines.append(f"  {row['prompt']:{width}} {shown}  slope {row['slope']:+.2f}")
        undosed = "" if first["undosed"] is None else f", prompts without a dose reach {first['undosed']:.2f}"
        lines.append(
            f"  slope {first['mean_slope']:+.2f} [{first['low']:+.2f}, {first['high']:+.2f}] over"
            f" {first['unit']};"
            f" shuffled doses p = {first['p']:.3f}{undosed}"
        )
    return lines


def explain_lines(rows: Sequence[Row], phrases: int, is_explained: bool) -> list[str]:
    """Both ends of the direction, and what chance reaches."""
    if not rows:
        return ["the captions have no phrase that some have and some have not"]
    first = rows[0]
    verdict = "explained" if is_explained else "explains nothing: a random direction's phrases are as strong"
    head = [row for row in rows if row["correlation"] > 0][:phrases]
    foot = [row for row in rows if row["correlation"] < 0][-phrases:]
    return [
        f"{first['space']}, {first['direction']}: {verdict}",
        *(f"  {row['correlation']:+.2f}  {row['phrase']}" for row in head),
        "  …",
        *(f"  {row['correlation']:+.2f}  {row['phrase']}" for row in foot),
        f"by {bridge(first)}; shuffled captions reach {first['shuffled']:.2f}, random directions"
        f" {first['random']:.2f} (p = {first['random_p']:.3f})",
    ]


def bridge(row: Row) -> str:
    """What led the captions to the direction: their own pictures, a stored map of their texts, or nothing."""
    whose = "" if row["split"] == "all" else f"{row['split']} "
    if row["captions"] == row["space"]:
        among = ", those that a probe was fitted on among them" if row["split"] == "all" else ""
        return f"the captions of {row['images']:,} {whose}items of that space, where these lie{among}"
    led = "which lie in that space by themselves"
    if row["map"] is not None:
        led = f"where the {row['map']} map of {row['source']} puts them in that space"
    return f"{row['images']:,} {whose}captions in {row['captions']}, {led}"


def vote_lines(rows: Sequence[Row], agreements: Sequence[Row]) -> list[str]:
    """Prompts by the share of their pictures that are the first pole's."""
    first = rows[0]
    width = max(len(short(row["prompt"])) for row in rows)
    lines = [
        f"{first['judge']} on {first['pictures']} pictures of each prompt by {first['space']}, guidance"
        f" {first['guidance_scale']:g}: the share of {first['pole_first']}, not {first['pole_second']}"
    ]
    for row in sorted(rows, key=lambda row: row["vote"]):
        truth = "" if row["truth"] is None else f"  truth {row['truth']:.2f}"
        lines.append(
            f"  {short(row['prompt']):{width}} {row['vote']:.2f} [{row['low']:.2f}, {row['high']:.2f}]{truth}"
        )
    lines += [
        f"{_rho(row)}, even against odd seeds {_or_dash(row['halves'])}; votes differ from the shares by"
        f" {row['difference']:.2f}"
        for row in agreements
    ]
    return lines


def default_lines(rows: Sequence[Row], agreements: Sequence[Row]) -> list[str]:
    """A block per space and prompt: what it is taken for; below, how that agrees with the truth."""
    lines: list[str] = []
    for (space, neutral), mine in _grouped(rows, "space", "neutral"):
        lines.append(f"{space}: what is taken for granted, from {neutral!r}")
        by_prompt = _grouped(mine, "prompt")
        for (prompt,), of_prompt in by_prompt[:MOST]:
            found = sorted((row for row in of_prompt if row["is_default"]), key=lambda row: -row["cosine"])
            lines.append(f"  {prompt}")
            lines += [f"    {row['describes']}: {_default(row)}" for row in found]
        if len(by_prompt) > MOST:
            more = f"  and {len(by_prompt) - MOST:,} prompts more"
            lines.append(f"{more}; all are in the view prompt_defaults (une sql)")
        lines += [NO_INTERVAL] if mine[0]["low"] is None else []
        lines += ["  · no nearer than random directions come", ""]
    for row in agreements:
        lines.append(
            f"{row['space']}: the likeliest in truth in {row['accuracy']:.2f}"
            f" [{row['low']:.2f}, {row['high']:.2f}] over {row['prompts']} prompts; always the commonest"
            f" {row['majority']:.2f}, shuffled prompts p = {row['p']:.3f}; ρ with the truth, descriptor by"
            f" descriptor, {row['rho']:.2f} [{row['rho_low']:.2f}, {row['rho_high']:.2f}]"
        )
    return lines


def ranking_lines(rows: Sequence[Row], prompt: str) -> list[str]:
    """All descriptors of one prompt, nearest first, a block per space. Raises UneError for an unknown one."""
    if prompt not in {row["prompt"] for row in rows}:
        raise unknown("prompt", prompt, dict.fromkeys(row["prompt"] for row in rows))
    lines: list[str] = []
    for (space,), mine in _grouped((row for row in rows if row["prompt"] == prompt), "space"):
        lines.append(f"{space}: {prompt}")
        width = max(len(row["descriptor"]) for row in mine)
        for row in sorted(mine, key=lambda row: -row["cosine"]):
            lines.append(f"  {row['descriptor']:{width}} {row['cosine']:+.2f}{_interval(row)}")
        lines.append(
            "  cosine of the descriptor's direction with the prompt's, both from the neutral prompt"
            + (";" + NO_INTERVAL if mine[0]["low"] is None else "; [95 % interval over seeds]")
        )
    return lines


def cluster_lines(rows: Sequence[Row], scores: Sequence[Row]) -> list[str]:
    """A block per space: its clusters' prompts; below, how they agree with the categories."""
    lines: list[str] = []
    for (space,), mine in _grouped(rows, "space"):
        lines.append(f"{space}:")
        for (number,), inside in sorted(_grouped(mine, "cluster"), key=lambda group: -len(group[1])):
            texts = ", ".join(f"{row['prompt']} ({row['category']})" for row in inside)
            lines.append(f"  {number + 1}: {texts}")
        lines.append("")
    for row in scores:
        half = "" if row["halves"] is None else f", even against odd seeds ARI {row['halves']:.2f}"
        of_halves = (
            "" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f} by half of the seeds)"
        )
        lines.append(
            f"{row['space']}: {row['measure']} {row['value']:.2f}{of_halves} of {row['prompts']} prompts"
            f" in {row['clusters']} categories; shuffled categories reach {row['shuffled']:.2f}"
            f" (p = {row['p']:.3f}){half}"
        )
    return lines


def _rho(row: Row) -> str:
    """`ρ with the truth 0.68 [0.42, 0.84] over 35 prompts; shuffled prompts p = 0.001`."""
    if row["rho"] is None:
        return f"no ρ, as the truth or the order is the same of all {row['prompts']} prompts"
    return (
        f"ρ with the truth {row['rho']:.2f} [{row['low']:.2f}, {row['high']:.2f}] over {row['prompts']}"
        f" prompts; shuffled prompts {_p(row['p'])}"
    )


def _halves(row: Row) -> str:
    """How far half of the seeds agree with the other half, and what all of them could reach at most."""
    if row["halves"] is None:
        return ""
    most = f", so at most {ceiling(row['halves']):.2f} of all" if row["halves"] > 0 else ""
    return f", even against odd of {row['seeds']} seeds {row['halves']:.2f}{most}"


def _p(value: float) -> str:
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _default(row: Row) -> str:
    """`an old person +0.31 [+0.25, +0.37], 98 % of resamples, truth 0.62`."""
    support = "" if row["support"] is None else f", {100 * row['support']:.0f} % of resamples"
    truth = "" if row["truth"] is None else f", truth {row['truth']:.2f}"
    chance = "" if row["cosine"] > row["random"] else " ·"
    return f"{row['descriptor']} {row['cosine']:+.2f}{_interval(row)}{support}{truth}{chance}"


def _interval(row: Row) -> str:
    return "" if row["low"] is None else f" [{row['low']:+.2f}, {row['high']:+.2f}]"


def _grouped(rows: Iterable[Row], *keys: str) -> list[tuple[tuple[Any, ...], list[Row]]]:
    """Rows by the values of keys, in their order."""
    found: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in keys)].append(row)
    return list(found.items())
