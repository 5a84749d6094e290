"""Measure every figure of the mini zoo's model cards: `python jobs/evaluate_mini_zoo.py`."""

from une_ray.training.cards import main

if __name__ == "__main__":
    main()
