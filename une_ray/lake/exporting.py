"""A space as a file that other tools read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.lake.latents import matrix

FORMS = ".npy, .safetensors, .parquet, .lance (with pylance), or a folder for datasets"


def export_space(table: pa.Table, path: Path) -> int:
    """Write `table` (image_id, labels and z) to `path`; how many rows.

    `.npy` and `.safetensors` hold z (n, d) float16 alone, and `path` with `.ids.txt` the ids, a line each;
    `.parquet`, a folder of `datasets`, and `.lance`, whose z are lists of one size as its indices want them,
    hold all columns. Raises UneError for another suffix, a path that is taken, and `.lance` without pylance.
    """
    if path.exists():
        raise UneError(f"{path} is there already; name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path)
    elif path.suffix == ".lance":
        _write_lance(table, path)
    elif path.suffix in (".npy", ".safetensors"):
        z = matrix(table["z"], np.float16)
        ids = table["image_id"].to_pylist()
        if broken := next((image_id for image_id in ids if "\n" in image_id), None):
            raise UneError(
                f"image id {broken!r} has a line break, which a text file of ids can't hold: .parquet"
            )
        if path.suffix == ".npy":
            np.save(path, z)
        else:
            from safetensors.numpy import save_file

            save_file({"z": z}, path)
        lines = "".join(f"{image_id}\n" for image_id in ids)
        path.with_suffix(".ids.txt").write_text(lines, encoding="utf-8")
    elif not path.suffix:
        _save_dataset(table, path)
    else:
        raise UneError(f"{path}: a space is exported as {FORMS}")
    return len(table)


def _save_dataset(table: pa.Table, path: Path) -> None:
    """In `datasets`' layout, without its bar, which says nothing of a space that is written at once."""
    import datasets

    is_quiet = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        datasets.Dataset(table).save_to_disk(path)
    finally:
        if not is_quiet:
            datasets.enable_progress_bars()


def _write_lance(table: pa.Table, path: Path) -> None:
    try:
        import lance
    except ImportError as error:
        raise UneError(
            f"{path}: Lance needs its own writer: pip install pylance, or export .parquet, which Lance reads"
        ) from error
    z = matrix(table["z"], np.float16)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(z.ravel()), z.shape[1])
    lance.write_dataset(table.drop_columns(["z"]).append_column("z", fixed), path)
