"""Certificate authorities and server certificates of the lab's own, for Redis servers that speak TLS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from redis_connectivity_lab.topology import ServerCertificate

__all__ = ["Authority"]

_DAY = dt.timedelta(days=1)


class Authority:
    """A CA that signs whatever it is asked to."""

    def __init__(self, name: str, days: int = 3650) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(authority=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        """Its certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def serial(self) -> str:
        """The certificate's serial number, in decimal."""
        return str(self._certificate.serial_number)

    @property
    def fingerprint(self) -> str:
        """SHA-1 of the certificate, in hexadecimal."""
        return self._certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - as Google's API shows it

    @property
    def life(self) -> tuple[dt.datetime, dt.datetime]:
        """From when to when it is valid."""
        return self._certificate.not_valid_before_utc, self._certificate.not_valid_after_utc

    def issue(
        self, *, addresses: Sequence[str] = (), names: Sequence[str] = (), subject: str = "redis", days: int = 180
    ) -> ServerCertificate:
        """A server's certificate for these addresses and DNS names; with negative `days` it has run out since."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - (abs(days) + 1) * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(authority=False), critical=True)
        )
        alternatives: list[x509.GeneralName] = [x509.IPAddress(IPv4Address(each)) for each in addresses]
        alternatives += [x509.DNSName(each) for each in names]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return ServerCertificate(
            signed.public_bytes(serialization.Encoding.PEM).decode(),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
        )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
