"""What the report shows of probes: how linear attributes are, whether spaces agree on it, and which go
together."""

from une_ray.studies.probes import agreement, entanglement, linearity

SECTIONS = ((50, linearity.section), (60, agreement.section), (70, entanglement.section))
