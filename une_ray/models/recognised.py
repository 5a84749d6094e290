"""What kind of model a folder holds, by its configuration: for a message to who left the kind out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from une_ray.errors import UneError
from une_ray.registry import MODEL_KINDS


def is_folder(text: str) -> bool:
    """Whether a person means a folder: it is there, or written as a path is."""
    return text.startswith(("/", ".", "~")) or os.path.isdir(text)


def kinds_of(folder: str) -> list[str]:
    """Names of the kinds that recognise their own files in it."""
    path = Path(os.path.expanduser(folder))
    return [name for name, kind in MODEL_KINDS.items() if kind.recognises(_read(path / kind.sign))]


def without_kind(folder: str) -> UneError:
    """What to say of a folder that no kind stands before."""
    if not os.path.isdir(os.path.expanduser(folder)):
        return UneError(f"there is no folder {folder}; a model of one's own is KIND:FOLDER")
    kinds = kinds_of(folder)
    if kinds:
        written = " or ".join(f"{kind}:{folder}" for kind in kinds)
        return UneError(f"{folder} needs the kind of its model before it: by its files {written}")
    known = [name for name, kind in MODEL_KINDS.items() if kind.weights]
    return UneError(
        f"{folder} needs the kind of its model before it, KIND:{folder}; its files don't say which of"
        f" {', '.join(sorted(known))}"
    )


def _read(path: Path) -> dict[str, Any]:
    """Nothing where there is no such file, or no JSON in it."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
