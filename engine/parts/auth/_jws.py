"""JSON Web Tokens, signed and read. Source: RFC 7515, RFC 7519."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Literal, TypeAlias

from engine.core import jsontext
from engine.core.errors import ConfigError, Json
from engine.parts.auth._keys import KeyEncoding, key_bytes

Algorithm: TypeAlias = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
SKEW_SECONDS = 60


@dataclass(frozen=True)
class Key:
    """A key and what it signs with; reading it may raise ConfigError."""

    algorithm: Algorithm
    text: str = field(repr=False)
    """PEM, or a shared secret."""
    encoding: KeyEncoding = "text"

    def sign(self, claims: dict[str, Json], header: dict[str, Json] | None = None) -> str:
        """The token that says this."""
        said = {"alg": self.algorithm, "typ": "JWT"} | (header or {})
        content = b".".join(_segment(jsontext.write(one)) for one in (said, claims))
        signature = _algorithm(self.algorithm).sign(content, _prepared(self))
        return b".".join((content, _segment(signature))).decode()

    def read(self, token: str, now: float, life: float) -> tuple[dict[str, Json], dict[str, Json]] | None:
        """Header and claims of a token that this key signed, that is in its time and lives no longer; else None."""
        content, _, signature = token.rpartition(".")
        key = _prepared(self)
        public = key if isinstance(key, bytes) else key.public_key()
        try:
            header, claims = (jsontext.read(_unsegmented(one)) for one in content.split("."))
            raw = _unsegmented(signature)
            exact = _segment(raw) == signature.encode()  # its last letter has bits that say nothing
            whole = exact and _algorithm(self.algorithm).verify(content.encode(), public, raw)
            since, until = claims.get("iat", now), claims.get("exp", now + 1)
            timely = since <= now + SKEW_SECONDS and now < until <= since + life
        except (ValueError, TypeError, AttributeError):
            return None
        return (header, claims) if whole and timely and isinstance(header, dict) else None


def _segment(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _unsegmented(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@cache
def _algorithm(name: str) -> Any:
    from jwt.algorithms import get_default_algorithms

    return get_default_algorithms()[name]


@lru_cache(maxsize=64)
def _prepared(key: Key) -> Any:
    """The key as its algorithm wants it: to read a private key takes longer than to sign with it."""
    if key.algorithm.startswith("HS"):
        return key_bytes(key.text, key.encoding)
    import jwt

    try:
        found = _algorithm(key.algorithm).prepare_key(key.text)
        _algorithm(key.algorithm).sign(b"", found)  # not with a public key
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError):
        fix = "give the PEM file's text; RS and PS need an RSA key, ES an elliptic curve, EdDSA Ed25519"
        raise ConfigError(f"the key cannot sign with {key.algorithm}", fix) from None
    return found


def new_key(algorithm: Algorithm) -> str:
    """A private key made on the spot, as PEM: for the simulator."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    made: Any
    if algorithm in curves:
        made = ec.generate_private_key(curves[algorithm])
    elif algorithm == "EdDSA":
        made = ed25519.Ed25519PrivateKey.generate()
    else:
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    written: bytes = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return written.decode()
