"""`une memorization` as a script for `ray job submit -- python jobs/measure_memorization.py --lake … --methods …`."""

import sys

from une_ray.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "memorization")
    main()
