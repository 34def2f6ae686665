"""Private files, and the lab's own certificate authority: so that nothing in the lab has to skip a check."""

import datetime as dt
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.folders import LabFolders

VALID_DAYS = 3650


@dataclass(frozen=True)
class Authority:
    """Who signs in one lab."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: bytes


@dataclass(frozen=True)
class ServerCertificate:
    """A server's certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


def write_private(path: Path, content: bytes | str) -> None:
    """Write a file that only its owner can ever read: it is created with mode 0600, not changed to it."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(path)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> bytes:
    """Sign a certificate with the given extensions, each with whether it is critical."""
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_authority(folders: LabFolders) -> Authority:
    """Return the lab's authority, made once: `ca.crt` for everybody, `ca.key` with mode 0600."""
    name, key_file, file = (
        _name(f"ros2bench lab {folders.name}"),
        folders.keys / "ca.key",
        folders.keys / "ca.crt",
    )
    if not (key_file.exists() and file.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        certificate = _certificate(name, key, name, key, [(constraints, True), (usage, True)])
        write_private(key_file, _pem(key))
        file.write_bytes(certificate)
    loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{key_file} is not an elliptic-curve key")
    return Authority(name, loaded, file.read_bytes())


def make_server(
    authority: Authority, *, ip_address: str | None = None, dns_name: str | None = None
) -> ServerCertificate:
    """Sign a server's certificate for an address or a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = []
    if ip_address:
        names.append(x509.IPAddress(ipaddress.ip_address(ip_address)))
    if dns_name:
        names.append(x509.DNSName(dns_name))
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName(names), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ]
    subject = _name(ip_address or dns_name or "server")
    return ServerCertificate(_certificate(subject, key, authority.name, authority.key, extensions), _pem(key))
