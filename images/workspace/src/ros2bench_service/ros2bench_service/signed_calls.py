"""Who may call: Ed25519 signatures of HTTP calls, with a time and a number that is used once.

The header, its content and what is accepted are section 11 of docs/contracts.md.
"""

import base64
import binascii
import hashlib
import re
import threading
import time
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PREFIX = b'ros2bench-call-v1\n'
HEADER = 'Authorization'
WINDOW_S = 30
MOST_NONCES = 10_000
NANOSECONDS_PER_SECOND = 1_000_000_000
_AUTHORIZATION = re.compile(
    r'ros2bench time_ns=([0-9]{1,19}),nonce=([0-9a-f]{32}),signature=([A-Za-z0-9+/]{86}==)'
)


class CallRefusedError(Exception):
    """A call that the operator did not sign; the text says why, for an answer with status 401."""

    status = 401


def operator_key(text: str) -> Ed25519PublicKey:
    """The operator's public key from its base64.

    Raises:
        ValueError: it is no such key.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise ValueError(f'it is no base64 of an Ed25519 public key: {error}') from error


def signed_content(
    audience: str, method: str, target: str, body: bytes, *, time_ns: int, nonce: str
) -> bytes:
    """What is signed for a call.

    Args:
        audience: the server that is meant: `recorder/NAMESPACE` or `machine-reader/MACHINE`.
        method: `GET`, `POST` or `DELETE`.
        target: path with query, as it is on the wire.
        body: content of the request, empty where there is none.
        time_ns: the server's real-time clock.
        nonce: 32 hexadecimal digits.
    """
    lines = (audience, method, target, hashlib.sha256(body).hexdigest(), str(time_ns), nonce)
    return PREFIX + '\n'.join(lines).encode('utf-8')


class CallVerifier:
    """Accepts each call of the operator once, within 30 s of its time. Any thread may ask.

    What was signed before this process started is refused, because the numbers that an earlier one
    has seen are forgotten.
    """

    def __init__(
        self, key: Ed25519PublicKey, audience: str, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Trust one key.

        Args:
            key: the operator's.
            audience: this server, as callers must name it.
            clock_ns: real-time clock of this machine.
        """
        self.audience = audience
        self._key = key
        self._clock_ns = clock_ns
        # Calls signed before it are refused: nobody remembers their numbers any more.
        self._forgotten_until_ns = clock_ns()
        self._seen: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def check(self, authorization: str | None, method: str, target: str, body: bytes) -> None:
        """Check one call.

        Args:
            authorization: value of the header, None where there is none.
            method: of the request.
            target: path with query, as received.
            body: as received.

        Raises:
            CallRefusedError: unsigned, too old or too new, not the operator's, or used before.
        """
        if authorization is None:
            raise CallRefusedError(
                f"{method} {target} needs the operator's signature in the header {HEADER}: use "
                f'`python -m probes.run`, which signs with the key that the image lock names'
            )
        match = _AUTHORIZATION.fullmatch(authorization)
        if match is None:
            raise CallRefusedError(
                f'the header {HEADER} is not of the form '
                f'ros2bench time_ns=NUMBER,nonce=32 HEX DIGITS,signature=BASE64'
            )
        time_ns, nonce = int(match[1]), match[2]
        now_ns = self._clock_ns()
        self._check_time(time_ns, now_ns)
        content = signed_content(self.audience, method, target, body, time_ns=time_ns, nonce=nonce)
        try:
            self._key.verify(base64.b64decode(match[3], validate=True), content)
        except (ValueError, InvalidSignature) as error:
            raise CallRefusedError(
                f'the signature does not belong to this call of {self.audience} and to the key '
                f'that it trusts: sign with the key that was in use when the image lock was '
                f'written, or write the lock again and deploy it'
            ) from error
        self._note(bytes.fromhex(nonce), time_ns, now_ns)

    def _check_time(self, time_ns: int, now_ns: int) -> None:
        age_s = (now_ns - time_ns) / NANOSECONDS_PER_SECOND
        if abs(age_s) > WINDOW_S:
            raise CallRefusedError(
                f'the call was signed {age_s:.1f} s ago by the clock of this machine; accepted is '
                f'{WINDOW_S} s: ask for /v1/clock and sign it anew'
            )

    def _note(self, nonce: bytes, time_ns: int, now_ns: int) -> None:
        with self._lock:
            if time_ns < self._forgotten_until_ns:
                raise CallRefusedError(
                    'the call was signed before this server started or forgot which calls it has '
                    'seen: sign it anew'
                )
            if nonce in self._seen:
                raise CallRefusedError('this call has been used before: sign it anew')
            if len(self._seen) >= MOST_NONCES:
                self._forget(now_ns - WINDOW_S * NANOSECONDS_PER_SECOND)
            if len(self._seen) >= MOST_NONCES:
                raise CallRefusedError(
                    f'more than {MOST_NONCES} signed calls in {WINDOW_S} s: wait half a minute'
                )
            self._seen[nonce] = time_ns

    def _forget(self, until_ns: int) -> None:
        """A clock that steps back later must not make a forgotten call acceptable again."""
        self._forgotten_until_ns = max(self._forgotten_until_ns, until_ns)
        self._seen = {nonce: at_ns for nonce, at_ns in self._seen.items() if at_ns >= until_ns}
