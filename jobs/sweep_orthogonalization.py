"""`une sweep orthogonalization` as a script for `ray job submit -- python jobs/sweep_orthogonalization.py --lake … --scale …`."""

import sys

from une_ray.cli.main import main

if __name__ == "__main__":
    sys.argv[1:1] = ["sweep", "orthogonalization"]
    main()
