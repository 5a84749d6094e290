"""Maps without the perceptron, which has its own test and costs more than all others together."""

import pytest

from une_ray.geometry.peers import PEERS


@pytest.fixture(scope="module", autouse=True)
def without_perceptron():
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(PEERS, ("mlp", True))
        yield
