"""What is done against memorisation: mitigations, ablations and peers, one file each, found by
`une_ray.registry.MITIGATIONS`.

A file defines `METHOD`; its name is the method's, its docstring's first paragraph what help and documentation
say of it, and the parameters of its function that have defaults are its settings, with their ranges. Nothing
else needs to know of it:

    \"\"\"Every second pad row zeroed.\"\"\"

    def every_second(
        rows: TokenRows, *, first: Annotated[int, Range(0, 1), "which of two"] = 0
    ) -> torch.Tensor: ...

    METHOD = RowMethod(change=every_second, by=True)

A file of another package is one by its entry point `une_ray.mitigations`.
"""

from une_ray.studies.memorization.methods.method import Method, RowMethod, SamplingMethod

__all__ = ["Method", "RowMethod", "SamplingMethod"]
