"""Keys are made once, private from the first moment, and the registry's certificate can be checked."""

import ssl
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab import services
from lab.certificates import make_authority, write_private
from lab.folders import LabFolders
from lab.network import LabNetwork

NETWORK = LabNetwork(IPv4Network("198.51.100.0/24"))


@pytest.fixture
def folders(tmp_path: Path) -> LabFolders:
    return LabFolders(name="t", data=tmp_path / "data", cache=tmp_path / "cache")


def test_private_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "keys" / "secret", "one")
    write_private(tmp_path / "keys" / "secret", "two")
    assert (tmp_path / "keys" / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys" / "secret").read_text() == "two"


def test_keys_are_made_once(folders: LabFolders) -> None:
    services.make_keys(folders, NETWORK)
    before = {p.name: p.read_bytes() for p in folders.keys.iterdir()}
    services.make_keys(folders, NETWORK)
    assert {p.name: p.read_bytes() for p in folders.keys.iterdir()} == before
    for name in ("ca.key", "registry.key", "s3-credentials"):
        assert (folders.keys / name).stat().st_mode & 0o777 == 0o600


def test_another_address_gets_another_certificate_from_the_same_authority(folders: LabFolders) -> None:
    services.make_keys(folders, NETWORK)
    authority, certificate = (folders.keys / "ca.crt").read_bytes(), (folders.keys / "registry.crt").read_bytes()
    services.make_keys(folders, LabNetwork(IPv4Network("203.0.113.0/24")))
    assert (folders.keys / "ca.crt").read_bytes() == authority
    assert (folders.keys / "registry.crt").read_bytes() != certificate


def test_registry_certificate_loads_and_its_authority_is_one(folders: LabFolders) -> None:
    services.make_keys(folders, NETWORK)
    client = ssl.create_default_context(cadata=make_authority(folders).certificate.decode())
    assert client.verify_mode is ssl.CERT_REQUIRED
    assert client.cert_store_stats()["x509_ca"] == 1
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
        folders.keys / "registry.crt", folders.keys / "registry.key"
    )


def test_no_key_is_in_a_command_line_or_in_what_env_prints(folders: LabFolders) -> None:
    services.make_keys(folders, NETWORK)
    access, secret = services.read_credentials(folders)
    machine = services.hub_machine(folders, NETWORK, registry=Path("/r"), weed=Path("/w"))
    words = " ".join(word for service in machine.services for word in service.command)
    assert secret not in words
    assert access not in words
    assert "-master.telemetry=false" in words
    assert all(not value for service in machine.services for value in service.environment.values() if secret in value)
