"""One self-contained HTML page about a lake. A new part of it is one file in `sections/`."""
