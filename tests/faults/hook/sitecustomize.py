"""A decoder whose bugs are known, and a clock that may be wrong: read where PYTHONPATH has this folder.

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
