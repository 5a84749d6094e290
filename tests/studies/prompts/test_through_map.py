"""Captions that a stored map leads into a direction's space, against the map applied by hand."""

import numpy as np
import pytest

from tests.helpers.lakes import write
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.renaming import remove_space, rename_space
from une_ray.lake.stored_maps import StoredMap
from une_ray.report.section import Source
from une_ray.studies.prompts.explain import explain
from une_ray.studies.prompts.lines import explain_lines
from une_ray.studies.prompts.says_section import says_section

WORDS = ("hat", "beard", "coat", "smile", "scarf")
ROWS, DIM = 80, 12  # of texts five dimensions, of the generator's noise twelve
CLIP = {"model": "clip", "kind": "clip", "source": "package:clip", "weights": "sha256:1", "role": "model"}
PRINTS = {
    "clip": CLIP | {"pooling": "pooler"},
    "clip/text": CLIP | {"method": "text-embedding"},
    "sd/ddim50": {"model": "sd", "kind": "stable-diffusion", "weights": "sha256:2", "role": "model"},
}
WORN = np.random.default_rng(0).random((ROWS, len(WORDS))) < 0.5
HAT = "SELECT list_transform(range(12), lambda d: if(d = 3, 1.0, 0.0)) AS w"
NOWHERE = "SELECT list_transform(range(12), lambda d: if(d = 11, 1.0, 0.0)) AS w"


def worn_map() -> StoredMap:
    """The texts' first five dimensions become the noise's dimensions 3 to 7."""
    matrix = np.eye(len(WORDS), DIM, 3)
    mean = np.full(len(WORDS), 0.2)
    return StoredMap(
        normalised=True,
        scale=1.0,
        target_norm=30.0,
        source_mean=mean,
        target_mean=np.ones(DIM),
        matrix=matrix,
    )


def texts() -> np.ndarray:
    """(n, 5) float16: an embedding is what is worn, and some noise."""
    return (WORN + 0.3 * np.random.default_rng(1).normal(size=WORN.shape)).astype(np.float16)


def lake_of_captions(url: str, spaces: dict[str, np.ndarray]) -> Lake:
    mixed = np.random.default_rng(3)
    said = ["a person with " + " and ".join(mixed.permutation(np.array(WORDS)[worn])) for worn in WORN]
    items = [Item(f"i{row:03d}", f"{row}.png", "test", caption) for row, caption in enumerate(said)]
    lake = create(Lake(url), "prompts:none.txt", iter(items), ROWS)
    rows = [row | {"status": "ok"} for row in lake.plan(0).to_pylist()]
    write(lake, f"images/{shard_file(0)}", rows, schema.IMAGES)
    for space, z in spaces.items():
        lake.register(space, PRINTS[space])
        latents = [
            {"image_id": item.image_id, "status": "ok", "z": row, "norm": float(np.linalg.norm(row))}
            for item, row in zip(items, z)
        ]
        write(lake, f"{space_folder(space)}/{shard_file(0)}", latents, schema.SPACE, PRINTS[space])
    return lake


@pytest.fixture
def lake(tmp_path) -> Lake:
    noise = np.random.default_rng(2).normal(size=(ROWS, DIM)).astype(np.float16)
    spaces = {"clip": texts(), "clip/text": texts(), "sd/ddim50": noise}
    lake = lake_of_captions(str(tmp_path / "lake"), spaces)
    row = {"source": "clip", "target": "sd/ddim50", "map": "orthogonal", "centred": True, "split_seed": 0}
    for side, space in (("source", "clip"), ("target", "sd/ddim50")):
        row[f"{side}_fingerprint"] = results.config_hash(PRINTS[space])
    results.commit(lake, "maps", {"spaces": ["clip", "sd/ddim50"]}, [row | worn_map().to_row()])
    return Lake(lake.url)


def test_captions_correlate_as_the_map_applied_by_hand_has_it(lake):
    found = explain(lake, "sd/ddim50", HAT, captions="clip/text")
    rows = {row["phrase"]: row for row in found.table.to_pylist()}
    projected = worn_map()(texts().astype(float))[:, 3]
    for column, word in enumerate(WORDS):
        expected = np.corrcoef(WORN[:, column], projected)[0, 1]
        assert rows[word]["correlation"] == pytest.approx(expected, abs=1e-4)
    assert found.is_explained and rows["hat"]["correlation"] > 0.7
    assert {row["shuffled"] < 0.5 and row["random_p"] <= 0.05 for row in rows.values()} == {True}
    (last,) = explain_lines(found.table.to_pylist(), 2, True)[-1:]
    assert "80 test captions in clip/text, where the orthogonal map of clip puts them in that space" in last
    own = explain(lake, "sd/ddim50", HAT)  # by the pictures, whose noise has nothing to do with hats
    assert not own.is_explained and "where these lie" in explain_lines(own.table.to_pylist(), 2, False)[-1]


def test_a_direction_that_no_text_reaches_says_nothing(lake):
    found = explain(lake, "sd/ddim50", NOWHERE, captions="clip/text")
    assert not found.is_explained
    assert np.abs(found.table["correlation"].to_numpy()).max() < 1e-3


def test_texts_lie_in_the_space_of_their_own_models_pictures_without_a_map(lake):
    query = "SELECT [0.0, 1.0, 0.0, 0.0, 0.0] AS w"
    found = explain(lake, "clip", query, captions="clip/text").table.to_pylist()
    (beard,) = (row["correlation"] for row in found if row["phrase"] == "beard")
    assert beard == pytest.approx(np.corrcoef(WORN[:, 1], texts().astype(float)[:, 1])[0, 1], abs=1e-4)
    assert "captions in clip/text, which lie in that space by themselves" in explain_lines(found, 2, True)[-1]


def test_texts_of_another_lake_are_led_through_the_same_map(lake, tmp_path):
    other = lake_of_captions(str(tmp_path / "other"), {"clip/text": texts()})
    found = explain(lake, "sd/ddim50", HAT, captions=f"clip/text@{other.url}")
    here = explain(lake, "sd/ddim50", HAT, captions="clip/text")
    assert found.table["correlation"].equals(here.table["correlation"])
    assert set(found.table["split"].to_pylist()) == {"all"}
    other.register("strange/text", PRINTS["clip/text"] | {"weights": "sha256:3"})
    with pytest.raises(UneError, match="no orthogonal map of clip onto sd/ddim50.*once .* has the pictures"):
        explain(lake, "sd/ddim50", HAT, captions=f"strange/text@{other.url}")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"captions": "clip/tex"}, "unknown space of .*'clip/tex'.*clip/text"),
        ({"captions": "clip"}, "clip is no space of texts"),
        (
            {"captions": "clip/text", "map": "ridge"},
            "no ridge map of clip onto.*map fit .* --from clip --to sd",
        ),
        ({"captions": "clip/text", "map": "mlp"}, "unknown map 'mlp'"),
        ({"captions": "clip/text", "split": "tst"}, "unknown split 'tst'"),
        ({"captions": "clip/text@/no/lake"}, "no lake at"),
    ],
)
def test_captions_that_no_map_leads_there_are_refused(lake, asked, message):
    with pytest.raises(UneError, match=message):
        explain(lake, "sd/ddim50", HAT, **asked)


def test_the_report_has_one_card_with_a_line_for_either_bridge(lake):
    for captions in (None, "clip/text"):
        explain(lake, "sd/ddim50", HAT, captions=captions)
    source = Source(Lake(lake.url))
    source.define("prompts.sql")
    query = "SELECT captions, map, source, is_first_split FROM directions_said ORDER BY map NULLS FIRST"
    own, led = source.rows(query)
    assert own == ("sd/ddim50", None, None, True) and led == ("clip/text", "orthogonal", "clip", True)
    section = says_section(source)
    assert section is not None and section.html.count("<h3") == 1 and section.html.count(">head</p>") == 1
    assert section.html.count("explains nothing") == 1 and "clip/text, orthogonal map" in section.html
    assert section.summary.startswith("Captions explain 1 of the 1 directions")


def test_an_explanation_follows_the_space_of_its_captions(lake):
    explain(lake, "sd/ddim50", HAT, captions="clip/text")
    rename_space(lake, "clip/text", "words")
    named = "SELECT DISTINCT captions FROM prompt_explanations"
    assert Lake(lake.url).rows(named) == [("words",)]
    remove_space(Lake(lake.url), "words")
    assert Lake(lake.url).rows(named) == []
