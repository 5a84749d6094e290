"""Columns of the table `sweeps`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, WHOLE, Table

# One trial of a sweep. `sweep` is the hash of study, scale and facts of the lake, `point` the name of
# settings that were to be tried first; status is "finished", "stopped" (by halving, judged on `budget` units
# alone) or "refused"; `objectives` are of the units that choose, `reported` of the others, which a trial that
# finished was judged on at last and nothing was chosen by; `command` does it in full: the words after une,
# but for `--lake`.
TABLE = Table(
    "sweeps",
    pa.schema(
        [
            ("study", TEXT),
            ("sweep", TEXT),
            ("title", TEXT),
            ("status", TEXT),
            ("error", TEXT),
            ("settings", pa.map_(TEXT, TEXT)),
            ("objectives", pa.map_(TEXT, REAL)),
            ("reported", pa.map_(TEXT, REAL)),
            ("goals", pa.map_(TEXT, TEXT)),
            ("promise", REAL),
            ("budget", WHOLE),
            ("unit", TEXT),
            ("point", TEXT),
            ("command", pa.list_(TEXT)),
            ("seconds", REAL),
            ("config", TEXT),
        ]
    ),
)
