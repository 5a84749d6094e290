"""`edit_tradeoffs` of made-up edits; oracles: the slopes that were put in."""

import duckdb
import pytest

from une_ray.lake.session import QUERIES

DEFINITIONS = (QUERIES / "edits.sql").read_text().split("\nSELECT space, attribute, judge, direction")[0]


def tradeoffs(attribute: str, slopes: dict[str, float]) -> list[tuple]:
    """Of one edit of four images, which moves what the judge sees by `slopes` per unit of α."""
    scores = ", ".join(f"'{name}': alpha * {slope} + n" for name, slope in slopes.items())
    scales = ", ".join(f"'{name}': 1.0" for name in slopes)
    connection = duckdb.connect()
    connection.execute(f"""
        CREATE TABLE edits AS
        SELECT 's' AS space, '{attribute}' AS attribute, 'probe' AS direction, []::VARCHAR[] AS keep,
            'plain' AS inner_product, 'ridge' AS method, 'j' AS judge, 'e' AS edit, n::VARCHAR AS image_id,
            alpha::DOUBLE AS alpha, MAP {{{scores}}} AS scores, MAP {{{scales}}} AS scales, NULL AS z,
            0.9 AS identity, 'ok' AS status
        FROM range(4) images(n), (VALUES (-1), (0), (1)) doses(alpha)""")
    connection.execute(DEFINITIONS)
    return connection.execute(
        "SELECT effect, leakage, leakage_of_one, identity, efficient FROM edit_tradeoffs"
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
