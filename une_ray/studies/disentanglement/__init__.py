"""Does each coordinate of a representation say one thing? Models that are made for it, and the metrics of the
field on them and on any space whose corpus has known factors (paper 5)."""

from une_ray.studies.study import Study

STUDY = Study(order=45, commands=("command", "disentangle"))
