"""How far apart are the latents of a space?"""

from une_ray.studies.study import Study

STUDY = Study(order=900)
