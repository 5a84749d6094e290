"""Whether rows still are the pictures that they were, where a corpus knows a picture by its row.

Rows put in front of others would take their ids, and the last ones be taken for new. Of every file that was
written anew since the last listing a few rows are read again and compared with what the lake has of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from une_ray.corpora.base import Corpus, Unreadable
from une_ray.errors import UneError
from une_ray.lake.layout import Lake

PARTS, ROWS = 16, 16  # parts of a file that are read again, about, and rows of each
PARTS_IN_ALL = 512  # of many files fewer of each, and at least the first and the last

ASKED = """
    WITH split AS (SELECT image_id, source, sha256, string_split(source, '#') AS words FROM images),
    placed AS (  -- FILE#PART#ROW, or ROW alone
        SELECT image_id, source, sha256, array_to_string(words[:-3], '#') AS file,
            coalesce(try_cast(words[-2] AS BIGINT), 0) AS part, try_cast(words[-1] AS BIGINT) AS number
        FROM split WHERE sha256 IS NOT NULL AND file IN (SELECT unnest($files))),
    of_parts AS (SELECT file, part, max(number) AS last FROM placed GROUP BY ALL),
    of_files AS (SELECT file, max(part) AS last_part FROM of_parts GROUP BY ALL)
    SELECT file, image_id, source, sha256
    FROM placed JOIN of_parts USING (file, part) JOIN of_files USING (file)
    WHERE (part = 0 OR (last_part - part) % greatest(1, last_part // $parts) = 0)
        AND (number = 0 OR (last - number) % greatest(1, last // $rows) = 0)
    ORDER BY file, part, number"""


def refuse_moved(lake: Lake, corpus: Corpus, files: Collection[str]) -> None:
    """Raise UneError where a row of one of `files` is another picture than when the lake read it. Rows and
    files that are gone are left to `lake.growing`, which names them."""
    if not files:
        return
    parts = max(1, min(PARTS, PARTS_IN_ALL // len(files)))
    asked = lake.rows(ASKED, {"files": sorted(files), "parts": parts, "rows": ROWS})
    for file, image_id, source, sha256 in asked:
        try:
            is_same = hashlib.sha256(corpus.read(source)).hexdigest() == sha256
        except (FileNotFoundError, IndexError):
            continue
        except Unreadable:
            is_same = False
        if not is_same:
            raise UneError(
                f"{file or corpus.name}: image {image_id!r} is not the picture that {lake.url} has read:"
                " this corpus knows a picture by its row, and rows were put in front of it, taken out or"
                " replaced. Put them back and add rows at the end alone, and files after the last; or build"
                " what is there now into another --lake"
            )
