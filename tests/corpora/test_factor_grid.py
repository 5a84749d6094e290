"""Subsamples of a grid of factors, the options of corpora over one, and the files of published ones."""

import io
import sys
import tempfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from docs import factor_sweeps
from une_ray.corpora import open_corpus
from une_ray.corpora.factor_grid import FactorGrid, copula
from une_ray.corpora.published import opened
from une_ray.errors import UneError

SMALL = FactorGrid({"shape": 2, "scale": 3, "turn": 4})


def test_factors_and_indices_are_each_others_inverse():
    indices = np.arange(len(SMALL))
    factors = SMALL.factors_of(indices)
    assert (SMALL.indices_of(factors) == indices).all()
    assert factors.tolist() == [[a, b, c] for a in range(2) for b in range(3) for c in range(4)]


def test_a_subsample_has_different_items_and_begins_like_a_smaller_one():
    drawn = open_corpus("dsprites:5000?seed=2").indices()
    assert len(np.unique(drawn)) == 5000
    assert (open_corpus("dsprites:500?seed=2").indices() == drawn[:500]).all()
    assert (open_corpus("dsprites:500?seed=3").indices() != drawn[:500]).any()


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, -0.7])
def test_a_copulas_cells_are_those_of_correlated_normal_draws(correlation):
    shares = copula(6, 32, correlation)
    assert shares.sum(1) == pytest.approx(1 / 6) and shares.sum(0) == pytest.approx(1 / 32)
    generator = np.random.default_rng(0)
    drawn = generator.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], 400_000)
    ranks = drawn.argsort(0).argsort(0) / len(drawn)
    counted = np.histogram2d(*ranks.T, bins=(6, 32), range=[[0, 1], [0, 1]])[0] / len(drawn)
    assert np.abs(counted - shares).max() < 5 * np.sqrt(shares.max() / len(drawn))


@pytest.mark.parametrize("kind", ["dsprites", "shapes3d"])
def test_a_correlated_subsample_has_its_pairs_exactly_and_all_else_independent(kind):
    corpus = open_corpus(f"{kind}:20000?correlation=0.9")
    factors = corpus.factors()
    assert len(np.unique(corpus.indices())) == 20000
    first, second = (corpus.grid.names.index(name) for name in corpus.pair)
    sizes = [list(corpus.FACTORS.values())[column] for column in (first, second)]
    counts = np.histogram2d(factors[:, first], factors[:, second], bins=sizes)[0]
    assert np.abs(counts - 20000 * copula(*sizes, 0.9)).max() < 1
    correlations = np.corrcoef(factors.T)
    assert correlations[first, second] > 0.85
    correlations[first, second] = correlations[second, first] = 0
    np.fill_diagonal(correlations, 0)
    assert np.abs(correlations).max() < 4 / np.sqrt(20000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dsprites:0", "needs a number of items.*got '0'"),
        ("dsprites:", "needs a number of items"),
        ("dsprites:5?seed=x", "seed of dsprites is a whole number; got 'x'"),
        ("dsprites:5?correlation=0.95", "−0.9 to 0.9; got '0.95'"),
        ("dsprites:5?correlation=nan", "got 'nan'"),
        ("dsprites:5?correlation=high", "got 'high'"),
        ("dsprites:5?pair=scale,shape", "needs a correlation"),
        ("dsprites:5?correlation=0.5&pair=scale", "two factors"),
        ("dsprites:5?correlation=0.5&pair=scale,hue", "unknown factor 'hue'"),
        ("dsprites:5?correlation=0.5&pair=scale,scale", "not correlated with itself"),
        ("dsprites:300000?correlation=0.9", "about 125,049 items to take"),
        ("dsprites:800000", "737,280 items; 800,000 different ones"),
        ("shapes3d:all?correlation=0.5", "take a part of it, as shapes3d:20000"),
        ("shapes3d:5?items=3", "items= is for a published file"),
        ("shapes3d:/none.h5?items=few", "got 'few'"),
    ],
)
def test_what_the_grid_cannot_give_is_refused(text, message):
    with pytest.raises(UneError, match=message):
        open_corpus(text)


@pytest.mark.parametrize(
    "name",
    [
        "dsprites:all",
        "dsprites:7?seed=3",
        "shapes3d:7?correlation=0.5",
        "shapes3d:7?seed=1&correlation=-0.5&pair=shape,scale",
        "dsprites:/data/dsprites.npz?items=9&correlation=0.9",
    ],
)
def test_a_corpus_is_opened_again_by_its_name(name):
    assert open_corpus(name).name == name


def pictures_of(grid, channels):
    shape = (len(grid), 64, 64, *channels)
    random = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return random if channels else random % 2


@pytest.mark.parametrize("compressed", [True, False])
def test_an_npz_as_published_is_read_item_by_item(tmp_path, monkeypatch, compressed):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    images = pictures_of(SMALL, ())
    classes = np.concatenate([np.zeros((len(SMALL), 1), int), SMALL.factors_of(np.arange(len(SMALL)))], 1)
    save = np.savez_compressed if compressed else np.savez
    path = str(tmp_path / "published.npz")
    save(path, imgs=images, latents_classes=classes)
    published = opened(path, tuple(SMALL.sizes.items()))
    chosen = np.array([5, 0, 23, 5])
    assert (published.pictures(chosen)[..., 0] == 255 * images[chosen]).all()


def test_an_npz_that_is_another_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sizes, factors = tuple(SMALL.sizes.items()), SMALL.factors_of(np.arange(len(SMALL)))
    images = pictures_of(SMALL, (3,))
    for named, message in (
        ({"imgs": images[:5], "labels": factors}, r"holds pictures \(5, 64, 64, 3\)"),
        ({"imgs": images.astype(float), "labels": factors}, "of float64"),
        ({"imgs": images, "labels": factors[::-1]}, "shape does not run as published"),
        ({"imgs": images, "labels": factors[:, :2]}, r"has labels \(24, 2\)"),
        ({"pictures": images}, "has no imgs or images; it holds pictures"),
    ):
        path = str(tmp_path / f"{len(message)}.npz")
        np.savez(path, **named)
        with pytest.raises(UneError, match=message):
            opened(path, sizes)
    cut = tmp_path / "cut.npz"
    cut.write_bytes((tmp_path / f"{len(message)}.npz").read_bytes()[:5000])
    for path, message in ((cut, "download it again"), (tmp_path, "not a file"), (__file__, "end in .npz")):
        with pytest.raises(UneError, match=message):
            opened(str(path), sizes)


def test_hdf5_without_its_library_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    path = tmp_path / "3dshapes.h5"
    path.write_bytes(b"")
    with pytest.raises(UneError, match="pip install h5py"):
        opened(str(path), tuple(SMALL.sizes.items()))


class Hdf5File(dict):
    """In the place of h5py's, whose groups are mappings too, and have no shape."""

    def __init__(self, path: str, mode: str) -> None:
        labels = SMALL.factors_of(np.arange(len(SMALL)))
        images = pictures_of(SMALL, (3,))
        super().__init__(
            {
                "group": {"images": {}, "labels": labels},
                "labels": {"images": images, "labels": {}},
                "scalar": {"images": np.array(7, np.uint8), "labels": labels},
                "whole": {"images": images, "labels": labels},
            }[path.split("/")[-1].removesuffix(".h5")]
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("group", "its images is a group and no data set"),
        ("labels", "its labels is a group and no data set"),
        ("scalar", r"holds pictures \(\) of uint8"),
    ],
)
def test_hdf5_of_an_odd_layout_is_refused(name, message, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", SimpleNamespace(File=Hdf5File))
    for file in (name, "whole"):
        (tmp_path / f"{file}.h5").write_bytes(b"")
    with pytest.raises(UneError, match=message):
        opened(str(tmp_path / f"{name}.h5"), tuple(SMALL.sizes.items()))
    found = opened(str(tmp_path / "whole.h5"), tuple(SMALL.sizes.items()))
    assert (found.pictures(np.arange(3)) == pictures_of(SMALL, (3,))[:3]).all()


def test_an_npz_that_ends_early_leaves_nothing_behind_and_a_scalar_is_refused(tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    images, labels = pictures_of(SMALL, (3,)), SMALL.factors_of(np.arange(len(SMALL)))
    np.savez(tmp_path / "scalar.npz", images=np.array(7, np.uint8), labels=labels)
    with pytest.raises(UneError, match=r"holds pictures \(\) of uint8"):
        opened(str(tmp_path / "scalar.npz"), tuple(SMALL.sizes.items()))
    data = io.BytesIO()
    np.save(data, images)
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        archive.writestr("images.npy", data.getvalue()[:-5000])
        data = io.BytesIO()
        np.save(data, labels)
        archive.writestr("labels.npy", data.getvalue())
    for _ in range(2):
        with pytest.raises(UneError, match="it ends in picture .* download it again"):
            opened(str(tmp_path / "short.npz"), tuple(SMALL.sizes.items()))
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


def test_hdf5_as_published_is_read_item_by_item(tmp_path):
    h5py = pytest.importorskip("h5py")
    images = pictures_of(SMALL, (3,))
    labels = SMALL.factors_of(np.arange(len(SMALL))) / 7  # values, as 3DShapes has them, not classes
    with h5py.File(tmp_path / "published.h5", "w") as file:
        file["images"], file["labels"] = images, labels
    published = opened(str(tmp_path / "published.h5"), tuple(SMALL.sizes.items()))
    chosen = np.array([5, 0, 23, 5])
    assert (published.pictures(chosen) == images[chosen]).all()


@pytest.mark.parametrize("kind", ["dsprites", "shapes3d"])
def test_the_documentation_shows_what_is_drawn(kind):
    kept = np.asarray(Image.open(factor_sweeps.FOLDER / f"{kind}.png").convert("RGB"))
    assert (kept == np.asarray(factor_sweeps.sweeps(kind)))[:, factor_sweeps.LABEL :].all()
