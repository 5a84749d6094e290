"""Are two spaces a rotation apart? Orthogonal maps beside their peers, and spaces made by them."""

from une_ray.studies.study import Study

STUDY = Study(order=45)
