"""`une sweep mitigation` as a script for `ray job submit -- python jobs/sweep_mitigation.py --lake … --scale …`."""

import sys

from une_ray.cli.main import main

if __name__ == "__main__":
    sys.argv[1:1] = ["sweep", "mitigation"]
    main()
