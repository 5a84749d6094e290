"""Equal compute, kills, folders, and codes that a lake would have."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tests.helpers.trained import SCALE, squares
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.models.adhoc import complete
from une_ray.models.encoders import load_encoder
from une_ray.models.spec import ModelSpec
from une_ray.registry import MODEL_KINDS
from une_ray.studies.disentanglement.compare import Comparison, compare
from une_ray.studies.disentanglement.training import distributed, job, trainer
from une_ray.studies.disentanglement.training.compute import flops
from une_ray.studies.disentanglement.training.files import whole
from une_ray.studies.disentanglement.training.folder import read_model, read_run
from une_ray.studies.disentanglement.training.job import check_finished, draw, train_one
from une_ray.studies.disentanglement.training.run import Run, parse_model
from une_ray.studies.disentanglement.training.scales import SCALES
from une_ray.studies.disentanglement.training.trainer import Training, train
from une_ray.studies.disentanglement.training.traversals import HEAD, LABEL, said, traversals


@pytest.fixture(autouse=True)
def scale(monkeypatch):
    monkeypatch.setitem(SCALES, "test", SCALE)


def run(model: str, **changes) -> Run:
    return Run(**{"model": model, "corpus": "squares:36", "scale": "test"} | changes)


def spec_of(folder, **changes) -> ModelSpec:
    defaults = MODEL_KINDS.find("disentangled").defaults
    facts = {field: getattr(defaults, field) for field in ("preprocessing", "gpus", "batch_size", "pooling")}
    return complete(ModelSpec(id="codes", kind="disentangled", source=str(folder), **facts, **changes))


def test_operations_are_those_of_the_matrices():
    layer, x = torch.nn.Linear(6, 5), torch.randn(7, 6)
    assert flops(lambda: layer(x)) == 2 * 7 * 6 * 5
    assert flops(lambda: layer(x).sum().backward()) == 2 * 2 * 7 * 6 * 5  # x itself needs no gradient

    def penalty() -> None:
        at = torch.randn(7, 6, requires_grad=True)
        (gradient,) = torch.autograd.grad(layer(at).square().sum(), at, create_graph=True)
        gradient.square().sum().backward()

    assert flops(penalty) >= 5 * 2 * 7 * 6 * 5


@pytest.mark.parametrize("model", ["vae", "factor-vae", "disco", "did"])
def test_every_model_spends_the_same_compute_up_to_a_step(model, tmp_path):
    train(run(model), squares(), tmp_path / model)
    budget = Training(run("vae"), squares(), tmp_path).budget
    facts = json.loads((tmp_path / model / "training.jsonl").read_text())
    dearest = budget / SCALE.vae_steps * 30
    assert budget <= facts["teraflop"] * 1e12 < budget + dearest
    assert facts["steps"] == 12 if model == "vae" else facts["steps"] < 12


def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(trainer, "STEPS_PER_LINE", 1)
    train(run("factor-vae"), squares(), tmp_path / "whole")

    class Killed(Exception):
        pass

    whole_advance = Training.advance

    def advance(self: Training):
        if self.step == 7:
            raise Killed
        return whole_advance(self)

    monkeypatch.setattr(Training, "advance", advance)
    with pytest.raises(Killed):
        train(run("factor-vae"), squares(), tmp_path / "killed")
    monkeypatch.setattr(Training, "advance", whole_advance)
    with (tmp_path / "killed" / "curve.jsonl").open("a") as curve:
        curve.write('{"step": 7, "tera')  # what a kill leaves of a line
    train(run("factor-vae"), squares(), tmp_path / "killed")
    whole, killed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    curves = [(tmp_path / name / "curve.jsonl").read_text() for name in ("whole", "killed")]
    assert curves[0] == curves[1]


def test_did_tells_its_latents_apart(tmp_path, monkeypatch):
    """Of 32 changes of two latents, chance costs log 31 and what is perfect about log 15; E starts at 2/3,
    the variance of two uniform latents."""
    wider = replace(SCALE, layers=((16, 2, 2), (32, 2, 2)), batch_size=32, latents=2)
    monkeypatch.setitem(SCALES, "test", wider)
    training = Training(run("did"), squares(), tmp_path)
    losses = [training.advance()["generator"] for _ in range(260)]
    first, last = losses[0], losses[-20:]
    assert first["differences"].item() == pytest.approx(math.log(31), abs=0.05)
    assert np.mean([step["differences"].item() for step in last]) < math.log(31) - 0.5
    assert np.mean([step["encoding"].item() for step in last]) < 0.1 < 0.5 < first["encoding"].item()


def test_a_finished_training_is_left_alone_and_another_is_refused(tmp_path):
    train(run("vae"), squares(), tmp_path / "m")
    before = (tmp_path / "m" / "model.safetensors").stat().st_mtime_ns
    train(run("vae"), squares(), tmp_path / "m")
    assert (tmp_path / "m" / "model.safetensors").stat().st_mtime_ns == before
    check_finished(run("vae"), tmp_path / "m")
    with pytest.raises(UneError, match="seed 0, not 1; name another"):
        check_finished(run("vae", seed=1), tmp_path / "m")


HOLDER = """
import pathlib, sys, time
from une_ray.studies.disentanglement.training.files import alone
with alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held(tmp_path):
    """A folder that another process holds, and the process."""
    folder = tmp_path / "m"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield folder, process
    process.kill()
    process.wait()


def test_a_folder_is_trained_in_by_one_process_and_a_killed_one_leaves_no_hold(held, monkeypatch):
    folder, process = held
    monkeypatch.setattr(job, "training_pictures", lambda run, folder: squares())
    with pytest.raises(UneError, match=f"another process trains here: {folder}; wait for it, or name"):
        train_one(run("vae"), folder)
    with pytest.raises(UneError, match="another process trains here"):
        compare(Comparison(models=[("vae", {})], corpus="dsprites:200", scale="test"), folder)
    with pytest.raises(UneError, match="another process trains here"):
        distributed.train(run("vae"), folder, 2)
    assert [path.name for path in folder.iterdir()] == [".lock"]
    process.kill()
    process.wait()
    (folder / "checkpoint.pt.1.tmp").write_text("half of")
    train_one(run("vae"), folder)
    assert (folder / "model.safetensors").exists() and not list(folder.glob("*.tmp"))
    train_one(run("vae", seed=1), folder.parent / "beside")


def test_a_kill_while_a_file_is_written_leaves_the_file_of_before(tmp_path):
    (tmp_path / "f").write_text("before")
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "f") as temporary:
        temporary.write_text("aft")
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("f", "before")]


def test_a_resumed_training_leaves_its_config_alone_and_mends_an_empty_one(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "training_pictures", lambda run, folder: squares())
    monkeypatch.setattr(Training, "advance", lambda self: (_ for _ in ()).throw(InterruptedError))
    config = tmp_path / "m" / "config.json"
    with pytest.raises(InterruptedError):
        train_one(run("vae"), config.parent)
    written = config.stat()
    with pytest.raises(InterruptedError):
        train_one(run("vae"), config.parent)
    assert (config.stat().st_mtime_ns, config.stat().st_ino) == (written.st_mtime_ns, written.st_ino)
    text = config.read_text()
    config.write_text("")  # what a kill left of it before
    with pytest.raises(InterruptedError):
        train_one(run("vae"), config.parent)
    assert config.read_text() == text


def test_a_loss_that_is_not_finite_ends_in_one_line(tmp_path):
    pictures = squares()
    broken = type(pictures)(
        images=pictures.images.astype(np.float32) * np.nan, factors=pictures.factors, names=pictures.names
    )
    with pytest.raises(UneError, match="vae: the loss of its autoencoder is nan at step 0"):
        train(run("vae"), broken, tmp_path / "m")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_lake_s_codes_are_the_model_s(channels, tmp_path):
    train(run("beta-vae", settings={"beta": 2.0}), squares(channels), tmp_path / "m")
    model, pictures = read_model(tmp_path / "m"), squares(channels).rows(slice(0, 36))
    spec = spec_of(tmp_path / "m")
    assert (spec.dim, spec.preprocessing.size, spec.preprocessing.resample) == (4, 8, "box")
    codes = load_encoder(spec)(pictures.expand(-1, 3, -1, -1))
    assert torch.allclose(codes, model.codes(pictures), atol=1e-5)
    assert read_run(tmp_path / "m") == run("beta-vae", settings={"beta": 2.0})


def test_a_model_s_folder_that_is_not_whole_is_refused(tmp_path):
    train(run("did"), squares(), tmp_path / "m")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if name != "encoder.0.weight"},
        tmp_path / "m" / "model.safetensors",
    )
    with pytest.raises(UneError, match="1 not in the file"):
        load_encoder(spec_of(tmp_path / "m"))
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(UneError, match="can't load model"):
        load_encoder(spec_of(tmp_path / "m"))
    (tmp_path / "m" / "config.json").write_text("{}")
    with pytest.raises(UneError, match="names no architecture"):
        spec_of(tmp_path / "m")


def test_traversals_and_curves_are_drawn(tmp_path):
    data = squares()
    train(run("did"), data, tmp_path / "m", finish=lambda training: draw(training, data))
    assert (tmp_path / "m" / "curve.png").stat().st_size > 0
    sheet = traversals(read_model(tmp_path / "m"), data)
    assert sheet.size == (LABEL + 2 * 10 * 68 + 16, HEAD + 4 * 68)


def test_rows_of_traversals_are_named_by_what_their_codes_say():
    """Codes that are the factors, one of them by its sign alone, and two that say nothing."""

    class Perfect(torch.nn.Module):
        def codes(self, pictures):
            row, column = (pictures.sum((1, other)).argmax(1).float() for other in (3, 2))
            noise = torch.rand(len(pictures), generator=torch.Generator().manual_seed(0))
            return torch.stack([column, -row, noise, 0 * row], dim=1)

    data, many = squares(), np.tile(np.arange(36), 50)
    data = replace(data, images=data.images[many], factors=data.factors[many])
    assert said(Perfect(), data) == ["column 100 %", "row 100 %", "nothing", "nothing"]


def test_models_and_settings_are_named_in_one_line():
    assert parse_model("did:contrast=false:temperature=0.5") == (
        "did",
        {"contrast": False, "temperature": 0.5},
    )
    assert run("did", settings={"contrast": False}).variant == "did:contrast=false"
    with pytest.raises(UneError, match="unknown disentanglement model 'bvae'; known, nearest first"):
        parse_model("bvae")
    with pytest.raises(UneError, match="unknown setting of beta-vae"):
        parse_model("beta-vae:gamma=1")
    with pytest.raises(UneError, match="unknown scale 'big'"):
        run("vae", scale="big")
    for compute in (0, math.nan, math.inf, -1):
        with pytest.raises(UneError, match=f"compute is {compute}"):
            run("vae", compute=compute)
    for seed in (-1, 2**40):
        with pytest.raises(UneError, match=f"the seed is {seed}; seeds are 0 to 1099511627775"):
            run("vae", seed=seed)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--compute", "nan", "compute is nan"),
        ("--compute", "inf", "compute is inf"),
        ("--device", "gpu", "--device gpu: there are cpu"),
        ("--device", "cuda:99", "--device cuda:99: "),
        ("--out", "a-file", "a-file can't be written to"),
        ("--seed", "99999999999999999999", "--seed"),
    ],
)
def test_what_can_t_be_trained_ends_in_one_line(option, value, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    words = ["disentangle", "train", "--model", "vae", "--corpus", "dsprites:30", "--compute", "0.001"]
    found = CliRunner().invoke(app, [*words, option, value])
    said = f"{found.output} {found.exception}"
    assert found.exit_code != 0 and message in said and isinstance(found.exception, (UneError, SystemExit))


def test_one_picture_is_trained_on_and_drawn(tmp_path):
    data = squares()
    data = replace(data, images=data.images[:1], factors=data.factors[:1])
    train(run("vae"), data, tmp_path / "m", finish=lambda training: draw(training, data))
    assert traversals(read_model(tmp_path / "m"), data).size == (LABEL + 10 * 68, HEAD + 4 * 68)
