"""Which store an option names; what the stores promise is tested in tests/stores."""

from pathlib import Path

import pytest

from probes.errors import UsageError
from probes.store import FolderStore, open_store
from stacks.outputs import Records

RECORDS = Records(bucket="own", endpoint="http://127.0.0.1:9", region="us-east-1", prefix="p/")


@pytest.mark.parametrize(
    ("option", "address"),
    [(None, "s3://own/p/k"), ("s3://other", "s3://other/k"), ("s3://other/a", "s3://other/a/k")],
)
def test_the_option_names_the_store(option: str | None, address: str) -> None:
    assert open_store(option, RECORDS).address("k") == address


def test_a_folder_is_named_with_its_path(tmp_path: Path) -> None:
    store = open_store(f"dir:{tmp_path}/records", RECORDS)
    assert isinstance(store, FolderStore)
    assert store.address("k") == str(tmp_path / "records" / "k")


@pytest.mark.parametrize("option", ["elsewhere", "dir:", "s3://", "ftp://x"])
def test_an_option_that_names_no_store_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match="must be dir:PATH or s3://BUCKET"):
        open_store(option, RECORDS)
