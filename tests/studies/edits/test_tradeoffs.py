"""`edit_tradeoffs` of made-up edits; oracles: the slopes that were put in."""

import duckdb
import pytest

from une_ray.lake.session import QUERIES

DEFINITIONS = (QUERIES / "edits.sql").read_text().split("\nSELECT space, attribute, judge, direction")[0]


def tradeoffs(attribute: str, *edits: dict[str, float], corpus: tuple[str, ...] = ()) -> list[tuple]:
    """Of edits of four images, which move what the judge sees by these slopes per unit of α; `corpus` are its
    attributes."""
    selects = []
    for number, slopes in enumerate(edits):
        scores = ", ".join(f"'{name}': alpha * {slope} + n" for name, slope in slopes.items())
        scales = ", ".join(f"'{name}': 1.0" for name in slopes)
        selects.append(f"""
            SELECT 's' AS space, '{attribute}' AS attribute, 'probe' AS direction, []::VARCHAR[] AS keep,
                'plain' AS inner_product, 'ridge' AS method, 'j' AS judge, 'e{number}' AS edit,
                n::VARCHAR AS image_id, alpha::DOUBLE AS alpha, MAP {{{scores}}} AS scores,
                MAP {{{scales}}} AS scales, NULL AS z, 0.9 AS identity, 'ok' AS status
            FROM range(4) images(n), (VALUES (-1), (0), (1)) doses(alpha)""")
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE edits AS {' UNION ALL '.join(selects)}")
    connection.execute("CREATE TABLE attributes AS SELECT unnest(?::VARCHAR[]) AS attribute", [list(corpus)])
    connection.execute(DEFINITIONS)
    return connection.execute(
        "SELECT effect, leakage, leakage_of_one, identity, efficient FROM edit_tradeoffs ORDER BY edit"
    ).fetchall()


@pytest.mark.parametrize(
    ("attribute", "slopes"),
    [("Smiling", {"Smiling": 0.5}), ("Smiling+Young", {"Smiling+Young": 0.5, "Smiling": 0.4, "Young": 0.3})],
)
def test_an_edit_beside_which_nothing_is_judged_has_its_row_without_leakage(attribute, slopes):
    ((effect, leakage, leakage_of_one, identity, _),) = tradeoffs(attribute, slopes)
    assert effect == pytest.approx(0.5) and identity == pytest.approx(0.9)
    assert leakage is None and leakage_of_one is None


def test_leakage_is_of_the_others_alone():
    ((effect, leakage, leakage_of_one, _, efficient),) = tradeoffs(
        "Smiling", {"Smiling": 0.5, "Young": 0.3, "Male": -0.4}
    )
    assert effect == pytest.approx(0.5) and efficient
    assert leakage == pytest.approx(0.125**0.5) and leakage_of_one == pytest.approx(0.125**0.5)


def test_an_attribute_whose_own_name_has_a_plus_leaks_to_what_the_name_is_made_of():
    slopes = {"Black+White": 0.5, "Black": 0.4, "Bald": 0.3}
    ((_, together, *_),) = tradeoffs("Black+White", slopes, corpus=("Black", "White", "Bald"))
    ((_, alone, *_),) = tradeoffs("Black+White", slopes, corpus=("Black", "Black+White", "Bald"))
    assert together == pytest.approx(0.3) and alone == pytest.approx((0.125) ** 0.5)


def test_of_edits_that_leak_to_nothing_the_one_of_more_effect_is_efficient():
    assert [row[-1] for row in tradeoffs("Smiling", {"Smiling": 0.9}, {"Smiling": 0.2})] == [True, False]
