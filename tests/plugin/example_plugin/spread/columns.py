"""Columns of the table `spreads`."""

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, Table

TABLE = Table("spreads", pa.schema([("space", TEXT), ("spread", REAL), ("config", TEXT)]))
