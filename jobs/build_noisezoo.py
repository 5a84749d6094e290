"""`une build` as a script: `ray job submit -- python jobs/build_noisezoo.py --lake … …`; `une submit
build` does as much."""

from une_ray.cli.main import main

if __name__ == "__main__":
    main("build")
