"""The certificate of the adapter: it holds for its name, is signed by its authority, and can sign nothing itself."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtensionOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from components.autoscaling import certificate

NAME = "prometheus-adapter.ros2bench-platform.svc"
NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
MADE = certificate.made(NAME, NOW)


def verify(name: str, when: dt.datetime, authority: bytes = MADE.authority) -> None:
    store = Store([x509.load_pem_x509_certificate(authority)])
    verifier = PolicyBuilder().store(store).time(when).build_server_verifier(x509.DNSName(name))
    verifier.verify(x509.load_pem_x509_certificate(MADE.certificate), [])


def test_it_is_believed_for_its_name_within_its_time() -> None:
    verify(NAME, NOW)
    verify(NAME, NOW + dt.timedelta(days=certificate.VALID_DAYS - 1))


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("prometheus-adapter.elsewhere.svc", NOW),
        (NAME, NOW - dt.timedelta(hours=2)),
        (NAME, NOW + dt.timedelta(days=certificate.VALID_DAYS + 1)),
    ],
)
def test_it_is_not_believed_for_another_name_or_time(name: str, when: dt.datetime) -> None:
    with pytest.raises(VerificationError):
        verify(name, when)


def test_another_authority_is_not_believed() -> None:
    with pytest.raises((VerificationError, InvalidSignature)):
        verify(NAME, NOW, certificate.made(NAME, NOW).authority)


def test_the_key_belongs_to_it_and_it_is_no_authority() -> None:
    found = x509.load_pem_x509_certificate(MADE.certificate)
    assert load_pem_private_key(MADE.key, None).public_key() == found.public_key()
    constraints = found.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value
    assert isinstance(constraints, x509.BasicConstraints)
    assert not constraints.ca
