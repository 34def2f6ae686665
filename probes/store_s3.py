"""A bucket of an S3 store that keeps records; credentials come from the AWS chain and from nowhere else.

Every object is created with `If-None-Match: *` and its SHA-256, then read back and compared. Some stores take the
condition and ignore it, which would overwrite in silence; so before the first object a marker with fixed bytes is put
twice, and a store that takes it both times gets no record. Credentials that may not read are enough for recording:
the checksum that the store computed of what it received is then the proof.
"""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from probes.backoff import Backoff
from probes.checksums import Proof, as_header, sha256
from probes.errors import StoreUnavailable
from probes.s3_connection import S3Connection
from probes.store_conflict import RESUME, conflict
from probes.store_multipart import MOST_SINGLE_BYTES, PART_BYTES, Created, Taken, put_in_parts
from probes.store_problems import TAKEN, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MARKER_KEY = "runs/_conditional_writes.txt"
MARKER = b"ros2bench puts these bytes under this name to see that the store never overwrites an object.\n"
READ_BACKS = 3
ANOTHER_STORE = "use a store of docs/storage.md, or --store dir:PATH; then: " + RESUME


class S3Store:
    """A bucket of an S3 store.

    Nothing waits for a dead or frozen store without end: a put fails at most two minutes after it fell silent
    (`Backoff.total_s` + `connect_s` + `answer_s`), and half a minute later where it has to take parts back.

    Args:
        bucket: Existing bucket.
        prefix: Key prefix in it, empty or ending in a slash.
        endpoint: Address; None means AWS.
        region: Region name for signing.
        backoff: When to try again.
        part_bytes: Larger objects are sent in parts of this size.
        connect_s: Longest time to connect.
        answer_s: Longest silence of the store.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        endpoint: str | None,
        region: str,
        *,
        backoff: Backoff | None = None,
        part_bytes: int = PART_BYTES,
        connect_s: float = 5,
        answer_s: float = 30,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._backoff = backoff or Backoff()
        self._part_bytes = part_bytes
        connection = S3Connection(bucket, endpoint, region, self._backoff, connect_s=connect_s, answer_s=answer_s)
        self._call, self._where = connection.call, connection.where
        self._is_conditional = False
        self._completes_conditionally: bool | None = None

    def address(self, key: str) -> str:
        """Name an object."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def check(self) -> None:
        """See that objects can be created and are never overwritten; leaves the marker in the bucket."""
        self._is_conditional = False
        self._require_conditional_writes()

    def put(self, key: str, payload: bytes) -> Proof:
        """Create an object and prove that it is there."""
        self._require_conditional_writes()
        outcome = self._create(key, payload)
        return self._proof(key, payload, outcome)

    def get(self, key: str) -> bytes:
        """Read an object."""

        def read(client: "S3Client") -> bytes:
            return client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()

        return self._call(read)

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys that begin with a prefix, sorted."""

        def read(client: "S3Client") -> tuple[str, ...]:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
            return tuple(sorted(entry.get("Key", "") for page in pages for entry in page.get("Contents", ())))

        return tuple(key.removeprefix(self._prefix) for key in self._call(read))

    def _require_conditional_writes(self) -> None:
        """Put the marker until the store says that it is taken.

        Raises:
            StoreUnavailable: It takes the same name twice, or cannot be written.
        """
        if self._is_conditional:
            return
        if all(isinstance(self._put_single(MARKER_KEY, MARKER), Created) for _ in range(2)):
            raise StoreUnavailable(
                f"The S3 store {self._where} ignores `If-None-Match: *`: it put {self.address(MARKER_KEY)} twice. "
                "A record could be overwritten in silence, so none is stored there.",
                next_step=ANOTHER_STORE,
                reason="condition_ignored",
            )
        self._is_conditional = True

    def _create(self, key: str, payload: bytes) -> Created | Taken:
        is_large = len(payload) > self._part_bytes
        if is_large and self._is_there(key):
            return Taken()
        if not is_large or not self._can_complete_conditionally():
            if len(payload) > MOST_SINGLE_BYTES:
                raise StoreUnavailable(
                    f"{self.address(key)} has {len(payload)} bytes; the S3 store {self._where} ignores the condition "
                    "of uploads in parts, and one request carries 5 GiB at most.",
                    next_step=ANOTHER_STORE,
                    reason="condition_ignored",
                )
            return self._put_single(key, payload)
        return self._put_in_parts(key, payload)

    def _is_there(self, key: str) -> bool:
        """Look before a large object is sent for nothing; where the answer is no yes, sending it tells why."""

        def look(client: "S3Client") -> bool:
            try:
                client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError:
                # An answer to HEAD has no body, so its code may be missing.
                return False
            return True

        return self._call(look)

    def _can_complete_conditionally(self) -> bool:
        """Tell whether an upload in parts respects the condition: the marker's bytes are sent onto the marker."""
        if self._completes_conditionally is None:
            self._completes_conditionally = isinstance(self._put_in_parts(MARKER_KEY, MARKER), Taken)
        return self._completes_conditionally

    def _put_in_parts(self, key: str, payload: bytes) -> Created | Taken:
        return put_in_parts(self._call, self._bucket, self._prefix + key, payload, self._part_bytes)

    def _put_single(self, key: str, payload: bytes) -> Created | Taken:
        digest = as_header(sha256(payload))

        def create(client: "S3Client") -> Created | Taken:
            try:
                answer = client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=payload,
                    IfNoneMatch="*",
                    ChecksumSHA256=digest,
                )
            except ClientError as error:
                if code_of(error) in TAKEN:
                    return Taken()
                raise
            return Created(expected=digest, told=answer.get("ChecksumSHA256"))

        return self._call(create)

    def _proof(self, key: str, payload: bytes, outcome: Created | Taken) -> Proof:
        """Read an object back until it is what it must be; an answer may be damaged once, a stored object stays so.

        Raises:
            StoreUnavailable: It is not there, it differs from what was stored, or it cannot be proved.
            RecordConflict: The name was taken, by other bytes.
        """
        found: bytes | None = None
        for attempt in range(READ_BACKS):
            try:
                found = self.get(key)
            except StoreUnavailable as problem:
                if problem.reason == "access_denied":
                    return self._proof_without_reading(key, outcome)
                if problem.reason != "object_missing":
                    raise
            if found == payload:
                return "read_back"
            if attempt + 1 < READ_BACKS:
                self._backoff.sleep(self._backoff.wait_s(attempt))
        if found is None:
            raise StoreUnavailable(
                f"{self.address(key)} is not there, although the S3 store {self._where} said that it is.",
                next_step=f"check the store, then: {RESUME}",
                reason="read_back_missing",
            )
        if isinstance(outcome, Taken):
            raise conflict(self.address(key))
        raise StoreUnavailable(
            f"{self.address(key)} reads back other bytes than were stored: the store is not to be trusted.",
            next_step=f"check the store, then: {RESUME}",
            reason="read_back_differs",
        )

    def _proof_without_reading(self, key: str, outcome: Created | Taken) -> Proof:
        if isinstance(outcome, Taken):
            raise StoreUnavailable(
                f"{self.address(key)} is there already, and these credentials may not read it: nobody can tell "
                "whether it is this record's.",
                next_step=f"use credentials that may also read (s3:GetObject), then: {RESUME}",
                reason="not_comparable",
            )
        if outcome.told != outcome.expected:
            raise StoreUnavailable(
                f"The S3 store {self._where} did not name the SHA-256 of {self.address(key)} that it received "
                f"(it said {outcome.told or 'nothing'}), and these credentials may not read it back.",
                next_step=f"use credentials that may also read (s3:GetObject), then: {RESUME}",
                reason="not_proved",
            )
        return "checksum"
