"""Records are created once, proved by reading back, never overwritten; what is wrong with a store is said in words.

Two stand-ins: moto where the real protocol matters, and a strict one for what moto lets pass (it accepts a wrong
SHA-256) or cannot do (keep an object and answer with an error, or answer well and keep other bytes).
"""

import base64
import hashlib
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import boto3
import botocore.loaders
import pytest
from moto import mock_aws

from probes.errors import RecordConflict, StoreUnavailable, UsageError
from probes.store import FolderStore, S3Store, open_store
from stacks.outputs import Records

LOADER = botocore.loaders.create_loader()
KEY = "runs/schema=1/run=x/manifest.json"


class StrictStore:
    """A stand-in S3 store that checks SHA-256 and conditions, and misbehaves on demand."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.status_after_storing = 200
        self.alters = False
        self.refuses_with: tuple[int, str] | None = None
        self.puts = 0
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                store.reply(self, *store.put(self.path, body, dict(self.headers)))

            def do_GET(self) -> None:
                found = store.objects.get(self.path)
                store.reply(self, *((404, b"NoSuchKey") if found is None else (200, found)))

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def put(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Store an object as S3 promises to."""
        self.puts += 1
        if self.refuses_with:
            return self.refuses_with[0], self.refuses_with[1].encode()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if headers.get("x-amz-checksum-sha256") != digest:
            return 400, b"BadDigest"
        if headers.get("If-None-Match") != "*":
            return 400, b"InvalidRequest"
        if path in self.objects:
            return 412, b"PreconditionFailed"
        self.objects[path] = body + b"!" if self.alters else body
        return self.status_after_storing, b"" if self.status_after_storing == 200 else b"InternalError"

    def reply(self, request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        """Answer, with an error document where the status says so."""
        if status >= 400:
            body = b"<Error><Code>" + body + b"</Code><Message>m</Message></Error>"
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def open(self) -> S3Store:
        """Give a client of this store."""
        return S3Store("records", "", f"http://127.0.0.1:{self._server.server_address[1]}", "us-east-1")

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    # Reading the description of S3 anew costs each client 0.1 s.
    session = boto3.session.Session()
    session._session.register_component("data_loader", LOADER)
    monkeypatch.setattr("boto3.session.Session", lambda: session)


@pytest.fixture
def strict() -> Generator[StrictStore]:
    with StrictStore() as store:
        yield store


def test_an_object_is_created_with_its_digest_and_read_back(strict: StrictStore) -> None:
    store = strict.open()
    store.put(KEY, b"content")
    assert store.get(KEY) == b"content"


def test_the_same_bytes_again_are_a_success_and_other_bytes_a_conflict(strict: StrictStore) -> None:
    store = strict.open()
    store.put(KEY, b"content")
    store.put(KEY, b"content")
    with pytest.raises(RecordConflict, match="exists with other bytes"):
        store.put(KEY, b"other")
    assert store.get(KEY) == b"content"


def test_an_object_that_was_stored_although_the_answer_was_an_error_is_a_success(strict: StrictStore) -> None:
    strict.status_after_storing = 500
    strict.open().put(KEY, b"content")
    assert strict.puts == 2


def test_a_store_that_alters_bytes_is_not_trusted(strict: StrictStore) -> None:
    strict.alters = True
    with pytest.raises(StoreUnavailable, match="reads back other bytes"):
        strict.open().put(KEY, b"content")


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "SignatureDoesNotMatch", "credentials_refused"),
        (403, "InvalidAccessKeyId", "credentials_refused"),
        (404, "NoSuchBucket", "bucket_missing"),
        (501, "NotImplemented", "store_refused"),
    ],
)
def test_a_refusal_is_said_in_words_without_the_keys(strict: StrictStore, status: int, code: str, reason: str) -> None:
    strict.refuses_with = (status, code)
    with pytest.raises(StoreUnavailable) as caught:
        strict.open().put(KEY, b"content")
    assert caught.value.reason == reason
    assert "python -m probes.resume" in caught.value.next_step
    assert "a-secret" not in str(caught.value)
    assert "an-id" not in str(caught.value)


def test_a_store_that_is_down_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:9") as caught:
        S3Store("records", "", "http://127.0.0.1:9", "us-east-1", attempts=1).check()
    assert caught.value.reason == "store_unreachable"


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, strict: StrictStore) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(StoreUnavailable) as caught:
        strict.open().put(KEY, b"content")
    assert caught.value.reason == "no_credentials"


def test_against_the_protocol_as_moto_speaks_it() -> None:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="records")
        store = S3Store("records", "lab/", None, "us-east-1")
        store.check()
        store.put(KEY, b"content")
        store.put(KEY, b"content")
        with pytest.raises(RecordConflict):
            store.put(KEY, b"other")
        assert store.address(KEY) == f"s3://records/lab/{KEY}"
        with pytest.raises(StoreUnavailable) as caught:
            S3Store("absent", "", None, "us-east-1").check()
        assert caught.value.reason == "bucket_missing"


def test_a_folder_keeps_the_same_promises(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "records")
    store.check()
    store.put(KEY, b"content")
    store.put(KEY, b"content")
    with pytest.raises(RecordConflict):
        store.put(KEY, b"other")
    assert store.get(KEY) == b"content"
    assert [path.name for path in (tmp_path / "records").rglob("*") if path.is_file()] == ["manifest.json"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot keep records"):
        FolderStore(tmp_path / "file").check()


RECORDS = Records(bucket="own", endpoint="http://127.0.0.1:9", region="us-east-1", prefix="p/")


@pytest.mark.parametrize(
    ("option", "address"),
    [(None, "s3://own/p/k"), ("s3://other", "s3://other/k"), ("s3://other/a", "s3://other/a/k")],
)
def test_the_option_names_the_store(option: str | None, address: str) -> None:
    assert open_store(option, RECORDS).address("k") == address


@pytest.mark.parametrize("option", ["elsewhere", "dir:", "s3://", "ftp://x"])
def test_an_option_that_names_no_store_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match="must be dir:PATH or s3://BUCKET"):
        open_store(option, RECORDS)
