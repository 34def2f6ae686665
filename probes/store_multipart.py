"""An object that is sent in parts: each with its SHA-256, joined on the condition that the name is free."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from botocore.exceptions import ClientError

from probes.checksums import as_header, composite, sha256
from probes.errors import StoreUnavailable
from probes.store_problems import TAKEN, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

Answer = TypeVar("Answer")
PART_BYTES = 16 * 1024**2
MOST_SINGLE_BYTES = 5 * 1024**3
# Joined by a try whose answer was lost: whether the object is ours is seen by reading it.
JOINED_OR_GONE = TAKEN | {"NoSuchUpload"}


@dataclass(frozen=True)
class Created:
    """The store says that it created the object.

    Attributes:
        expected: Checksum of what was sent.
        told: Checksum of what the store says it received; None where it says nothing.
    """

    expected: str
    told: str | None


@dataclass(frozen=True)
class Taken:
    """The name was taken already, perhaps by an earlier try of the same object."""


class Call(Protocol):
    """Does something with the store, again where that may help."""

    def __call__(self, operation: "Callable[[S3Client], Answer]", /, *, attempts: int | None = None) -> Answer:
        """Give what the operation gives, or raise StoreUnavailable."""
        ...


def put_in_parts(call: Call, bucket: str, key: str, payload: bytes, part_bytes: int) -> Created | Taken:
    """Create an object in parts; a cut connection costs one part. An upload that fails is taken back.

    Raises:
        StoreUnavailable: It failed; the message says where parts of it were left behind.
    """
    upload = call(
        lambda client: client.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    )
    try:
        outcome = _send_and_join(call, bucket, key, upload, payload, part_bytes)
    except StoreUnavailable as problem:
        left = _take_back(call, bucket, key, upload)
        raise StoreUnavailable(problem.message + left, next_step=problem.next_step, reason=problem.reason) from None
    if isinstance(outcome, Taken):
        _take_back(call, bucket, key, upload)
    return outcome


def _send_and_join(call: Call, bucket: str, key: str, upload: str, payload: bytes, part_bytes: int) -> Created | Taken:
    parts: list[CompletedPartTypeDef] = []
    digests: list[bytes] = []
    for number, start in enumerate(range(0, len(payload), part_bytes), 1):
        part = payload[start : start + part_bytes]
        digest = sha256(part)
        etag = call(_sending(bucket, key, upload, number, part, as_header(digest)))
        parts.append({"ETag": etag, "PartNumber": number, "ChecksumSHA256": as_header(digest)})
        digests.append(digest)
    expected = composite(digests)

    def join(client: "S3Client") -> Created | Taken:
        try:
            answer = client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        except ClientError as error:
            if code_of(error) in JOINED_OR_GONE:
                return Taken()
            raise
        return Created(expected=expected, told=answer.get("ChecksumSHA256"))

    return call(join)


def _sending(
    bucket: str, key: str, upload: str, number: int, part: bytes, checksum: str
) -> "Callable[[S3Client], str]":
    def send(client: "S3Client") -> str:
        return client.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part, ChecksumSHA256=checksum
        )["ETag"]

    return send


def _take_back(call: Call, bucket: str, key: str, upload: str) -> str:
    """Remove the parts of an upload that will not be joined; gives a sentence where that failed."""

    def abort(client: "S3Client") -> None:
        try:
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise

    try:
        # The store was given all the time there is; who waits must not wait as long again for tidiness.
        call(abort, attempts=1)
    except StoreUnavailable as problem:
        return f" Parts of upload {upload} of {key} are left in the bucket ({problem.reason})."
    return ""
