"""What help and docs say of corpora comes from the corpora themselves, and is what they take."""

import subprocess
import sys

import pytest

from une_ray.corpora import open_corpus
from une_ray.corpora.help import corpora, corpus_help, corpus_markdown, forms
from une_ray.errors import UneError

KINDS = {corpus.kind: corpus for corpus in corpora()}


def test_every_kind_has_its_form_and_what_it_is():
    assert {"avatars", "celeba", "duplicates", "folder", "hub", "parquet"} <= set(KINDS)
    for kind, corpus in KINDS.items():
        assert corpus.form.startswith(f"{kind}:") and corpus.about.endswith(".")
        assert corpus.form in forms() and corpus.form in corpus_help() and corpus.form in corpus_markdown()


def test_every_option_is_explained_and_no_other_is_taken():
    for kind, corpus in KINDS.items():
        assert all(
            f"?{option}=" in corpus.text() and about in corpus.markdown()
            for option, about in corpus.options.items()
        )
        with pytest.raises(UneError, match=f"option of {kind} 'colour'"):
            open_corpus(f"{corpus.form.partition('?')[0]}?colour=red")


def test_the_label_tables_columns_and_split_values_are_in_the_help():
    folder = KINDS["folder"]
    assert list(folder.columns) == ["file", "caption", "split", "any other"]
    shown = " ".join(folder.text().split())
    assert "columns of its table" in shown and "split train, val or test in their usual spellings" in shown


def test_help_needs_no_library_that_reads():
    code = "import sys; from une_ray.corpora.help import corpus_help; corpus_help(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "ray", "pyarrow", "fsspec", "datasets", "python_avatars"} & set(modules.split())
