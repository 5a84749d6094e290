"""`une sweep mitigation` as a script: `ray job submit -- python jobs/sweep_mitigation.py --lake … …`; `une
submit sweep mitigation` does as much."""

from une_ray.cli.main import main

if __name__ == "__main__":
    main("sweep", "mitigation")
