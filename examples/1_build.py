"""A lake: what two encoders, a generator and plain pixels see of drawn faces.

    python examples/1_build.py [LAKE] [IMAGES]

Kill it and run it again: it does what is missing. Afterwards the lake is a folder of Parquet files.
"""

import sys

import une_ray

LAKE = sys.argv[1] if len(sys.argv) > 1 else "examples-lake"
IMAGES = sys.argv[2] if len(sys.argv) > 2 else "400"
SPACES = ["mini-sd-a/ddim20", "mini-dino", "mini-resnet", "pixels-16"]

lake = une_ray.build(f"avatars:{IMAGES}", SPACES, LAKE)

for space, role in lake.spaces.items():
    print(f"{space:20} {role}")
print(*lake.verify(), sep="\n")
