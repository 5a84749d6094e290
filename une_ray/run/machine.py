"""What a Ray of this machine needs of it, asked before it starts: Ray itself fails late, or is slow in
silence."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from une_ray.errors import UneError, reason

SHARED_MEMORY = "/dev/shm"
LONGEST_TMPDIR = 39  # bytes; /ray/session_DATE_TIME_PID/sockets/plasma_store follows
LEAST = 128 << 20  # of Ray's objects, which want 75 MiB, and its logs
ONE_SHARD = 1 << 30  # it travels as one object
REMEDY = "delete there what ended processes left, or in Docker give --shm-size=2g"


def refuse_unfit() -> None:
    """Raise UneError where Ray can't start here: a temporary folder whose name is too long for sockets or
    that can't be written, no room for its objects. Where they will lie on disk, say so."""
    folder = temporary_folder()
    if len(os.fsencode(folder)) > LONGEST_TMPDIR:
        raise UneError(
            f"the temporary folder {folder} is too long for the names of Ray's sockets, which end after"
            f" 107 bytes; set RAY_TMPDIR to one of at most {LONGEST_TMPDIR}, as in RAY_TMPDIR=/tmp"
        )
    try:
        ray = Path(folder) / "ray"
        ray.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=ray):
            pass
        on_disk = shutil.disk_usage(ray).free
    except OSError as error:
        raise UneError(
            f"Ray can't write to {folder}/ray: {reason(error)}; set RAY_TMPDIR to a folder of your own, of a"
            f" name of at most {LONGEST_TMPDIR} bytes"
        ) from error
    in_memory = _free(SHARED_MEMORY)
    if max(in_memory, on_disk) < LEAST:
        raise UneError(
            f"no room for Ray's objects: {SHARED_MEMORY} has {_mebibytes(in_memory)} free, {folder}"
            f" {_mebibytes(on_disk)}; {REMEDY}, or set RAY_TMPDIR to a folder with more"
        )
    if in_memory < ONE_SHARD:
        print(
            f"une: {SHARED_MEMORY} has {_mebibytes(in_memory)} free, less than a shard may have: Ray may keep"
            f" its objects in {folder}, which is slower; {REMEDY}",
            file=sys.stderr,
        )


def do_without_home() -> None:
    """Ray keeps the token of its processes below HOME. Where that can't be written they get one by the
    environment, for as long as they run."""
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        return
    try:
        folder = Path.home() / ".ray"
        if os.access(folder / "auth_token", os.R_OK):
            return
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except (OSError, RuntimeError):  # RuntimeError: of a user whose home nobody knows
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def temporary_folder() -> str:
    """Where Ray puts its sessions."""
    return os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"


def _free(folder: str) -> int:
    """Bytes; none where there is no such folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
