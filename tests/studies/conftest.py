import pytest

from une_ray.lake import results
from une_ray.memorization.bench import Bench
from une_ray.pipeline import tasks


@pytest.fixture
def in_this_process(tmp_path, monkeypatch) -> str:
    """The folder of a lake that memorisation's tasks are done for here, without Ray."""
    folder = str(tmp_path / "lake")
    worker = Bench(folder, {}, "cpu")

    def run(lake, kind, todo, *_):
        for task in todo:
            results.commit(lake, kind, task, worker(task))
            yield results.config_hash(task)

    monkeypatch.setattr(tasks, "run", run)
    return folder
