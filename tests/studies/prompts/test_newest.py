"""Of two computations of one question the newer is shown, as what is known may have been corrected."""

from datetime import datetime

import pytest

from tests.helpers.prompted import PROMPTS, SPACE, lake_of_prompts
from une_ray.corpora.avatar_concepts import frequencies
from une_ray.lake import results, schema
from une_ray.lake.layout import Lake
from une_ray.report.section import Source
from une_ray.studies.prompts.bias import bias
from une_ray.studies.prompts.section import bias_section
from une_ray.studies.prompts.truth import known_truth

POLES = ("a man", "a woman")
MORE, FEWER = PROMPTS[3:15], PROMPTS[3:12]


@pytest.fixture
def lake(tmp_path) -> Lake:
    return lake_of_prompts(str(tmp_path / "lake"))


def shown(lake: Lake, query: str) -> list[tuple]:
    """What a query of prompts.sql's views gives."""
    source = Source(Lake(lake.url))
    source.define("prompts.sql")
    return source.rows(query)


@pytest.mark.parametrize("versions", [(MORE, FEWER), (FEWER, MORE)])
def test_a_corrected_truth_takes_the_place_of_the_one_before(lake, tmp_path, versions):
    """Both ways round, as one of two hashes sorts first by chance."""
    file, shares = tmp_path / "truth.csv", frequencies("Male")
    for known in versions:
        rows = [f"{text},{shares[text]}" for text in known]
        file.write_text("\n".join(["prompt,frequency", *rows]) + "\n")
        bias(lake, "a person", POLES, truth=str(file), resamples=100)
    known = {text for (text,) in shown(lake, "SELECT prompt FROM biases WHERE truth IS NOT NULL")}
    assert known == set(versions[-1])
    assert shown(lake, "SELECT prompts FROM bias_agreements") == [(len(versions[-1]),)]


def test_a_truth_of_few_prompts_is_named_and_goes_before_no_truth(lake, tmp_path):
    """No correlation is taken of two prompts, and what is known of them is shown all the same."""
    file, shares = tmp_path / "truth.csv", frequencies("Male")
    rows = [f"{text},{shares[text]}" for text in MORE[:2]]
    file.write_text("\n".join(["prompt,frequency", *rows]) + "\n")
    bias(lake, "a person", POLES, truth=str(file), resamples=100)
    bias(lake, "a person", POLES, resamples=100)
    assert shown(lake, "SELECT DISTINCT truth_of FROM biases WHERE truth IS NOT NULL") == [(str(file),)]
    section = bias_section(Source(Lake(lake.url)))
    assert section is not None and f">truth: {file}</text>" in section.html
    assert shown(lake, "FROM bias_agreements") == []


def test_rows_without_a_time_are_read_and_count_as_older(lake):
    """As lakes have them that an earlier une_ray wrote."""
    bias(lake, "a person", POLES, resamples=100)
    (file,) = (name for name in lake.store.names("prompt_biases") if name != "empty.parquet")
    table = lake.read_table(f"prompt_biases/{file}")
    assert table["computed"].null_count == 0
    timeless = table.drop_columns(["computed", "truth_of"])
    for name in (file, "empty.parquet"):
        rows = timeless if name == file else timeless.slice(0, 0)
        lake.store.commit(f"prompt_biases/{name}", schema.parquet(rows, {}))
    assert Lake(lake.url).rows("SELECT count(*), count(computed) FROM prompt_biases") == [(len(table), 0)]
    rows = [row | {"bias": 0.5} for row in table.to_pylist()]
    results.commit(lake, "prompt_biases", {"made": "by hand"}, rows)
    assert shown(lake, "SELECT DISTINCT bias FROM biases") == [(0.5,)]


def test_rows_keep_the_time_that_they_have(lake):
    """A space's new name makes its results no younger."""
    then = datetime(2026, 1, 2)
    rows = [{"space": SPACE, "prompt": "a man", "computed": then}, {"space": SPACE, "prompt": "a woman"}]
    results.commit(lake, "prompt_biases", {"made": "by hand"}, rows)
    (first,), (second,) = Lake(lake.url).rows("SELECT computed FROM prompt_biases ORDER BY prompt")
    assert first == then < second


def test_the_newest_of_several_votes_is_the_truth(lake):
    facts = {"judge": "j", "space": SPACE, "pole_first": POLES[0], "pole_second": POLES[1], "steps": 25}
    facts |= {"guidance_scale": 1.0, "low": 0, "high": 1, "pictures": 8}
    for vote, day in ((0.1, 3), (0.9, 7), (0.5, 5)):
        rows = [facts | {"prompt": p, "vote": vote, "computed": datetime(2026, 1, day)} for p in PROMPTS]
        results.commit(lake, "prompt_votes", {"vote": vote}, rows)
    assert set(known_truth(lake, "vote:j", POLES, SPACE).shares.values()) == {0.9}
    assert shown(lake, "SELECT DISTINCT vote FROM votes") == [(0.9,)]
