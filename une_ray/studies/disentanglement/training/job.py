"""One model from pictures to a folder: trained, drawn, and measured."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from une_ray.errors import UneError
from une_ray.studies.disentanglement.training.files import alone
from une_ray.studies.disentanglement.training.folder import read_run
from une_ray.studies.disentanglement.training.pictures import Pictures, pictures
from une_ray.studies.disentanglement.training.run import Run, has_config, is_finished
from une_ray.studies.disentanglement.training.trainer import CURVE, Training, train

PICTURES = "pictures"  # folder beside the models'
TRAVERSALS, CURVES = "traversals.png", "curve.png"


def train_one(run: Run, folder: Path, device: str = "cpu") -> None:
    """Train and draw one model; what is done is not done again. Raises UneError where the folder is
    another's, or where another process trains in it."""
    check_finished(run, folder)
    if not is_finished(folder):
        with alone(folder):
            train_held(run, folder, device)


def train_held(run: Run, folder: Path, device: str) -> None:
    """The same in a folder that is held already, by this process or by the one that started it."""
    check_finished(run, folder)
    if not is_finished(folder):
        data = training_pictures(run, folder)
        train(run, data, folder, device, finish=lambda training: draw(training, data))


def check_finished(run: Run, folder: Path) -> None:
    """Raise UneError where a folder holds another training than `run`, finished or not."""
    if has_config(folder) and (there := read_run(folder)) != run:
        names = [
            field.name for field in fields(run) if getattr(there, field.name) != getattr(run, field.name)
        ]
        said = ", ".join(f"{name} {getattr(there, name)!r}, not {getattr(run, name)!r}" for name in names)
        raise UneError(f"{folder} holds another training: {said}; name another folder with --out")


def training_pictures(run: Run, folder: Path) -> Pictures:
    """Shared by all models of one corpus and scale in one folder."""
    return pictures(run.corpus, run.at.size, run.at.pictures, folder.parent / PICTURES)


def draw(training: Training, data: Pictures) -> None:
    """The traversals, and the losses over the steps."""
    from une_ray.studies.disentanglement.training.traversals import traversals

    sheet = traversals(training.model, data, training.run.seed, training.device)
    sheet.save(training.folder / TRAVERSALS)
    if (training.folder / CURVE).exists():
        plot_curve(training.folder / CURVE, training.folder / CURVES)


def plot_curve(curve: Path, picture: Path) -> None:
    """A panel per loss, by the compute spent."""
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in curve.read_text().splitlines()]
    names = sorted({name for row in rows for name in row} - {"step", "teraflop"})
    figure = Figure(figsize=(3.2 * len(names), 2.6), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        of_name = [row for row in rows if name in row]
        axis.plot(
            [row["teraflop"] for row in of_name], [row[name] for row in of_name], color="#3b6fb6", linewidth=1
        )
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("teraflop", fontsize=8)
        axis.tick_params(labelsize=7)
    figure.savefig(picture, dpi=80)
