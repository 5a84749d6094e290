"""What every space is made of: the full fingerprints."""

from __future__ import annotations

import json

from une_ray.report.section import Section, Source, table


def section(source: Source) -> Section | None:
    rows = [
        (name, key, value if isinstance(value, str) else json.dumps(value))
        for name, fingerprint in source.fingerprints.items()
        for key, value in fingerprint.items()
    ]
    manifest = [("lake", key, str(value)) for key, value in source.lake.manifest.items()]
    return Section(
        "Settings",
        "A build with any other fingerprint under the same name is refused.",
        table(["of", "setting", "value"], manifest + rows, numeric=9),
    )
