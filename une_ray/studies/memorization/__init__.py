"""Which prompts a generator remembers and what stops it (paper 3): token rows, peers, detectors, and a bench
of them. No Ray."""

from une_ray.studies.study import Study

STUDY = Study(order=60)
