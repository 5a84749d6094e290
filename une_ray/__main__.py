"""`python -m une_ray`: the `une` command."""

from une_ray.cli.main import main

main()
