"""`une sweep orthogonalization` as a script: `ray job submit -- python jobs/sweep_orthogonalization.py
--lake … …`; `une submit sweep orthogonalization` does as much."""

from une_ray.cli.main import main

if __name__ == "__main__":
    main("sweep", "orthogonalization")
