"""A stand-in S3 store that keeps what S3 promises to the letter: conditions, checksums, parts.

moto lets a wrong SHA-256 pass; this one does not. It can be made as careless as some stores are (`Habits`). It only
turns requests into answers; `tests.stores.door` gives it a port.
"""

import base64
import hashlib
import itertools
import re
import threading
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.stores.door import Answered, Asked, refusal

BUCKET = "records"


@dataclass
class Habits:
    """What a careless store does otherwise."""

    ignores_condition: bool = False
    ignores_condition_of_parts: bool = False
    tells_checksum: bool = True


def digest_of(body: bytes) -> str:
    """SHA-256 as a header."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


class StrictStore:
    """The store; its state is open to tests.

    Attributes:
        objects: Bytes by path, `/records/KEY`.
        writers: Access keys that may neither read nor list.
        asked: Every request so far, as method and path.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.habits = Habits()
        self.writers: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.buckets = {BUCKET}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def answer(self, asked: Asked) -> Answered:
        """Do what a request asks for."""
        with self._lock:
            self.asked.append((asked.method, asked.path))
            bucket = asked.path.split("/")[1]
            if bucket not in self.buckets:
                return refusal(404, "NoSuchBucket")
            if asked.method in {"GET", "HEAD"} and asked.key_id in self.writers:
                return refusal(403, "AccessDenied")
            if asked.method == "PUT":
                return self._part(asked) if "partNumber" in asked.query else self._put(asked)
            if asked.method == "POST":
                return self._begin() if "uploads" in asked.query else self._join(asked)
            if asked.method == "DELETE":
                gone = self.uploads.pop(asked.query["uploadId"], None) is None
                return refusal(404, "NoSuchUpload") if gone else Answered(204)
            return self._list(bucket, asked) if "list-type" in asked.query else self._get(asked)

    def _put(self, asked: Asked) -> Answered:
        digest = digest_of(asked.body)
        if asked.headers.get("x-amz-checksum-sha256") != digest:
            return refusal(400, "BadDigest")
        if asked.headers.get("if-none-match") != "*":
            return refusal(400, "InvalidRequest", "this store wants If-None-Match: *")
        if asked.path in self.objects and not self.habits.ignores_condition:
            return refusal(412, "PreconditionFailed")
        self.objects[asked.path] = asked.body
        return Answered(200, headers={"ETag": '"e"', **self._told(digest)})

    def _told(self, digest: str) -> dict[str, str]:
        return {"x-amz-checksum-sha256": digest} if self.habits.tells_checksum else {}

    def _begin(self) -> Answered:
        upload = f"upload-{next(self._numbers)}"
        self.uploads[upload] = {}
        return Answered(200, f"<R><UploadId>{upload}</UploadId></R>".encode())

    def _part(self, asked: Asked) -> Answered:
        parts = self.uploads.get(asked.query["uploadId"])
        if parts is None:
            return refusal(404, "NoSuchUpload")
        if asked.headers.get("x-amz-checksum-sha256") != digest_of(asked.body):
            return refusal(400, "BadDigest")
        parts[int(asked.query["partNumber"])] = asked.body
        return Answered(200, headers={"ETag": f'"{asked.query["partNumber"]}"'})

    def _join(self, asked: Asked) -> Answered:
        upload = asked.query["uploadId"]
        if upload not in self.uploads:
            return refusal(404, "NoSuchUpload")
        if asked.path in self.objects and not self.habits.ignores_condition_of_parts:
            return refusal(412, "PreconditionFailed")
        listed = [int(number) for number in re.findall(r"<PartNumber>(\d+)<", asked.body.decode())]
        told = re.findall(r"<ChecksumSHA256>([^<]+)<", asked.body.decode())
        parts = [self.uploads[upload].get(number, b"") for number in listed]
        if told != [digest_of(part) for part in parts]:
            return refusal(400, "InvalidPart")
        self.objects[asked.path] = b"".join(parts)
        del self.uploads[upload]
        joined = digest_of(b"".join(hashlib.sha256(part).digest() for part in parts))
        text = f"<ChecksumSHA256>{joined}-{len(parts)}</ChecksumSHA256>" if self.habits.tells_checksum else ""
        return Answered(200, f"<R><ETag>e</ETag>{text}</R>".encode())

    def _get(self, asked: Asked) -> Answered:
        found = self.objects.get(asked.path)
        if found is None:
            return refusal(404, "NoSuchKey")
        return Answered(200, found, {"ETag": '"e"', **self._told(digest_of(found))})

    def _list(self, bucket: str, asked: Asked) -> Answered:
        """Two keys a page, so that every listing has pages."""
        start = f"/{bucket}/{asked.query.get('prefix', '')}"
        keys = sorted(path.removeprefix(f"/{bucket}/") for path in self.objects if path.startswith(start))
        first = int(asked.query.get("continuation-token", "0"))
        entries = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys[first : first + 2])
        more = first + 2 < len(keys)
        token = f"<NextContinuationToken>{first + 2}</NextContinuationToken>" if more else ""
        truncated = str(more).lower()
        return Answered(200, f"<R><IsTruncated>{truncated}</IsTruncated>{token}{entries}</R>".encode())
