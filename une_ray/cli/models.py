"""`une models`: what can be named in a space."""

from __future__ import annotations

from une_ray.cli.command import Command

EPILOG = """Example: `une models`"""


def models() -> None:
    """List every model id: dimension, GFLOPs per image, size in millions of parameters, placement, source."""
    from une_ray.models.table import MODELS, RANDOM
    from une_ray.registry import MODEL_KINDS, SPACE_KINDS
    from une_ray.spaces.names import EMBEDDING, form

    print(f"{'id':22} {'kind':17} {'dim':>6} {'GFLOPs':>8} {'million':>8} {'GPUs':>5} {'batch':>5}  source")
    for spec in MODELS.values():
        size = f"{spec.dim:6} {spec.gflops:8.4g} {spec.parameters:8.4g}"
        print(f"{spec.id:22} {spec.kind:17} {size} {spec.gpus:5} {spec.batch_size:5}  {spec.source}")
    print("\nA space is the ID of an encoder, or a generator and how it is read:")
    for name in SPACE_KINDS.names():
        if name != EMBEDDING:
            print(f"  ID/{form(name):24} {SPACE_KINDS.about(name)}")
    print(f"{RANDOM}ID: any of these before training, its weights drawn anew (of a generator the U-Net's),")
    print(f"  as in {RANDOM}mini-dino")
    print("Any other model of these kinds: NAME=KIND:FOLDER or NAME=KIND:OWNER/ID@REVISION,")
    print("  as in mine=clip:/models/mine")
    for name, kind in MODEL_KINDS.items():
        if kind.weights:
            print(f"  {name:27} {MODEL_KINDS.about(name)}")


COMMAND = Command("models", models, EPILOG)
