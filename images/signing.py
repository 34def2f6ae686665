"""What the operator's key signs in a build: the list of components in an image."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from images.errors import BuildError
from images.lock import LockedComponents
from signing import keys

PURPOSE = b"ros2bench-manifest-v1\n"


def operator_key(path: Path) -> Ed25519PrivateKey:
    """Read the operator's Ed25519 key; make it if there is none.

    Raises:
        BuildError: it cannot be used.
    """
    try:
        return keys.operator_key(path)
    except keys.KeyFileError as error:
        raise BuildError(f"{error.problem} Next: {error.next_step}.") from error


def sign_manifest(manifest: bytes, key: Ed25519PrivateKey) -> LockedComponents:
    """Sign the bytes of an image's list of components."""
    return LockedComponents(public_key=keys.public_text(key), signature=keys.signature_text(key, PURPOSE + manifest))
