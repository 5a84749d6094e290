"""Which prompts a generator remembers, and what stops it (paper 3). No Ray in its parts."""

from une_ray.studies.study import Study

STUDY = Study(order=60)
