"""One file per part of the page; each has `section(source) -> Section | None`, None where the lake has nothing for it."""
