"""The lake in SQL, and a space with its labels as a table.

python examples/2_ask_in_sql.py [LAKE]    # by default that of 1_build.py
"""

import sys

import une_ray

lake = une_ray.open(sys.argv[1] if len(sys.argv) > 1 else "examples-lake")

lake.sql("FROM counts").show()
lake.sql("SELECT space, dim, mean_norm, gaussian_norm FROM norms").show()

# The pictures nearest to the first one, in a space that was never trained for it.
((first,),) = lake.rows("SELECT min(image_id) FROM images")
lake.sql(
    "SELECT image_id, round(cosine, 3) AS cosine, caption FROM nearest('mini-dino', ?, 5)", [first]
).show(max_width=120)

# Latents beside labels: for pandas `.to_pandas()`, for polars `polars.from_arrow(…)`.
table = lake.space("mini-dino").table()
print(f"{table.num_rows} images, columns {', '.join(table.column_names[:6])}, …, {table.column_names[-1]}")

# Only numbers: ids and an (n, d) array.
image_ids, z = lake.space("mini-dino").latents(split="test")
print(f"{len(image_ids)} test images of {z.shape[1]} numbers, mean norm {(z**2).sum(1).mean() ** 0.5:.2f}")
