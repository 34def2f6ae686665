"""An S3 store that ignores conditions gets no record; who may only put can record; answers are said in words."""

import base64
import inspect
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.backoff import Backoff
from probes.checksums import as_header, composite, sha256
from probes.errors import ExitCode, ProbeError, RecordConflict, StoreUnavailable, UsageError
from probes.store import S3Store
from probes.store_s3 import MARKER
from tests.stores.door import Answered, Asked, Door, Fault, Served, refusal
from tests.stores.opening import MARKER_PATH, PART_BYTES, PREFIX, impatient, open_s3
from tests.stores.strict_store import BUCKET, StrictStore

KEY = "runs/schema=1/run=x/manifest.json"
PATH = f"/records/p/{KEY}"
LARGE = bytes(range(256)) * 20


def test_objects_are_created_on_condition_with_their_digest(strict: StrictStore, served: Served) -> None:
    assert open_s3(served.endpoint).put(KEY, b"content") == "read_back"
    assert strict.objects == {MARKER_PATH: MARKER, PATH: b"content"}


def test_the_marker_costs_one_request_once_it_is_there(strict: StrictStore, served: Served) -> None:
    open_s3(served.endpoint).check()
    strict.asked.clear()
    store = open_s3(served.endpoint)
    store.check()
    store.put(KEY, b"content")
    store.put(f"{KEY}2", b"content")
    assert [path for method, path in strict.asked if method == "PUT"] == [MARKER_PATH, PATH, f"{PATH}2"]


def test_a_store_that_ignores_the_condition_gets_no_record(strict: StrictStore, served: Served) -> None:
    strict.objects[PATH] = b"an earlier record"
    strict.habits.ignores_condition = True
    store = open_s3(served.endpoint)
    for attempt in (store.check, lambda: store.put(KEY, b"content")):
        with pytest.raises(StoreUnavailable, match="ignores `If-None-Match") as caught:
            attempt()
        assert (caught.value.reason, caught.value.exit_code) == ("condition_ignored", ExitCode.STORED_LOCALLY)
    assert strict.objects == {PATH: b"an earlier record", MARKER_PATH: MARKER}


def test_a_store_that_ignores_the_condition_of_parts_gets_large_objects_in_one(
    strict: StrictStore, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict.habits.ignores_condition_of_parts = True
    assert open_s3(served.endpoint).put(KEY, LARGE) == "read_back"
    assert strict.objects[PATH] == LARGE
    assert ("PUT", PATH) in strict.asked
    assert ("POST", PATH) not in strict.asked
    monkeypatch.setattr("probes.store_s3.MOST_SINGLE_BYTES", len(LARGE) - 1)
    with pytest.raises(StoreUnavailable, match="5 GiB") as caught:
        open_s3(served.endpoint).put(f"{KEY}2", LARGE)
    assert caught.value.reason == "condition_ignored"


def test_large_objects_are_sent_in_parts_and_nothing_is_left_behind(strict: StrictStore, served: Served) -> None:
    assert open_s3(served.endpoint).put(KEY, LARGE) == "read_back"
    assert strict.objects[PATH] == LARGE
    assert strict.asked.count(("PUT", PATH)) == -(-len(LARGE) // PART_BYTES)
    assert strict.uploads == {}


def test_a_large_object_that_is_there_is_not_sent_again(strict: StrictStore, served: Served) -> None:
    open_s3(served.endpoint).put(KEY, LARGE)
    strict.asked.clear()
    assert open_s3(served.endpoint).put(KEY, LARGE) == "read_back"
    assert {method for method, path in strict.asked if path == PATH} == {"HEAD", "GET"}


@pytest.mark.parametrize("payload", [b"content", LARGE], ids=["one request", "parts"])
def test_who_may_only_put_can_record(strict: StrictStore, served: Served, payload: bytes) -> None:
    strict.writers.add("an-id")
    store = open_s3(served.endpoint)
    store.check()
    assert store.put(KEY, payload) == "checksum"
    assert strict.objects[PATH] == payload


@pytest.mark.parametrize("payload", [b"content", LARGE], ids=["one request", "parts"])
def test_who_may_only_put_and_hears_no_checksum_has_no_proof(
    strict: StrictStore, served: Served, payload: bytes
) -> None:
    strict.writers.add("an-id")
    strict.habits.tells_checksum = False
    with pytest.raises(StoreUnavailable, match="did not name the SHA-256") as caught:
        open_s3(served.endpoint).put(KEY, payload)
    assert caught.value.reason == "not_proved"


@pytest.mark.parametrize("payload", [b"content", LARGE], ids=["one request", "parts"])
def test_who_may_only_put_cannot_compare(strict: StrictStore, served: Served, payload: bytes) -> None:
    strict.objects[PATH] = payload
    strict.writers.add("an-id")
    with pytest.raises(StoreUnavailable, match="may not read it") as caught:
        open_s3(served.endpoint).put(KEY, payload)
    assert caught.value.reason == "not_comparable"
    assert "s3:GetObject" in caught.value.next_step
    assert strict.uploads == {}


def test_an_upload_in_parts_that_fails_is_taken_back(strict: StrictStore, door: Door, served: Served) -> None:
    store = open_s3(served.endpoint)
    store.put(f"{KEY}0", LARGE)
    door.meet(Fault("refusal", refusal=refusal(507, "InsufficientStorage")), first=3, methods="PUT")
    with pytest.raises(StoreUnavailable) as caught:
        store.put(KEY, LARGE)
    assert caught.value.reason == "store_full"
    assert strict.uploads == {}
    assert PATH not in strict.objects


def test_parts_that_cannot_be_taken_back_are_named(strict: StrictStore, door: Door, served: Served) -> None:
    store = open_s3(served.endpoint)
    store.put(f"{KEY}0", LARGE)
    door.meet(Fault("refusal", refusal=refusal(403, "AccessDenied")), methods="PUT DELETE")
    with pytest.raises(StoreUnavailable, match=r"Parts of upload upload-\d+ of p/runs/.* are left") as caught:
        store.put(KEY, LARGE)
    assert caught.value.reason == "access_denied"


@pytest.mark.parametrize("first", [0, 3, 6])
def test_a_put_ends_within_its_bound_once_the_store_is_frozen(tmp_path: Path, strict: StrictStore, first: int) -> None:
    """Connections are taken, nothing is answered any more: by a real clock, and with real waits."""
    door = Door(strict.answer, silence_s=0.5)
    backoff, connect_s, answer_s = Backoff(first_s=0.05, total_s=0.4), 0.2, 0.2
    with Served(door) as served:
        store = S3Store(
            BUCKET, PREFIX, served.endpoint, "us-east-1", backoff=backoff, part_bytes=PART_BYTES,
            connect_s=connect_s, answer_s=answer_s,
        )  # fmt: skip
        door.meet(Fault("silence"), first=first)
        began_s = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught:
            store.put(KEY, LARGE)
        taken_s = time.monotonic() - began_s
    assert (caught.value.reason, caught.value.exit_code) == ("store_unreachable", ExitCode.STORED_LOCALLY)
    # One more request takes parts back; the rest is spare for a machine that is busy.
    assert taken_s < backoff.total_s + 2 * (connect_s + answer_s) + 1


def test_the_bound_of_the_page_is_that_of_the_program() -> None:
    told = inspect.signature(S3Store.__init__).parameters
    connect_s, answer_s = told["connect_s"].default, told["answer_s"].default
    assert Backoff().total_s + connect_s + answer_s == 120
    page = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
    assert f"not after {Backoff().total_s:g} s" in page
    assert f"given {connect_s:g} s to connect and {answer_s:g} s of silence" in page


def test_a_join_whose_answer_was_lost_is_found_by_reading(strict: StrictStore, door: Door, served: Served) -> None:
    store = open_s3(served.endpoint)
    store.put(f"{KEY}0", LARGE)
    door.meet(Fault("lost_answer"), first=1, count=1, methods="POST")
    assert store.put(KEY, LARGE) == "read_back"
    assert strict.objects[PATH] == LARGE


ANSWERS = [
    (403, "SignatureDoesNotMatch", "credentials_refused"),
    (403, "InvalidAccessKeyId", "credentials_refused"),
    (400, "InvalidToken", "credentials_refused"),
    (403, "AccessDenied", "access_denied"),
    (404, "NoSuchBucket", "bucket_missing"),
    (301, "PermanentRedirect", "bucket_elsewhere"),
    (307, "TemporaryRedirect", "bucket_elsewhere"),
    (400, "AuthorizationHeaderMalformed", "bucket_elsewhere"),
    (403, "RequestTimeTooSkewed", "clock_skewed"),
    (403, "QuotaExceeded", "store_full"),
    (507, "XMinioStorageFull", "store_full"),
    (501, "NotImplemented", "store_unsupported"),
    (400, "InvalidRequest", "store_refused"),
    (500, "InternalError", "store_refused"),
    (503, "SlowDown", "store_refused"),
]


@pytest.mark.parametrize(("status", "code", "reason"), ANSWERS)
def test_a_refusal_is_said_in_words_without_the_keys(
    door: Door, served: Served, status: int, code: str, reason: str
) -> None:
    door.meet(Fault("refusal", refusal=refusal(status, code, "an-id signed with a-secret")))
    with pytest.raises(StoreUnavailable) as caught:
        open_s3(served.endpoint).put(KEY, b"content")
    assert caught.value.reason == reason
    assert code in caught.value.message
    assert "python -m probes.resume" in caught.value.next_step
    assert "a-secret" not in str(caught.value)
    assert "an-id" not in str(caught.value)


def test_how_far_the_clocks_are_apart_is_said(door: Door, served: Served) -> None:
    then = {"Date": "Sat, 31 Jan 2026 12:00:00 GMT"}
    skewed = refusal(403, "RequestTimeTooSkewed", "The difference is too large.", **then)
    door.meet(Fault("refusal", refusal=skewed))
    with pytest.raises(StoreUnavailable, match=r"this machine is [+-]\d+ s from the store"):
        open_s3(served.endpoint).put(KEY, b"content")


def test_where_the_bucket_is_instead_is_said(door: Door, served: Served) -> None:
    elsewhere = refusal(307, "TemporaryRedirect", "go", Location="http://127.0.0.1:9/")
    door.meet(Fault("refusal", refusal=elsewhere))
    with pytest.raises(StoreUnavailable, match=r"but at http://127\.0\.0\.1:9/"):
        open_s3(served.endpoint).put(KEY, b"content")


def test_a_redirect_is_never_followed_with_the_request(strict: StrictStore, door: Door, served: Served) -> None:
    other = StrictStore()
    with Served(Door(other.answer)) as elsewhere:
        door.meet(Fault("refusal", refusal=refusal(307, "TemporaryRedirect", Location=elsewhere.endpoint)))
        with pytest.raises(StoreUnavailable):
            open_s3(served.endpoint).put(KEY, b"content")
    assert other.asked == []


def test_a_store_that_is_down_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:9") as caught:
        open_s3("http://127.0.0.1:9").check()
    assert caught.value.reason == "store_unreachable"


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(StoreUnavailable) as caught:
        open_s3(served.endpoint).put(KEY, b"content")
    assert caught.value.reason == "no_credentials"


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreUnavailable, match="ProfileNotFound") as caught:
        open_s3(served.endpoint).check()
    assert caught.value.reason == "no_credentials"


@pytest.mark.parametrize(("bucket", "endpoint"), [("records", "no address"), ("Not a bucket", "http://127.0.0.1:9")])
def test_what_cannot_be_an_address_is_a_usage_error(bucket: str, endpoint: str) -> None:
    with pytest.raises(UsageError):
        S3Store(bucket, "", endpoint, "us-east-1", backoff=impatient()).check()


def test_a_password_in_the_endpoint_is_not_shown() -> None:
    with pytest.raises(ProbeError) as caught:
        open_s3("http://somebody:pass-word@127.0.0.1:9").check()
    assert "pass-word" not in str(caught.value)
    assert "http://127.0.0.1:9" in str(caught.value)


def test_credentials_that_expired_are_read_anew_once(
    strict: StrictStore, door: Door, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_new(asked: Asked) -> Answered:
        return strict.answer(asked) if asked.key_id == "a-new-id" else refusal(400, "ExpiredToken", "an-id is old")

    store = open_s3(served.endpoint)
    store.check()
    door.store = only_new
    with pytest.raises(StoreUnavailable) as caught:
        store.put(KEY, b"content")
    assert caught.value.reason == "credentials_refused"
    assert "an-id" not in str(caught.value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-new-id")
    assert store.put(KEY, b"content") == "read_back"


def test_another_runners_record_is_a_conflict_although_it_reads_damaged_once(
    strict: StrictStore, door: Door, served: Served
) -> None:
    """One damaged answer must not turn an equal record into a conflict, nor a conflict into a success."""
    store = open_s3(served.endpoint)
    store.put(KEY, b"content")
    door.meet(Fault("quietly_damaged_answer"), count=1, methods="GET")
    assert store.put(KEY, b"content") == "read_back"
    door.meet(Fault("quietly_damaged_answer"), count=1, methods="GET")
    with pytest.raises(RecordConflict):
        store.put(KEY, b"CONTENT")
    assert strict.objects[PATH] == b"content"


def test_a_certificate_is_checked_and_an_own_authority_can_be_named(
    strict: StrictStore, tls: Callable[[Door], Served], authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls(Door(strict.answer)) as served:
        endpoint = f"https://127.0.0.1:{served.port}"
        with pytest.raises(StoreUnavailable, match="AWS_CA_BUNDLE") as caught:
            open_s3(endpoint).check()
        assert caught.value.reason == "certificate_not_trusted"
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
        assert open_s3(endpoint).put(KEY, b"content") == "read_back"


def test_digests_are_written_as_s3_does() -> None:
    digest = sha256(b"content")
    assert base64.b64decode(as_header(digest)) == digest
    joined = sha256(sha256(b"a") + sha256(b"b"))
    assert composite([sha256(b"a"), sha256(b"b")]) == f"{as_header(joined)}-2"
