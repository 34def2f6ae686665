"""Where records are kept: an S3 bucket, or a folder. Nothing is ever overwritten.

Every object is created with `If-None-Match: *` and its SHA-256, then read back and compared. An object that is already
there with the same bytes is a success (an earlier try got further than its answer); with other bytes it is a conflict.
"""

import base64
import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from probes.errors import RecordConflict, StoreUnavailable, UsageError
from stacks.outputs import Records

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RESUME = "python -m probes.resume"
CONFLICT_TRIES = 5
CREDENTIALS_HINT = 'eval "$(python -m lab env)" (or set the AWS credentials of your own store), then: ' + RESUME
ALREADY_THERE = frozenset({"PreconditionFailed", "412"})
TRY_AGAIN = frozenset({"ConditionalRequestConflict", "409"})
KEYS_WRONG = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403"}
)
NO_BUCKET = frozenset({"NoSuchBucket", "404"})


class Store(Protocol):
    """Keeps records."""

    def address(self, key: str) -> str:
        """Name an object for people, for example `s3://bucket/key`."""
        ...

    def check(self) -> None:
        """Raise StoreUnavailable where records cannot be kept now."""
        ...

    def put(self, key: str, payload: bytes) -> None:
        """Create an object and prove that it is there; equal bytes that are there already are fine."""
        ...

    def get(self, key: str) -> bytes:
        """Read an object."""
        ...


class S3Store:
    """A bucket of an S3 store; credentials come from the AWS chain."""

    def __init__(self, bucket: str, prefix: str, endpoint: str | None, region: str, *, attempts: int = 4) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._where = endpoint or f"AWS ({region})"
        self._client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": attempts},
                s3={"addressing_style": "path"} if endpoint else {},
            ),
        )

    def address(self, key: str) -> str:
        """Name an object."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def check(self) -> None:
        """Look for the bucket."""
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(error) from None

    def put(self, key: str, payload: bytes) -> None:
        """Create an object and read it back."""
        digest = base64.b64encode(hashlib.sha256(payload).digest()).decode()
        already_there = False
        for attempt in range(CONFLICT_TRIES):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=payload,
                    IfNoneMatch="*",
                    ChecksumSHA256=digest,
                )
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code in TRY_AGAIN and attempt + 1 < CONFLICT_TRIES:
                    time.sleep(0.2 * 2**attempt)
                    continue
                if code not in ALREADY_THERE:
                    raise self._unavailable(error) from None
                already_there = True
            except BotoCoreError as error:
                raise self._unavailable(error) from None
            break
        if self.get(key) == payload:
            return
        if already_there:
            raise conflict(self.address(key))
        raise StoreUnavailable(
            f"{self.address(key)} reads back other bytes than were stored: the store is not to be trusted.",
            next_step=f"check the store, then: {RESUME}",
            reason="read_back_differs",
        )

    def get(self, key: str) -> bytes:
        """Read an object."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(error) from None

    def _unavailable(self, error: ClientError | BotoCoreError) -> StoreUnavailable:
        """Say what is wrong with the store; keys are never shown."""
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return StoreUnavailable(
                f"There are no S3 credentials for bucket {self._bucket!r} at {self._where}.",
                next_step=CREDENTIALS_HINT,
                reason="no_credentials",
            )
        if isinstance(error, BotoCoreError):
            return StoreUnavailable(
                f"The S3 store {self._where} cannot be reached: {error}.",
                next_step=f"start it, then: {RESUME}",
                reason="store_unreachable",
            )
        detail = error.response.get("Error", {})
        code = detail.get("Code", "")
        if code in NO_BUCKET:
            return StoreUnavailable(
                f"Bucket {self._bucket!r} does not exist at {self._where} (or holds no such object): {code}.",
                next_step=f"create it or correct records: in the stack file, then: {RESUME}",
                reason="bucket_missing",
            )
        if code in KEYS_WRONG:
            return StoreUnavailable(
                f"The S3 store {self._where} refuses the credentials for bucket {self._bucket!r}: {code}.",
                next_step=CREDENTIALS_HINT,
                reason="credentials_refused",
            )
        return StoreUnavailable(
            f"The S3 store {self._where} answered {code}: {detail.get('Message', '')}",
            next_step=RESUME,
            reason="store_refused",
        )


class FolderStore:
    """A folder, for who has no S3 store: `--store dir:PATH`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, key: str) -> str:
        """Name a file."""
        return str(self._root / key)

    def check(self) -> None:
        """Make the folder."""
        with self._problems_named():
            self._root.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, payload: bytes) -> None:
        """Create a file whole; the link fails where the name is taken."""
        path = self._root / key
        with self._problems_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(payload)
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(name, path)
            finally:
                Path(name).unlink()
        if self.get(key) != payload:
            raise conflict(self.address(key))

    def get(self, key: str) -> bytes:
        """Read a file."""
        with self._problems_named():
            return (self._root / key).read_bytes()

    @contextlib.contextmanager
    def _problems_named(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(
                f"The folder {self._root} cannot keep records: {error.strerror or error}.",
                next_step=f"correct it, then: {RESUME}",
                reason="folder_unusable",
            ) from None


def conflict(address: str) -> RecordConflict:
    """Say that the name of a record is taken by other bytes."""
    return RecordConflict(
        f"{address} exists with other bytes. Nothing was overwritten; both are kept.",
        next_step="compare the two with: python -m probes.doctor",
    )


def open_store(option: str | None, records: Records) -> Store:
    """Open the store that `--store` names, or the one of the stack.

    Raises:
        UsageError: `--store` is neither `dir:PATH` nor `s3://BUCKET[/PREFIX]`.
    """
    if option is None:
        return S3Store(records.bucket, records.prefix, records.endpoint, records.region)
    kind, _, place = option.partition(":")
    if kind == "dir" and place:
        return FolderStore(Path(place).expanduser().resolve())
    if kind == "s3" and place.startswith("//") and len(place) > 2:
        bucket, _, prefix = place[2:].partition("/")
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        return S3Store(bucket, prefix, records.endpoint, records.region)
    raise UsageError(
        f"--store is {option!r}; it must be dir:PATH or s3://BUCKET[/PREFIX].",
        next_step="leave --store out to use the store of the stack",
    )
