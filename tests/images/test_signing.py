"""What a build signs with the operator's key."""

import base64
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from images.errors import BuildError
from images.signing import operator_key, sign_manifest


def test_signature_is_of_the_purpose_and_the_very_bytes(tmp_path: Path) -> None:
    signed = sign_manifest(b"manifest", operator_key(tmp_path / "k.pem"))
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signed.public_key))
    signature = base64.b64decode(signed.signature)
    key.verify(signature, b"ros2bench-manifest-v1\nmanifest")
    for other in (b"manifest", b"ros2bench-manifest-v1\nmanifesto", b"ros2bench-request-v1\nmanifest"):
        with pytest.raises(InvalidSignature):
            key.verify(signature, other)


def test_a_key_that_cannot_be_used_ends_the_build_with_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    operator_key(path)
    path.chmod(0o644)
    with pytest.raises(BuildError, match=r"may be read by others \(mode 0644\)\. Next: chmod 600 .*k\.pem\."):
        operator_key(path)
