"""Is a space Gaussian? The paper's tests of normality and stronger ones, beside true Gaussian and bimodal
data."""

from une_ray.studies.study import Study

STUDY = Study(order=20)
