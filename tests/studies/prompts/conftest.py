"""The planted lake of prompts, once per module."""

import pytest

from tests.helpers.prompted import lake_of_prompts
from une_ray.lake.layout import Lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return lake_of_prompts(str(tmp_path_factory.mktemp("prompts") / "lake"))
