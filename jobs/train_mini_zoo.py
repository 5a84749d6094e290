"""Train the mini zoo from nothing: `python jobs/train_mini_zoo.py`, or one part with `--only`."""

from une_ray.training.cli import main

if __name__ == "__main__":
    main()
