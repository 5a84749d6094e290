"""`une edit` as a script for `ray job submit -- python jobs/edit_images.py --lake … --space … --attribute …`."""

import sys

from une_ray.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "edit")
    main()
