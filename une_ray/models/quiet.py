"""Loading without the libraries' own progress bars: ours is the only one a user sees."""

from __future__ import annotations

import diffusers
import transformers


def quiet() -> None:
    """Errors only from diffusers and transformers, and no bars."""
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()
