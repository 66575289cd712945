"""A tiny vendor that is open for the length of a test, and a desk to collect from it."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.flow.desk import Desk, Tiny


@pytest.fixture
def vendor() -> Iterator[Tiny]:
    with Tiny() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, vendor: Tiny) -> Desk:
    return Desk(tmp_path, vendor)


@pytest.fixture(scope="session")
def keys() -> Callable[[str], tuple[str, Any]]:
    """Algorithm of a JSON Web Token -> a private key as PEM, and its public key."""

    @cache
    def pair(algorithm: str) -> tuple[str, Any]:
        key: Any = (
            ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)
        )
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return pem.decode(), key.public_key()

    return pair
