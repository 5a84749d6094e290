"""What the report shows of Gaussianity: the latents' own norms and quantiles, and what the tests found."""

from une_ray.studies.gaussianity import normality, quantiles

SECTIONS = ((30, quantiles.section), (40, normality.section))
