"""What others wrote (weights, configurations, corpora, values for SQL) is read, and never run."""

import ast
import json
import os
import pickle
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file
from transformers import Dinov2Config, Dinov2Model

import une_ray
from tests.helpers.lakes import fill, items
from tests.helpers.pictures import png
from une_ray.cli.submit import PACKAGE, RUNTIME_ENV, travel
from une_ray.corpora import open_corpus
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.models.encoders import load_encoder
from une_ray.models.resolve import pin
from une_ray.models.table import find_model
from une_ray.spaces.space import Space

COMMIT = "0" * 40
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self):
        return Path.touch, (self.sprung,)


@pytest.fixture
def sprung(tmp_path) -> Path:
    """The file that is there when code of others has run."""
    return tmp_path / "sprung"


def test_the_trap_works(sprung):
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()


def test_pickled_weights_are_refused_and_not_read(tmp_path, sprung):
    folder = tmp_path / "model"
    small = Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    small.save_pretrained(folder)
    torch.save(Dinov2Model(small).state_dict() | {"trap": Trap(sprung)}, folder / "pytorch_model.bin")
    model = find_model(f"dino:{folder}")
    with pytest.raises(UneError, match=r"holds no weights \(\*.safetensors\)"):
        pin(model)
    with pytest.raises(UneError, match="no file named model.safetensors"):
        load_encoder(model)
    assert not sprung.exists()


def test_code_beside_weights_is_not_run(tmp_path, sprung):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps(
            {"model_type": "theirs", "auto_map": {"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"}}
        )
    )
    (folder / "theirs.py").write_text(f"open({str(sprung)!r}, 'w')\nclass Config: ...\nclass Model: ...\n")
    save_file({"a": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(UneError, match="custom code"):
        load_encoder(find_model(f"dino:{folder}"))
    assert not sprung.exists()


def test_a_runtime_environment_is_plain_yaml(tmp_path, sprung):
    for name in (PACKAGE, RUNTIME_ENV):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"excludes: !!python/object/apply:os.mkdir [{sprung}]\n")
    with pytest.raises(UneError, match="runtime_env.yaml is not plain YAML"):
        travel(tmp_path)
    assert not sprung.exists()


def test_a_hub_id_needs_a_revision():
    for name in ("clip:owner/name", "stable-diffusion:owner/name"):
        with pytest.raises(UneError, match=f"needs a revision, .*{name}@COMMIT"):
            find_model(name)
    with pytest.raises(UneError, match="needs a revision"):
        open_corpus("hub:owner/name")
    assert find_model(f"clip:owner/name@{COMMIT}").revision == COMMIT


def test_a_folder_below_the_current_one_is_that_folder(tmp_path, monkeypatch):
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_model("dino:models/mine").source == str(tmp_path / "models" / "mine")
    assert find_model(f"dino:models/mine@{COMMIT}").source == "hub:models/mine"
    with pytest.raises(UneError, match="needs a revision, .* there is no folder models/other here"):
        find_model("dino:models/other")


def test_main_means_the_commit_that_it_was_when_the_lake_was_made():
    known = {"source": "hub:owner/name", "weights": f"hub:owner/name@{COMMIT}"}
    for revision, expected in (("main", COMMIT), ("v2", "v2")):
        assert Space.parse(f"x=clip:owner/name@{revision}").as_in(known).model.revision == expected


HOSTILE = [
    "a/b' OR '1' = '1",
    "'; DROP VIEW latents; --",
    "') UNION SELECT * FROM read_text('/etc/passwd') --",
]


@pytest.fixture(scope="module")
def probed(tmp_path_factory) -> Lake:
    lake = fill(create(Lake(str(tmp_path_factory.mktemp("lake"))), "test:10", iter(items()), 4))
    probe = {"space": "a/b", "attribute": "Even", "method": "ridge", "engine": "fast", "split_seed": 0}
    results.commit(lake, "probes", {}, [probe | {"status": "ok", "w": [1.0] * 4, "b": 0.0, "auc": 0.5}])
    return lake


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "call",
    [
        "nearest(?, 'i1', 3)",
        "nearest('a/b', ?, 3)",
        "nearest('a/b', ['i1', ?], 3)",
        "attribute_means(?, 'Even')",
        "attribute_means('a/b', ?)",
        "probe_scores(?)",
        "probe_scores('a/b', by_method := ?)",
        "probe_scores('a/b', by_config := ?)",
        "probe_metrics(?)",
        "direction(?, 'Even')",
        "direction('a/b', ?)",
        "agreement('a/b', ?)",
        "entanglement(?)",
        "orthogonalized('a/b', 'Even', [?])",
    ],
)
def test_macros_take_values_and_not_sql(probed, call, text):
    """A hostile name is a misspelt one: it is refused, as it was written, and nothing of it has run."""
    connection = connect(probed)
    with pytest.raises(duckdb.InvalidInputException, match=f"^Invalid Input Error: no .*{re.escape(text)}"):
        connection.execute(f"SELECT * FROM {call}", [text]).fetchall()
    assert connection.execute("SELECT count(*) FROM latents").fetchone() == (9,)


def test_a_lakes_path_is_a_value_too(tmp_path):
    lake = fill(create(Lake(str(tmp_path / "it's; DROP VIEW images; --")), "test:10", iter(items()), 4))
    assert connect(lake).execute("SELECT count(*) FROM images").fetchone() == (10,)


@pytest.mark.parametrize("kind", ["folder", "parquet", "hub"])
def test_no_corpus_reads_outside_of_its_folder(tmp_path, kind):
    """By a name that climbs, an absolute one, or a link; a row of a table may name a path too."""
    secret, corpus = tmp_path / "secret.png", tmp_path / "corpus"
    secret.write_bytes(png())
    corpus.mkdir()
    os.symlink(secret, corpus / "link.png")
    names = ["../secret.png", str(secret), str(corpus / "link.png"), "link.png"]
    rows = [{"bytes": None, "path": name} for name in names]
    pq.write_table(pa.table({"image": rows}, schema=pa.schema([("image", PICTURE)])), corpus / "part.parquet")
    opened = open_corpus(f"{kind}:{corpus}")
    sources = names if kind == "folder" else [item.source for item in opened.items()]
    for source in sources:
        with pytest.raises(OSError, match="leads out of|empty in this row|No such file|and no bytes"):
            opened.read(source)


def calls(tree: ast.AST):
    """Every call of a module, as its name is written, with its keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield (
                ast.unparse(node.func),
                {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords},
            )


def test_no_module_unpickles_or_evaluates():
    """A lake is JSON, Parquet and PNG, whose readers run nothing: so it is enough that nothing else is."""
    for path in Path(une_ray.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}, path
        for name, keywords in calls(tree):
            if name == "exec" and path.name == "sketch.py":
                continue  # runs parts of installed modules, as importing them would
            assert name not in {"eval", "exec", "yaml.load", "yaml.unsafe_load"}, (path, name)
            assert name != "torch.load" or keywords.get("weights_only") == "True", path
            assert (
                keywords.get("trust_remote_code", "False") == keywords.get("allow_pickle", "False") == "False"
            ), path
