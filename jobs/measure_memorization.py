"""`une memorization` as a script: `ray job submit -- python jobs/measure_memorization.py --lake … …`; `une
submit memorization` does as much."""

from une_ray.cli.main import main

if __name__ == "__main__":
    main("memorization")
