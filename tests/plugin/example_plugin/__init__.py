"""A package that adds one of everything to une_ray: a file each, a folder for the study, and entry points."""
