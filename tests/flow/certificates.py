"""Certificates made for a test: an authority of its own, and what it signs."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Signed:
    """A certificate with its key, as PEM."""

    certificate: bytes
    key: ec.EllipticCurvePrivateKey

    def key_pem(self, password: str = "") -> str:
        """The key, encrypted where there is a password."""
        how = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        return self.key.private_bytes(PEM, PKCS8, how).decode()

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.decode()

    def write(self, folder: Path) -> Path:
        """A file with certificate and key."""
        place = folder / "server.pem"
        place.write_text(self.pem + self.key_pem())
        return place


@dataclass
class Authority:
    """An authority that nobody knows but those who are told."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: x509.Name = field(default_factory=lambda: _name("Test Authority"))

    def sign(self, *hosts: str, days: int = 1, is_authority: bool = False) -> Signed:
        """A certificate for these hosts that ends so many days from now; negative where it has ended."""
        key = self.key if is_authority else ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        names: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name if is_authority else _name(hosts[0]))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=10))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if is_authority:
            usage = dict.fromkeys(("digital_signature", "key_cert_sign", "crl_sign"), True)
            none = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
            more = dict.fromkeys((*none, "encipher_only", "decipher_only"), False)
            builder = builder.add_extension(x509.KeyUsage(**usage, **more), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return Signed(builder.sign(self.key, hashes.SHA256()).public_bytes(PEM), key)

    @property
    def pem(self) -> str:
        """Its own certificate."""
        return self.sign(is_authority=True).pem

    def serving(self, folder: Path, *hosts: str, days: int = 1, known: str = "") -> ssl.SSLContext:
        """How a server of these hosts speaks TLS; it asks for a certificate that `known` have signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.sign(*hosts, days=days).write(folder))
        if known:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=known)
        return context
