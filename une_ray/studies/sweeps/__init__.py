"""Searches over settings, as data: what is varied, what is wanted, and how much it may cost."""

from une_ray.studies.study import Study

STUDY = Study(order=70)
