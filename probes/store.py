"""Where records are kept: an S3 bucket (`probes.store_s3`) or a folder (`probes.store_folder`).

Nothing is ever overwritten or deleted. An object that is already there with the same bytes is a success (an earlier
try got further than its answer); with other bytes it is a conflict. What differs between stores: docs/storage.md.
"""

from pathlib import Path
from typing import Protocol

from probes.checksums import Proof
from probes.errors import UsageError
from probes.store_folder import FolderStore
from probes.store_s3 import S3Store
from stacks.outputs import Records


class Store(Protocol):
    """Keeps records under keys such as `runs/schema=1/date=2026-01-31/pattern=overlay/run=ID/manifest.json`."""

    def address(self, key: str) -> str:
        """Name an object for people, for example `s3://bucket/key`."""
        ...

    def check(self) -> None:
        """Raise StoreUnavailable where records cannot be kept now."""
        ...

    def put(self, key: str, payload: bytes) -> Proof:
        """Create an object and prove that it is there; equal bytes that are there already are fine.

        Raises:
            StoreUnavailable: It was not stored, or that cannot be proved.
            RecordConflict: The key is taken by other bytes.
        """
        ...

    def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            StoreUnavailable: It cannot be read; `reason` is `object_missing` where there is none.
        """
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys that begin with a prefix, sorted.

        Raises:
            StoreUnavailable: They cannot be listed.
        """
        ...


def pinned(option: str | None) -> str | None:
    """Give `--store` as it holds from every folder, so that a later resume finds the same place."""
    if option is None or not option.startswith("dir:"):
        return option
    return f"dir:{Path(option.removeprefix('dir:')).expanduser().resolve()}"


def open_store(option: str | None, records: Records) -> Store:
    """Open the store that `--store` names, or the one of the stack.

    Raises:
        UsageError: `--store` is neither `dir:PATH` nor `s3://BUCKET[/PREFIX]`.
    """
    if option is None:
        return S3Store(records.bucket, records.prefix, records.endpoint, records.region)
    if (folder := FolderStore.named(option)) is not None:
        return folder
    kind, _, place = option.partition(":")
    if kind == "s3" and place.startswith("//") and len(place) > 2:
        bucket, _, prefix = place[2:].partition("/")
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        return S3Store(bucket, prefix, records.endpoint, records.region)
    raise UsageError(
        f"--store is {option!r}; it must be dir:PATH or s3://BUCKET[/PREFIX].",
        next_step="leave --store out to use the store of the stack",
    )
