"""Parts of the page about the lake itself, one a file: `section(source) -> Section | None`, and `ORDER`,
its place on the page."""
