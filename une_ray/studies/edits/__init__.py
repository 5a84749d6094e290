"""Moving latents along directions, and measuring what the move did. No Ray: a job of the pipeline does it
in tasks."""

from une_ray.studies.study import Study

STUDY = Study(order=50)
