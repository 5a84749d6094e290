"""What does a generator take for granted? Prompts as directions of its h-space (Zeng, Chen, Wong 2024)."""

from une_ray.studies.study import Study

STUDY = Study(order=70)
