"""`orthogonalized(…)` in stock DuckDB, shell and module, against NumPy's projection on a null space."""

import re

import duckdb
import numpy as np
import pytest
from scipy import linalg

from tests.helpers.lakes import items
from tests.helpers.stock import answered, module
from une_ray.geometry.orthogonal import orthogonalized
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.layout import Lake

SPACE, DIM = "gen/ddim50", 64
NAMES = ("Eyeglasses", "Gray_Hair", "Male", "Young")
RNG = np.random.default_rng(0)
W = {
    method: dict(zip(NAMES, RNG.standard_normal((4, DIM)) * 10.0 ** RNG.integers(-4, 4, (4, 1))))
    for method in ("ridge", "logistic")
}
W["ridge"]["Twin"] = W["ridge"]["Male"] * -3  # the same reading in other words
W["ridge"]["Nothing"] = np.zeros(DIM)
W["ridge"]["Mixture"] = W["ridge"]["Eyeglasses"] + W["ridge"]["Male"]
B = {"ridge": 0.25, "logistic": -1.5}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """Probes of two methods; `Bald` has a row without weights; another space has the same attributes."""
    lake = create(Lake(str(tmp_path_factory.mktemp("lake") / "with 'quote")), "test:10", iter(items()), 4)
    for method, readings in W.items():
        rows = [probe(SPACE, name, method, w) for name, w in readings.items()] + [
            probe(SPACE, "Bald", method, None)
        ]
        results.commit(lake, "probes", {"space": SPACE, "method": method}, rows)
    results.commit(
        lake,
        "probes",
        {"space": "enc"},
        [probe("enc", name, "ridge", RNG.standard_normal(8)) for name in NAMES],
    )
    return lake


def probe(space: str, attribute: str, method: str, w: np.ndarray | None) -> dict:
    found = (
        {"status": "reject", "error": "no positives"}
        if w is None
        else {"status": "ok", "w": w.tolist(), "b": B[method]}
    )
    return {
        "space": space,
        "attribute": attribute,
        "method": method,
        "engine": "fast",
        "split_seed": 0,
        **found,
    }


def expected(method: str, target: str, nuisances: list[str]) -> tuple[np.ndarray, float]:
    w = W[method][target]
    unit = np.stack([W[method][name] / np.linalg.norm(W[method][name]) for name in nuisances])
    null = linalg.null_space(unit)
    return null @ null.T @ w, np.linalg.norm(null.T @ w) / np.linalg.norm(w)


def ask(nuisances: list[str], target: str = "Eyeglasses", space: str = SPACE, method: str = "ridge") -> str:
    call = f"orthogonalized('{space}', '{target}', {nuisances}, by_method := '{method}')"
    return f"SELECT w, b, remaining_norm FROM {call}"


@pytest.mark.parametrize("method", W)
@pytest.mark.parametrize(
    "nuisances", [["Male"], ["Gray_Hair", "Male"], ["Young", "Male", "Gray_Hair"], ["Male", "Male"]]
)
def test_it_is_numpys_projection_on_the_null_space(lake, method, nuisances):
    ((w, b, remaining_norm),) = module(lake).execute(ask(nuisances, method=method)).fetchall()
    left, share = expected(method, "Eyeglasses", nuisances)
    assert np.abs(np.array(w) - left).max() < 1e-9 * np.linalg.norm(W[method]["Eyeglasses"])
    assert remaining_norm == pytest.approx(share, abs=1e-9) and b == B[method]


def test_it_is_pythons_orthogonalized(lake):
    found = orthogonalized(W["ridge"]["Eyeglasses"], {name: W["ridge"][name] for name in ("Male", "Young")})
    ((w, _, remaining_norm),) = module(lake).execute(ask(["Male", "Young"])).fetchall()
    assert np.allclose(w, found.w, rtol=1e-9) and remaining_norm == pytest.approx(
        found.remaining_norm, abs=1e-9
    )


def test_the_stock_shell_answers_alike_by_ridge_unless_told_otherwise(lake):
    query = ask(["Gray_Hair", "Male"])
    ((w, b, remaining_norm),) = module(lake).execute(query).fetchall()
    (theirs,) = answered(lake, query.replace(", by_method := 'ridge'", ""))
    assert theirs["remaining_norm"] == pytest.approx(remaining_norm, abs=1e-9) and theirs["b"] == b
    assert np.allclose(theirs["w"], w, rtol=1e-9, atol=1e-9 * np.linalg.norm(w))


def test_a_nuisance_that_others_span_changes_nothing(lake):
    ((w, _, remaining_norm),) = module(lake).execute(ask(["Male", "Nothing", "Twin", "Young"])).fetchall()
    left, share = expected("ridge", "Eyeglasses", ["Male", "Young"])
    assert remaining_norm == pytest.approx(share, abs=1e-9) and np.allclose(w, left, rtol=1e-9)


def test_where_the_nuisances_span_the_target_the_norm_says_so_and_there_is_no_direction(lake):
    ((w, _, remaining_norm),) = module(lake).execute(ask(["Male", "Mixture"])).fetchall()
    assert remaining_norm < 1e-9 and w is None


def test_without_nuisances_the_probe_comes_back_as_it_was(lake):
    ((w, _, remaining_norm),) = module(lake).execute(ask([], "Male")).fetchall()
    assert remaining_norm == pytest.approx(1) and np.allclose(w, W["ridge"]["Male"], rtol=1e-12)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (ask(["Bald"]), "the probe of 'Bald' in space 'gen/ddim50' was refused: no positives"),
        (ask(["Male"], "Bald"), "the probe of 'Bald' in space 'gen/ddim50' was refused: no positives"),
        (ask(["Male", "Mal"]), "no probe of 'Mal' in space 'gen/ddim50'; there are of Male, "),
        (ask(["Male"], space="none"), "no ridge probes of space 'none' in this lake; there are of enc, "),
        (ask(["Twin"], space="enc"), "no probe of 'Twin' in space 'enc'; there are of Male, "),
        (ask(["Twin"], method="lda"), "no probes by method 'lda' in this lake; there are "),
        (ask(["Eyeglasses"]), "'Eyeglasses' is among its own nuisances"),
    ],
)
def test_a_probe_that_is_missing_is_an_error_rather_than_a_direction_that_ignores_it(lake, query, message):
    with pytest.raises(duckdb.Error, match=re.escape(message)):
        module(lake).execute(query).fetchall()


def test_ten_nuisances_of_a_whole_generator_take_seconds_at_most(tmp_path):
    """16,384 dimensions, as Stable Diffusion's noise has."""
    lake = create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4)
    names = [f"a{n}" for n in range(11)]
    weights = dict(zip(names, np.random.default_rng(1).uniform(-0.5, 0.5, (11, 16384))))
    results.commit(lake, "probes", {}, [probe("s", name, "ridge", w) for name, w in weights.items()])
    query = f"SELECT w, remaining_norm FROM orthogonalized('s', 'a0', {names[1:]})"
    ((w, remaining_norm),) = module(lake).execute(query).fetchall()
    others = np.array([weights[name] for name in names[1:]])
    assert np.abs(others @ np.array(w)).max() < 1e-9 * np.linalg.norm(others[0])
    assert 0.99 < remaining_norm <= 1
