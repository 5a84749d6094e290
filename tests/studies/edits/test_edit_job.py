"""`une edit` on a tiny untrained zoo: what is decoded, judged, flagged, refused, and done only once;
oracles are NumPy and the steps themselves."""

import io
import json
import re
from itertools import permutations

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from tests.helpers.edited import lake_of
from tests.helpers.lakes import write
from tests.helpers.stock import answered
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.latents import image_ids
from une_ray.lake.layout import Lake, shard_file
from une_ray.lake.session import QUERIES, connect
from une_ray.pictures.decode import fit
from une_ray.run import tasks as pipeline
from une_ray.spaces import space as space_module
from une_ray.spaces.space import Space
from une_ray.studies.edits import command, measures
from une_ray.studies.edits import train_rows as train_rows_module
from une_ray.studies.edits import worker as worker_module
from une_ray.studies.edits.direction_set import directions
from une_ray.studies.edits.edit import Edit
from une_ray.studies.edits.options import BESIDE
from une_ray.studies.edits.outcome import ORDER, outcomes, removed
from une_ray.studies.edits.probes_of_edit import probes_of_lake
from une_ray.studies.edits.registries import PATHS
from une_ray.studies.edits.steerings import prompt_of
from une_ray.studies.edits.study import edit as edit_lake
from une_ray.studies.edits.study import edit_of
from une_ray.studies.edits.tasks import EditOptions, EditTask, plan
from une_ray.studies.edits.train_rows import train_rows
from une_ray.studies.edits.worker import EditEach, EditImages

IMAGES, ALPHAS = 6, (-2.0, 1.0)
ON_REQUEST = ("query", "shared", "random-shared")  # directions that --direction and --shared add


@pytest.fixture(scope="module")
def lake(tmp_path_factory, tiny_spaces) -> Lake:
    return lake_of(
        str(tmp_path_factory.mktemp("edited") / "lake"),
        [Space.parse(tiny_spaces[0]), Space.parse(tiny_spaces[2])],
    )


def smiling(**settings) -> Edit:
    """Smiling in the space `sd`, but for what is said otherwise."""
    return Edit(**{"space": "sd", "attribute": "Smiling", **settings})


@pytest.fixture(scope="module")
def smiles() -> Edit:
    """Beside all that an edit may be put."""
    return smiling(keep=("Male", "Young"), alphas=ALPHAS, baselines=BESIDE)


@pytest.fixture(scope="module")
def done(lake, smiles) -> tuple[list[EditTask], EditOptions, EditImages]:
    """Every task of the edit done and committed, as the job does."""
    tasks, options = plan(lake, smiles, IMAGES)
    worker = EditImages(lake.url, options)
    for task in tasks:
        results.commit(lake, "edits", task.to_row(), worker(task.to_row()))
    return tasks, options, worker


def latents(lake: Lake, space: str) -> dict[str, np.ndarray]:
    return {
        i: np.array(z)
        for i, z in connect(lake)
        .execute("SELECT image_id, z FROM latents WHERE space = ?", [space])
        .fetchall()
    }


def probe(lake: Lake, space: str, attribute: str) -> np.ndarray:
    ((w,),) = (
        connect(lake)
        .execute("SELECT w FROM probes WHERE space = ? AND attribute = ?", [space, attribute])
        .fetchall()
    )
    return np.array(w)


def rows(lake: Lake, where: str) -> list[dict]:
    return (
        connect(lake)
        .sql(f"SELECT * FROM edits WHERE {where} ORDER BY image_id, alpha")
        .to_arrow_table()
        .to_pylist()
    )


def decoded(worker: EditImages, z: np.ndarray) -> np.ndarray:
    """(h, w, 3): z through the generator, one picture alone."""
    generator = worker.generator
    image = generator.image(torch.tensor(z, dtype=torch.float32).view(1, *generator.generator.latent_shape))
    return ((image[0].permute(1, 2, 0) + 1) * 127.5).numpy()


def test_the_picture_is_that_of_z_moved_by_alpha_deviations_along_the_probe(lake, done):
    z, w = latents(lake, "sd"), probe(lake, "sd", "Smiling")
    train = connect(lake).execute("SELECT image_id FROM images WHERE split <> 'test'").fetchall()
    spread = np.std([z[i] @ w for (i,) in train])
    for row in rows(lake, "direction = 'probe'")[:6]:
        moved = z[row["image_id"]] + row["alpha"] * spread * w / (w @ w)
        stored = np.asarray(Image.open(io.BytesIO(lake.store.read(row["picture"]))), float)
        assert (
            np.abs(stored - decoded(done[2], moved)).max() < 1.5
        )  # rounding to 8 bits, and a batch of another size
        assert row["norm"] == pytest.approx(np.linalg.norm(moved), rel=1e-5) and row["judge"] == "dino"


def test_a_step_raises_its_own_score_by_one_deviation_and_no_kept_one(lake, done):
    z, options = np.stack([*latents(lake, "sd").values()]), done[1]
    for name in ("probe", "orthogonalised", "mean-difference"):
        direction = options.directions[name]
        assert direction.w @ direction.step / direction.std == pytest.approx(1)
    kept = options.directions["orthogonalised"].step
    for attribute in ("Male", "Young"):
        w = probe(lake, "sd", attribute)
        assert np.abs(w @ kept) < 1e-10 * np.std(z @ w)
        assert np.abs(w @ options.directions["probe"].step) > 1e-3 * np.std(z @ w)
    assert np.linalg.norm(options.directions["random"].step) == pytest.approx(
        np.linalg.norm(options.directions["probe"].step)
    )


def test_at_no_dose_every_direction_is_judged_as_the_round_trip(lake, done):
    z, originals, w = latents(lake, "sd"), latents(lake, "dino"), probe(lake, "dino", "Smiling")
    judge = done[2].judges[0]
    for row in rows(lake, "alpha = 0"):
        trip = decoded(done[2], z[row["image_id"]]).round().astype(np.uint8)
        embedding = judge.embed(fit(Image.fromarray(trip), judge.space.model.preprocessing)[None], [""])["z"][
            0
        ]
        assert dict(row["scores"])["Smiling"] == pytest.approx(
            embedding @ w + 0.5, abs=1e-2 * np.linalg.norm(w)
        )
        original = originals[row["image_id"]]
        cosine = embedding @ original / np.linalg.norm(embedding) / np.linalg.norm(original)
        assert row["identity"] == pytest.approx(cosine, abs=1e-3)
    assert {row["direction"] for row in rows(lake, "alpha = 0")} == {*ORDER} - {*ON_REQUEST}


def test_a_prompt_leads_the_same_noise_by_guidance_whose_scale_is_the_dose(lake, done):
    """At scale 1 it is sampling under the prompt alone, at −2 the round trip's output less twice the
    difference."""
    g, z = done[2].generator, latents(lake, "sd")
    with_prompt = g.generator.denoiser(g.generator.prompt_states(["a person with a smile"]))
    for row in rows(lake, "direction = 'prompt'")[:6]:
        noise = torch.tensor(z[row["image_id"]], dtype=torch.float32).view(1, *g.generator.latent_shape)

        def guided(x, t, alpha=row["alpha"]):
            without = g.denoiser(x, t)
            return without + alpha * (with_prompt(x, t) - without)

        expected = ((g.image(noise, guided)[0].permute(1, 2, 0) + 1) * 127.5).numpy()
        stored = np.asarray(Image.open(io.BytesIO(lake.store.read(row["picture"]))), float)
        assert np.abs(stored - expected).max() < 1.5 and row["remaining_norm"] is None
        assert row["norm"] == pytest.approx(np.linalg.norm(z[row["image_id"]]), rel=1e-5)


@pytest.mark.long
def test_a_direction_may_be_a_query_and_every_path_is_one_that_rows_can_have_gone(lake):
    sql = "SELECT w, b FROM orthogonalized('sd', 'Smiling', ['Male'])"
    ((w, b),) = connect(lake).execute(sql).fetchall()
    for path in PATHS.names():
        tasks, options = plan(lake, smiling(alphas=(1.0,), baselines=("random",), path=path, query=sql), 2)
        assert [task.edit.direction for task in tasks] == ["probe", "random", "query"]
        assert options.directions["query"].w == pytest.approx(w) and options.directions["query"].b == b
        found = [row for task in tasks for row in EditImages(lake.url, options)(task.to_row())]
        assert {(row["direction"], row["alpha"]) for row in found} == {
            (name, a) for name in ("probe", "query", "random") for a in (0.0, 1.0)
        }
        assert all(np.isfinite(row["norm"]) for row in found)


def test_a_query_of_another_intercept_is_another_edit(lake):
    """A path to a score depends on it."""
    named = [
        plan(
            lake,
            smiling(baselines=(), query=f"SELECT w, {b} AS b FROM direction('sd', 'Smiling')"),
            2,
        )[0]
        for b in (0, 0.5)
    ]
    assert named[0][0] == named[1][0] and named[0][-1] != named[1][-1]


def test_a_lake_that_grows_while_it_is_read_is_no_pairing_of_latents_and_labels(lake, monkeypatch):
    grown = [np.zeros((len(image_ids(lake, "sd")) + 3, 2))]
    monkeypatch.setattr(train_rows_module, "blocks", lambda *_: iter(grown))
    with pytest.raises(UneError, match="'sd' of .* has grown from 48 to 51 latents while they were read"):
        train_rows(lake, "sd", "Young")  # not the labels that other tests asked for, which are remembered


@pytest.mark.parametrize(("changed", "named"), [("sd", "sd"), ("dino", "dino")])
def test_a_model_that_changed_since_the_lake_was_built_neither_decodes_nor_judges(
    lake, monkeypatch, changed, named
):
    pin = space_module.pin
    monkeypatch.setattr(
        space_module,
        "pin",
        lambda model: (model, "sha256:new") if model.source.endswith(changed) else pin(model),
    )
    with pytest.raises(
        UneError,
        match=f"space '{named}' was built with the weights sha256:.*now has sha256:new; put those back",
    ):
        plan(lake, smiling(baselines=()), 2)


def test_a_penalty_of_nothing_is_asked_for_as_such(lake):
    with pytest.raises(UneError, match="λ = 0 needs more train rows than"):
        plan(lake, smiling(baselines=(), penalty=0.0), 2)


def test_permuted_labels_are_fitted_at_the_rank_that_was_not_named(lake):
    _, options = plan(lake, smiling(baselines=("permuted",), method="pca-logistic", penalty=1.0), 2)
    assert np.isfinite(options.directions["permuted"].drawn(options.images)).all()


def test_every_image_has_a_shuffle_of_its_own_whose_score_it_is_moved_by_one_deviation(lake):
    """A step s = σ·w / ‖w‖² along scores of deviation σ has scores z·s of deviation ‖s‖²."""
    _, options = plan(lake, smiling(baselines=("permuted",)), 4)
    steps = options.directions["permuted"].drawn(options.images)
    known = connect(lake).execute("SELECT image_id FROM images WHERE split <> 'test'").fetchall()
    every = latents(lake, "sd")
    train = np.stack([every[i] for (i,) in known if i in every])
    assert np.allclose((train @ steps.T).std(0), np.square(steps).sum(1), rtol=1e-4)
    angles = np.corrcoef(steps)[np.triu_indices(len(steps), 1)]
    assert np.abs(angles).max() < 0.95 and len({*steps[:, 0].tolist()}) == len(options.images)
    again = plan(lake, smiling(baselines=("permuted",)), 2)[1]
    assert np.allclose(again.directions["permuted"].drawn(again.images), steps[: len(again.images)])


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT list_transform(w, lambda x: NULL::DOUBLE) AS w FROM direction('sd', 'Smiling')",
            "a w or b with NULL, NaN or infinity",
        ),
        (
            "SELECT list_transform(w, lambda x: 'much') AS w FROM direction('sd', 'Smiling')",
            "a w or b that is not of numbers",
        ),
        ("SELECT w FROM probes WHERE space = 'none'", "gives 0 rows; it must be one, with a list w of"),
        ("SELECT [1.0, 2.0] AS w", "gives 1 rows; it must be one, with a list w of"),
        ("SELECT oops", "gives no rows: .*oops"),
    ],
)
def test_sql_that_gives_no_direction_is_refused(lake, sql, message):
    with pytest.raises(UneError, match=message):
        plan(lake, smiling(baselines=(), query=sql), 2)


@pytest.mark.parametrize(
    ("corpus", "attribute", "prompt"),
    [
        ("avatars:5?seed=3", "Eyeglasses", "a person with glasses"),
        ("celeba:/data", "Bushy_Eyebrows", "a person with bushy eyebrows"),
    ],
)
def test_the_prompt_is_the_corpus_own_word_for_an_attribute_or_its_name(corpus, attribute, prompt):
    assert prompt_of(corpus, attribute) == prompt


def test_only_test_images_are_edited_and_fewer_are_the_first_of_more(lake, smiles, done):
    few = {row["image_id"] for row in rows(lake, "true")}
    split = dict(connect(lake).execute("SELECT image_id, split FROM images").fetchall())
    assert len(few) == IMAGES and {split[i] for i in few} == {"test"}
    more, _ = plan(lake, smiles, 100)
    assert {task.images[:IMAGES] for task in more if set(task.images) & few} == {done[0][0].images}


def test_what_is_finished_is_not_done_again(lake, smiles, done, monkeypatch):
    """Ray is not even started; and a killed run finds its tasks under the names that it left them."""
    monkeypatch.setattr(pipeline, "_distribute", lambda *_: pytest.fail("there is nothing left to do"))
    tasks, options = plan(lake, smiles, IMAGES)
    assert [task.config for task in tasks] == [task.config for task in done[0]]
    by_edit = {task.edit.config: options for task in tasks}
    assert sorted(pipeline.run(lake, "edits", tasks, EditEach, by_edit, "editing")) == sorted(
        task.config for task in tasks
    )


def test_several_edits_share_their_models_and_each_has_its_own_rows(lake, smiles, monkeypatch):
    loads = []
    load = worker_module.Invert
    monkeypatch.setattr(worker_module, "Invert", lambda *given: loads.append(given) or load(*given))
    edits = [smiling(attribute=name, alphas=(1.0,), baselines=()) for name in ("Smiling", "Male")]
    plans = [plan(lake, edit, 2) for edit in edits]
    worker = EditEach(lake.url, {task.edit.config: options for tasks, options in plans for task in tasks})
    together = [worker(task.to_row()) for tasks, _ in plans for task in tasks]
    assert len(loads) == 1
    alone = [EditImages(lake.url, options)(task.to_row()) for tasks, options in plans for task in tasks]
    for rows_together, rows_alone in zip(together, alone, strict=True):
        for ours, theirs in zip(rows_together, rows_alone, strict=True):
            assert np.array_equal(ours.pop("z"), theirs.pop("z")) and ours == theirs


def test_a_task_that_runs_twice_leaves_the_same_rows(done):
    first, second = (done[2](done[0][0].to_row()) for _ in range(2))
    assert all(np.array_equal(a.pop("z"), b.pop("z")) and a == b for a, b in zip(first, second))


def test_outcomes_are_the_measures_of_the_rows(lake, done):
    found = {outcome.direction: outcome for outcome in outcomes(connect(lake))}
    outcome, told = found["orthogonalised"], rows(lake, "direction = 'orthogonalised'")
    assert outcome.alphas.tolist() == [-2, 0, 1] and outcome.keep == ("Male", "Young")
    scores = np.array([dict(row["scores"])["Smiling"] for row in told]).reshape(IMAGES, 3)
    assert np.array_equal(outcome.scores[:, outcome.target], scores) and np.array_equal(
        outcome.before[:, outcome.target], scores[:, 1]
    )
    assert len(outcome.quality) == 3 and outcome.z.shape[:2] == (IMAGES, 3)
    changed = measures.changes(outcome.before, outcome.scores, outcome.scales)
    assert np.allclose(outcome.slopes, measures.slopes(changed, [-2, 0, 1]))
    change = removed(connect(lake), found["probe"], outcome)
    assert change is not None
    for interval in (*change.coefficient, *change.per_effect):
        assert interval.low <= interval.value <= interval.high


def test_sql_measures_as_python_does(lake, done):
    connection = connect(lake)
    connection.execute((QUERIES / "edits.sql").read_text()).fetchall()
    for outcome in outcomes(connection):
        query = "SELECT slope FROM leakage_matrix WHERE edit = ? ORDER BY judged"
        slopes = np.array(connection.execute(query, [outcome.edit]).fetchall())[:, 0]
        assert np.allclose(slopes, outcome.slopes.mean(0)[np.argsort(outcome.attributes)])
        query = "SELECT change, flips, identity FROM edit_response WHERE edit = ? ORDER BY alpha"
        change, flips, identity = np.array(connection.execute(query, [outcome.edit]).fetchall(), float).T
        assert np.allclose(change, outcome.changes[:, outcome.target].mean(0)) and np.allclose(
            identity, outcome.identity.mean(0)
        )
        assert np.allclose(flips, outcome.flips, equal_nan=True)
        names = ("effect", "leakage", "leakage_of_one")
        query = f"SELECT {', '.join(names)} FROM edit_tradeoffs WHERE edit = ?"
        figures = connection.execute(query, [outcome.edit]).fetchone()
        assert np.allclose(figures, [outcome.summary()[name] for name in names])
    efficient = connection.execute("SELECT bool_or(efficient) FROM edit_tradeoffs").fetchone()
    assert efficient == (True,)


def test_the_stock_shell_reads_the_leakage_matrix(lake, done):
    (row,) = answered(lake, "SELECT count(*) AS n FROM leakage_matrix WHERE direction = 'probe'", "edits.sql")
    assert row["n"] == len(done[2].judges[0].attributes)


def test_a_dose_that_leaves_the_data_is_flagged(lake):
    tasks, options = plan(lake, smiling(alphas=(1.0, 500.0), baselines=()), 2)
    found = EditImages(lake.url, options)(tasks[0].to_row())
    assert {(row["alpha"], row["status"]) for row in found} == {(0.0, "ok"), (1.0, "ok"), (500.0, "off-data")}
    assert all("take a smaller α" in row["error"] for row in found if row["alpha"] == 500)


def test_the_covariance_inner_product_keeps_the_same_scores_by_another_step(lake):
    male_kept = smiling(keep=("Male",), alphas=ALPHAS, inner_product="covariance", baselines=())
    found = directions(
        lake, male_kept, probes_of_lake(lake, "sd", "ridge"), train_rows(lake, "sd", "Smiling")
    )
    step, w = found["orthogonalised"].step, probe(lake, "sd", "Male")
    assert np.abs(w @ step) < 1e-8 * np.linalg.norm(w) * np.linalg.norm(step)
    assert found["orthogonalised"].w @ step / found["orthogonalised"].std == pytest.approx(1)
    assert found["orthogonalised"].inner_product == "covariance"


@pytest.mark.parametrize(
    ("settings", "judged_by", "message"),
    [
        ({"attribute": "Smilling"}, None, "unknown attribute 'Smilling'; known, nearest first: Smiling"),
        ({"attribute": "Refused"}, None, "Refused has no ridge probe in sd: only 3 positives"),
        ({"keep": ("Refused",)}, None, "Refused has no ridge probe"),
        ({"attribute": "Twin", "keep": ("Male",)}, None, "the nuisances Male span the target"),
        ({"space": "dino"}, None, "no way back to pictures; what can be edited is inverted noise: sd"),
        ({"space": "ds"}, None, "unknown space 'ds'"),
        ({}, ["sd"], "can't judge its own edits; choose among: dino"),
        (
            {},
            ["clip"],
            "unknown judge 'clip'.* to have it: une build --corpus avatars:48.* && une probe .*clip",
        ),
        ({"method": "lda"}, None, "sd has no lda probes yet; fit them with: une probe"),
    ],
)
def test_what_cannot_be_edited_is_said(lake, settings, judged_by, message):
    with pytest.raises(UneError, match=message):
        plan(lake, smiling(**settings), 4, judged_by)


def test_an_empty_list_of_images_or_judges_is_not_all_of_them(lake):
    with pytest.raises(UneError, match="an empty list names no image; .* images of the test split"):
        plan(lake, smiling(), 2, image_ids=[])
    with pytest.raises(UneError, match="an empty list names no judge"):
        plan(lake, smiling(), 2, [])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"baselines": ("promt",)}, "baseline 'promt'.*nearest first: prompt"),
        ({"inner_product": "dot"}, "plain"),
        ({"alphas": (np.nan,)}, "finite"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(UneError, match=message):
        smiling(**settings)


def test_a_setting_that_no_edit_has_is_named_with_those_that_there_are(lake):
    with pytest.raises(
        UneError, match="unknown setting of an edit 'inner'; known, nearest first: inner_product"
    ):
        edit_of(lake, "sd", "Smiling", inner="covariance")


def test_without_test_images_the_selection_is_empty(tmp_path, tiny_spaces):
    bare = lake_of(
        str(tmp_path / "lake"), [Space.parse(tiny_spaces[0]), Space.parse(tiny_spaces[2])], "avatars:2"
    )
    write(
        bare,
        f"images/{shard_file(0)}",
        [row | {"status": "ok", "split": "train"} for row in bare.plan(0).to_pylist()],
        schema.IMAGES,
    )
    with pytest.raises(UneError, match="states all images to be train, and none is left to be tested on"):
        plan(bare, smiling(baselines=()), 4)
    with pytest.raises(
        UneError, match="can't be fitted to permuted labels of Smiling: .*; leave permuted out of --baselines"
    ):
        plan(bare, smiling(baselines=("permuted",)), 4)


@pytest.mark.parametrize(("text", "expected"), [("-3:3:7", (-3, -2, -1, 0, 1, 2, 3)), ("-2,.5", (-2, 0.5))])
def test_doses_are_a_range_or_a_list(text, expected):
    assert command.doses(text) == pytest.approx(expected)
    with pytest.raises(UneError, match="FROM:TO:COUNT"):
        command.doses(text + ":")


def test_the_command_prints_every_direction_in_the_judges_eyes(lake, done):
    app = typer.Typer()
    app.command()(command.edit)
    arguments = [
        "--lake",
        lake.url,
        "--space",
        "sd",
        "--attribute",
        "Smiling",
        "--keep",
        "Male,Young",
        "--alphas",
        "-2,1",
        "--images",
        str(IMAGES),
        "--baselines",
        ",".join(BESIDE),
    ]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    table = [line.split()[:2] for line in found.output.splitlines() if line.startswith("dino")]
    assert table == [["dino", name] for name in ORDER if name not in ON_REQUEST]
    assert "of the probe's norm remains" in found.output


TOGETHER = "Smiling+Eyeglasses"


def test_one_direction_moves_two_attributes_and_the_least_score_says_whether_both_are_there(lake):
    tasks, options = plan(lake, smiling(attribute=TOGETHER, keep=("Male",), alphas=(1.0,)), 2)
    names = [task.edit.direction for task in tasks]
    assert names == ["probe", "orthogonalised", "random", "mean-difference", "permuted", "prompt"]
    assert tasks[-1].edit.prompt == "a person with a smile and a person with glasses"
    z = np.stack([*latents(lake, "sd").values()])[train_mask(lake)]
    for name in ("probe", "orthogonalised"):
        step = options.directions[name].step
        for attribute in ("Smiling", "Eyeglasses"):
            w = probe(lake, "sd", attribute)
            assert w @ step == pytest.approx(np.std(z @ w), rel=1e-4)
    assert np.abs(probe(lake, "sd", "Male") @ options.directions["orthogonalised"].step) < 1e-8
    worker = EditImages(lake.url, options)
    for row in worker(tasks[0].to_row()):
        scores = dict(row["scores"])
        assert scores[TOGETHER] == min(scores["Smiling"], scores["Eyeglasses"])


def train_mask(lake: Lake) -> np.ndarray:
    query = "SELECT split <> 'test' FROM latents JOIN images USING (image_id) WHERE space = 'sd'"
    return np.array(connect(lake).execute(query).fetchall())[:, 0]


def test_attributes_that_are_moved_together_are_no_leakage_of_one_another(lake):
    tasks, options = plan(lake, smiling(attribute=TOGETHER, alphas=ALPHAS, baselines=()), IMAGES)
    worker = EditImages(lake.url, options)
    for task in tasks:
        results.commit(lake, "edits", task.to_row(), worker(task.to_row()))
    (outcome,) = outcomes(connect(lake), [tasks[0].edit.config])
    others = np.delete(outcome.slopes, outcome.moved, axis=1)
    pairs = [a @ b for a, b in permutations(others, 2)]  # of two images' slopes: no image with itself
    assert {outcome.attributes[i] for i in outcome.moved} == {TOGETHER, "Smiling", "Eyeglasses"}
    assert outcome.summary()["leakage"] == pytest.approx(np.sqrt(np.mean(pairs) / others.shape[1]))
    connection = connect(lake)
    connection.execute((QUERIES / "edits.sql").read_text()).fetchall()
    query = "SELECT effect, leakage FROM edit_tradeoffs WHERE attribute = ?"
    figures = outcome.summary()["effect"], outcome.summary()["leakage"]
    assert np.allclose(connection.execute(query, [TOGETHER]).fetchone(), figures)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attribute": "Smiling+Smilling"}, "unknown attribute 'Smilling'"),
        (
            {"attribute": TOGETHER, "path": "quantile"},
            "goes by the score of one attribute.*straight or shell",
        ),
        (
            {"attribute": TOGETHER, "keep": ("Male",), "erasure": "leace"},
            "leace moves one attribute at a time",
        ),
        ({"attribute": "Twin+Male"}, "the nuisances Male span the target"),
    ],
)
def test_attributes_that_cannot_be_moved_together_are_said(lake, settings, message):
    with pytest.raises(UneError, match=message):
        plan(lake, smiling(baselines=(), **settings), 2)


def test_a_task_is_the_same_after_its_row(done):
    for task in done[0]:
        assert EditTask.from_row(json.loads(json.dumps(task.to_row()))) == task
        assert task.size == len(task.images) * 3 == len(task.moves)


def test_named_images_are_edited_whatever_their_split_and_the_command_says_where_their_pictures_are(
    lake, monkeypatch
):
    def here(lake, table, tasks, worker, options, *_):
        for task in tasks:
            results.commit(lake, table, task, worker(lake.url, options)(task))
            yield results.config_hash(task)

    monkeypatch.setattr(pipeline, "_distribute", here)  # as a Ray actor does it
    ((image_id,),) = (
        connect(lake).execute("SELECT min(image_id) FROM images WHERE split = 'train'").fetchall()
    )
    app = typer.Typer()
    app.command()(command.edit)
    words = [
        "--lake",
        lake.url,
        "--space",
        "sd",
        "--attribute",
        "Smiling",
        "--alphas",
        "1",
        "--baselines",
        "",
    ]
    shown = CliRunner().invoke(app, [*words, "--image", image_id], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert f"{image_id}, a train image: the probes were fitted with it" in shown.output
    pictures = re.findall(rf"probe +\+([01])  ({re.escape(lake.url)}/edits/\S+\.png)", shown.output)
    assert [dose for dose, _ in pictures] == ["0", "1"], "the round trip is written, too"
    assert all(Image.open(name).size[0] > 0 for _, name in pictures)
    with pytest.raises(UneError, match="unknown image 'nobody'"):
        CliRunner().invoke(app, [*words, "--image", "nobody"], catch_exceptions=False)


def test_an_edit_is_one_call_whose_table_has_the_commands_figures(lake, smiles, done):
    result = edit_lake(lake, smiles, images=IMAGES)
    summaries = [outcome.summary() for outcome in result.outcomes]
    assert result.table["direction"].to_pylist() == [name for name in ORDER if name not in ON_REQUEST]
    assert result.table["effect"].to_pylist() == pytest.approx([row["effect"] for row in summaries])
    assert result.table["kid_up"].to_pylist() == pytest.approx([row["quality"][1].value for row in summaries])
    assert result.pictures.num_rows == (2 + len(BESIDE)) * IMAGES * 3
    side = Image.open(io.BytesIO(lake.store.read(result.pictures["picture"][0].as_py()))).width
    assert result.strip(images=2).size == (3 * side + 4, 4 * side + 6)  # two directions, pixels between them
    assert repr(result) == f"EditResult(Smiling in sd: {2 + len(BESIDE)} directions × {IMAGES} images)"
    page = result._repr_html_()
    assert page.count("<img") == 2 * 4 * 3 and page.count(">α = −2<") == page.count(">α = +1<") == 2 * 4
    assert page.count(">α = 0, the round trip<") == 2 * 4 and "Smiling in sd" in page
    assert f"{result.done[0].image_ids[0]}, orthogonalised" in page
    assert set(result.pictures["picture"].to_pylist()) <= {
        f"{folder}/{name}"
        for one in result.done
        for folder in sum(one.folders.values(), [])
        for name in lake.store.names(folder)
    }
