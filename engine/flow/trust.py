"""Through whom a connection goes and whom it trusts: proxies, certificates, and what is wrong with them in words."""

from __future__ import annotations

import base64
import re
import ssl
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from engine.core.errors import CollectionError, ConfigError
from engine.core.kinds import Certificate
from engine.core.values import Secret


@dataclass(frozen=True)
class Proxy:
    """A proxy, its credentials apart from its address."""

    host: str
    port: int
    header: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What it is told of who asks."""

    @classmethod
    def of(cls, address: str, where: str = "connection.proxy") -> Self:
        """The proxy at an address: `http://proxy.example:8080`, with `name:password@` where it wants to know who asks.

        Raises ConfigError, which says where the address stands and does not show the credentials.
        """
        scheme, _, rest = (address if "://" in address else f"http://{address}").partition("://")
        user, at, place = rest.rpartition("@")
        host, port = None, 0
        with suppress(ValueError):
            parts = urlsplit(f"//{place}")
            host, port = parts.hostname, parts.port or 80
        if scheme != "http" or not host or not port:
            text = f"{scheme}://{place} is no address of a proxy"
            raise ConfigError(text, f"write http://proxy.example:8080 in {where}")
        known = base64.b64encode(unquote(user).encode()).decode()
        return cls(host, port, (("Proxy-Authorization", f"Basic {known}"),) if at else ())

    @property
    def shown(self) -> str:
        """Its address for a person."""
        return f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """Its address without credentials."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.shown}"


@dataclass(frozen=True)
class Trust:
    """What the connections of a run rest on.

    Without a proxy on the page those of the environment are used, as programs do: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY
    and NO_PROXY. So are SSL_CERT_FILE and SSL_CERT_DIR in place of the system's certificates.
    """

    page_proxy: Proxy | None = None
    more: Sequence[str] = ()
    """Certificates that are trusted besides the system's, as PEM texts."""
    certificate: Certificate | None = None
    """What the client shows of itself where requests are signed."""
    direct: bool = False
    """Whether no proxy is asked at all."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def proxy(self, scheme: str, host: str) -> Proxy | None:
        """The proxy on the way to a host; None where there is none."""
        if self.direct:
            return None
        known = {} if self.page_proxy else self._of_environment
        found = known.get(scheme, known.get("all"))
        return (
            Proxy.of(found, f"{scheme.upper()}_PROXY or ALL_PROXY")
            if found and not proxy_bypass(host)
            else self.page_proxy
        )

    def context(self, *, certified: bool) -> ssl.SSLContext:
        """The settings of TLS, shared by all threads: making them costs 58 ms."""
        with self._lock:
            return self._certified if certified and self.certificate else self._plain

    def check(self) -> None:
        """Raise ConfigError where a certificate of the page is none."""
        if self.more:
            self.context(certified=False)
        if self.certificate:
            self.context(certified=True)

    @cached_property
    def _of_environment(self) -> dict[str, str]:
        return getproxies()

    @cached_property
    def _plain(self) -> ssl.SSLContext:
        return self._trusting()

    @cached_property
    def _certified(self) -> ssl.SSLContext:
        assert self.certificate
        context = self._trusting()
        _show(context, self.certificate)
        return context

    def _trusting(self) -> ssl.SSLContext:
        context = _of_the_system()
        for text in self.more:
            try:
                context.load_verify_locations(cadata=text)
            except (ssl.SSLError, ValueError):
                fix = "name a file with -----BEGIN CERTIFICATE----- in it"
                raise ConfigError("connection.ca_file holds no certificates (PEM)", fix) from None
        return context


def _of_the_system() -> ssl.SSLContext:
    """What trusts whom the system trusts."""
    if sys.platform == "darwin":
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    if ssl.get_default_verify_paths().cafile is None:  # Python was built on a system that keeps it elsewhere
        with suppress(StopIteration):
            context.load_verify_locations(next(path for path in BUNDLES if Path(path).is_file()))
    return context


def _show(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Load what the client shows of itself; OpenSSL reads it from files only."""
    key = certificate.key or certificate.certificate
    password = certificate.password.reveal() if certificate.password else ""
    with tempfile.TemporaryDirectory() as folder:  # which nobody else may look into
        try:
            context.load_cert_chain(
                _file(certificate.certificate, Path(folder, "certificate")), _file(key, Path(folder, "key")), password
            )
        except FileNotFoundError:
            text = f'there is no file where secret "{certificate.certificate.name}" or "{key.name}" says'
            raise ConfigError(text, "let it hold the PEM text, or the path of a file with it") from None
        except (ssl.SSLError, OSError, ValueError) as error:
            text = f'secrets "{certificate.certificate.name}" and "{key.name}" are no certificate and key'
            why = getattr(error, "reason", None) or type(error).__name__
            fix = "let them hold PEM texts that belong together, and the key's password where it has one"
            raise ConfigError(f"{text} ({why})", fix) from None


def _file(secret: Secret, place: Path) -> Path:
    """The file of a PEM text or of a path."""
    text = secret.reveal()
    if "-----BEGIN" not in text:
        return Path(text)
    place.touch(mode=0o600)
    place.write_text(text)
    return place


def untrusted(error: BaseException, host: str) -> CollectionError | None:
    """What is wrong with the TLS of a host, in plain words; None where something else broke, which may pass."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        what, fix = CERTIFICATES.get(cause.verify_code, UNKNOWN)
        return CollectionError(f"the certificate of {host} {what}", fix)
    if cause is None or cause.reason is None:
        return None
    found = next(((what, fix) for words, what, fix in REFUSALS if re.search(words, cause.reason)), None)
    return CollectionError(f"{host} {found[0]}", found[1]) if found else None


BUNDLES = ("/etc/ssl/cert.pem", "/etc/pki/tls/cert.pem", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/ca-bundle.pem")
"""Where systems keep the certificates that they trust."""
MEND_NAME = "correct the host in base_url"
UNKNOWN = (
    "is signed by nobody who is trusted here",
    "if your network or the vendor has a CA of its own, name the file with its certificate: connection.ca_file",
)
CERTIFICATES = {
    9: ("is not valid yet", "look at this machine's clock; if it is right, report it to the vendor"),
    10: ("has expired", "look at this machine's clock; if it is right, report it to the vendor"),
    62: ("is for other names", MEND_NAME),
    64: ("is for other addresses", MEND_NAME),
}
"""What OpenSSL's verification codes mean, with the mend. Source: openssl-verification-options(1)."""
NO_TLS = ("does not speak TLS on this port", "write http:// in base_url, or the port that speaks TLS")
STRANGER = ("wants a certificate of the client, and none that it knows was shown", "sign in with auth: mtls")
REFUSALS = (
    ("WRONG_VERSION|HTTP_REQUEST|RECORD_LAYER", *NO_TLS),
    ("UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION", "speaks only TLS that is too old", "ask the vendor for TLS 1.2"),
    ("CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|ALERT_(BAD_|UNKNOWN_|CERTIFICATE_)|ACCESS_DENIED", *STRANGER),
)
"""A pattern of OpenSSL's reason, what it means, the mend."""
