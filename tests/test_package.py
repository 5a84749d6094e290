"""What is installed: every file that the code reads at run time is in the package's data."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READ = {".sql", ".yaml", ".csv", ".html", ".typed"}


def test_files_that_are_read_at_run_time_are_package_data():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["une_ray"]
    package = ROOT / "une_ray"
    files = [path.relative_to(package).as_posix() for path in package.rglob("*") if path.suffix in READ]
    assert len(files) > 10
    missing = [name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)]
    assert not missing
