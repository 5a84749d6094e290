"""What the columns of a label table are: attributes, factors or metadata, by one stated rule.

A column whose values are true/false words is an attribute. One where such words are more than half, or where
true and false stand beside a single third value, was meant as one: its other value is refused, with its row,
until the caller says how it is read. Any other column is metadata: text that stays as it is. Factors, small
whole numbers, are those that the caller names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from une_ray.errors import UneError

if TYPE_CHECKING:
    import pyarrow as pa

BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), "1"),
    **dict.fromkeys(("false", "f", "no", "n", "0"), "0"),
    "-1": "-1",
}
WORDS = frozenset(BOOLEANS.values())
LETTERS = {"t": "f", "f": "t", "y": "n", "n": "y"}  # a word only beside its opposite: F may be female


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the caller says of a table: its `encoding`, the column of paths (`file`), the text that stands for
    `unknown` (of one column as COLUMN:TEXT), columns that are small whole numbers (`factors`) or text
    (`metadata`) whatever they hold, that decide the split together (`group`), or that are not read
    (`skip`)."""

    encoding: str | None = None
    file: str | None = None
    unknown: str | None = None
    factors: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    group: str | None = None
    skip: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Typed:
    """Columns by name, a value per row, None where it is unknown."""

    attributes: Mapping[str, Sequence[bool | None]]
    factors: Mapping[str, Sequence[int | None]]
    metadata: Mapping[str, Sequence[str | None]]


def typed_columns(path: str, columns: Mapping[str, Sequence[str]], rules: Rules) -> Typed:
    """Texts by column name, typed; a column that decides the split is metadata. Raises UneError that names
    row, value and remedy."""
    blanks = {name: _blank(rules, name, columns) for name in columns}
    as_text = {*rules.metadata, rules.group} | {
        name for name, values in columns.items() if not _is_meant_as_attribute(values, blanks[name])
    }
    for name in columns.keys() - as_text - {*rules.factors}:
        _refuse_lost_negatives(path, name, columns[name], rules)
    return Typed(
        attributes={
            name: _attribute(path, name, values, blanks[name])
            for name, values in columns.items()
            if name not in as_text and name not in rules.factors
        },
        factors={name: _factor(path, name, columns[name], blanks[name]) for name in rules.factors},
        metadata={
            name: _metadata(values, blanks[name])
            for name, values in columns.items()
            if name in as_text and name not in rules.factors
        },
    )


def listed(text: str | None) -> tuple[str, ...]:
    """The columns that an option names, comma-separated."""
    return tuple(filter(None, (text or "").split(",")))


def unread_columns(kinds: Mapping[str, str], read: Collection[str | None]) -> list[str]:
    """A line on the columns, name → type, that a corpus of encoded pictures does not read: none that is
    boolean, which are attributes."""
    left = [f"{name} ({kind})" for name, kind in kinds.items() if name not in read and kind != "bool"]
    if not left:
        return []
    return [
        f"columns that are not read: {', '.join(left)}; ?metadata= keeps them as text, ?caption= names the"
        " captions', and attributes are boolean"
    ]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of Parquet holds words, numbers or dates, which have one way to be written."""
    import pyarrow as pa

    are_bytes = pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary
    return not (pa.types.is_nested(kind) or any(is_such(kind) for is_such in are_bytes))


def whole(value: str) -> str:
    """Lower case; 1.0, as spreadsheets save whole numbers beside empty cells, is 1."""
    return re.sub(r"\.0+$", "", value.strip().lower())


def _word(text: str) -> str:
    """1, 0 or -1 of a true/false word, any other text as it is."""
    return BOOLEANS.get(whole(text), whole(text))


def _blank(rules: Rules, column: str, columns: Collection[str]) -> str:
    """The text, as `whole` has it, that means in this column that nobody knows: ?unknown=TEXT says it of
    all, ?unknown=COLUMN:TEXT of one."""
    named, colon, text = (rules.unknown or "").partition(":")
    if colon and named in columns:
        return whole(text) if named == column else ""
    return whole(rules.unknown or "")


def _is_meant_as_attribute(values: Sequence[str], blank: str) -> bool:
    texts = ["" if whole(value) == blank else whole(value) for value in values]
    present = set(texts)
    lone = {letter for letter, opposite in LETTERS.items() if opposite not in present}
    known = Counter(f"the letter {text}" if text in lone else _word(text) for text in texts)
    del known[""]
    words = known.keys() & WORDS
    has_both = "1" in words and len(words) > 1
    is_three_valued = has_both and len(known.keys() - WORDS) == 1
    return is_three_valued or 2 * sum(known[word] for word in words) > known.total() or not known


def _attribute(path: str, column: str, values: Sequence[str], blank: str) -> list[bool | None]:
    """True, False, or None where unknown: where the very text stands that means so, which as a word for
    false would take a "no" along."""
    texts = ["" if whole(value) == blank else _word(value) for value in values]
    left = sorted(set(texts) - {""})
    remedy = (
        f"write true or false there, or give ?factors={column} for whole numbers, ?metadata={column} for"
        f" text, or ?skip={column} to leave it out"
    )
    if strange := [value for value in left if value not in WORDS]:
        row = texts.index(strange[0])
        raise UneError(
            f"column {column!r} of {path} is true/false elsewhere and holds {values[row]!r} (row {row + 2});"
            " attributes are true/false, yes/no, 1/0 or 1/-1, empty where unknown. Say"
            f" ?unknown={values[row]} if it means that, {remedy}"
        )
    if {"0", "-1"} <= set(left):
        raise UneError(
            f"column {column!r} of {path} has the values {', '.join(left)}: say which of them means that it"
            f" is unknown, ?unknown={column}:-1 or ?unknown={column}:0; {remedy}"
        )
    return [None if text == "" else text == "1" for text in texts]


def _refuse_lost_negatives(path: str, column: str, values: Sequence[str], rules: Rules) -> None:
    """Raise UneError for a column of 1 and 0 whose every 0 would become unknown because another column's
    does."""
    if whole(rules.unknown or "") == "0" and {whole(value) for value in values} - {""} == {"0", "1"}:
        raise UneError(
            f"?unknown=0 would make every 0 of column {column!r} of {path} unknown too, which has 1 and 0"
            " alone; ?unknown=COLUMN:0 says it of one column"
        )


def _factor(path: str, column: str, values: Sequence[str], blank: str) -> list[int | None]:
    found: list[int | None] = []
    for row, value in enumerate(values):
        text = "" if whole(value) == blank else whole(value)
        if not re.fullmatch(r"-?\d{1,9}|", text):
            raise UneError(
                f"row {row + 2} of {path}: factor {column!r} is {value!r}, not a whole number of up to nine"
                " digits"
            )
        found.append(int(text) if text else None)
    return found


def _metadata(values: Sequence[str], blank: str) -> list[str | None]:
    """Text without the blanks around it, None where there is none."""
    texts = [value.strip() for value in values]
    return [None if text.lower() in ("", blank) else text for text in texts]
