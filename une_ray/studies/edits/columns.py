"""Columns of the table `edits`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, Table

# One edited latent in one judge's eyes. Rows of one `edit` differ in image, dose and judge alone; `identity`
# is the cosine of the picture's embedding `z` with the original's, `scores` are what the judge's probes read
# in it, `scales` the standard deviations of these scores over the judge's train images; status "off-data"
# flags latents that no image has.
TABLE = Table(
    "edits",
    pa.schema(
        [
            ("edit", TEXT),
            ("space", TEXT),
            ("attribute", TEXT),
            ("method", TEXT),
            ("direction", TEXT),
            ("keep", pa.list_(TEXT)),
            ("inner_product", TEXT),
            ("remaining_norm", REAL),
            ("image_id", TEXT),
            ("alpha", REAL),
            ("norm", REAL),
            ("status", TEXT),
            ("error", TEXT),
            ("picture", TEXT),
            ("judge", TEXT),
            ("scores", pa.map_(TEXT, REAL)),
            ("scales", pa.map_(TEXT, REAL)),
            ("identity", REAL),
            ("z", pa.list_(pa.float16())),
            ("config", TEXT),
            ("space_fingerprint", TEXT),
        ]
    ),
)
