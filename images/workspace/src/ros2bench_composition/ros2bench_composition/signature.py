"""Who may load: Ed25519 signatures with a time and a number that is used once. Needs no ROS."""

import base64
import binascii
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ros2bench_composition.refusal import Refusal

MANIFEST_PREFIX = b'ros2bench-manifest-v1\n'
REQUEST_PREFIX = b'ros2bench-request-v1\n'
WINDOW_S = 30
NANOSECONDS_PER_SECOND = 1_000_000_000
NONCE = re.compile(r'[0-9a-f]{32}')
SIGNATURE_BYTES = 64
MOST_NONCES = 100_000


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one JSON text of a value: keys sorted, no spaces, ASCII, no NaN.

    Raises:
        ValueError: a number that JSON does not have.
    """
    text = json.dumps(content, sort_keys=True, separators=(',', ':'), allow_nan=False)
    return text.encode('ascii')


def public_key(text: str) -> Ed25519PublicKey:
    """Key from its base64.

    Raises:
        Refusal: `bad_key`.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise Refusal(
            'bad_key', f'trust.public_key is no base64 of an Ed25519 public key: {error}.'
        ) from error


def fingerprint(text: str) -> str:
    """Short name of a public key for the audit: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(base64.b64decode(text)).hexdigest()[:16]


def check_manifest(content: bytes, key: Ed25519PublicKey, signature: str) -> None:
    """Refuse a manifest that is not signed by the operator.

    Raises:
        Refusal: `manifest_signature`.
    """
    try:
        key.verify(base64.b64decode(signature, validate=True), MANIFEST_PREFIX + content)
    except (ValueError, InvalidSignature) as error:
        raise Refusal(
            'manifest_signature',
            'The manifest is not signed by trust.public_key: image and configuration do not '
            'belong together, or the manifest was altered. Build the images again and deploy '
            'the new lock.',
        ) from error


class Authority:
    """Accepts each request of the operator once, within 30 s of its time.

    What was signed before this container started is refused, because the numbers that an earlier
    one has seen are forgotten.
    """

    def __init__(self, key: Ed25519PublicKey, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._key = key
        self._clock_ns = clock_ns
        self._started_ns = clock_ns()
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def check(self, content: Mapping[str, Any], signature: str) -> None:
        """Check one request.

        Args:
            content: what was signed, with its `nonce` and `time_ns`.
            signature: base64.

        Raises:
            Refusal: `unsigned`, `stale`, `wrong_key` or `replayed`.
        """
        nonce, time_ns = content['nonce'], content['time_ns']
        self._check_shape(nonce, time_ns, signature)
        now_ns = self._clock_ns()
        self._check_time(time_ns, now_ns)
        try:
            given = base64.b64decode(signature, validate=True)
            self._key.verify(given, REQUEST_PREFIX + canonical(content))
        except (ValueError, InvalidSignature) as error:
            raise Refusal(
                'wrong_key',
                'The signature does not belong to this request and to the key that this container '
                'trusts: sign with the key that the images were built with.',
            ) from error
        self._note(nonce, time_ns, now_ns)

    def _check_shape(self, nonce: Any, time_ns: Any, signature: Any) -> None:
        signed = (
            isinstance(nonce, str)
            and NONCE.fullmatch(nonce)
            and type(time_ns) is int
            and isinstance(signature, str)
            and len(signature) == len(base64.b64encode(bytes(SIGNATURE_BYTES)))
        )
        if not signed:
            raise Refusal(
                'unsigned',
                'The request carries no complete signature (nonce of 32 hexadecimal digits, '
                'time_ns, signature): use `python -m probes.components`.',
            )

    def _check_time(self, time_ns: int, now_ns: int) -> None:
        age_s = (now_ns - time_ns) / NANOSECONDS_PER_SECOND
        if abs(age_s) > WINDOW_S:
            raise Refusal(
                'stale',
                f'The request was signed {age_s:.1f} s ago by the clock of this machine; '
                f'accepted is {WINDOW_S} s: sign it anew, and check both clocks.',
            )
        if time_ns < self._started_ns:
            raise Refusal(
                'stale', 'The request was signed before this container started: sign it anew.'
            )

    def _note(self, nonce: str, time_ns: int, now_ns: int) -> None:
        with self._lock:
            window_ns = WINDOW_S * NANOSECONDS_PER_SECOND
            if nonce in self._seen:
                raise Refusal('replayed', 'This request has been used before: sign it anew.')
            if len(self._seen) >= MOST_NONCES:
                oldest_ns = now_ns - window_ns
                self._seen = {n: at for n, at in self._seen.items() if at >= oldest_ns}
            if len(self._seen) >= MOST_NONCES:
                raise Refusal('rate', 'Too many signed requests in 30 s: wait half a minute.')
            self._seen[nonce] = time_ns
