"""`une build` as a script for `ray job submit -- python jobs/build_noisezoo.py --corpus … --spaces … --lake …`."""

import sys

from une_ray.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "build")
    main()
