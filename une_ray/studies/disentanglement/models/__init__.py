"""Models whose codes are to be the factors of a corpus, one file (or folder) each, found by
`une_ray.registry.DISENTANGLERS`.

A file defines `MODEL`, a `Disentangler`; its name is the model's, its docstring's first paragraph what help
and documentation say of it, and the parameters of its `__init__` that have defaults are its settings, as in
`beta-vae:beta=8`. A file of another package is one by an entry point `une_ray.disentanglers`.
"""
