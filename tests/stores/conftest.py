"""Credentials, and one description of S3 for all clients: reading it anew costs each of them 0.1 s."""

import ssl
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import boto3
import botocore.loaders
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stores.door import Door, Served
from tests.stores.strict_store import StrictStore

LOADER = botocore.loaders.create_loader()
NEW_SESSION = boto3.session.Session


def session_with_shared_loader() -> boto3.session.Session:
    """A session that reads its credentials anew, and the description of S3 not."""
    session = NEW_SESSION()
    session._session.register_component("data_loader", LOADER)
    return session


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("boto3.session.Session", session_with_shared_loader)


@pytest.fixture
def strict() -> StrictStore:
    return StrictStore()


@pytest.fixture
def door(strict: StrictStore) -> Door:
    return Door(strict.answer)


@pytest.fixture
def served(door: Door) -> Generator[Served]:
    with Served(door) as served:
        yield served


@pytest.fixture(scope="session")
def authority_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def authority(tmp_path: Path, authority_key: ec.EllipticCurvePrivateKey) -> Path:
    """A certificate of 127.0.0.1 that is its own authority."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in store")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(authority_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    path = tmp_path / "authority.crt"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls(tmp_path: Path, authority: Path, authority_key: ec.EllipticCurvePrivateKey) -> Callable[[Door], Served]:
    """Give what opens a door behind TLS."""
    key = tmp_path / "authority.key"
    key.write_bytes(
        authority_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    return lambda door: Served(door, tls=context)
