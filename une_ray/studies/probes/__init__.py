"""Which attributes are linear in a space? Probes on five splits, beside shuffled labels and the majority
class."""

from une_ray.studies.study import Study

STUDY = Study(order=30)
