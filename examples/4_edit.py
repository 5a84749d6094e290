"""Move faces along an attribute's direction, and let another space judge what changed.

python examples/4_edit.py [LAKE] [IMAGES]    # by default in that of 1_build.py
"""

import sys

import une_ray

lake = une_ray.open(sys.argv[1] if len(sys.argv) > 1 else "examples-lake")
images = int(sys.argv[2]) if len(sys.argv) > 2 else 8

edit = lake.edit(
    "mini-sd-a/ddim20",
    "Smiling",
    keep="correlated",  # what goes together with smiling in the corpus stays
    alphas=[-3, 3],
    images=images,
    judges="mini-resnet",  # was told the attributes, and never saw the generator
    baselines=("random",),  # a step of the same length to anywhere
)
for row in edit.table.to_pylist():
    print(f"{row['direction']:16} effect {row['effect']:+.2f}, leakage {row['leakage']:.3f}")
edit.strip().save("smiling.png")
print("smiling.png")
