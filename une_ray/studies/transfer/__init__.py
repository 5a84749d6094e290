"""Do spaces map onto one another? Ridge maps between them, judged by the target's own probes."""

from une_ray.studies.study import Study

STUDY = Study(order=40)
