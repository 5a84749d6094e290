"""What a picture that can't be had is: a row that says so, or a fault of this machine that must pass."""

import pytest
from botocore.exceptions import ClientError

from une_ray.corpora.base import Unreadable
from une_ray.errors import UneError
from une_ray.run.shard import read_bytes, refuse_unreachable


@pytest.mark.parametrize("error", [FileNotFoundError("no mount"), PermissionError("not yours")])
def test_a_shard_of_which_no_picture_can_be_had_is_a_fault_and_a_few_are_rejects(error):
    gone = Unreadable(f"{type(error).__name__}: {error}")
    refuse_unreachable([gone, gone, gone])
    refuse_unreachable([gone, gone, gone, b"a picture"])
    with pytest.raises(UneError, match="none of a shard's 4 pictures can be had on this machine"):
        refuse_unreachable([gone] * 4)


def test_credentials_that_ran_out_are_no_rejects():
    expired = PermissionError("The provided token has expired.")
    expired.__cause__ = ClientError({"Error": {"Code": "ExpiredToken"}}, "GetObject")

    class Expired:
        def read(self, source):
            raise expired

    with pytest.raises(UneError, match="ExpiredToken.*fresh credentials"):
        read_bytes(Expired(), ["a.png"])
