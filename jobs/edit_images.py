"""`une edit` as a script: `ray job submit -- python jobs/edit_images.py --lake … …`; `une submit edit`
does as much."""

from une_ray.cli.main import main

if __name__ == "__main__":
    main("edit")
