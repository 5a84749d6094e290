"""What every space is made of: the full fingerprints."""

from __future__ import annotations

import json

from une_ray.report.section import Section, Source
from une_ray.report.tables import table

ORDER = 150


def section(source: Source) -> Section | None:
    manifest = [("lake", key, str(value)) for key, value in source.lake.manifest.items()]
    fingerprints = [
        (space, key, value if isinstance(value, str) else json.dumps(value))
        for space, fingerprint in source.fingerprints.items()
        for key, value in fingerprint.items()
    ]
    header = ["of", "setting", "value"]
    return Section(
        "Settings",
        "A build with any other fingerprint under the same name is refused.",
        table(header, manifest + fingerprints, numeric=len(header)),
    )
