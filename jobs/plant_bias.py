"""Train generators with biases that are known because they were planted: `python jobs/plant_bias.py`."""

from une_ray.training.plant import main

if __name__ == "__main__":
    main()
