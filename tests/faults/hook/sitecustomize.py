"""A decoder whose bugs are known, and a clock that may be wrong: read where PYTHONPATH has this folder.

Where MERGES_SIZE is given, builds of any lake merge what they write into files of so many bytes.

A PNG whose text `kills` is "decode SIGSEGV" ends whoever decodes it by that signal, one with "fit SIGKILL"
whoever cuts it to size, where DEADLY_AT names that place.
"""

import ctypes
import os
import signal
import time

from PIL import Image, PngImagePlugin


def _deadly(at: str, method):
    def guarded(self, *arguments, **options):
        place, _, name = self.info.get("kills", "").partition(" ")
        if place == at == os.environ.get("DEADLY_AT"):
            ctypes.string_at(0) if name == "SIGSEGV" else os.kill(os.getpid(), getattr(signal, name))
        return method(self, *arguments, **options)

    return guarded


PngImagePlugin.PngImageFile.load = _deadly("decode", PngImagePlugin.PngImageFile.load)
Image.Image.resize = _deadly("fit", Image.Image.resize)

_time = time.time


def ahead() -> float:
    """Ray pickles `time.time`, so it has a name."""
    return _time() + float(os.environ["CLOCK_AHEAD"])


if "CLOCK_AHEAD" in os.environ:
    time.time = ahead

if "MERGES_SIZE" in os.environ:
    from une_ray.lake import compact
    from une_ray.run import merging

    merging.MANY, merging.SIZE = 0, int(os.environ["MERGES_SIZE"])
    merging.GRACE, merging.SECONDS_BETWEEN_MERGES = 0.5, 0.2
    compact.BEAT, compact.DEAD = 0.1, 1.0
