"""What `une edit` prints: a table of each edit, or the doses of one image, and where the pictures are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from une_ray.studies.edits.directions import Direction
    from une_ray.studies.edits.outcome import Summary
    from une_ray.studies.edits.study import DoneEdit

HEADER = (
    f"{'judge':14} {'direction':16} {'effect':>13} {'flips − / +':>23} {'leakage / of one':>16} {'kept':>6} "
    f"{'order':>6} {'identity − / 0 / +':>20} {'KID − / 0 / +':>38}"
)

NOTE = """
effect: standard deviations of the judge's score over its train images per one applied, ± half a 95 % interval
over images, each of which has a random step of its own; flips: of the images that the smallest and the
largest dose could flip; leakage: root mean square of the other attributes' effects, less what differences
between images add (0.000: no more than those), and of what befalls them in one image, where random steps do
not cancel; kept: the largest effect on a kept one; order: Kendall's τ between dose and judged score;
identity: cosine with the original; KID: kernel distance to the originals, ± over images, of 16 or more. 0 is
the round trip. A prompt's dose is its guidance scale; that of hspace counts how far the prompt by itself
moves the middle block. shared: the shared space's probe, carried back; random-shared: random directions of
that space, as long."""


def lines(done: DoneEdit) -> list[str]:
    """The table, what was kept, warnings of doses that leave the data, and where the pictures are."""
    summaries = [outcome.summary() for outcome in done.outcomes]
    images = summaries[0]["images"] if summaries else len(done.image_ids)
    text = [f"{done.edit.attribute} in {images} test images", HEADER, *map(line, summaries)]
    text += _remaining(done.directions)
    for summary in summaries:
        shares = summary["off_data"].items()
        far = ", ".join(f"{alpha:+g} ({share:.0%})" for alpha, share in shares if share > 0)
        if far:
            text.append(
                f"off the data: {summary['direction']} at α = {far} of the images; "
                "their status and error in `edits` say how far"
            )
    text += lossy(summaries)
    text.append(f"pictures: {done.lake.url}/edits/…/IMAGE±α.png, by direction:")
    for direction, folders in done.folders.items():
        text.append(f"  {direction:16} {' '.join(folder.rpartition('/')[2] for folder in folders)}")
    return list(dict.fromkeys(text))


def image_lines(done: DoneEdit) -> list[str]:
    """Of named images: what every judge sees in each at each dose, and the pictures."""
    text, rows = [], done.pictures.to_pylist()
    doses = " / ".join(f"{alpha:g}" for alpha in done.edit.alphas)
    for image_id in done.image_ids:
        own = [row for row in rows if row["image_id"] == image_id]
        split = done.splits[image_id]
        word = "" if split == "test" else f", a {split} image: the probes were fitted with it"
        text.append(f"{done.edit.attribute} in {image_id}{word}; at α = {doses}")
        text.append(f"{'judge':14} {'direction':16} score, and identity with the original")
        text += [_strip(judge, direction, strip) for judge, direction, strip in _strips(own)]
        text += [
            "pictures:",
            *(
                f"  {row['direction']:16} {row['alpha']:+g}  {done.lake.url}/{row['picture']}"
                for row in own
                if row["judge"] == own[0]["judge"]
            ),
        ]
    return [*text, *_remaining(done.directions)]


def line(summary: Summary) -> str:
    """One direction in one judge's eyes."""
    from une_ray.studies.edits.outcome import within

    flips = " / ".join(
        "–" if math.isnan(share) else f"{share:.0%} of {count}"
        for share, count in zip(summary["flips"], summary["flips_of"])
    )
    round_trip = summary["round_trip"]
    identity = [summary["identity"][0], round_trip[0], summary["identity"][1]]
    distances = [summary["quality"][0], round_trip[1], summary["quality"][1]]
    quality = " / ".join(within(distance, summary["images"]) for distance in distances)
    effect = f"{summary['effect']:.2f} ± {summary['effect_margin']:.2f}"
    leaked = f"{summary['leakage']:.3f} / {summary['leakage_of_one']:.3f}"
    kept = "–" if summary["kept"] is None else format(summary["kept"], ".3f")
    return (
        f"{summary['judge']:14} {summary['direction']:16} {effect:>13} {flips:>23} "
        f"{leaked:>16} {kept:>6} {summary['order']:>6.2f} "
        f"{' / '.join(f'{value:.3f}' for value in identity):>20} {quality:>38}"
    )


def lossy(summaries: Sequence[Summary]) -> list[str]:
    """A line per judge in whose eyes the round trip alone changes pictures more than the largest edit of it
    does besides."""
    lines = []
    for judge in dict.fromkeys(summary["judge"] for summary in summaries):
        mine = [summary for summary in summaries if summary["judge"] == judge]
        there, least = mine[0]["round_trip"][0], min(min(summary["identity"]) for summary in mine)
        if 1 - there > there - least:
            lines.append(
                f"round trip: in {judge} it alone takes identity to {there:.3f}, no edit further than to"
                f" {least:.3f}: most of what changes in these pictures is inversion's (more steps, or a"
                " generator of such pictures)"
            )
    return lines


def _remaining(directions: Mapping[str, Direction]) -> list[str]:
    if "orthogonalised" not in directions:
        return []
    direction = directions["orthogonalised"]
    return [
        f"Orthogonalised to {', '.join(direction.nuisances)}: "
        f"{direction.remaining_norm:.3f} of the probe's norm remains."
    ]


def _strips(rows: Sequence[dict]) -> Iterator[tuple[str, str, list[dict]]]:
    """Judge, direction and the rows of one image's doses."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["judge"], row["direction"]), []).append(row)
    for (judge, direction), strip in groups.items():
        yield judge, direction, strip


def _strip(judge: str, direction: str, rows: Sequence[dict]) -> str:
    scores = " / ".join(f"{row['score']:+.2f}" for row in rows)
    identity = " / ".join(f"{row['identity']:.3f}" for row in rows)
    far = ", ".join(f"{row['alpha']:+g}" for row in rows if row["status"] != "ok")
    return f"{judge:14} {direction:16} {scores}   {identity}" + (f"   off the data at {far}" if far else "")
