"""The promises of tests.stores.suite, kept by a folder, by the strict stand-in, and by the protocol as moto speaks it.

`tests/stores/test_seaweedfs.py` puts real stores to the same test.
"""

from collections.abc import Callable
from pathlib import Path

import boto3
from moto import mock_aws

from probes.store import FolderStore, S3Store
from tests.stores.door import Served
from tests.stores.opening import impatient, open_s3
from tests.stores.suite import OpenStore, alone, each_promise


@each_promise
def test_a_folder(promise: Callable[[OpenStore], None], tmp_path: Path) -> None:
    promise(lambda: FolderStore(tmp_path / "records"))


@each_promise
def test_a_strict_s3_store(promise: Callable[[OpenStore], None], served: Served) -> None:
    promise(lambda: open_s3(served.endpoint))


def test_the_protocol_as_moto_speaks_it() -> None:
    """Without races: moto does not lock."""
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="records")
        for promise in alone:
            prefix = f"{promise.__name__}/"
            promise(lambda prefix=prefix: S3Store("records", prefix, None, "us-east-1", backoff=impatient()))
