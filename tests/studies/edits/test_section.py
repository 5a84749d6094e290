"""The part of the page on edits, from a lake with planted outcomes: what was put in is what is drawn and
told."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.helpers.lakes import write
from une_ray.corpora import open_corpus
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.splits import placed
from une_ray.report.section import Source
from une_ray.studies.edits import section as edits

ATTRIBUTES = ["Eyeglasses", "Gray_Hair", "Male", "Smiling"]
ALPHAS = [-2.0, -1.0, 0.0, 1.0, 2.0]
EFFECTS = {
    "probe": [0.8, 0.4, 0.3, 0.0],
    "orthogonalised": [0.8, 0.02, 0.01, 0.0],
    "random": [0.0, 0.01, 0.0, 0.01],
}
RANDOM = np.random.default_rng(0)
SCALES = np.array([1.0, 2.0, 3.0, 4.0])  # of the judge's train images, which are others


def lake_of(url: str, planted: bool = True) -> Lake:
    """Sixteen avatars with every picture of three edits, whose tint is the dose; judged scores follow
    EFFECTS exactly."""
    corpus = open_corpus("avatars:16")
    lake = create(Lake(url), corpus.name, corpus.items(), 16)
    lake.register("judge", {"kind": "dino"})
    plan = lake.plan(0).to_pylist()
    ids = [row["image_id"] for row in plan]
    labelled = [
        row
        | placed(row, None, str)
        | {
            "status": "ok",
            "attributes": {"Eyeglasses": n % 2 == 0, "Gray_Hair": n % 4 < 3 and n % 2 == 0, "Male": n > 8},
        }
        for n, row in enumerate(plan)
    ]
    write(lake, f"images/{shard_file(0)}", labelled, schema.IMAGES)
    z = RANDOM.standard_normal((16, 6))
    write(
        lake,
        f"{space_folder('judge')}/{shard_file(0)}",
        [{"image_id": i, "status": "ok", "z": x.astype(np.float16)} for i, x in zip(ids, z)],
        schema.SPACE,
    )
    scores = RANDOM.standard_normal((16, 4))
    for direction, effects in EFFECTS.items() if planted else ():
        rows = [
            row
            for i, x, s in zip(ids, z, scores)
            for row in edited(lake, direction, np.array(effects) * SCALES, i, x, s)
        ]
        results.commit(lake, "edits", {"direction": direction}, rows)
    return lake


def edited(
    lake: Lake, direction: str, effects: np.ndarray, image_id: str, z: np.ndarray, scores: np.ndarray
) -> list[dict]:
    keep = ["Gray_Hair", "Male"] if direction == "orthogonalised" else []
    rows = []
    for alpha in ALPHAS:
        name = f"edits/planted/{direction}-{image_id}{alpha:+g}.png"
        data = io.BytesIO()
        Image.new("RGB", (64, 64), (128 + int(40 * alpha), 128, 90)).save(data, "PNG")
        lake.store.commit(name, data.getvalue())
        rows.append(
            {
                "edit": direction,
                "space": "gen/ddim50",
                "attribute": "Eyeglasses",
                "method": "ridge",
                "direction": direction,
                "keep": keep,
                "inner_product": "plain",
                "remaining_norm": 0.9,
                "image_id": image_id,
                "alpha": alpha,
                "norm": 8.0,
                "status": "off-data" if alpha == 2 else "ok",
                "picture": name,
                "judge": "judge",
                "identity": 0.9 - 0.1 * abs(alpha),
                "scores": list(zip(ATTRIBUTES, scores + alpha * effects)),
                "scales": list(zip(ATTRIBUTES, SCALES)),
                "z": (z + 0.1 * alpha).astype(np.float16),
            }
        )
    return rows


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> str:
    return edits.section(Source(lake_of(str(tmp_path_factory.mktemp("page") / "lake")))).html


def test_a_lake_without_edits_has_no_such_part(tmp_path):
    assert edits.section(Source(lake_of(str(tmp_path / "lake"), planted=False))) is None


def test_the_original_stands_before_every_strip_with_its_round_trip_plain_and_orthogonalised_side_by_side(
    html,
):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    assert captions == ["original", "-2", "-1", "0", "+1", "+2*"] * 2 * edits.IMAGES
    assert "<th>probe</th><th>keeping Gray_Hair, Male</th>" in html


def test_the_table_tells_what_was_planted(html):
    found = {
        cells[0]: cells
        for cells in (re.findall(r"<td[^>]*>(.*?)</td>", row) for row in html.split("<tr>"))
        if len(cells) == 17
    }
    assert [*found] == ["probe", "keeping Gray_Hair, Male", "random"]
    assert (
        found["probe"][1] == "0.80"
        and found["probe"][5] == f"{np.sqrt((0.4**2 + 0.3**2) / 3):.3f}"
        and found["probe"][6] == found["probe"][5]  # all images are moved alike
        and found["probe"][8] == "–"
    )
    assert found["keeping Gray_Hair, Male"][8] == "0.020" and found["random"][1] == "0.00"
    assert found["probe"][10:13] == ["0.700", "0.900", "0.700"] and found["probe"][16] == "20 %"


def test_what_was_removed_of_the_leakage_is_the_regressions(html):
    n = np.arange(16)
    labels = [n % 2 == 0, (n % 4 < 3) & (n % 2 == 0), n > 8]
    phi = np.array([np.corrcoef(labels[0], other)[0, 1] for other in labels[1:]])
    follow = [phi @ np.array(EFFECTS[name])[1:3] for name in ("probe", "orthogonalised")]
    coefficients = [
        value / EFFECTS[name][0] / (phi @ phi) for value, name in zip(follow, ("probe", "orthogonalised"))
    ]
    assert f"labels' correlation {coefficients[0]:.2f} ({coefficients[0]:.2f} to" in html
    assert f"less by {coefficients[0] - coefficients[1]:.2f} (" in html


def test_every_judge_has_its_heat_map_and_curves(html):
    assert html.count("<svg") == 2 and "Judged in judge, 16 images" in html and "Gray_Hair°" in html


def test_the_summary_names_the_strongest_edit_its_leakage_and_what_a_random_direction_does(tmp_path):
    summary = edits.section(Source(lake_of(str(tmp_path / "lake")))).summary
    leakage, of_random = (
        f"{np.sqrt(np.square(others).sum() / 3):.3f}" for others in ([0.4, 0.3, 0], [0.01, 0, 0.01])
    )
    assert summary == (
        "Eyeglasses in gen/ddim50 along probe has the most effect: +0.80 ± 0.00 standard deviations of "
        f"judge's score per one applied over 16 images, leakage to other attributes of one image {leakage} "
        f"(random direction +0.00, leakage {of_random})."
    )
