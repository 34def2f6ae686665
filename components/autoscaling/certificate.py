"""Certificate of a server behind the API server: an authority that signs once, and whose key is then forgotten."""

import datetime as dt
from dataclasses import dataclass

VALID_DAYS = 3650
"""Nobody renews it in between: a higher `generation` in the stack file makes a new one."""


@dataclass(frozen=True, kw_only=True)
class ServerCertificate:
    """Certificate and private key of a server, and the authority that vouches for it; PEM."""

    certificate: bytes
    key: bytes
    authority: bytes


def made(dns_name: str, now: dt.datetime) -> ServerCertificate:
    """Make a certificate for a name, and an authority for this one certificate (ECDSA on P-256, RFC 5280).

    Args:
        dns_name: Name by which the server is called.
        now: Time from which it holds.
    """
    from cryptography import x509  # noqa: PLC0415 - a tenth of a second that only a stack with a server needs
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    def signed(
        subject: x509.Name, key: ec.EllipticCurvePrivateKey, extensions: list[tuple[x509.ExtensionType, bool]]
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            # Clocks of machines differ: an hour before now it must hold already.
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(authority_key, hashes.SHA256())

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # A common name has at most 64 characters; the name that counts is the alternative one.
    authority_name = named("ros2bench metrics API authority")
    usage = x509.KeyUsage(
        digital_signature=False,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    authority = signed(
        authority_name, authority_key, [(x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)]
    )
    server = signed(
        named("ros2bench metrics API"),
        key,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName([x509.DNSName(dns_name)]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
    )
    pem = serialization.Encoding.PEM
    return ServerCertificate(
        certificate=server.public_bytes(pem),
        key=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        authority=authority.public_bytes(pem),
    )
