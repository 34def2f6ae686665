"""Who may call a server: once, in time, with the right key, for this server and for these very bytes."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from probes.signing import CallSigner
from signing.keys import public_text
from tests.images.in_cluster import module

signed_calls = module("ros2bench_service.signed_calls")

KEY = Ed25519PrivateKey.generate()
AUDIENCE = "recorder/ros2bench-monolithic"
SIGNER = CallSigner(KEY, AUDIENCE)
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
METHOD, TARGET, BODY = "POST", "/v1/captures?x=%2Fy", b'{"capture": "a"}'


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        """The time."""
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(clock: Clock) -> Any:
    made = signed_calls.CallVerifier(KEY.public_key(), AUDIENCE, clock)
    clock.now_ns += SECOND_NS
    return made


def refused(verifier: Any, authorization: str | None, *call: Any) -> str:
    with pytest.raises(signed_calls.CallRefusedError) as caught:
        verifier.check(authorization, *(call or (METHOD, TARGET, BODY)))
    assert caught.value.status == 401
    return str(caught.value)


def test_what_the_operator_signs_is_accepted_once(verifier: Any, clock: Clock) -> None:
    authorization = SIGNER.authorization(METHOD, TARGET, BODY, clock.now_ns)
    verifier.check(authorization, METHOD, TARGET, BODY)
    assert "used before" in refused(verifier, authorization)
    verifier.check(SIGNER.authorization(METHOD, TARGET, BODY, clock.now_ns), METHOD, TARGET, BODY)


@pytest.mark.parametrize(
    ("signer", "call"),
    [
        (CallSigner(Ed25519PrivateKey.generate(), AUDIENCE), (METHOD, TARGET, BODY)),
        (CallSigner(KEY, "recorder/another"), (METHOD, TARGET, BODY)),
        (CallSigner(KEY, "machine-reader/edge"), (METHOD, TARGET, BODY)),
        (SIGNER, ("DELETE", TARGET, BODY)),
        (SIGNER, (METHOD, "/v1/captures?x=/y", BODY)),
        (SIGNER, (METHOD, TARGET, BODY + b" ")),
        (SIGNER, (METHOD, TARGET, b"")),
    ],
    ids=["other key", "other namespace", "other server", "other method", "other query", "other body", "no body"],
)
def test_a_signature_is_of_one_call_to_one_server_by_one_key(
    verifier: Any, clock: Clock, signer: CallSigner, call: tuple[str, str, bytes]
) -> None:
    authorization = signer.authorization(METHOD, TARGET, BODY, clock.now_ns)
    assert f"this call of {AUDIENCE}" in refused(verifier, authorization, *call)


@pytest.mark.parametrize("late_s", [-31, 31, 3600, -(10**9)])
def test_a_call_of_another_time_is_refused(verifier: Any, clock: Clock, late_s: int) -> None:
    authorization = SIGNER.authorization(METHOD, TARGET, BODY, clock.now_ns - late_s * SECOND_NS)
    assert f"signed {late_s}.0 s ago" in refused(verifier, authorization)


def test_what_was_signed_before_the_server_started_is_refused(verifier: Any, clock: Clock) -> None:
    authorization = SIGNER.authorization(METHOD, TARGET, BODY, START_NS - 1)
    assert "before this server started" in refused(verifier, authorization)


def good() -> str:
    return SIGNER.authorization(METHOD, TARGET, BODY, START_NS + SECOND_NS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ros2bench ", ""),
        ("ros2bench ", "Bearer "),
        ("nonce=", "nonce=0"),
        ("time_ns=", "time_ns=-"),
        ("time_ns=", f"time_ns={'9' * 30}"),
        ("==", ""),
        ("==", "==,more=1"),
        ("==", "==\n"),
        (",nonce", ", nonce"),
    ],
)
def test_a_header_of_another_form_is_refused(verifier: Any, old: str, new: str) -> None:
    assert "not of the form" in refused(verifier, good().replace(old, new))


def test_no_header_at_all_and_an_empty_one_are_refused(verifier: Any) -> None:
    assert "not of the form" in refused(verifier, "")
    assert "python -m probes.run" in refused(verifier, None)


def test_signature_of_zeros_is_refused(verifier: Any) -> None:
    head = good().partition("signature=")[0]
    assert "does not belong" in refused(verifier, head + "signature=" + base64.b64encode(bytes(64)).decode())


@given(st.text(max_size=200))
def test_no_text_is_accepted_or_breaks_the_server(text: str) -> None:
    verifier = signed_calls.CallVerifier(KEY.public_key(), AUDIENCE, lambda: START_NS)
    with pytest.raises(signed_calls.CallRefusedError):
        verifier.check(text, METHOD, TARGET, BODY)


def test_memory_of_calls_is_bounded_and_a_forgotten_one_stays_refused(
    verifier: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_calls, "MOST_NONCES", 3)

    def call() -> str:
        authorization = SIGNER.authorization(METHOD, TARGET, BODY, clock.now_ns)
        verifier.check(authorization, METHOD, TARGET, BODY)
        return authorization

    first, *_ = [call() for _ in range(3)]
    assert "wait half a minute" in refused(verifier, SIGNER.authorization(METHOD, TARGET, BODY, clock.now_ns))
    clock.now_ns += 31 * SECOND_NS
    call()
    clock.now_ns -= 31 * SECOND_NS
    assert "forgot" in refused(verifier, first)


def test_a_key_that_is_none_is_named() -> None:
    assert signed_calls.operator_key(public_text(KEY)).public_bytes_raw() == KEY.public_key().public_bytes_raw()
    for text in ("", "a2V5", "not base64"):
        with pytest.raises(ValueError, match="Ed25519 public key"):
            signed_calls.operator_key(text)
