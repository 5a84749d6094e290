"""Which titles does a generator know by heart, and what stops it? mini-sd-dup saw some a thousand times.

python examples/5_memorization.py [LAKE] [STEPS]
"""

import sys

import une_ray

url = sys.argv[1] if len(sys.argv) > 1 else "examples-memory"
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 20

lake = une_ray.build("duplicates:all", ["mini-dino"], url)
result = lake.memorization(
    methods="pad-swap", doses=[1000], prompts_per_dose=2, ordinary=2, seeds=2, steps=steps
)
for row in result.tables["methods"].to_pylist():
    print(f"{row['group']:10} {row['method']:10} similarity to the training picture {row['similarity']}")
