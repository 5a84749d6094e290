"""What a build says of shards that failed, and when it stops trying."""

from une_ray.run.parked import SHARDS_IN_A_ROW, Parked, left_over


def test_a_row_of_failures_is_hopeless_and_a_success_begins_it_anew():
    parked = Parked()
    for shard in range(SHARDS_IN_A_ROW - 1):
        parked.note(shard, "broken")
    assert not parked.is_hopeless and not parked.is_worth_another_try
    parked.note(90, "")
    parked.note(91, "broken")
    assert not parked.is_hopeless and parked.is_worth_another_try
    for shard in range(100, 100 + SHARDS_IN_A_ROW):
        parked.note(shard, "no space left")
    assert parked.is_hopeless and not parked.is_worth_another_try


def test_nothing_failed_nothing_is_tried_again():
    parked = Parked()
    parked.note(0, "")
    assert not parked.is_worth_another_try


def test_what_is_left_is_named_with_its_reasons_the_most_frequent_first():
    faults = {3: "odd", **{shard: "the store does not answer" for shard in range(10, 16)}}
    assert left_over(faults, 100) == (
        "7 shards could not be done; all others are, and the same command tries again what is left:\n"
        "  shards 10, 11, 12, 13, …: the store does not answer\n"
        "  shard 3: odd"
    )


def test_where_nothing_could_be_done_for_one_reason_it_is_told_alone():
    assert left_over({0: "no space left", 1: "no space left"}, 2) == "no space left"


def test_many_reasons_are_cut_short_and_counted():
    assert left_over({shard: f"reason {shard}" for shard in range(9)}, 99).endswith("and 4 other reasons")


def test_of_a_build_that_stopped_the_shards_that_were_never_tried_are_counted_too():
    faults = {shard: "the store does not answer" for shard in range(16)}
    told = left_over(faults, 1000, left=1000)
    assert "the build stopped there, with 1,000 of 1,000 left" in told and "all others are" not in told
