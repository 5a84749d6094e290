"""A table of labels, read as text and typed by stated rules, never by what its values happen to look like.

Captions stay the text that they are. Splits are train, val and test in their known spellings, or 0, 1 and 2.
What a column of another name is, `une_ray.corpora.columns` decides: an attribute of two values, metadata, or
what the caller says.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from une_ray.corpora.base import PHASH
from une_ray.corpora.columns import Rules, is_text, typed_columns
from une_ray.corpora.stated_splits import split_said, splits_of_groups
from une_ray.errors import UneError, unknown

Value = TypeVar("Value", bool, int, str)

FILE, PROMPT, CAPTION, SPLIT = "file", "prompt", "caption", "split"
TABLES = (".csv", ".tsv", ".parquet")
NO_TEXT = {  # what other files begin with
    b"PK\3\4": "a zip file, as Excel's and LibreOffice's are: save it as CSV",
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"PAR1": "Parquet: let its name end in .parquet",
}
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, kw_only=True)
class Label:
    """What the table says of one file."""

    split: str | None = None
    caption: str | None = None
    group: str | None = None
    attributes: dict[str, bool] = field(default_factory=dict)
    factors: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Rows by file name as `plain_name` gives it, or by prompt, remarks on how the table was read, and
    whether it has the column of groups."""

    rows: Mapping[str, Label]
    remarks: Sequence[str]
    is_grouped: bool = False


def read_labels(path: str, rules: Rules) -> Labels:
    """The rows of a CSV or Parquet file. Raises UneError that names the row, the column and the remedy."""
    _refuse_json(path)
    files, labels, remarks, is_grouped = _rows(path, rules, FILE)
    names = list(map(plain_name, files))
    if "" in names:
        raise UneError(f"row {names.index('') + 2} of {path} names no file")
    rows, repeated = _by_name(path, files, names, labels)
    if repeated:
        remarks = [*remarks, f"{repeated:,} of the rows repeat another word for word"]
    return Labels(rows=rows, remarks=remarks, is_grouped=is_grouped)


def read_prompts(path: str, rules: Rules) -> Labels:
    """The prompts of a text file, one a line, or of a CSV or Parquet file's column `prompt`, in their order.

    Prompts that come again are left out, and blank lines of a text file, and both are counted. Raises
    UneError as `read_labels`, and for a prompt that comes again with other labels.
    """
    _refuse_json(path)
    if path.lower().endswith(TABLES):
        prompts, labels, remarks, _ = _rows(path, rules, PROMPT)
        rows, repeated = _by_name(path, prompts, prompts, labels)
    else:
        if rules != Rules(encoding=rules.encoding):
            raise UneError(
                f"{path} is a text file, a prompt a line; all options but ?encoding= are of tables"
            )
        lines = read_lines(path, rules.encoding)
        prompts = [line for line in lines if line]
        rows, repeated = _by_name(path, prompts, prompts, [Label()] * len(prompts))
        remarks = [f"{len(lines) - len(prompts):,} blank lines left out"] if len(prompts) < len(lines) else []
    if repeated:
        remarks = [*remarks, f"{repeated:,} of the prompts come again, and count once"]
    return Labels(rows=rows, remarks=remarks)


def read_lines(path: str, encoding: str | None = None) -> list[str]:
    """The lines of a text file without the blanks around them, empty ones among them. Raises UneError as
    `read_labels`."""
    return [line.strip() for line in _text(path, _bytes(path, PROMPT), encoding).splitlines()]


def read_prompt_texts(path: str) -> list[str]:
    """The prompts of a file as `read_prompts` takes it, whatever other columns a table has."""
    _refuse_json(path)
    if path.lower().endswith(TABLES):
        return [text for (text,) in read_text_rows(path, [PROMPT])]
    return read_lines(path)


def read_text_rows(path: str, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Those columns of a CSV or Parquet file, a row each, as the text that they are. Raises UneError where
    one is missing."""
    header, rows, _ = _table(path, _bytes(path, PROMPT), Rules(), columns)
    for column in columns:
        if column not in header:
            raise unknown(f"column of {path}", column, header)
    return [tuple(row[column] for column in columns) for row in rows]


def _refuse_json(path: str) -> None:
    if path.lower().endswith((".json", ".jsonl", ".ndjson")):
        raise UneError(f"the table {path} is JSON; a table is a CSV, or Parquet if its name ends so")


class _Rows(NamedTuple):
    """Values of the column that names what a row is of, what each says besides, remarks, and whether there
    are groups."""

    keys: list[str]
    labels: list[Label]
    remarks: list[str]
    is_grouped: bool


def _rows(path: str, rules: Rules, key: str) -> _Rows:
    header, rows, remarks = _table(path, _bytes(path, key), rules)
    if key == FILE:
        header, rows = _with_file(path, header, rows, rules)
    if rules.group == PHASH and PHASH not in header:
        rules = replace(rules, group=None)  # not a column: the pictures' own
    _check_columns(path, header, rules, key)
    if "" in header:
        remarks = [*remarks, "a column without a name is not read"]
    table = {column: [row.get(column, "") for row in rows] for column in header if column not in rules.skip}
    wanted = {
        column: values for column, values in table.items() if column and column not in (key, CAPTION, SPLIT)
    }
    typed = typed_columns(path, wanted, rules)
    if typed.metadata:
        remarks = [
            *remarks,
            f"kept as metadata, as neither attributes nor factors: {', '.join(typed.metadata)}",
        ]
    splits = [_split(path, row, value) for row, value in enumerate(table.get(SPLIT, [""] * len(rows)))]
    labels = [
        Label(
            split=splits[row],
            caption=table[CAPTION][row] or None if CAPTION in table else None,
            group=table[rules.group][row].strip() or None if rules.group else None,
            attributes=_known(typed.attributes, row),
            factors=_known(typed.factors, row),
            metadata=_known(typed.metadata, row),
        )
        for row in range(len(rows))
    ]
    of_groups = splits_of_groups(path, rules.group, ((label.group, label.split) for label in labels))
    labels = [replace(label, split=label.split or of_groups.get(label.group or "")) for label in labels]
    return _Rows(table[key], labels, remarks, rules.group is not None)


def _with_file(
    path: str, header: list[str], rows: list[dict[str, str]], rules: Rules
) -> tuple[list[str], list[dict[str, str]]]:
    """The table with its column of paths called `file`."""
    named = [column for column in header if column]
    if rules.file is None and FILE not in header:
        raise UneError(
            f"{path} has no column 'file' of paths below the folder; it has {', '.join(named)}: name the one"
            f" that has, as in ?table=…&file={named[0] if named else 'COLUMN'}, or write a first line of"
            " names"
        )
    if rules.file in (None, FILE):
        return header, rows
    if rules.file not in header:
        raise unknown(f"column of {path}", rules.file, named)
    names = {rules.file: FILE, FILE: ""}  # another column of that name has no meaning any more
    rows = [{names.get(key, key): value for key, value in row.items() if key != FILE} for row in rows]
    return [names.get(column, column) for column in header], rows


def _known(columns: Mapping[str, Sequence[Value | None]], row: int) -> dict[str, Value]:
    values = ((name, values[row]) for name, values in columns.items())
    return {name: value for name, value in values if value is not None}


def plain_name(name: str) -> str:
    """A file's name as names are compared: `/` between folders, no `./`, composed Unicode (NFC)."""
    text = unicodedata.normalize("NFC", name.strip()).replace("\\", "/")
    return re.sub(r"^(\./)+", "", re.sub(r"/(\./)+|/+", "/", text))


def no_table(path: str) -> str:
    """What is said where a label table is missing."""
    return (
        f"there is no label table {path}; table= is a path from the current folder, not below the pictures'"
    )


def _bytes(path: str, key: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        alone = f"there is no file of prompts {path}; it is a path from the current folder"
        raise UneError(no_table(path) if key == FILE else alone) from error
    except OSError as error:
        raise UneError(f"can't read {path}: {error}") from error


def _text(path: str, data: bytes, encoding: str | None) -> str:
    """The table's text; a mark at its start says that it is UTF-16, and belongs to nothing."""
    for beginning, what in NO_TEXT.items():
        if data.startswith(beginning):
            raise UneError(f"{path} is {what}")
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode(encoding or ("utf-16" if marked else "utf-8")).removeprefix("\ufeff")
    except LookupError as error:
        raise UneError(f"encoding={encoding!r}: there is no such encoding") from error
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise UneError(
            f"{path} is not {error.encoding} text: line {row} has the byte 0x{data[error.start]:02x}; say"
            " what it is, as in ?table=…&encoding=latin-1, or save it as UTF-8"
        ) from error


def _table(
    path: str, data: bytes, rules: Rules, only: Sequence[str] = ()
) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """Header, rows, and remarks; of Parquet `only` those columns, if any are named."""
    if path.lower().endswith(".parquet"):
        return *_parquet(path, data, rules, only), []
    return _csv(path, data, rules)


def _csv(path: str, data: bytes, rules: Rules) -> tuple[list[str], list[dict[str, str]], list[str]]:
    text = _text(path, data, rules.encoding)
    text = text.lstrip("\r\n")
    stated = re.match(r'"?sep=([,;\t|])"?\r?\n', text)  # as spreadsheets write it
    text = text[stated.end() :] if stated else text
    bare = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
    delimiter = stated[1] if stated else max(DELIMITERS, key=bare.count)
    csv.field_size_limit(2**31 - 1)
    try:
        lines = [
            line
            for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            if line
        ]
    except csv.Error as error:
        raise UneError(f"can't read the table {path}: {error}") from error
    if not lines:
        raise UneError(f"the table {path} is empty")
    header = [name.strip() for name in lines[0]]
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(header):
            raise UneError(
                f"row {number} of {path} has {len(line)} values for {len(header)} columns separated by"
                f" {DELIMITERS[delimiter]}: {delimiter.join(line)[:80]!r}"
            )
    said = [] if delimiter == "," else [f"the table's columns are separated by {DELIMITERS[delimiter]}"]
    return header, [dict(zip(header, line)) for line in lines[1:]], said


def _parquet(
    path: str, data: bytes, rules: Rules, only: Sequence[str]
) -> tuple[list[str], list[dict[str, str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (OSError, pa.ArrowInvalid) as error:
        raise UneError(f"can't read the table {path}: {error}") from error
    read = [name for name in table.column_names if name not in rules.skip and name in (only or [name])]
    wanted = table.select(read)
    for column in wanted.schema:
        if not is_text(column.type):
            raise UneError(
                f"column {column.name!r} of {path} is {column.type}, which is no label: ?skip={column.name}"
                " leaves it out; une import makes vectors a space"
            )
    rows = wanted.to_pylist()
    return table.column_names, [{key: _as_text(value) for key, value in row.items()} for row in rows]


def _as_text(value: object) -> str:
    return "" if value is None else str(value)


def _check_columns(path: str, header: Sequence[str], rules: Rules, key: str) -> None:
    reserved = (key, CAPTION, SPLIT)
    if key not in header:
        raise UneError(f"{path} has no column {key!r} (a text); it has {', '.join(header)}")
    if repeated := [name for name, times in Counter(header).items() if name and times > 1]:
        raise UneError(f"{path} has the column {repeated[0]!r} more than once")
    for column in {*header} - {*reserved, *rules.factors, *rules.metadata, *rules.skip}:
        if column.lower() in reserved:
            raise UneError(
                f"{path} has the column {column!r}; write {column.lower()!r} if it is that, or say"
                f" ?metadata={column} or ?skip={column}"
            )
    named = [*rules.factors, *rules.metadata, *rules.skip]
    for column in (*named, *filter(None, [rules.group])):
        if column not in header:
            raise unknown(f"column of {path}", column, header)
    if key in rules.skip or set(reserved) & {*rules.factors, *rules.metadata, rules.group}:
        raise UneError(
            f"{path}: {', '.join(reserved)} are no factors, metadata or groups, and {key} can't be skipped"
        )
    if twice := [name for name, times in Counter(named).items() if times > 1]:
        raise UneError(f"{path}: column {twice[0]!r} is named by two of ?factors=, ?metadata= and ?skip=")
    if rules.group in rules.skip:
        raise UneError(f"{path}: column {rules.group!r} can't both be skipped and decide the split")


def _split(path: str, row: int, value: str) -> str | None:
    if not value.strip():
        return None
    split = split_said(value)
    if split is None:
        raise UneError(
            f"row {row + 2} of {path}: split {value!r} is none of train, val and test, their usual spellings,"
            " or 0, 1 and 2; ?skip=split splits by hash"
        )
    return split


def _by_name(
    path: str, written: Sequence[str], names: Sequence[str], labels: Sequence[Label]
) -> tuple[dict[str, Label], int]:
    """Labels by name, and how many rows say again what another says; `written` is what the table has for
    each name."""
    rows: dict[str, Label] = {}
    repeated = 0
    for row, (name, label) in enumerate(zip(names, labels, strict=True)):
        if name in rows:
            if rows[name] != label:
                raise UneError(
                    f"row {row + 2} of {path}: {written[row]!r} has a row already, which says something else"
                )
            repeated += 1
        rows[name] = label
    return rows, repeated
