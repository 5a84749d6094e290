"""What do several spaces share? One space of all of them by generalised CCA, beside each alone."""

from une_ray.studies.study import Study

STUDY = Study(order=46)
