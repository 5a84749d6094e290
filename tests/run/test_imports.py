"""What a driver and a reader import: neither torch nor what models need, so that both start soon."""

import subprocess
import sys

CODE = """
import sys
import une_ray.run.build, une_ray.run.ray_data
from une_ray.spaces.space import Space
for name in "mini-dino mini-clip-b pixels-16 mini-sd-a/latents mini-sd-a/leak50 random-mini-dino".split():
    Space.parse(name).pinned()
print(*{"torch", "transformers", "diffusers", "open_clip", "timm"} & sys.modules.keys())
"""


def test_drivers_and_readers_import_no_torch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
