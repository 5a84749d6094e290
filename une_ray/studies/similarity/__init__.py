"""How alike are two spaces beyond chance, and is one a rotation of the other, or only a linear map?"""

from une_ray.studies.study import Study

STUDY = Study(order=42)
